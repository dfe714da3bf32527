//! What the tests of rules, faults and runtime life share, beside what the tests of tasks have.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use gopark::runtime::{Builder, Runtime};

pub(crate) mod blocking;
pub(crate) mod child;
#[cfg(target_os = "linux")]
pub(crate) mod proc;
pub(crate) mod storm;
#[path = "../task_support/mod.rs"]
mod task_support;

pub(crate) use task_support::*;

/// Refused by the operating system for any thread: half of a 47-bit address space.
pub(crate) const STACK_THAT_NO_SYSTEM_GRANTS: usize = 1 << 46;

/// A runtime whose worker threads cannot be started, so that all there is runs on the threads inside
/// `block_on`.
pub(crate) fn without_workers(procs: usize) -> Runtime {
    Builder::new_multi_thread()
        .procs(procs)
        .thread_stack_size(STACK_THAT_NO_SYSTEM_GRANTS)
        .build()
        .unwrap()
}

/// Something that can be awaited and rung from anywhere, and remembers a ring.
#[derive(Clone, Default, Debug)]
pub(crate) struct Bell(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Bell {
    pub(crate) fn ring(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        let waker = self.0.1.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for a ring, and takes it.
    pub(crate) fn rung(&self) -> impl Future<Output = ()> + Send + use<> {
        let bell = self.clone();
        poll_fn(move |cx| {
            let mut waker = bell.0.1.lock().unwrap();
            if bell.0.0.swap(false, Ordering::SeqCst) {
                return Poll::Ready(());
            }
            *waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

/// A small generator of random numbers (Steele's SplitMix64), for tests that must be repeatable.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }

    /// A generator that goes its own way.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

/// The seed of a random test: `GOPARK_STRESS_SEED`, else another one each time. Printed, so that a
/// failure can be repeated.
pub(crate) fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let seed = match std::env::var("GOPARK_STRESS_SEED") {
        Ok(seed) => seed
            .parse()
            .unwrap_or_else(|_| panic!("GOPARK_STRESS_SEED={seed:?}: expected a number")),
        Err(_) => RandomState::new().hash_one(0),
    };
    eprintln!("GOPARK_STRESS_SEED={seed}");
    seed
}

/// An environment variable that scales a test.
pub(crate) fn scale(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value:?}: expected a number")),
        Err(_) => default,
    }
}
