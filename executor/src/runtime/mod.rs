//! Runtimes: how to build one, enter it, and end it.
//!
//! A runtime is an instance: many may live in one process. [`gopark::spawn`](crate::spawn) and
//! friends use the one this thread is in, and outside any a default runtime that starts when it is
//! first needed and lives as long as the process.
//!
//! # Forks
//!
//! A process may fork while runtimes work (on Unix). The child has the one thread that forked, so the parent's runtimes
//! do nothing there; they are *left behind*:
//!
//! - The default runtime starts anew when it is needed, and others may be built.
//! - The thread is in no runtime, wherever it was: in a task, in `block_on`, with the guard of an `enter`.
//! - The parent's handles give errors that name the fork: a [`JoinHandle`], and what is spawned by a [`Handle`], resolve to a
//!   cancelled [`JoinError`](crate::task::JoinError); a socket that would wait fails; [`Handle::block_on`] panics.
//! - To drop what is the parent's returns at once, and changes nothing in the parent. No future is dropped, for their
//!   threads may have been in the middle of them.
//!
//! A child must not return into the poll, or the `block_on`, in which it was forked: it does its work, and calls `_exit`
//! or `exec`. And what a fork does to locks in general it does to those that tasks of the parent share with the child: a
//! channel, a `Mutex` or a `Sleep` that another thread was just using may be locked for ever. Use new ones.
//!
//! # Examples
//!
//! ```
//! let runtime = gopark::runtime::Builder::new_multi_thread().procs(2).build()?;
//! let sum = runtime.block_on(async {
//!     let a = gopark::spawn(async { 1 });
//!     let b = gopark::spawn(async { 2 });
//!     a.await.unwrap() + b.await.unwrap()
//! });
//! assert_eq!(sum, 3);
//! # Ok::<(), std::io::Error>(())
//! ```

mod builder;
mod default;
mod enter;
mod entry;
mod env;
mod handle;
mod set_procs;
mod still_running;
mod tasks;

/// What the attributes name.
#[doc(hidden)]
pub mod __entry {
    pub use super::entry::{AsTask, OnThread};
}

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use crate::metrics::Metrics;
pub use crate::sched::{DeadlockPolicy, Flavor, StallPolicy};
pub use builder::Builder;
pub(crate) use default::default_runtime;
pub use enter::EnterGuard;
pub(crate) use enter::EnteredSched;
pub use gopark_net::note::WaitReason;
pub use handle::{Handle, TryCurrentError};
pub use set_procs::SetProcsError;
pub use still_running::StillRunning;
pub use tasks::TaskInfo;
pub(crate) use tasks::tasks as tasks_of;

use crate::big::is_big;
use crate::g::JoinHandle;
use crate::sched::Sched;

/// In the child of a fork: this thread is in no runtime, and the default runtime is yet to start.
#[cfg(unix)]
pub(crate) fn begin_anew() {
    enter::leave_all();
    default::begin_anew();
}

/// A scheduler with its threads, its reactor and its timers.
///
/// # The end
///
/// Dropping the runtime stops it: each thread ends after the poll it is in, every future that was
/// spawned is dropped, in the context of the runtime, and every [`JoinHandle`] resolves. The drop
/// waits for that; a task that never returns from its poll makes it wait for ever, for which there
/// is [`shutdown_timeout`](Self::shutdown_timeout). Dropped by one of its own tasks it cannot wait,
/// and ends in the background. Afterwards wakers and handles may still be used, to no effect.
#[derive(Debug)]
pub struct Runtime {
    /// None once it was shut down.
    handle: Option<Handle>,
}

