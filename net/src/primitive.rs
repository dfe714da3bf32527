//! The synchronisation primitives that the protocols of this crate are written against.
//!
//! Protocol files (`readiness.rs`) import atomics, fences and cells from `crate::primitive`
//! only. Here that is `std`; in the package `gopark-models`, which includes the very same files,
//! it is `loom`. `MODEL` lets a protocol shrink its constants so that a model reaches overflow.

/// Whether this is the model checker's build of a protocol.
pub(crate) const MODEL: bool = false;

pub(crate) mod sync {
    pub(crate) use std::sync::{Mutex, MutexGuard};

    pub(crate) mod atomic {
        pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
    }
}
