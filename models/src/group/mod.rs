//! Models of `executor/src/group/shared.rs`: who starts, who ends, who stops the others, who waits for all, and
//! who waits for a place.
//!
//! A task is a stand-in: a guard, and a handle that counts aborts. What every model checks besides its own
//! claim: no place is lost or given twice (`assert_at_rest`).

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

#[path = "../../../executor/src/group/shared.rs"]
mod shared;
#[cfg(test)]
mod tests;

/// Not loom atomics: they are looked at only after all threads were joined.
#[derive(Debug, Default)]
pub(crate) struct Times(AtomicUsize);

impl Times {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The stand-in for `context::Cancel`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<Times>);

impl Cancel {
    pub(crate) fn cancel(&self) {
        self.0.add();
    }

    pub(crate) fn cancel_with(&self, _: impl Into<Box<dyn Error + Send + Sync>>) {
        self.0.add();
    }
}

/// The stand-in for `task::AbortHandle`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbortHandle(Arc<Times>);

impl AbortHandle {
    pub(crate) fn abort(&self) {
        self.0.add();
    }
}

#[derive(Debug)]
struct GroupFailed(());

impl fmt::Display for GroupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model")
    }
}

impl Error for GroupFailed {}