impl Runtime {
    /// A multi-thread runtime with all defaults.
    ///
    /// # Errors
    ///
    /// See [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().build()
    }

    fn from_sched(sched: Arc<Sched>) -> Self {
        Self {
            handle: Some(Handle::new(sched)),
        }
    }

    /// A handle to this runtime, to be cloned and sent around.
    pub fn handle(&self) -> &Handle {
        self.handle
            .as_ref()
            .expect("only a shutdown, which takes the runtime, empties it")
    }

    pub(crate) fn sched(&self) -> &Arc<Sched> {
        self.handle().sched()
    }

    /// Runs a future to completion on this thread.
    ///
    /// The future need not be `Send` and may borrow. The thread runs it, and the tasks that it spawns by
    /// [`spawn_local`](crate::spawn_local), and no others: so whatever the runtime's tasks do, also if they
    /// block, the future is polled when it is due. May be called from within a task: then the task's
    /// thread blocks, and another takes its processor.
    ///
    /// # Cost
    ///
    /// The tasks run on other threads. To wake the future is to wake this thread, if it sleeps, and for
    /// the future to wake a task may be to wake another: each some 5 to 50 microseconds, where a task that
    /// wakes another on its own thread takes 0.1. A future that is `Send + 'static` and talks much
    /// to tasks, or does input and output beside them, is better run by [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// Passes a panic of the future on.
    ///
    /// # Examples
    ///
    /// ```
    /// let name = String::from("world");
    /// let runtime = gopark::runtime::Runtime::new()?;
    /// assert_eq!(runtime.block_on(async { format!("hello {}", &name) }), "hello world");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, mut future: F) -> F::Output {
        // In its place, which is the caller's frame: to move it would take as much of ours.
        // SAFETY: (1) the argument is not moved below, and dropped where it is.
        let future = unsafe { Pin::new_unchecked(&mut future) };
        self.handle().block_on(future)
    }

    /// Runs a future to completion as a task of this runtime, while this thread waits.
    ///
    /// It is what [`block_on`](Self::block_on) is for a future that may be a task: quicker where that
    /// talks to tasks, since no thread must be woken for it. `#[gopark::main]` and `#[gopark::test]` choose
    /// between the two by the type of the body.
    ///
    /// [`spawn_local`](crate::spawn_local) in the future binds the task to the worker that polls the future at
    /// that moment, as in any task; it lives until it is done, or the runtime ends. Use `block_on`
    /// if local tasks are to share one thread with the future, or to end with it.
    ///
    /// # Panics
    ///
    /// Passes a panic of the future on. Panics if the runtime is shut down before the future is done.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gopark::runtime::Runtime::new()?;
    /// let sum = runtime.run(async {
    ///     let one = gopark::spawn(async { 1 });
    ///     one.await.unwrap() + 2
    /// });
    /// assert_eq!(sum, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if is_big::<F>() {
            return self.handle().run(Box::pin(future));
        }
        self.handle().run(future)
    }

    /// Spawns a task on this runtime; see [`gopark::spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if is_big::<F>() {
            return crate::sched::spawn(self.sched(), Box::pin(future), Location::caller());
        }
        crate::sched::spawn(self.sched(), future, Location::caller())
    }

    /// Runs a blocking closure on a thread of this runtime; see
    /// [`gopark::spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        if is_big::<F>() {
            return crate::sched::spawn_blocking(self.sched(), Box::new(f), Location::caller());
        }
        crate::sched::spawn_blocking(self.sched(), f, Location::caller())
    }

    /// Makes this the current runtime of the thread until the guard is dropped; see
    /// [`Handle::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle().enter()
    }

    /// Ends the runtime like a drop, but waits at most `limit`.
    ///
    /// # Errors
    ///
    /// Tells which tasks are stuck in a poll, or in the closure of a `spawn_blocking`, and where they
    /// were spawned. They go on until that returns, and then end.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = gopark::runtime::Runtime::new()?;
    /// let (begun, begins) = std::sync::mpsc::channel();
    /// let stuck = runtime.spawn_blocking(move || {
    ///     begun.send(()).unwrap();
    ///     std::thread::sleep(Duration::from_secs(1));
    /// });
    /// begins.recv()?;
    /// let error = runtime.shutdown_timeout(Duration::from_millis(1)).unwrap_err();
    /// println!("{error}"); // 1 task still runs: task 1 spawned at src/main.rs:5:21
    /// assert_eq!(error.tasks()[0].id, stuck.id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_timeout(mut self, limit: Duration) -> Result<(), StillRunning> {
        let Some(handle) = self
            .handle
            .take()
            .filter(|handle| !handle.sched().is_left_behind())
        else {
            return Ok(());
        };
        if handle.sched().close(Some(limit)) {
            return Ok(());
        }
        Err(StillRunning::new(handle.tasks()))
    }

    /// Ends the runtime without waiting for polls that are in progress. Futures that are parked or
    /// queued are dropped before this returns.
    pub fn shutdown_background(mut self) {
        self.end(Some(Duration::ZERO));
    }

    fn end(&mut self, limit: Option<Duration>) {
        // Of a runtime that a fork has left behind nothing is here that could end.
        if let Some(handle) = self
            .handle
            .take()
            .filter(|handle| !handle.sched().is_left_behind())
        {
            handle.sched().close(limit);
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end(None);
    }
}
