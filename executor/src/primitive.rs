//! The synchronisation primitives that the protocols of this crate are written against.
//!
//! Protocol files (`seat.rs`, `idle.rs`, …) import atomics, fences and cells from `crate::primitive`
//! only. Here that is `std`; in the package `gopark-models`, which includes the very same files,
//! it is `loom`. `MODEL` lets a protocol shrink its constants so that a model reaches wrap-around
//! and overflow.

/// Whether this is the model checker's build of a protocol.
pub(crate) const MODEL: bool = false;

pub(crate) mod sync {
    pub(crate) use std::sync::{Mutex, MutexGuard};

    pub(crate) mod atomic {
        pub(crate) use std::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
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
