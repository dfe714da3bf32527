//! A waker as two words that one thread may read while another replaces them.
//!
//! The words say nothing of who owns the waker: that is the business of the state word beside the
//! slot ([`channel`](super::channel)). Torn or stale words are read and thrown away; only the holder
//! of the state word's consent makes a [`Waker`] of them.

use std::{
    mem::ManuallyDrop,
    task::{RawWakerVTable, Waker},
};

use crate::primitive::sync::atomic::{AtomicPtr, Ordering};

/// See the module.
pub(super) struct Slot {
    data: AtomicPtr<()>,
    vtable: AtomicPtr<RawWakerVTable>,
}

/// What a slot held at some moment, word by word.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    data: *mut (),
    vtable: *mut RawWakerVTable,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            data: AtomicPtr::new(std::ptr::null_mut()),
            vtable: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Relaxed throughout: the state word publishes what is here.
    #[inline]
    pub(super) fn parts(&self) -> Parts {
        Parts {
            data: self.data.load(Ordering::Relaxed),
            vtable: self.vtable.load(Ordering::Relaxed),
        }
    }

    /// Puts a waker in. What was there before is forgotten, not dropped.
    #[inline]
    pub(super) fn put(&self, waker: Waker) {
        let waker = ManuallyDrop::new(waker);
        self.data.store(waker.data().cast_mut(), Ordering::Relaxed);
        self.vtable.store(
            std::ptr::from_ref(waker.vtable()).cast_mut(),
            Ordering::Relaxed,
        );
    }

    /// Whether the waker in here, which nobody replaces meanwhile, wakes the same task as `waker`.
    #[inline]
    pub(super) fn holds(&self, waker: &Waker) -> bool {
        let parts = self.parts();
        std::ptr::eq(parts.data, waker.data()) && std::ptr::eq(parts.vtable, waker.vtable())
    }
}

impl Parts {
    /// # Safety
    ///
    /// Both words must come from one [`Slot::put`], and each waker that was put is taken at most once.
    #[inline]
    pub(super) unsafe fn into_waker(self) -> Waker {
        // SAFETY: the caller's promise; `put` stored the address of a `&'static`.
        let vtable = unsafe { &*self.vtable };
        // SAFETY: these are the parts of a waker that was forgotten and not dropped (as above).
        unsafe { Waker::new(self.data, vtable) }
    }
}
