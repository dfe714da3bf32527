//! A task by its address alone.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::Waker;

use super::{Meta, Runnable};

/// The address of a task's allocation, as `Runnable::into_raw` gives it.
///
/// It owns nothing. `async-task` offers metadata and wakers on a `Runnable` only, and a `Runnable`
/// is no more than this address with a duty attached (it must be run); so for the time of a call we
/// make one, and forget it before the duty falls due.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawTask(NonNull<()>);

impl RawTask {
    pub(crate) fn new(ptr: NonNull<()>) -> Self {
        Self(ptr)
    }

    /// The address of a task in a registry's slot.
    ///
    /// # Safety
    ///
    /// `ptr` must have been published by `Shard::publish`.
    pub(crate) unsafe fn from_slot(ptr: *const ()) -> Self {
        // SAFETY: (1) what was published came from a NonNull.
        Self(unsafe { NonNull::new_unchecked(ptr.cast_mut()) })
    }

    /// The task of a waker.
    ///
    /// # Safety
    ///
    /// The waker must be a task's own: what `async-task` makes.
    #[inline]
    pub(crate) unsafe fn from_waker(waker: &Waker) -> Self {
        let ptr = NonNull::new(waker.data().cast_mut().cast());
        // SAFETY: (1) such a waker carries the address of its task.
        Self(unsafe { ptr.unwrap_unchecked() })
    }

    pub(crate) fn as_ptr(self) -> *const () {
        self.0.as_ptr()
    }

    /// # Safety
    ///
    /// A reference of the table in `g/mod.rs` must keep the task's allocation alive for `'a`.
    pub(crate) unsafe fn meta<'a>(self) -> &'a Meta {
        let runnable = self.lend();
        let meta: *const Meta = runnable.metadata();
        // SAFETY: (1) the metadata lives as long as the allocation (g rule 2), which the caller
        // keeps alive.
        unsafe { &*meta }
    }

    /// A waker of the task: a reference of its own.
    ///
    /// # Safety
    ///
    /// A reference of the table in `g/mod.rs` must keep the task's allocation alive during the call.
    pub(crate) unsafe fn waker(self) -> Waker {
        self.lend().waker()
    }

    fn lend(self) -> ManuallyDrop<Runnable> {
        // SAFETY: (1) the address came from `Runnable::<Meta>::into_raw`; (2) the result is neither
        // run nor dropped, so the right to poll is not duplicated.
        ManuallyDrop::new(unsafe { Runnable::from_raw(self.0) })
    }
}

impl fmt::Debug for RawTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&self.0, f)
    }
}
