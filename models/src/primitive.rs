//! loom in place of `std`: the twin of `primitive.rs` in the packages whose protocols are modelled.

/// Whether this is the model checker's build of a protocol.
pub(crate) const MODEL: bool = true;

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
