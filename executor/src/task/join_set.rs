//! Waiting for many tasks.
//!
//! ```text
//!   insert ──► fresh ──┐                         ┌──► Ready: removed, given out
//!                      ├──► collect: polls one ──┤
//!   MemberWaker ► due ─┘        member           └──► Pending: parked in its task, with its waker
//!        ▲                                                        │
//!        └──────────────── the task completes ────────────────────┘
//! ```
//!
//! Each member's handle is polled once when it is fresh, which leaves the member's own waker in the
//! task, and once when that waker has put it among the due; so joining n tasks takes at most 2n
//! polls, however many of them are waiting.
//!
//! # Invariants
//! 1. A member is in `fresh`, in `due`, or its waker is in its task (or about to run).
//! 2. A key in `fresh` or `due` may be stale: a completing task may wake a member that was given out
//!    by the very poll that left the waker. The key then names nobody, or a later member, to whom
//!    one poll too many does no harm.
//! 3. `Inbox` is locked for list operations only: no waker is cloned, woken or dropped under it.
//!
//! *The push-against-park race*: `MemberWaker` pushes its key and takes the joiner's waker under one
//! lock; the joiner sees `due` empty and leaves its waker under one lock. One of them sees the other.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use gopark_net::note::{self, WaitReason};
use slab::Slab;

use super::{AbortHandle, Id, JoinError, JoinHandle};
use crate::big::is_big;
use crate::elastic::{self, Elastic};
use crate::runtime::Handle;
use crate::sync::wakes;

/// A set of tasks, joined in the order in which they complete.
///
/// All tasks of a set have the same output type. Dropping the set aborts them all.
///
/// # Examples
///
/// ```
/// use gopark::task::JoinSet;
///
/// gopark::block_on(async {
///     let mut set = JoinSet::new();
///     for n in 0..10 {
///         set.spawn(async move { n * n });
///     }
///     let mut sum = 0;
///     while let Some(square) = set.join_next().await {
///         sum += square.unwrap();
///     }
///     assert_eq!(sum, 285);
/// });
/// ```
#[must_use = "dropping a JoinSet aborts its tasks"]
pub struct JoinSet<T> {
    members: Slab<Member<T>>,
    /// Members that have not been polled yet.
    fresh: Elastic<usize>,
    inbox: Arc<Mutex<Inbox>>,
}

struct Member<T> {
    handle: JoinHandle<T>,
    waker: Waker,
}

/// What the tasks of the set and its owner share.
#[derive(Default)]
struct Inbox {
    /// Members whose task may be done.
    due: Elastic<usize>,
    /// Whom to wake when `due` is pushed to.
    joiner: Option<Waker>,
}

fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            members: Slab::new(),
            fresh: Elastic::default(),
            inbox: Arc::default(),
        }
    }

    /// How many tasks are in the set: those that were spawned and not yet given out.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the set holds no task.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task into the set; see [`gopark::spawn`](crate::spawn).
    ///
    /// # Panics
    ///
    /// Panics if the default runtime is needed and cannot be started.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        if is_big::<F>() {
            return self.insert(super::spawn(Box::pin(future)));
        }
        self.insert(super::spawn(future))
    }

    /// Spawns a task of that runtime into the set.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        if is_big::<F>() {
            return self.insert(handle.spawn(Box::pin(future)));
        }
        self.insert(handle.spawn(future))
    }

    /// Spawns a task that is bound to this thread into the set; see
    /// [`gopark::spawn_local`](crate::spawn_local).
    ///
    /// # Panics
    ///
    /// Panics on a thread that runs no tasks.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        if is_big::<F>() {
            return self.insert(super::spawn_local(Box::pin(future)));
        }
        self.insert(super::spawn_local(future))
    }

    /// Runs a blocking closure as a member of the set; see
    /// [`gopark::spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Panics
    ///
    /// Panics if the default runtime is needed and cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let mut set = gopark::task::JoinSet::new();
    ///     for n in 1..=3 {
    ///         set.spawn_blocking(move || n * n);
    ///     }
    ///     let mut squares = set.join_all().await;
    ///     squares.sort();
    ///     assert_eq!(squares, [1, 4, 9]);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        if is_big::<F>() {
            return self.insert(super::spawn_blocking(Box::new(f)));
        }
        self.insert(super::spawn_blocking(f))
    }

    /// Runs a blocking closure on a thread of that runtime as a member of the set.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        if is_big::<F>() {
            return self.insert(handle.spawn_blocking(Box::new(f)));
        }
        self.insert(handle.spawn_blocking(f))
    }

    fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let entry = self.members.vacant_entry();
        let key = entry.key();
        let waker = Waker::from(Arc::new(MemberWaker {
            key,
            inbox: self.inbox.clone(),
        }));
        entry.insert(Member { handle, waker });
        self.fresh.push_back(key);
        abort
    }

    /// Waits until one of the tasks is done, and takes its result out of the set; `None` if the set
    /// is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: no task leaves the set before its result is given
    /// out.
    ///
    /// # Errors
    ///
    /// The result is that of the task: it may have panicked or been aborted.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// Like [`join_next`](Self::join_next), and says which task it was. In the case of an error, it
    /// does: [`JoinError::id`].
    ///
    /// # Cancel safety
    ///
    /// That of [`join_next`](Self::join_next).
    ///
    /// # Errors
    ///
    /// The result is that of the task: it may have panicked or been aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::task::JoinSet;
    ///
    /// gopark::block_on(async {
    ///     let mut set = JoinSet::new();
    ///     let expected = set.spawn(async { "done" }).id();
    ///     let (id, output) = set.join_next_with_id().await.unwrap().unwrap();
    ///     assert_eq!((id, output), (expected, "done"));
    /// });
    /// ```
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Takes the result of a task that is done out of the set; `None` if there is no such task now.
    ///
    /// # Errors
    ///
    /// The result is that of the task: it may have panicked or been aborted.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// Like [`try_join_next`](Self::try_join_next), and says which task it was.
    ///
    /// # Errors
    ///
    /// The result is that of the task: it may have panicked or been aborted.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.collect()
    }

    /// The polling side of [`join_next`](Self::join_next): `Ready(None)` if the set is empty. When
    /// it returns `Pending`, the waker of `cx` is the one that will be woken.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|joined| joined.map(without_id))
    }

    /// The polling side of [`join_next_with_id`](Self::join_next_with_id).
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let budget = ready!(note::poll_proceed(cx));
        loop {
            if let Some(joined) = self.collect() {
                budget.made_progress();
                return Poll::Ready(Some(joined));
            }
            if self.leave_waker(cx.waker()) {
                note::park(WaitReason::Join);
                return Poll::Pending;
            }
        }
    }

    /// Polls members that may be done, until one is.
    fn collect(&mut self) -> Option<Result<(Id, T), JoinError>> {
        loop {
            let key = match self.fresh.pop_front() {
                Some(key) => key,
                None => lock(&self.inbox).due.pop_front()?,
            };
            let Some(member) = self.members.get_mut(key) else {
                continue;
            };
            if let Poll::Ready(result) = member.handle.poll_trusted(&member.waker) {
                let id = self.members.remove(key).handle.id();
                elastic::give_back_empty(&mut self.members);
                return Some(result.map(|output| (id, output)));
            }
        }
    }

    /// Leaves the waker for the next member that becomes due; false if one is due already.
    fn leave_waker(&self, waker: &Waker) -> bool {
        let same = |joiner: &Option<Waker>| joiner.as_ref().is_some_and(|old| old.will_wake(waker));
        {
            let inbox = lock(&self.inbox);
            if !inbox.due.is_empty() {
                return false;
            }
            if same(&inbox.joiner) {
                return true;
            }
        }
        let mut joiner = Some(waker.clone());
        let mut inbox = lock(&self.inbox);
        if !inbox.due.is_empty() {
            return false;
        }
        std::mem::swap(&mut inbox.joiner, &mut joiner);
        // The old waker goes after the lock.
        drop(inbox);
        true
    }

    /// Waits until all tasks are done, and gives their outputs in the order of completion.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the set and the outputs collected so far, and aborts the tasks that
    /// are not done.
    ///
    /// # Panics
    ///
    /// Passes a panic of a task on, and panics if a task was aborted; the remaining tasks are
    /// aborted then.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::task::JoinSet;
    ///
    /// gopark::block_on(async {
    ///     let set: JoinSet<_> = (0..10).map(|n| async move { n * n }).collect();
    ///     let mut squares = set.join_all().await;
    ///     squares.sort();
    ///     assert_eq!(squares[9], 81);
    /// });
    /// ```
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            match result.map_err(JoinError::try_into_panic) {
                Ok(output) => outputs.push(output),
                Err(Ok(payload)) => resume_unwind(payload),
                Err(Err(cancelled)) => panic!("JoinSet::join_all: {cancelled}"),
            }
        }
        outputs
    }

    /// Aborts all tasks and waits until their futures have been dropped. Outputs and errors are
    /// dropped.
    ///
    /// # Cancel safety
    ///
    /// Tasks that have not been waited for when the future is dropped remain in the set, aborted.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }
}

impl<T> JoinSet<T> {
    /// Asks all tasks to stop; see [`JoinHandle::abort`]. They remain in the set, to be joined.
    pub fn abort_all(&mut self) {
        for (_, member) in &self.members {
            member.handle.abort();
        }
    }

    /// Empties the set, and lets its tasks run on.
    pub fn detach_all(&mut self) {
        self.fresh = Elastic::default();
        // Outside of the set, for a handle that is dropped drops the output of a task that is done.
        drop(std::mem::take(&mut self.members));
    }
}

fn without_id<T>(result: Result<(Id, T), JoinError>) -> Result<T, JoinError> {
    result.map(|(_, output)| output)
}

/// The waker that a member leaves in its task. It never panics.
struct MemberWaker {
    key: usize,
    inbox: Arc<Mutex<Inbox>>,
}

impl Wake for MemberWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let joiner = {
            let mut inbox = lock(&self.inbox);
            inbox.due.push_back(self.key);
            inbox.joiner.take()
        };
        let Some(joiner) = joiner else { return };
        // Its panic would punish the task that completed.
        wakes::wake(joiner);
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        // Nobody waits any more, and the wakers in the tasks keep the inbox.
        let joiner = lock(&self.inbox).joiner.take();
        drop(joiner);
        self.abort_all();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Spawns every future of the iterator; see [`JoinSet::spawn`].
impl<F> FromIterator<F> for JoinSet<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

/// Spawns every future of the iterator; see [`JoinSet::spawn`].
impl<F> Extend<F> for JoinSet<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}
