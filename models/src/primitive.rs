//! loom in place of `std`: the twin of `primitive.rs` in the packages whose protocols are modelled.

/// Whether this is the model checker's build of a protocol.
pub(crate) const MODEL: bool = true;

/// loom knows no process-wide barrier, so both halves are full fences.
pub(crate) fn fence_light() {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}

/// See `fence_light`.
pub(crate) fn fence_heavy() {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}

/// loom need not watch it: what others see of it obliges them to nothing.
#[derive(Debug, Default)]
pub(crate) struct OwnWord(std::cell::Cell<usize>);

// SAFETY: (1) the models have it touched by its owner only.
unsafe impl Sync for OwnWord {}

impl OwnWord {
    pub(crate) const fn new(value: usize) -> Self {
        Self(std::cell::Cell::new(value))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.get()
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.set(value);
    }
}

/// loom makes nothing at compile time.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visible:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $visible fn $($rest)*
    };
}
pub(crate) use const_fn;

pub(crate) mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }
}

pub(crate) mod hint {
    pub(crate) use loom::hint::spin_loop;
}

pub(crate) mod thread {
    pub(crate) use loom::thread::yield_now;
}

pub(crate) mod cell {
    pub(crate) use loom::cell::UnsafeCell;
}

use sync::atomic::AtomicUsize;

pub(crate) fn alloc_slots(len: usize) -> *mut AtomicUsize {
    let slots: Box<[AtomicUsize]> = (0..len).map(|_| AtomicUsize::new(0)).collect();
    Box::into_raw(slots).cast()
}

/// # Safety
///
/// `slots` must have come from `alloc_slots(len)`, and nobody may use it any more.
pub(crate) unsafe fn free_slots(slots: *mut AtomicUsize, len: usize) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(slots, len)) });
}
