//! Aborting a task from anywhere.
//!
//! # The abort race
//!
//! Abort is two steps: (1) set `meta.aborted`, (2) wake the task. A poll that begins after (2) sees
//! the flag, because the wake's exchange on the state word comes between. If the task is being
//! polled at (2), the wake makes `async-task` schedule it once more, and that poll sees the flag. If
//! the task completes in that very poll, the wake finds it completed and the abort came too late.
//! No order loses the abort of a task that goes on living.

use std::fmt;
use std::task::Waker;

use super::Id;
use super::raw::RawTask;

/// Aborts a task; does not wait for it and does not keep it running.
///
/// # Examples
///
/// ```
/// gopark::block_on(async {
///     let handle = gopark::spawn(std::future::pending::<()>());
///     let abort = handle.abort_handle();
///     abort.abort();
///     assert!(handle.await.unwrap_err().is_cancelled());
///     assert!(abort.is_finished());
/// });
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    /// Keeps the allocation alive, and is what `abort` wakes.
    waker: Waker,
}

impl AbortHandle {
    /// # Safety
    ///
    /// The task's allocation must be alive during the call.
    pub(super) unsafe fn new(task: RawTask) -> Self {
        // SAFETY: (1) alive, says the caller.
        let waker = unsafe { task.waker() };
        Self { waker }
    }

    fn raw(&self) -> RawTask {
        // SAFETY: (1) the waker came from a task.
        unsafe { RawTask::from_waker(&self.waker) }
    }

    /// Asks the task to stop; see [`JoinHandle::abort`](super::JoinHandle::abort).
    pub fn abort(&self) {
        if self.id().is_left_behind() {
            return;
        }
        // SAFETY: (1) `self.waker` keeps the allocation alive.
        unsafe { self.raw().meta() }.set_aborted();
        self.waker.wake_by_ref();
    }

    /// Whether the task is done, by completion, panic or abort.
    pub fn is_finished(&self) -> bool {
        // SAFETY: (1) `self.waker` keeps the allocation alive.
        unsafe { self.raw().meta() }.is_finished()
    }

    /// The id of the task.
    pub fn id(&self) -> Id {
        // SAFETY: (1) `self.waker` keeps the allocation alive.
        unsafe { self.raw().meta() }.id()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
