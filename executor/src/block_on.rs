//! The way in: from a thread to a future.

use std::future::Future;
use std::sync::Arc;

use crate::current;
use crate::runtime::default_runtime;
use crate::sched;

/// Runs a future to completion on this thread, in the runtime that the thread is in, else in the
/// default runtime.
///
/// The thread takes part in running that runtime's tasks while the future waits. The future need not
/// be `Send` and may borrow. See [`Runtime::block_on`](crate::runtime::Runtime::block_on).
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
pub fn block_on<F: Future>(future: F) -> F::Output {
    let sched = current::sched();
    if sched.is_null() {
        return default_runtime().block_on(future);
    }
    // SAFETY: (1) `current::sched` is valid while set, and came from an `Arc`.
    unsafe { Arc::increment_strong_count(sched) };
    // SAFETY: (1) the count that was just added is this one.
    let sched = unsafe { Arc::from_raw(sched) };
    sched::block_on(&sched, future)
}
