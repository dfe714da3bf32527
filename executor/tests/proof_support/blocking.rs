//! What the tests of blocking share: gates that block a thread, and the ways to get blocked.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use gopark::runtime::{Builder, Runtime, StallPolicy};

/// Blocks threads until it is opened. gopark knows nothing of it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Default, Debug)]
struct State {
    open: bool,
    came: usize,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }

    /// Blocks this thread.
    pub(crate) fn pass(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.came += 1;
        while !state.open {
            state = self.0.1.wait(state).unwrap();
        }
    }

    /// How many threads have come to it.
    pub(crate) fn came(&self) -> usize {
        self.0.0.lock().unwrap().came
    }

    /// Lets other tasks run until `count` threads have come to the gate.
    pub(crate) async fn has_blocked(&self, count: usize) {
        while self.came() < count {
            gopark::yield_now().await;
        }
    }
}

/// How a poll blocks its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It tells nobody.
    Unmarked,
    Block,
    Eager,
    /// Sections within sections.
    Nested,
    /// A section within a `block_on` within a poll.
    BlockOn,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [
        Self::Unmarked,
        Self::Block,
        Self::Eager,
        Self::Nested,
        Self::BlockOn,
    ];

    pub(crate) const MARKED: [Self; 4] = [Self::Block, Self::Eager, Self::Nested, Self::BlockOn];

    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        match self {
            Self::Unmarked => f(),
            Self::Block => gopark::block(f),
            Self::Eager => gopark::block_eager(f),
            Self::Nested => gopark::block(|| gopark::block_eager(|| gopark::block(f))),
            Self::BlockOn => gopark::block_on(async {
                gopark::yield_now().await;
                gopark::block(f)
            }),
        }
    }
}

pub(crate) fn with_policy(procs: usize, policy: StallPolicy) -> Runtime {
    Builder::new_multi_thread()
        .procs(procs)
        .stall_policy(policy)
        .build()
        .unwrap()
}

/// Awaits outside of any runtime.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

/// Waits, on a thread that runs no tasks, until `happened`. An alarm limits it.
pub(crate) fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// The processor time that this thread has used.
#[cfg(target_os = "linux")]
pub(crate) fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: (1) the pointer is to a timespec of ours.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Computes for so much processor time, however long the kernel keeps this thread from its processor meanwhile.
#[cfg(target_os = "linux")]
pub(crate) fn use_processor(time: Duration) {
    let end = processor_time() + time;
    while processor_time() < end {
        std::hint::spin_loop();
    }
}

/// Computes for some time.
pub(crate) fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Counts those who compute at the same time.
#[derive(Clone, Default, Debug)]
pub(crate) struct Computing(Arc<Mutex<(usize, usize)>>);

impl Computing {
    /// Computes for some time, and counts itself meanwhile.
    pub(crate) fn compute(&self, time: Duration) {
        {
            let mut counts = self.0.lock().unwrap();
            counts.0 += 1;
            counts.1 = counts.1.max(counts.0);
        }
        compute(time);
        self.0.lock().unwrap().0 -= 1;
    }

    /// The most at the same time, since it was last asked.
    pub(crate) fn most(&self) -> usize {
        let mut counts = self.0.lock().unwrap();
        let most = counts.1;
        counts.1 = counts.0;
        most
    }
}
