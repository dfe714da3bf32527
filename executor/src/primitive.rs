//! The synchronisation primitives that the protocols of this crate are written against.
//!
//! Protocol files (`seat.rs`, `idle.rs`, …) import atomics, fences and cells from `crate::primitive`
//! only. Here that is `std`; in the package `gopark-models`, which includes the very same files,
//! it is `loom`. `MODEL` lets a protocol shrink its constants so that a model reaches wrap-around
//! and overflow.

/// Whether this is the model checker's build of a protocol.
pub(crate) const MODEL: bool = false;

/// The cheap half of an asymmetric fence: orders this thread's code before and after it, as far as
/// the compiler goes; the processor's part is the business of `fence_heavy`.
#[inline(always)]
pub(crate) fn fence_light() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

/// The dear half.
#[cfg(test)]
#[allow(dead_code, reason = "the models call it; no monitor does yet")]
pub(crate) fn fence_heavy() {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

pub(crate) mod sync {
    pub(crate) use std::sync::{Mutex, MutexGuard};

    pub(crate) mod atomic {
        pub(crate) use std::sync::atomic::{
            AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }
}

pub(crate) mod hint {
    pub(crate) use std::hint::spin_loop;
}

pub(crate) mod thread {
    pub(crate) use std::thread::yield_now;
}

pub(crate) mod cell {
    /// `std::cell::UnsafeCell` with loom's closure interface, so that a model can see every access.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Runs `f` with a pointer that it may read through.
        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Runs `f` with a pointer that it may write through.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

use sync::atomic::AtomicUsize;

/// Makes `len` zeroed words. Pages that are never written stay unmapped, which is why this is not
/// a `Vec`.
pub(crate) fn alloc_slots(len: usize) -> *mut AtomicUsize {
    let layout = Layout::array::<AtomicUsize>(len).expect("a chunk of slots fits in memory");
    // SAFETY: the layout's size is not zero: every chunk has slots.
    let slots = unsafe { alloc_zeroed(layout) };
    if slots.is_null() {
        handle_alloc_error(layout);
    }
    slots.cast()
}

/// Frees what `alloc_slots` made.
///
/// # Safety
///
/// `slots` must have come from `alloc_slots(len)`, and nobody may use it any more.
pub(crate) unsafe fn free_slots(slots: *mut AtomicUsize, len: usize) {
    let layout = Layout::array::<AtomicUsize>(len).expect("it was allocated with this layout");
    // SAFETY: the caller's promise.
    unsafe { dealloc(slots.cast(), layout) };
}
