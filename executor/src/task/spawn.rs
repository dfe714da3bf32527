//! Spawning onto the current runtime.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::big::is_big;
use crate::current;
use crate::g::JoinHandle;
use crate::runtime::default_runtime;
use crate::sched;

/// Runs a future as a task of its own.
///
/// The task belongs to the runtime that this thread is in, else to the default runtime, which
/// starts when it is first needed. It begins to run at once, whether or not the handle is awaited;
/// dropping the handle detaches it. A panic of the task fails its handle and nothing else.
///
/// # Panics
///
/// Panics if the default runtime is needed and cannot be started.
///
/// # Examples
///
/// ```
/// let answer = gopark::block_on(async { gopark::spawn(async { 42 }).await.unwrap() });
/// assert_eq!(answer, 42);
/// ```
#[inline]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if is_big::<F>() {
        return spawn_at(Box::pin(future), Location::caller());
    }
    spawn_at(future, Location::caller())
}

/// [`spawn`] on behalf of a caller elsewhere.
#[inline]
#[track_caller]
pub(crate) fn spawn_at<F>(future: F, location: &'static Location<'static>) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let sched = current::sched();
    if sched.is_null() {
        sched::spawn(default_runtime().sched(), future, location)
    } else {
        // SAFETY: (1) `current::sched` is valid while set.
        sched::spawn(unsafe { &*sched }, future, location)
    }
}

/// Runs a future that need not be `Send` as a task bound to this thread.
///
/// The thread must be one that runs tasks: inside `block_on`, or a worker polling a task. Only this
/// thread polls and drops the future. On a thread inside `block_on`, tasks that are not done when
/// the outermost `block_on` returns are dropped then, and their handles resolve to a cancelled
/// error. While the thread blocks, in a nested `block_on` or otherwise, its local tasks wait.
///
/// A task, and so the body of a [`run`](crate::run) or of a `#[gopark::main]` that is `Send`, may go on on another
/// thread after an `.await`: what it spawns there is bound to that one. To have local tasks share a thread, hold
/// something that is not `Send`, or say `#[gopark::main(local = true)]`.
///
/// # Panics
///
/// Panics on a thread that runs no tasks.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// gopark::block_on(async {
///     let shared = Rc::new(Cell::new(1));
///     let theirs = shared.clone();
///     gopark::task::spawn_local(async move { theirs.set(2) }).await.unwrap();
///     assert_eq!(shared.get(), 2);
/// });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if is_big::<F>() {
        return spawn_local_at(Box::pin(future), Location::caller());
    }
    spawn_local_at(future, Location::caller())
}

#[track_caller]
fn spawn_local_at<F>(future: F, location: &'static Location<'static>) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (m, sched) = (current::m(), current::sched());
    // SAFETY: (1) `current::m` is valid while set.
    let m = (!m.is_null()).then(|| unsafe { &*m });
    match m.filter(|m| std::ptr::eq(Arc::as_ptr(m.sched()), sched)) {
        Some(m) => sched::spawn_local(m, future, location),
        None => panic!(
            "spawn_local on a thread that runs no tasks of the current runtime; expected a thread \
             inside block_on, or a task"
        ),
    }
}

/// Runs a blocking closure on a thread of the runtime, beside the tasks, and gives a handle to wait
/// for its value.
///
/// Closures begin in the order in which they were handed in, at most
/// [`max_blocking`](crate::runtime::Builder::max_blocking) at a time. They come after the tasks that
/// are due. A panic of the closure fails its handle. One that has not begun can be aborted, and is
/// cancelled when the runtime ends; one that runs is waited for then. If the runtime has no thread that could run
/// it, and the operating system refuses one for some 15 ms, it is dropped, and its handle says why:
/// [`JoinError::is_refused`](crate::task::JoinError::is_refused).
///
/// To block on the spot is cheaper: see [`block`](crate::block). What this function adds is that the
/// calling task goes on, so that it may give up waiting, or do something else meanwhile.
///
/// # Panics
///
/// Panics if the default runtime is needed and cannot be started.
///
/// # Examples
///
/// ```
/// gopark::block_on(async {
///     let digest = gopark::spawn_blocking(|| (1..=10_u64).product::<u64>());
///     assert_eq!(digest.await.unwrap(), 3_628_800);
/// });
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    if is_big::<F>() {
        return spawn_blocking_at(Box::new(f), Location::caller());
    }
    spawn_blocking_at(f, Location::caller())
}

/// [`spawn_blocking`] on behalf of a caller elsewhere.
#[track_caller]
pub(crate) fn spawn_blocking_at<F, R>(f: F, location: &'static Location<'static>) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let sched = current::sched();
    if sched.is_null() {
        sched::spawn_blocking(default_runtime().sched(), f, location)
    } else {
        // SAFETY: (1) `current::sched` is valid while set.
        sched::spawn_blocking(unsafe { &*sched }, f, location)
    }
}
