//! What the tests of channels share.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::{BoxFuture, join_all};

#[path = "../proof_support/mod.rs"]
mod proof_support;

pub(crate) use proof_support::*;

/// None, one, some, and as many as there is memory for.
pub(crate) const CAPACITIES: [usize; 4] = [0, 1, 3, usize::MAX];

/// A channel of any of `CAPACITIES`.
pub(crate) fn channel<T>(capacity: usize) -> (gopark::chan::Sender<T>, gopark::chan::Receiver<T>) {
    match capacity {
        0 => gopark::chan::rendezvous(),
        usize::MAX => gopark::chan::unbounded(),
        _ => gopark::chan::bounded(capacity),
    }
}

/// Of `counts`, each is about the mean: chi-square with `counts - 1` degrees of freedom, and a bound that
/// luck passes less than once in a million.
pub(crate) fn about_equal(counts: &[u32]) {
    let mean = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    let square = |count: &u32| (f64::from(*count) - mean).powi(2) / mean;
    let chi: f64 = counts.iter().map(square).sum();
    let freedom = (counts.len() - 1) as f64;
    assert!(
        chi < freedom + 6.0 * (2.0 * freedom).sqrt() + 20.0,
        "{chi}: {counts:?}"
    );
}

/// Counts its wakes.
#[derive(Default, Debug)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn counted() -> (Arc<Wakes>, Waker) {
    let wakes = Arc::new(Wakes::default());
    (wakes.clone(), Waker::from(wakes))
}

/// A future that is polled by hand, with a waker of its own.
pub(crate) struct Driven<F: Future> {
    pub(crate) future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

/// Makes it, and polls it once: it must wait.
pub(crate) fn waiting<F: Future>(future: F) -> Driven<F> {
    let mut driven = driven(future);
    assert!(driven.poll().is_pending(), "this was to wait");
    driven
}

pub(crate) fn driven<F: Future>(future: F) -> Driven<F> {
    Driven {
        future: Box::pin(future),
        wakes: Arc::default(),
    }
}

impl<F: Future> Driven<F> {
    pub(crate) fn poll(&mut self) -> Poll<F::Output> {
        self.poll_with(&Waker::from(self.wakes.clone()))
    }

    pub(crate) fn poll_with(&mut self, waker: &Waker) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(waker))
    }

    /// The output: it must be ready, and have been told so.
    pub(crate) fn woken(mut self) -> F::Output {
        assert!(self.wakes.get() > 0, "nobody has woken it");
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it was woken and still waits"),
        }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.get()
    }
}

/// Runs futures side by side: on two processors, on one thread, on threads under another executor, and
/// all within one task.
pub(crate) fn everywhere<T: Send + 'static>(
    make: impl Fn() -> Vec<BoxFuture<'static, T>>,
    check: impl Fn(Vec<T>),
) {
    for runtime in [multi(2), current()] {
        check(runtime.block_on(async {
            let tasks: Vec<_> = make().into_iter().map(gopark::spawn).collect();
            join_all(tasks)
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect()
        }));
    }
    let threads: Vec<_> = make()
        .into_iter()
        .map(|future| std::thread::spawn(|| futures::executor::block_on(future)))
        .collect();
    check(
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect(),
    );
    check(futures::executor::block_on(join_all(make())));
}

/// `count` rounds in an optimised build, fewer in one that is not.
pub(crate) fn rounds(count: usize) -> usize {
    if cfg!(debug_assertions) {
        count.div_ceil(8)
    } else {
        count
    }
}
