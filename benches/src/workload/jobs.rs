//! Closures handed to threads that may block.

use std::hint;
use std::io;
use std::time::{Duration, Instant};

use super::{Group, RUNTIMES, Spec, Target, Workload};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::Rt;

/// One task hands over all jobs, each of which takes 10 us by the clock, then awaits all. Size: jobs.
#[derive(Debug)]
pub struct Jobs;

impl Workload for Jobs {
    const SPEC: Spec = Spec {
        name: "jobs",
        group: Group::Block,
        unit: "µs/job",
        about: "a task spawns 10,000 blocking closures that spin for 10 us each, then awaits all",
        full: 10_000,
        quick: 500,
        rivals: &[Peer::Tokio],
        in_go: false,
        target: Some(Target::Ratio(0.50)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(in_task::<R>(rt, async move {
            let start = Instant::now();
            let jobs: Vec<_> = (0..size).map(|_| R::spawn_blocking(work)).collect();
            for job in jobs {
                R::join(job).await;
            }
            Cost::since(start, size)
        }))
    }
}

/// Runs the workload in a task, on every runtime: to wake a root that is polled by the thread in `block_on`
/// costs a thread's wake-up for each job.
fn in_task<R: Rt>(rt: &R, workload: impl Future<Output = Cost> + Send + 'static) -> Cost {
    rt.run(async { R::join(R::spawn(workload)).await })
}

fn work() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(10) {
        hint::spin_loop();
    }
}

/// One job at a time, with nothing to do: the way there and back. Size: jobs.
#[derive(Debug)]
pub struct JobOne;

impl Workload for JobOne {
    const SPEC: Spec = Spec {
        name: "job_one",
        unit: "ns/job",
        about: "a task spawns an empty blocking closure and awaits it, one by one",
        full: 10_000,
        quick: 500,
        rivals: RUNTIMES,
        target: None,
        ..Jobs::SPEC
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(in_task::<R>(rt, async move {
            let start = Instant::now();
            for _ in 0..size {
                R::join(R::spawn_blocking(|| ())).await;
            }
            Cost::since(start, size)
        }))
    }
}
