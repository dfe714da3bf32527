//! The way in: from a thread to a future.

use std::future::Future;
use std::pin::Pin;

use crate::big::is_big;
use crate::current;
use crate::runtime::{Handle, default_runtime};

/// Runs a future to completion on this thread, in the runtime that the thread is in, else in the
/// default runtime.
///
/// The future need not be `Send` and may borrow. The thread runs it alone, and the tasks of the runtime run on
/// others; what that costs is told at [`Runtime::block_on`](crate::runtime::Runtime::block_on). A future
/// that may be a task is better run by [`run`].
///
/// # Panics
///
/// Passes a panic of the future on. Panics if the default runtime is needed and cannot be started.
///
/// # Examples
///
/// ```
/// let words = vec!["a", "b"];
/// assert_eq!(gopark::block_on(async { words.concat() }), "ab");
/// ```
#[track_caller]
pub fn block_on<F: Future>(mut future: F) -> F::Output {
    // In its place, which is the caller's frame: to move it would take as much of ours.
    // SAFETY: (1) the argument is not moved below, and dropped where it is.
    let future = unsafe { Pin::new_unchecked(&mut future) };
    if current::sched().is_null() {
        return default_runtime().block_on(future);
    }
    Handle::current().block_on(future)
}

/// Runs a future to completion as a task, while this thread waits, in the runtime that the thread is in, else
/// in the default runtime.
///
/// See [`Runtime::run`](crate::runtime::Runtime::run).
///
/// # Panics
///
/// Passes a panic of the future on. Panics if the runtime is shut down before the future is done, and if the
/// default runtime is needed and cannot be started.
///
/// # Examples
///
/// ```
/// let sum = gopark::run(async { gopark::spawn(async { 1 }).await.unwrap() + 2 });
/// assert_eq!(sum, 3);
/// ```
#[track_caller]
pub fn run<F>(future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if is_big::<F>() {
        return run_small(Box::pin(future));
    }
    run_small(future)
}

#[track_caller]
fn run_small<F>(future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if current::sched().is_null() {
        return default_runtime().run(future);
    }
    Handle::current().run(future)
}
