//! How a model is run: every interleaving of its threads with at most so many preemptions.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use loom::thread;

/// Runs `model` under loom with at most `preemptions` switches away from a thread that could have
/// gone on. Nearly every known bug of this kind needs two at most (Musuvathi and Qadeer, "Iterative
/// context bounding", PLDI 2007), and the number of runs grows steeply with the bound.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

/// Like [`check`], with either side of the model's [`race`] starting.
///
/// loom remembers only the last access to an atomic. So the load before a compare-exchange hides an
/// earlier load of the other thread, and the order in which that one comes later is found
/// only if it is the order of the first run.
pub(crate) fn check_either(
    preemptions: usize,
    model: impl Fn(bool) + Clone + Send + Sync + 'static,
) {
    for left_starts in [true, false] {
        let model = model.clone();
        check(preemptions, move || model(left_starts));
    }
}

/// Runs both at once.
pub(crate) fn race<A: 'static, B: 'static>(
    left_starts: bool,
    left: impl FnOnce() -> A + 'static,
    right: impl FnOnce() -> B + 'static,
) -> (A, B) {
    if left_starts {
        let right = thread::spawn(right);
        let left = left();
        (left, right.join().unwrap())
    } else {
        let left = thread::spawn(left);
        let right = right();
        (left.join().unwrap(), right)
    }
}

/// Polls a future once.
pub(crate) fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}
