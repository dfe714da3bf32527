//! Blocking on the spot.

use crate::sched;

/// Runs a closure that may block the thread, where it stands, and returns its value.
///
/// The closure may borrow and need not be `Send`. A short one costs a few nanoseconds. If it is long,
/// and something else could use the processor, the runtime's monitor takes that from this thread,
/// after some 20 us, and gives it to another thread with all tasks that wait on it: a blocked thread
/// costs a thread, never a processor. Afterwards the task takes its processor back, or any that is
/// idle, or else goes on without one to the end of its poll (see
/// [`strict_procs`](crate::runtime::Builder::strict_procs)).
///
/// It nests, and may be called anywhere: on the current-thread flavour, where it starts another thread
/// for the tasks if it is long, in the root of a `block_on`, and outside of any runtime, where it does
/// no more than call the closure.
///
/// What is bound to the thread waits all the same: other futures of the *same task* (the siblings in
/// a `join!` or `select!`, a time-out around it), and tasks of
/// [`spawn_local`](crate::spawn_local). Where that matters use
/// [`spawn_blocking`](crate::spawn_blocking).
///
/// # Panics
///
/// Passes a panic of the closure on.
///
/// # Examples
///
/// ```
/// gopark::block_on(async {
///     let path = String::from("Cargo.toml");
///     let text = gopark::block(|| std::fs::read_to_string(&path));
///     assert!(text.unwrap().contains("[package]"));
/// });
/// ```
#[inline]
pub fn block<R>(f: impl FnOnce() -> R) -> R {
    sched::block(f)
}

/// Like [`block`], for a closure that is known to block for long: the processor is given up at once
/// instead of being taken some microseconds later.
///
/// That costs some hundred nanoseconds, and wakes a thread if tasks wait on this processor.
///
/// # Panics
///
/// Passes a panic of the closure on.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// gopark::block_on(async {
///     gopark::block_eager(|| std::thread::sleep(Duration::from_millis(1)));
/// });
/// ```
pub fn block_eager<R>(f: impl FnOnce() -> R) -> R {
    sched::block_eager(f)
}
