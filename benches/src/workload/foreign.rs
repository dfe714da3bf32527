//! Spawning from a thread that is none of the runtime's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::{Group, RUNTIMES, Spec, Workload};
use crate::measure::Cost;
use crate::rt::Rt;

/// Counts work down to nothing, notes when that was, and unparks the thread that waits for it.
#[derive(Debug)]
pub(super) struct Countdown {
    left: AtomicUsize,
    /// When the last piece was done, in nanoseconds since `origin`.
    done_at: AtomicU64,
    origin: Instant,
    waiter: Thread,
}

impl Countdown {
    /// A countdown that the calling thread will wait for.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(0),
            done_at: AtomicU64::new(0),
            origin: Instant::now(),
            waiter: thread::current(),
        })
    }

    /// Sets what is to be done and returns the time. Nobody may be counting down at that moment.
    pub(super) fn start(&self, left: usize) -> Instant {
        self.left.store(left, Ordering::Release); // pairs with: fetch_sub in `one_less`
        Instant::now()
    }

    /// Counts one down.
    pub(super) fn one_less(&self) {
        // pairs with: the store in `start`, and the other threads' fetch_sub
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let now = self.origin.elapsed().as_nanos() as u64;
            self.done_at.store(now.max(1), Ordering::Release); // pairs with: swap in `wait`
            self.waiter.unpark();
        }
    }

    /// Waits until nothing is left and returns when that was. It was earlier than now: on a busy
    /// machine it takes the kernel milliseconds to run this thread again, and that is no runtime's
    /// doing.
    pub(super) fn wait(&self) -> Instant {
        loop {
            // pairs with: the store in `one_less`
            let done_at = self.done_at.swap(0, Ordering::Acquire);
            if done_at != 0 {
                return self.origin + Duration::from_nanos(done_at);
            }
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
        let mut spent = Duration::ZERO;
        for _ in 0..batches {
            let start = countdown.start(BATCH);
            for _ in 0..BATCH {
                let countdown = Arc::clone(&countdown);
                R::detach(rt.spawn_from_outside(async move { countdown.one_less() }));
            }
            spent += countdown.wait() - start;
        }
        Ok(Cost {
            spent,
            ops: (batches * BATCH) as u64,
        })
    }
}
