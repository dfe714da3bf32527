//! The handle that waits for a task.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_task::Task;
use gopark_net::note::{self, WaitReason};

use super::{AbortHandle, Id, JoinError, Meta, Output, RawTask, guard};
use crate::current;

/// Waits for a spawned task and takes its output.
///
/// Dropping the handle detaches the task: it runs on, and its output is dropped when it is done.
///
/// # Cancel safety
///
/// A handle that was polled and put aside loses nothing; poll it again later.
///
/// # Panics
///
/// Panics when polled again after it gave out the result, and names the task and where it was spawned.
///
/// # Examples
///
/// ```
/// gopark::block_on(async {
///     let handle = gopark::spawn(async { 6 * 7 });
///     assert_eq!(handle.await.unwrap(), 42);
/// });
/// ```
pub struct JoinHandle<T> {
    /// None only after `drop` began.
    task: Option<Task<Output<Result<T, JoinError>>, Meta>>,
    /// The same task: `async-task` gives no waker from a `Task`, and `abort` needs one.
    raw: RawTask,
    spawned: Spawned,
}

/// Where the task was spawned; and in the lowest bit, whether the result was given out.
struct Spawned(*const Location<'static>);

impl Spawned {
    const GIVEN_OUT: usize = 1;

    fn give_out(&mut self) {
        self.0 = self.0.map_addr(|address| address | Self::GIVEN_OUT);
    }

    #[inline]
    fn is_given_out(&self) -> bool {
        self.0.addr() & Self::GIVEN_OUT != 0
    }

    fn location(&self) -> &'static Location<'static> {
        const { assert!(align_of::<Location<'static>>() > Self::GIVEN_OUT) };
        let location = self.0.map_addr(|address| address & !Self::GIVEN_OUT);
        // SAFETY: (1) made of a reference, to which only the bit was added.
        unsafe { &*location }
    }
}

// SAFETY: (1) `spawned` is a shared reference to what is `Sync`; (2) `raw` gives metadata and wakers, both Send and Sync; (3) `task` decides the rest, as
// it would without `raw`.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: as for Send; `&JoinHandle` gives no access to the output. That it demands `Send` all the same is what
// every other handle of this kind does.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    pub(crate) fn new(
        task: Task<Output<Result<T, JoinError>>, Meta>,
        raw: RawTask,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            task: Some(task),
            raw,
            spawned: Spawned(location),
        }
    }

    fn task(&self) -> &Task<Output<Result<T, JoinError>>, Meta> {
        self.task
            .as_ref()
            .expect("a JoinHandle has its task until it is dropped")
    }

    /// Asks the task to stop: its future is dropped instead of being polled the next time, and the
    /// handle resolves to a cancelled [`JoinError`]. A task that is done, or completes in the poll
    /// it is in, is not affected.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let handle = gopark::spawn(std::future::pending::<()>());
    ///     handle.abort();
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self) {
        if self.id().is_left_behind() {
            return;
        }
        self.task().metadata().set_aborted();
        // SAFETY: (1) `self.task` keeps the allocation alive.
        unsafe { self.raw.waker() }.wake();
    }

    /// The task's address.
    #[inline]
    pub(crate) fn raw(&self) -> RawTask {
        self.raw
    }

    /// Polls for the output on behalf of a waker that is known never to panic, and without taking
    /// from the budget.
    pub(crate) fn poll_trusted(&mut self, waker: &Waker) -> Poll<Result<T, JoinError>> {
        if self.spawned.is_given_out() {
            self.polled_again();
        }
        let task = self
            .task
            .as_mut()
            .expect("a JoinHandle has its task until it is dropped");
        match Pin::new(task).poll(&mut Context::from_waker(waker)) {
            Poll::Ready(output) => {
                self.spawned.give_out();
                Poll::Ready(output.into_inner())
            }
            Poll::Pending if self.id().is_left_behind() => {
                Poll::Ready(Err(JoinError::cancelled(self.id())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    #[cold]
    fn polled_again(&self) -> ! {
        panic!(
            "the JoinHandle of task {}, spawned at {}, was polled again after it gave out the result",
            self.id(),
            self.spawned.location()
        )
    }

    /// A handle that can abort the task and nothing else.
    pub fn abort_handle(&self) -> AbortHandle {
        // SAFETY: (1) `self.task` keeps the allocation alive.
        unsafe { AbortHandle::new(self.raw) }
    }

    /// Whether the task is done, by completion, panic or abort.
    pub fn is_finished(&self) -> bool {
        self.task().is_finished()
    }

    /// The id of the task.
    pub fn id(&self) -> Id {
        self.task().metadata().id()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let budget = std::task::ready!(note::poll_proceed(cx));
        let polled = if current::is_own_waker(cx.waker()) {
            self.poll_trusted(cx.waker())
        } else {
            self.poll_trusted(&guard::guarded(cx.waker()))
        };
        match polled {
            Poll::Ready(result) => {
                budget.made_progress();
                Poll::Ready(result)
            }
            Poll::Pending => {
                note::park(WaitReason::Join);
                Poll::Pending
            }
        }
    }
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
