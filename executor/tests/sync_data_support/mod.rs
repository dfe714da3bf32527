//! What the tests of channels and cells share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    pub(crate) fn pair() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), Waker::from(wakes))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once with `waker`.
pub(crate) fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// Polls once with a waker that does nothing.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    // Not `Waker::noop`: one that cannot wake is never refused for a spent budget.
    poll_with(future, &Waker::from(Arc::new(Nobody)))
}

/// Whether `f` panicked.
pub(crate) fn panics<R>(f: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Panics when it is dropped, and counts before.
#[derive(Debug)]
pub(crate) struct PanicsInDrop(pub(crate) Arc<AtomicUsize>);

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        assert!(
            std::thread::panicking(),
            "this value panics when it is dropped"
        );
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(256))]
pub(crate) struct OverAligned(pub(crate) u8);

impl OverAligned {
    pub(crate) fn assert_placed(&self) {
        assert_eq!(std::ptr::from_ref(self).addr() % 256, 0);
    }
}

/// A generator of the shape that tests need: small, and reproducible from its seed.
pub(crate) struct Rng(u64);

impl Rng {
    /// From the clock, printed for the one who has to find out.
    pub(crate) fn printed() -> Self {
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |time| time.as_nanos() as u64 | 1);
        println!("seed {seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next() | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

pub(crate) fn assert_send<T: Send>() {}
pub(crate) fn assert_sync<T: Sync>() {}
pub(crate) fn assert_unpin<T: Unpin>() {}
pub(crate) fn is_send<T: Send>(_: &T) {}
