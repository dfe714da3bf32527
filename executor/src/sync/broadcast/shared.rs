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
//! 1. `sent` grows, and `receivers` changes, under the lock of `tail`, and `tail == sent` whenever that is
//!    free. So each value counts exactly the receivers that are there, and who comes or goes knows where.
//! 2. `CLOSED ⇔ senders == 0`; it is never cleared. It is in the word of `sent`, so who finds it beside
//!    its own place has received all there ever will be.
//! 3. Under that lock nothing is woken, cloned or dropped that is the user's. Gates are opened after it,
//!    and before anything is dropped, for that may panic.
//! 4. `room` is the lossless channel's: there it changes, and is opened, after each claim that was the last
//!    of its value.
//! 5. A receiver keeps `next`: it is counted in the values from there on, and has claimed none of them.
//!
//! To receive takes no lock: see `ring.rs`.
//!
//! # Race of room against send
//!
//! A sender that is to wait reads `room`, finds the ring full, and waits for `room` to change; a receiver
//! claims, and then changes `room`. If the sender has read what that change left, it sees the claim, and is
//! not refused for it; if not, `room` has changed since, and it does not wait.

use std::sync::Arc;

use super::{
    super::gate::{Gate, UNIT},
    TryRecvError,
    ring::{MAX_CAPACITY, MAX_RECEIVERS, Ring},
    value::{Share, Value},
};
use crate::{
    chan::lock::Lock,
    primitive::sync::atomic::{AtomicUsize, Ordering},
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
    ring: Ring<T>,
    /// The number of values sent, for who sends, comes and goes. A channel's lock: what is under it is as short.
    tail: Lock<u64>,
    policy: Policy,
    pub(super) sent: Gate,
    pub(super) receivers: Gate,
    pub(super) room: Gate,
    senders: AtomicUsize,
    pub(super) weak: AtomicUsize,
}

// No code of a user runs while a change is half made, so a panic of that leaves it whole.
impl<T> std::panic::RefUnwindSafe for Shared<T> {}

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
        assert!(
            capacity <= MAX_CAPACITY,
            "gopark: a broadcast channel of capacity {capacity}, above {MAX_CAPACITY}"
        );
        Arc::new(Self {
            ring: Ring::new(capacity),
            tail: Lock::new(0),
            policy,
            sent: Gate::new(0),
            receivers: Gate::new(0),
            room: Gate::new(0),
            senders: AtomicUsize::new(1),
            weak: AtomicUsize::new(0),
        })
    }

    /// Sends to all who are there, and says how many they are. `Full` comes from a lossless channel only.
    pub(super) fn send(&self, value: T) -> Result<usize, Refused<T>> {
        if self.receiver_count() == 0 {
            return Err(Refused::NoReceiver(value));
        }
        // Allocated before the lock.
        let value = Value::new(value);
        let mut tail = self.tail.lock();
        let receivers = self.receiver_count();
        let refused = if receivers == 0 {
            Refused::NoReceiver
        } else if self.policy == Policy::Lossless && self.ring.is_full(*tail) {
            Refused::Full
        } else {
            let lost = self.ring.push(*tail, value, receivers);
            *tail += 1;
            let change = self.sent.add(STEP);
            drop(tail);
            self.sent.open(change);
            drop(lost);
            return Ok(receivers);
        };
        drop(tail);
        Err(refused(value.into_inner()))
    }

    /// What there is for a receiver at `next`, which it moves on.
    #[inline]
    pub(super) fn take(&self, next: &mut u64) -> Result<Share<T>, TryRecvError> {
        let word = self.sent.load();
        let tail = position(word);
        if tail == *next {
            return Err(if is_closed(word) {
                TryRecvError::Closed
            } else {
                TryRecvError::Empty
            });
        }
        let claim = if tail - *next <= self.ring.capacity() {
            // SAFETY: rule 5.
            unsafe { self.ring.claim(*next) }
        } else {
            None
        };
        let Some(claim) = claim else {
            return Err(TryRecvError::Lagged(self.skip(next)));
        };
        *next += 1;
        if claim.was_last {
            self.make_room();
        }
        Ok(claim.share)
    }

    /// Moves a receiver, whose next value is lost, to the oldest that is left, and says how many it has missed.
    #[cold]
    fn skip(&self, next: &mut u64) -> u64 {
        let before = std::mem::replace(next, self.ring.oldest());
        *next - before
    }

    /// Rule 4.
    fn make_room(&self) {
        if self.policy == Policy::Lossless {
            self.room.open(self.room.add(UNIT));
        }
    }

    /// The place of one more receiver.
    #[track_caller]
    pub(super) fn add_receiver(&self) -> u64 {
        let tail = self.tail.lock();
        if self.receiver_count() == MAX_RECEIVERS {
            drop(tail);
            panic!("gopark: more than {MAX_RECEIVERS} receivers of one broadcast channel");
        }
        // Nobody waits for there to be more, so there is no gate to open.
        let _ = self.receivers.add(UNIT);
        *tail
    }

    /// Of one that was at `next`.
    pub(super) fn remove_receiver(&self, next: u64) {
        let locked = self.tail.lock();
        let change = self.receivers.sub(UNIT);
        let tail = *locked;
        drop(locked);
        let first = next.max(tail.saturating_sub(self.ring.capacity()));
        let mut has_room = false;
        let mut unwanted = Vec::new();
        // Upwards, as if it received them.
        for n in first..tail {
            // SAFETY: rule 5; it comes here once, and after `tail` it is counted no more.
            if let Some(claim) = unsafe { self.ring.claim(n) } {
                has_room |= claim.was_last;
                unwanted.extend(claim.share.leave());
            }
        }
        if change.before == UNIT {
            self.receivers.open(change);
        }
        if has_room {
            self.make_room();
        }
        drop(unwanted);
    }

    pub(super) fn receiver_count(&self) -> usize {
        count(self.receivers.load())
    }

    pub(super) fn len(&self) -> usize {
        let tail = self.tail.lock();
        self.ring.len(*tail)
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
