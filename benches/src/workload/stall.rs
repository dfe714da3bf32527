//! How late timers are while tasks hold the processors.
//!
//! A ticker is due every millisecond, counted from its start, and notes how late it was at worst.
//! Everybody's timers have a share in the figure: those of gopark and tokio count in milliseconds.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{BlockingWorkload, Group, RUNTIMES, Spec, Target, Workload};
use crate::measure::Cost;
use crate::peer::{PROCS, Peer};
use crate::rt::{Blocks, Rt};

/// Tasks that block at the same time, two for each processor.
const SLEEPERS: usize = 2 * PROCS;

/// Tasks block their thread without a word, three times over. Size: milliseconds that each blocks;
/// the pauses are a quarter of it.
#[derive(Debug)]
pub struct StallSleep;

impl Workload for StallSleep {
    const SPEC: Spec = Spec {
        name: "stall_sleep",
        group: Group::Block,
        unit: "ms",
        about: "worst lateness of a 1 ms ticker while 4 tasks sleep 200 ms on their thread, three \
                times, unmarked (Go: a raw nanosleep, of which its scheduler does not know)",
        full: 200,
        quick: 20,
        rivals: RUNTIMES,
        in_go: true,
        target: Some(Target::Bound(3.0)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(rt.run(lateness::<R>(blocked::<R>(size, thread::sleep))))
    }
}

/// The same, and the tasks say that they block.
#[derive(Debug)]
pub struct StallBlock;

impl BlockingWorkload for StallBlock {
    const SPEC: Spec = Spec {
        name: "stall_block",
        about: "the same, each sleep marked as a blocking call (Go: an ordinary nanosleep)",
        rivals: &[Peer::Tokio, Peer::Go],
        target: Some(Target::Bound(2.0)),
        ..StallSleep::SPEC
    };

    fn run<R: Blocks>(rt: &R, size: usize) -> io::Result<Cost> {
        let sleep = |duration| R::block(|| thread::sleep(duration));
        Ok(rt.run(lateness::<R>(blocked::<R>(size, sleep))))
    }
}

/// Two tasks, one for each processor, compute and never yield. Size: milliseconds.
#[derive(Debug)]
pub struct StallCompute;

impl Workload for StallCompute {
    const SPEC: Spec = Spec {
        name: "stall_compute",
        about: "worst lateness of a 1 ms ticker while 2 tasks compute for 1 s each",
        full: 1_000,
        quick: 50,
        target: Some(Target::Bound(15.0)),
        ..StallSleep::SPEC
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        let duration = Duration::from_millis(size as u64);
        Ok(rt.run(lateness::<R>(async move {
            at_once::<R>(PROCS, move || compute(duration)).await;
        })))
    }
}

/// More tasks than there are processors compute and never yield. Size: milliseconds.
#[derive(Debug)]
pub struct StallHogs;

impl Workload for StallHogs {
    const SPEC: Spec = Spec {
        name: "stall_hogs",
        about: "worst lateness of a 1 ms ticker while 4 tasks compute for 500 ms each",
        full: 500,
        ..StallCompute::SPEC
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        let duration = Duration::from_millis(size as u64);
        Ok(rt.run(lateness::<R>(async move {
            at_once::<R>(2 * PROCS, move || compute(duration)).await;
        })))
    }
}

/// The ticker's worst lateness while `trouble` goes on.
async fn lateness<R: Rt>(trouble: impl Future<Output = ()> + Send + 'static) -> Cost {
    let stop = Arc::new(AtomicBool::new(false));
    let ticker = R::spawn(tick::<R>(Arc::clone(&stop)));
    // The ticker is under way before the trouble begins.
    R::sleep(Duration::from_millis(5)).await;
    trouble.await;
    stop.store(true, Ordering::Relaxed);
    Cost {
        spent: R::join(ticker).await,
        ops: 1,
    }
}

async fn tick<R: Rt>(stop: Arc<AtomicBool>) -> Duration {
    let mut due = Instant::now();
    let mut worst = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        due += Duration::from_millis(1);
        // What is due already is not slept for: on tokio even a sleep of no time takes until the
        // next millisecond, so that a ticker once late would never catch up.
        let left = due.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            R::sleep(left).await;
        }
        worst = worst.max(due.elapsed());
    }
    worst
}

async fn blocked<R: Rt>(millis: usize, sleep: impl Fn(Duration) + Copy + Send + 'static) {
    let duration = Duration::from_millis(millis as u64);
    for _ in 0..3 {
        at_once::<R>(SLEEPERS, move || sleep(duration)).await;
        R::sleep(duration / 4).await;
    }
}

/// Runs `work` in so many tasks and waits for them.
async fn at_once<R: Rt>(tasks: usize, work: impl Fn() + Copy + Send + 'static) {
    let tasks: Vec<_> = (0..tasks)
        .map(|_| R::spawn(async move { work() }))
        .collect();
    for task in tasks {
        R::join(task).await;
    }
}

fn compute(duration: Duration) {
    let start = Instant::now();
    let mut sum = 0_u64;
    while start.elapsed() < duration {
        for number in 0..10_000 {
            sum = black_box(sum.wrapping_add(number));
        }
    }
}
