//! Tasks: spawning, waiting, aborting, yielding, and what belongs to a task.

mod block;
pub mod join_set;
mod local;
mod spawn;
mod unconstrained;
mod yield_now;

/// Futures, under the path that tokio has for them.
pub mod futures {
    pub use super::TaskLocalFuture;
}

/// The budget of a poll, under the path that tokio has for it.
pub mod coop {
    pub use super::{Unconstrained, unconstrained};
}

pub use crate::g::{AbortHandle, Id, JoinError, JoinHandle};
pub use block::{block, block_eager};
pub use join_set::JoinSet;
#[doc(hidden)]
pub use local::LocalSlot;
pub use local::{AccessError, LocalKey, TaskLocalFuture};
pub use spawn::{spawn, spawn_blocking, spawn_local};
pub(crate) use spawn::{spawn_at, spawn_blocking_at};
pub use unconstrained::{Unconstrained, unconstrained};
pub use yield_now::{YieldNow, yield_now};

#[doc(inline)]
pub use crate::task_local;

/// The id of the task that is being polled.
///
/// # Panics
///
/// Panics outside a spawned task, also in the root future of a `block_on`; see [`try_id`].
#[track_caller]
pub fn id() -> Id {
    try_id().expect("task::id() was called outside a task; expected a future that was spawned")
}

/// The id of the task that is being polled, if one is.
pub fn try_id() -> Option<Id> {
    crate::current::task_id()
}
