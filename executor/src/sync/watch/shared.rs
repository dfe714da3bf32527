//! What the ends of a watch channel share.
//!
//! ```text
//!   changes   word of the gate: version << 2 | CLOSED << 1 | (the gate's own bit)
//!   receivers word of the gate: count << 1          | (the gate's own bit)
//! ```
//!
//! # Rules
//!
//! 1. `version` grows by one with each change of `value`, under its write lock. So who holds the read
//!    lock reads the version of the very value that it sees, and a version that was seen without the
//!    lock belongs to a value that the lock will show, or to an older one than it will show.
//! 2. `CLOSED ⇔ senders == 0`. It is never cleared.
//! 3. Wakers are woken, and old values dropped, without the lock. What runs under it are the closures of
//!    `send_modify` and `send_if_modified`, for that is what they are, and those of `wait_for`.
//!
//! Poison is ignored: a closure that panics leaves the value as it left it, and the version as it was.

use std::sync::{
    PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicUsize, Ordering},
};

use super::super::gate::{Change, Gate, UNIT};

const CLOSED: u64 = UNIT;
const STEP: u64 = UNIT << 1;

/// How often the value had changed. It wraps after 2^62 changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version(u64);

impl Version {
    /// One that no value has which was sent lately.
    pub(super) fn before(self) -> Self {
        Self(self.0.wrapping_sub(STEP))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared<T> {
    value: RwLock<T>,
    pub(super) changes: Gate,
    pub(super) receivers: Gate,
    senders: AtomicUsize,
}

/// What the word says to a receiver that has seen `seen`.
#[inline]
pub(super) fn news(word: u64, seen: Version) -> Option<Result<Version, super::RecvError>> {
    if word & !CLOSED != seen.0 {
        return Some(Ok(Version(word & !CLOSED)));
    }
    (word & CLOSED != 0).then_some(Err(super::RecvError(())))
}

impl<T> Shared<T> {
    /// With one sender, and no receiver yet.
    pub(super) fn new(value: T) -> Self {
        Self {
            value: RwLock::new(value),
            changes: Gate::new(0),
            receivers: Gate::new(0),
            senders: AtomicUsize::new(1),
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.value.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value has changed; with its write lock held. The gate is to be opened after it.
    #[inline]
    pub(super) fn advance(&self) -> Change {
        self.changes.add(STEP)
    }

    pub(super) fn version(&self) -> Version {
        Version(self.changes.load() & !CLOSED)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.changes.load() & CLOSED != 0
    }

    pub(super) fn receiver_count(&self) -> usize {
        count(self.receivers.load())
    }

    pub(super) fn add_receiver(&self) {
        // Nobody waits for there to be more, so there is no gate to open.
        let _ = self.receivers.add(UNIT);
    }

    pub(super) fn remove_receiver(&self) {
        let change = self.receivers.sub(UNIT);
        if change.before == UNIT {
            self.receivers.open(change);
        }
    }

    pub(super) fn sender_count(&self) -> usize {
        self.senders.load(Ordering::Relaxed)
    }

    pub(super) fn add_sender(&self) {
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_sender(&self) {
        // pairs with: the same of the other senders, all of whose changes come before CLOSED.
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.changes.open(self.changes.set(CLOSED));
        }
    }
}

/// The number of receivers that the word of `receivers` holds.
pub(super) fn count(word: u64) -> usize {
    (word / UNIT) as usize
}
