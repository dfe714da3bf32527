//! Tasks that do nothing but give way to each other.

use std::io;
use std::time::Instant;

use super::{Group, RUNTIMES, Spec, Target, Workload};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::Rt;

/// 1,000 tasks yield in turn. Size: yields of each.
#[derive(Debug)]
pub struct Yield;

impl Workload for Yield {
    const SPEC: Spec = Spec {
        name: "yield",
        group: Group::Sched,
        unit: "ns/yield",
        about: "1,000 tasks yield 2,000 times each",
        full: 2_000,
        quick: 50,
        rivals: &[Peer::Tokio, Peer::Smol, Peer::Go],
        in_go: true,
        target: Some(Target::Ratio(0.55)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        run::<R>(rt, 1_000, size)
    }
}

/// Two tasks yield in turn, one for each processor: queues are as good as empty all the time.
/// Size: yields of each.
#[derive(Debug)]
pub struct YieldFew;

impl Workload for YieldFew {
    const SPEC: Spec = Spec {
        name: "yield_few",
        group: Group::Sched,
        unit: "ns/yield",
        about: "2 tasks yield",
        full: 300_000,
        quick: 10_000,
        rivals: RUNTIMES,
        in_go: true,
        target: None,
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        run::<R>(rt, 2, size)
    }
}

fn run<R: Rt>(rt: &R, tasks: usize, yields: usize) -> io::Result<Cost> {
    Ok(rt.run(async move {
        let start = Instant::now();
        let yielder = |_| {
            R::spawn(async move {
                for _ in 0..yields {
                    R::yield_now().await;
                }
            })
        };
        let yielders: Vec<_> = (0..tasks).map(yielder).collect();
        for yielder in yielders {
            R::join(yielder).await;
        }
        Cost::since(start, tasks * yields)
    }))
}
