//! Groups: tasks that are started together, fail together, and are waited for together, after Go's
//! package `errgroup`.
//!
//! ```
//! use gopark::group::Group;
//!
//! # gopark::block_on(async {
//! let mut group = Group::new();
//! for n in 0..10_u32 {
//!     group.go(async move { if n < 20 { Ok(()) } else { Err(n) } }).await;
//! }
//! group.go(async { Err(42) }).await;
//! assert_eq!(group.wait().await, Err(42));
//! # });
//! ```
//!
//! # Borrowing
//!
//! The futures of a [`Group`] are `'static`: they own what they use, or share it by `Arc`. An
//! `async fn scope(|s| …)` whose tasks borrow from its caller, as those of [`std::thread::scope`] do, cannot
//! be sound in Rust. It would have to rely on its future being polled to the end, or at least dropped, before
//! what is borrowed goes away; but any future may be forgotten ([`std::mem::forget`], a cycle of `Arc`s)
//! in the middle, and then its caller's frame is gone while the tasks run on in other threads.
//!
//! A frame that *blocks* cannot be forgotten. So what can be had is [`scope_blocking`], which keeps the
//! calling thread until its tasks have ended.
//!
//! | file | is |
//! |---|---|
//! | `shared` | who runs, who waits for a place, what went wrong first: the protocol |
//! | `member` | what is spawned |
//! | `scope`, `packet` | [`scope_blocking`]; the outputs of its tasks |

mod member;
mod packet;
mod scope;
mod shared;

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    panic::{Location, resume_unwind},
    sync::Arc,
};

pub use self::{
    packet::ScopedHandle,
    scope::{Scope, scope_blocking},
};

use self::{member::Member, shared::Shared};
use crate::{
    big::is_big,
    context::Context,
    task::{spawn_at, spawn_blocking_at},
};

/// Tasks that are waited for together; the first error is that of all.
///
/// # When one fails
///
/// The first task that gives an error, or panics, ends the others:
///
/// - in a group [with a context](Self::with_context), as in Go: the context is cancelled, and the others
///   are to notice that by themselves. None is aborted; [`wait`](Self::wait) lasts until they return.
/// - in a group [without](Self::new): the others are aborted, as by
///   [`JoinSet::abort_all`](crate::task::JoinSet::abort_all). Each is dropped at its next `.await`. What is
///   handed in after that, and before `wait` has returned, is dropped without being run.
///
/// A blocking closure that has begun cannot be aborted, and is waited for.
///
/// Dropping a group cancels its context, aborts its tasks in both cases, and does not wait for them.
///
/// # Examples
///
/// ```
/// use gopark::context::Context;
/// use gopark::group::Group;
///
/// # gopark::block_on(async {
/// let (mut group, context) = Group::with_context(&Context::background());
/// for n in 0..3 {
///     let context = context.clone();
///     group.go(async move {
///         if n == 1 {
///             return Err("the second is broken");
///         }
///         context.done().await; // the work, which stops when the context is done
///         Ok(())
///     }).await;
/// }
/// assert_eq!(group.wait().await, Err("the second is broken"));
/// assert!(context.is_done());
/// # });
/// ```
#[must_use = "dropping a group aborts its tasks"]
pub struct Group<E> {
    shared: Arc<Shared<E>>,
}

impl<E> Group<E> {
    /// A group whose first error aborts the other tasks.
    pub fn new() -> Self {
        Self {
            shared: Shared::new(None),
        }
    }

    /// A group, and a context below `context` for its tasks, which is cancelled by the first error or
    /// panic, when [`wait`](Self::wait) has waited, or when the group is dropped.
    pub fn with_context(context: &Context) -> (Self, Context) {
        let (context, cancel) = context.with_cancel();
        let group = Self {
            shared: Shared::new(Some(cancel)),
        };
        (group, context)
    }

    /// Lets at most `limit` tasks run at a time; `usize::MAX`, which is what it is at first, means no limit.
    ///
    /// It may be changed at any time. Lowered below the number of tasks that run, it stops none of them.
    ///
    /// # Errors
    ///
    /// A limit of 0 would let no task run, and is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = gopark::group::Group::<()>::new();
    /// group.set_limit(8).unwrap();
    /// assert!(group.set_limit(0).unwrap_err().to_string().contains("limit of 0"));
    /// ```
    pub fn set_limit(&self, limit: usize) -> Result<(), LimitError> {
        if limit == 0 {
            return Err(LimitError { limit });
        }
        self.shared.set_limit(limit);
        Ok(())
    }

