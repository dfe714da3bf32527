//! G: the task, one spawned future.
//!
//! A task is one allocation made by `async-task`: its header (state word, join waker, vtable), our
//! [`Meta`], and the union of the future and its output. The future is never the user's own but a
//! [`Harness`] around it, which is what catches panics, obeys `abort` and keeps the
//! books.
//!
//! # Kinds of reference
//!
//! | reference | count | held by | grants |
//! |---|---|---|---|
//! | `Runnable<Meta>` | at most 1 | a run queue, or the M that polls | the right to poll or drop the future |
//! | `Task<Output<_>, Meta>` | at most 1 | [`JoinHandle`] | the right to take the output |
//! | `Waker` | any | leaf futures, [`AbortHandle`]; the harness, one, once it has parked | the right to schedule |
//! | slot in a [`Shard`] | exactly 1 while the future lives | the registry | the right to be found |
//!
//! # Rules
//!
//! 1. A `Runnable` is never dropped, it is always run: a task that must die gets its abort flag
//!    set and is run once more, so that the harness drops the future and every `JoinHandle`
//!    resolves. (`async-task` would abort the process if the future's `Drop` panicked.)
//! 2. `Meta` lives as long as the allocation; `meta.site`, `id` and `slot` never change.
//! 3. A task's slot is vacated in its last poll, that is before the allocation can die. So
//!    whoever finds a pointer in a slot and locks the slot may use the task until it unlocks.
//! 4. A `Shard`, its `Site`s and the `Sched` they point to outlive every future registered in that
//!    shard: a runtime is freed only when its shards are empty.
//! 5. No panic leaves the harness: neither that of a poll, nor of the future's `Drop`, nor of the
//!    output's.
//! 6. A task that was polled and is not done holds a reference to itself. Without it `async-task`
//!    would free a task that was detached and parked with no waker anywhere, without dropping the
//!    future: against rule 3. So such a task lives until its runtime ends.

mod abort;
mod error;
mod guard;
mod harness;
mod id;
mod join;
mod meta;
mod raw;
mod registry;
mod shard;

pub use abort::AbortHandle;
pub use error::JoinError;
pub(crate) use harness::{Harness, Output};
pub use id::Id;
#[cfg(unix)]
pub(crate) use id::leave_ids_behind;
pub use join::JoinHandle;
pub(crate) use meta::Meta;
pub(crate) use raw::RawTask;
pub(crate) use shard::{Shard, ShardOwner, Site};

/// A task that is due to be polled.
pub(crate) type Runnable = async_task::Runnable<Meta>;

impl crate::runq::Word for Runnable {
    #[inline]
    fn into_word(self) -> std::ptr::NonNull<()> {
        self.into_raw()
    }

    #[inline]
    unsafe fn from_word(word: std::ptr::NonNull<()>) -> Self {
        // SAFETY: (1) from `into_raw` and used once, says the caller.
        unsafe { Self::from_raw(word) }
    }
}
