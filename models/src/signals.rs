//! What the models of `notify`, `barrier` and `cond` have in common: those files of `executor/src/sync`, whole
//! futures and all, around the real waiters, mutex and leaf.
//!
//! A waiter that is pending when all threads are through, and was not woken, is a lost wake-up.

// The included files find them under `super`.
use crate::{
    locks::raw_mutex,
    waiters::{waiters, wakes},
};

#[path = "../../executor/src/sync/barrier.rs"]
pub(crate) mod barrier;
#[path = "../../executor/src/sync/cond.rs"]
pub(crate) mod cond;
#[path = "../../executor/src/sync/leaf.rs"]
mod leaf;
#[path = "../../executor/src/sync/mutex.rs"]
pub(crate) mod mutex;
#[path = "../../executor/src/sync/mutex_guard.rs"]
pub(crate) mod mutex_guard;
#[path = "../../executor/src/sync/mutex_owned.rs"]
mod mutex_owned;
#[path = "../../executor/src/sync/notified.rs"]
mod notified;
#[path = "../../executor/src/sync/notify.rs"]
pub(crate) mod notify;

/// The models wait as futures only.
mod blocking {
    pub(crate) fn wait<F: Future>(_: F) -> F::Output {
        unreachable!("no model blocks")
    }
}