    /// How many tasks there are that have not ended.
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether there is no task that has not ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until all tasks have ended, and gives the first error.
    ///
    /// All futures have been dropped when it returns, and the context of the group is cancelled. The
    /// group may then be used again; its context, if it has one, remains cancelled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the tasks go on, and the next call waits for them.
    ///
    /// # Errors
    ///
    /// That of the task which was the first to give one.
    ///
    /// # Panics
    ///
    /// Passes the first panic of a task on, after all have ended; an error is lost then. Panics if the runtime
    /// of a task has shut down before that was done.
    pub async fn wait(&mut self) -> Result<(), E> {
        let verdict = poll_fn(|cx| self.shared.poll_verdict(cx)).await;
        self.shared.cancel();
        if let Some(payload) = verdict.panic {
            resume_unwind(payload);
        }
        match verdict.failure {
            Some(error) => Err(error),
            None if verdict.lost => {
                panic!("Group::wait: a task was dropped by the shutdown of its runtime")
            }
            None => Ok(()),
        }
    }
}

impl<E: Send + 'static> Group<E> {
    /// Waits until the limit lets one more task run, and spawns `future`; see
    /// [`gopark::spawn`](crate::spawn). Without a limit it is ready at its first poll.
    ///
    /// Those who wait get their places in the order in which they came.
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready drops `future`, unspawned.
    ///
    /// # Panics
    ///
    /// Panics if the default runtime is needed and cannot be started.
    #[track_caller]
    pub fn go<F>(&self, future: F) -> impl Future<Output = ()> + use<'_, F, E>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let location = Location::caller();
        // Boxed whatever its size: what this gives would otherwise be as big, beside it on the caller's stack.
        let future = Box::pin(future);
        async move {
            Acquire::new(&self.shared).await;
            self.start(future, location);
        }
    }

    /// Spawns `future` if the limit lets it run now.
    ///
    /// # Errors
    ///
    /// Gives `future` back if as many tasks run as may.
    ///
    /// # Panics
    ///
    /// Panics if the default runtime is needed and cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::group::Group;
    ///
    /// # gopark::block_on(async {
    /// let mut group = Group::<()>::new();
    /// group.set_limit(1).unwrap();
    /// assert!(group.try_go(std::future::pending()).is_ok());
    /// assert!(group.try_go(async { Ok(()) }).is_err());
    /// # });
    /// ```
    #[track_caller]
    pub fn try_go<F>(&self, future: F) -> Result<(), F>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        if !self.shared.try_acquire() {
            return Err(future);
        }
        if is_big::<F>() {
            self.start(Box::pin(future), Location::caller());
        } else {
            self.start(future, Location::caller());
        }
        Ok(())
    }

    /// Like [`go`](Self::go), for a closure that blocks; see
    /// [`gopark::spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Cancel safety
    ///
    /// Dropping it before it is ready drops `f`, which is not called.
    ///
    /// # Panics
    ///
    /// Panics if the default runtime is needed and cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use gopark::group::Group;
    ///
    /// # gopark::block_on(async {
    /// let mut group = Group::<io::Error>::new();
    /// for path in ["Cargo.toml", "no such file"] {
    ///     group.spawn_blocking(move || std::fs::read(path).map(drop)).await;
    /// }
    /// assert_eq!(group.wait().await.unwrap_err().kind(), io::ErrorKind::NotFound);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&self, f: F) -> impl Future<Output = ()> + use<'_, F, E>
    where
        F: FnOnce() -> Result<(), E> + Send + 'static,
    {
        let location = Location::caller();
        // Boxed as in `go`.
        let f = Box::new(f);
        async move {
            Acquire::new(&self.shared).await;
            self.start_blocking(f, location);
        }
    }

    fn start_blocking<F>(&self, f: F, location: &'static Location<'static>)
    where
        F: FnOnce() -> Result<(), E> + Send + 'static,
    {
        self.shared.start(|guard| {
            spawn_blocking_at(move || member::run_blocking(f, guard), location).abort_handle()
        });
    }

    fn start<F>(&self, future: F, location: &'static Location<'static>)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.shared
            .start(|guard| spawn_at(Member::new(future, guard), location).abort_handle());
    }
}

/// Waits for a permit of a group.
struct Acquire<'a, E> {
    shared: &'a Shared<E>,
    place: Option<usize>,
}

impl<'a, E> Acquire<'a, E> {
    fn new(shared: &'a Shared<E>) -> Self {
        Self {
            shared,
            place: None,
        }
    }
}

impl<E> Future for Acquire<'_, E> {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let Self { shared, place } = &mut *self;
        shared.poll_acquire(place, cx)
    }
}

impl<E> Drop for Acquire<'_, E> {
    fn drop(&mut self) {
        if let Some(key) = self.place {
            self.shared.forgo(key);
        }
    }
}

impl<E> Default for Group<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Drop for Group<E> {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The error of [`Group::set_limit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitError {
    limit: usize,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        write!(
            f,
            "a limit of {limit} would let no task of the group run; expected 1 or more"
        )
    }
}

impl Error for LimitError {}

/// The cause with which a group cancels its context when a task fails. The error itself is what
/// [`Group::wait`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupFailed(());

impl fmt::Display for GroupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another task of the group failed")
    }
}

impl Error for GroupFailed {}
