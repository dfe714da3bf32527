//! What the ends of a broadcast channel share.
//!
//! ```text
//!   sent      word of the gate: number of values sent << 2 | CLOSED << 1 | (the gate's own bit)
//!   receivers word of the gate: count << 1                               | (the gate's own bit)
//!   room      word of the gate: grows when values go << 1                | (the gate's own bit)
//! ```
//!
//! # Rules
//!
//! 1. `sent` grows, and `receivers` changes, under the lock of `ring`. So `sent == ring.tail` for its
//!    holder, and each value counts exactly the receivers that are there.
//! 2. `CLOSED ⇔ senders == 0`; it is never cleared. It is in the word of `sent`, so who finds it beside
//!    its own place has received all there ever will be.
//! 3. Under the lock nothing is woken, cloned or dropped that is the user's. Gates are opened after it,
//!    and before anything is dropped, for that may panic.
//! 4. `room` is the lossless channel's: there it changes, and is opened, after each step that moved
//!    `ring.head`.
//!
//! Values are shared by an [`Arc`], which is why `T` must be [`Sync`]: two receivers may clone the same
//! value at the same time.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    super::gate::{Gate, UNIT},
    TryRecvError,
    ring::{Found, Ring},
};

const CLOSED: u64 = UNIT;
const STEP: u64 = UNIT << 1;

/// Whether a full channel loses its oldest value or keeps senders waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Lossy,
    Lossless,
}

/// See the module.
pub(super) struct Shared<T> {
    ring: Mutex<Ring<T>>,
    policy: Policy,
    pub(super) sent: Gate,
    pub(super) receivers: Gate,
    pub(super) room: Gate,
    senders: AtomicUsize,
    pub(super) weak: AtomicUsize,
}

/// Why a value was not sent.
pub(super) enum Refused<T> {
    NoReceiver(T),
    Full(T),
}

impl<T> Shared<T> {
    /// With one sender and no receiver.
    #[track_caller]
    pub(super) fn new(capacity: usize, policy: Policy) -> Arc<Self> {
        assert!(capacity > 0, "gopark: a broadcast channel of capacity zero");
        Arc::new(Self {
            ring: Mutex::new(Ring::new(capacity)),
            policy,
            sent: Gate::new(0),
            receivers: Gate::new(0),
            room: Gate::new(0),
            senders: AtomicUsize::new(1),
            weak: AtomicUsize::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Ring<T>> {
        // Nothing under this lock panics.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends to all who are there, and says how many they are. `Full` comes from a lossless channel only.
    pub(super) fn send(&self, value: T) -> Result<usize, Refused<T>> {
        if self.receiver_count() == 0 {
            return Err(Refused::NoReceiver(value));
        }
        // Allocated before the lock.
        let value = Arc::new(value);
        let mut ring = self.lock();
        let receivers = self.receiver_count();
        let refused = if receivers == 0 {
            Refused::NoReceiver
        } else if self.policy == Policy::Lossless && ring.is_full() {
            Refused::Full
        } else {
            let lost = ring.push(value, receivers);
            let change = self.sent.add(STEP);
            drop(ring);
            self.sent.open(change);
            drop(lost);
            return Ok(receivers);
        };
        drop(ring);
        let value = Arc::into_inner(value).expect("nobody else has seen it");
        Err(refused(value))
    }

    /// What there is for a receiver at `next`, which it moves on.
    pub(super) fn take(&self, next: &mut u64) -> Result<Arc<T>, TryRecvError> {
        let word = self.sent.load();
        if position(word) == *next {
            return Err(if is_closed(word) {
                TryRecvError::Closed
            } else {
                TryRecvError::Empty
            });
        }
        let mut ring = self.lock();
        let before = ring.len();
        let found = ring.take(*next);
        let moved = before - ring.len();
        drop(ring);
        match found {
            Found::Value(value) => {
                *next += 1;
                self.make_room(moved);
                Ok(value)
            }
            Found::Lost(count) => {
                *next += count;
                Err(TryRecvError::Lagged(count))
            }
        }
    }

    /// Rule 4.
    fn make_room(&self, moved: usize) {
        if self.policy == Policy::Lossless && moved > 0 {
            self.room.open(self.room.add(UNIT));
        }
    }

    /// The place of one more receiver.
    pub(super) fn add_receiver(&self) -> u64 {
        let ring = self.lock();
        // Nobody waits for there to be more, so there is no gate to open.
        let _ = self.receivers.add(UNIT);
        ring.tail()
    }

    pub(super) fn remove_receiver(&self, next: u64) {
        let mut ring = self.lock();
        let change = self.receivers.sub(UNIT);
        let before = ring.len();
        let unwanted = ring.forget(next);
        let moved = before - ring.len();
        drop(ring);
        if change.before == UNIT {
            self.receivers.open(change);
        }
        self.make_room(moved);
        drop(unwanted);
    }

    pub(super) fn receiver_count(&self) -> usize {
        count(self.receivers.load())
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn sender_count(&self) -> usize {
        self.senders.load(Ordering::Relaxed)
    }

    pub(super) fn add_sender(&self) {
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    /// Unless there is none any more.
    pub(super) fn try_add_sender(&self) -> bool {
        self.senders
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count > 0).then_some(count + 1)
            })
            .is_ok()
    }

    pub(super) fn remove_sender(&self) {
        // pairs with: the same of the other senders, all of whose values come before CLOSED.
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.sent.open(self.sent.set(CLOSED));
        }
    }
}

/// The number of receivers that the word of `receivers` holds.
pub(super) fn count(word: u64) -> usize {
    (word / UNIT) as usize
}

/// The number of values sent that the word of `sent` holds.
pub(super) fn position(word: u64) -> u64 {
    word / STEP
}

pub(super) fn is_closed(word: u64) -> bool {
    word & CLOSED != 0
}
