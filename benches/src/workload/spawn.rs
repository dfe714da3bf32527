//! Spawning from a task, and waiting for what was spawned.

use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::foreign::Countdown;
use super::{Group, RUNTIMES, Spec, Target, Workload};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::Rt;

/// A task spawns a trivial task and awaits it, one by one. Size: spawns.
#[derive(Debug)]
pub struct SpawnJoin;

impl Workload for SpawnJoin {
    const SPEC: Spec = Spec {
        name: "spawn_join",
        group: Group::Sched,
        unit: "ns/spawn",
        about: "a task spawns a trivial task and awaits it, one by one",
        full: 500_000,
        quick: 10_000,
        rivals: RUNTIMES,
        in_go: true,
        target: Some(Target::Ratio(0.45)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(rt.run(async move {
            let start = Instant::now();
            for i in 0..size {
                black_box(R::join(R::spawn(async move { i })).await);
            }
            Cost::since(start, size)
        }))
    }
}

/// Tasks alive at once in [`SpawnMany`].
const BATCH: usize = 10_000;

/// A task spawns 10,000 trivial tasks, keeps their handles, then awaits all. Size: tasks.
#[derive(Debug)]
pub struct SpawnMany;

impl Workload for SpawnMany {
    const SPEC: Spec = Spec {
        name: "spawn_many",
        group: Group::Sched,
        unit: "ns/task",
        about: "a task spawns 10,000 trivial tasks, keeps the handles, then awaits all",
        full: 50 * BATCH,
        quick: BATCH,
        rivals: RUNTIMES,
        in_go: true,
        target: Some(Target::Ratio(0.40)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(rt.run(async move {
            let batches = size.div_ceil(BATCH);
            let mut tasks = Vec::with_capacity(BATCH);
            let start = Instant::now();
            for _ in 0..batches {
                tasks.extend((0..BATCH).map(|i| R::spawn(async move { i })));
                for task in tasks.drain(..) {
                    black_box(R::join(task).await);
                }
            }
            Cost::since(start, batches * BATCH)
        }))
    }
}

/// A task that does not yield spawns all the tasks there are and keeps no handle; each counts down when it
/// runs. So the queue of the processor overflows all the time. Size: tasks.
#[derive(Debug)]
pub struct SpawnDetached;

impl Workload for SpawnDetached {
    const SPEC: Spec = Spec {
        name: "spawn_detached",
        group: Group::Sched,
        unit: "ns/task",
        about: "a task spawns 500,000 tasks without yielding and keeps no handle; each counts down",
        full: 500_000,
        quick: 10_000,
        rivals: &[Peer::Tokio, Peer::Smol, Peer::Go],
        in_go: true,
        target: Some(Target::Ratio(0.60)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        let countdown = Countdown::new();
        let start = countdown.start(size);
        let counted = Arc::clone(&countdown);
        R::detach(rt.spawn_from_outside(async move {
            for _ in 0..size {
                let counted = Arc::clone(&counted);
                R::detach(R::spawn(async move { counted.one_less() }));
            }
        }));
        Ok(Cost {
            spent: countdown.wait() - start,
            ops: size as u64,
        })
    }
}
