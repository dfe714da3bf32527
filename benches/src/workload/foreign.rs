//! Spawning from a thread that is none of the runtime's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

use super::{Group, RUNTIMES, Spec, Workload};
use crate::measure::Cost;
use crate::rt::Rt;

/// Counts work down to nothing and then unparks the thread that waits for that.
#[derive(Debug)]
pub(super) struct Countdown {
    left: AtomicUsize,
    waiter: Thread,
}

impl Countdown {
    /// A countdown that the calling thread will wait for.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(0),
            waiter: thread::current(),
        })
    }

    /// Sets what is to be done. Nobody may be counting down at that moment.
    pub(super) fn set(&self, left: usize) {
        self.left.store(left, Ordering::Release); // pairs with: fetch_sub in `one_less`
    }

    /// Counts one down.
    pub(super) fn one_less(&self) {
        // pairs with: the load in `wait`, and `set`
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiter.unpark();
        }
    }

    /// Waits until nothing is left.
    pub(super) fn wait(&self) {
        // pairs with: fetch_sub in `one_less`
        while self.left.load(Ordering::Acquire) != 0 {
            thread::park();
        }
    }
}

/// Tasks alive at once.
const BATCH: usize = 10_000;

/// A foreign thread spawns 10,000 trivial tasks into an idle runtime and waits for all. Size: tasks.
#[derive(Debug)]
pub struct SpawnForeign;

impl Workload for SpawnForeign {
    const SPEC: Spec = Spec {
        name: "spawn_foreign",
        group: Group::Wake,
        unit: "ns/task",
        about: "a foreign thread spawns 10,000 trivial tasks through a handle, waits for all",
        full: 30 * BATCH,
        quick: BATCH,
        rivals: RUNTIMES,
        in_go: false,
        target: None,
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        let batches = size.div_ceil(BATCH);
        let countdown = Countdown::new();
        let start = Instant::now();
        for _ in 0..batches {
            countdown.set(BATCH);
            for _ in 0..BATCH {
                let countdown = Arc::clone(&countdown);
                R::detach(rt.spawn_from_outside(async move { countdown.one_less() }));
            }
            countdown.wait();
        }
        Ok(Cost::since(start, batches * BATCH))
    }
}
