//! Handles: how to reach a runtime from anywhere.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;

use futures_task::{FutureObj, Spawn, SpawnError};

use super::{EnterGuard, Flavor, Metrics, TaskInfo};
use crate::big::is_big;
use crate::current;
use crate::g::JoinHandle;
use crate::sched::{self, Sched};

/// Refers to a runtime. Cheap to clone; does not keep the runtime from ending.
///
/// Once the runtime has ended, what is spawned is dropped at once and its handle resolves to a
/// cancelled error.
#[derive(Clone)]
pub struct Handle(Arc<Sched>);

impl Handle {
    pub(super) fn new(sched: Arc<Sched>) -> Self {
        Self(sched)
    }

    pub(crate) fn sched(&self) -> &Arc<Sched> {
        &self.0
    }

    /// The handle of the runtime that this thread is in.
    ///
    /// # Panics
    ///
    /// Panics outside any runtime; see [`try_current`](Self::try_current).
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gopark::runtime::Runtime::new()?;
    /// runtime.block_on(async {
    ///     let handle = gopark::runtime::Handle::current();
    ///     std::thread::spawn(move || handle.spawn(async { "from afar" })).join().unwrap().await
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Ok(handle) => handle,
            Err(error) => panic!("Handle::current(): {error}"),
        }
    }

    /// The handle of the runtime that this thread is in.
    ///
    /// # Errors
    ///
    /// Fails outside any runtime. (The default runtime is entered only by its own tasks.)
    pub fn try_current() -> Result<Self, TryCurrentError> {
        let sched = current::sched();
        if sched.is_null() {
            return Err(TryCurrentError(()));
        }
        // SAFETY: (1) `current::sched` is valid while set, and came from an `Arc`.
        unsafe { Arc::increment_strong_count(sched) };
        // SAFETY: (1) the count that was just added is this one.
        Ok(Self(unsafe { Arc::from_raw(sched) }))
    }

    /// Spawns a task on this runtime, from any thread; see [`gopark::spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if is_big::<F>() {
            return sched::spawn(&self.0, Box::pin(future), Location::caller());
        }
        sched::spawn(&self.0, future, Location::caller())
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
            return sched::spawn_blocking(&self.0, Box::new(f), Location::caller());
        }
        sched::spawn_blocking(&self.0, f, Location::caller())
    }

    /// Runs a future to completion on this thread; see
    /// [`Runtime::block_on`](super::Runtime::block_on). If the runtime has ended, the future is
    /// polled all the same, but timers and sockets of the runtime fail.
    #[track_caller]
    pub fn block_on<F: Future>(&self, mut future: F) -> F::Output {
        // In its place, which is the caller's frame: to move it would take as much of ours.
        // SAFETY: (1) the argument is not moved below, and dropped where it is.
        let future = unsafe { Pin::new_unchecked(&mut future) };
        sched::block_on(&self.0, future)
    }

    /// Runs a future to completion as a task, while this thread waits; see
    /// [`Runtime::run`](super::Runtime::run).
    ///
    /// # Panics
    ///
    /// Passes a panic of the future on. Panics if the runtime is shut down before the future is done.
    #[track_caller]
    pub fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if is_big::<F>() {
            return sched::run(&self.0, Box::pin(future));
        }
        sched::run(&self.0, future)
    }

    /// Makes this the current runtime of the thread until the guard is dropped: `spawn`, sleeps and
    /// new sockets belong to it.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gopark::runtime::Runtime::new()?;
    /// let entered = runtime.handle().enter();
    /// let task = gopark::spawn(async { 1 });
    /// drop(entered);
    /// assert_eq!(runtime.block_on(task)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard::new(&self.0)
    }

    /// The runtime's flavour.
    pub fn flavor(&self) -> Flavor {
        self.0.config.flavor
    }

    /// The tasks that live in the runtime, by id: where they were spawned and what they wait for.
    /// The list is made while the runtime goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gopark::runtime::Builder::new_current_thread().build()?;
    /// runtime.block_on(async {
    ///     let sleeper = gopark::spawn(gopark::time::sleep(std::time::Duration::MAX));
    ///     gopark::yield_now().await;
    ///     for task in gopark::runtime::Handle::current().tasks() {
    ///         println!("{task}"); // task 1 [sleep], spawned at src/main.rs:3:19
    ///         assert_eq!(task.id, sleeper.id());
    ///         assert_eq!(task.wait_reason, gopark::runtime::WaitReason::Sleep);
    ///     }
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tasks(&self) -> Vec<TaskInfo> {
        super::tasks::tasks(&self.0)
    }

    /// What the runtime has done so far.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gopark::runtime::Runtime::new()?;
    /// runtime.block_on(gopark::task::yield_now());
    /// println!("{:#?}", runtime.handle().metrics());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        self.0.metrics()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.0).finish()
    }
}

impl Spawn for Handle {
    #[track_caller]
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status()?;
        drop(self.spawn(future));
        Ok(())
    }

    fn status(&self) -> Result<(), SpawnError> {
        if self.0.is_closing() {
            Err(SpawnError::shutdown())
        } else {
            Ok(())
        }
    }
}

/// The error of [`Handle::try_current`]: the thread is in no runtime.
#[derive(Debug)]
pub struct TryCurrentError(());

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this thread is in no gopark runtime; expected a task, the future of a block_on, or \
             a thread that holds the guard of Handle::enter",
        )
    }
}

impl Error for TryCurrentError {}
