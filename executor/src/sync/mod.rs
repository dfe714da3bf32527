//! Locks, semaphores, signals, and values for one or all.
//!
//! They wait as futures, so a task that waits costs no thread, and under any executor.
//!
//! Each has `*_blocking` methods, too, which wait on the thread. They may be called on plain threads, and
//! within tasks, where the processor goes to another thread meanwhile. What is bound to the thread that
//! blocks cannot go on: the siblings in the same task, the tasks of
//! [`spawn_local`](crate::spawn_local), and the root of the `block_on` whose thread it is. To block for
//! one of those is a deadlock.
//!
//! All are fair: who waits is served in the order in which the waits began, and who comes while others
//! wait queues up behind them. A wait that is dropped leaves its queue, and what it was granted goes to
//! the next.
//!
//! | is for | take |
//! |---|---|
//! | a value that one task at a time may change | [`Mutex`] |
//! | a value that many may read, or one may change | [`RwLock`] |
//! | a number of things that tasks take and give back | [`Semaphore`] |
//! | telling a task that something has happened | [`Notify`] |
//! | waiting until a value under a mutex changes | [`Cond`] |
//! | going on together once enough have come | [`Barrier`] |
//! | doing something once, making a value once | [`Once`], [`OnceCell`] |
//! | waiting until all that is under way is done | [`WaitGroup`] |
//! | one value, once | [`oneshot`] |
//! | the latest value | [`watch`] |
//! | each value to each receiver | [`broadcast`] |
//!
//! # How it is made
//!
//! A primitive is one atomic word, for the case that nobody waits, and a queue under a short lock. The
//! places in the queue lie in the waiting futures, so waiting allocates nothing.

mod barrier;
mod blocking;
pub mod broadcast;
mod cond;
mod gate;
mod leaf;
mod mutex;
mod mutex_guard;
mod mutex_owned;
mod notified;
mod notify;
mod once;
mod once_cell;
pub mod oneshot;
mod permit;
mod queue;
mod raw_mutex;
mod raw_rwlock;
mod raw_semaphore;
mod rwlock;
mod rwlock_guard;
mod rwlock_owned;
mod semaphore;
mod wait_group;
mod waiters;
pub(crate) mod wakes;
pub mod watch;

/// Futures, under the path that tokio has for them.
pub mod futures {
    pub use super::{Notified, OwnedNotified};
}

pub use barrier::{Barrier, BarrierWaitResult};
pub use cond::Cond;
pub use mutex::{Mutex, TryLockError};
pub use mutex_guard::{MappedMutexGuard, MutexGuard};
pub use mutex_owned::{OwnedMappedMutexGuard, OwnedMutexGuard};
pub use notified::{Notified, OwnedNotified};
pub use notify::Notify;
pub use once::Once;
pub use once_cell::{OnceCell, SetError};
pub use permit::{OwnedSemaphorePermit, SemaphorePermit};
pub use rwlock::RwLock;
pub use rwlock_guard::{RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard};
pub use rwlock_owned::{OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
pub use semaphore::{AcquireError, Semaphore, TryAcquireError};
pub use wait_group::{WaitGroup, Worker};
