//! The protocol of one oneshot channel: what its word means, and who may touch what.
//!
//! ```text
//!  bit   6..64     5        4       3       2       1        0
//!      ┌───────┬────────┬────────┬────────┬──────┬─────────┬─────────┐
//!      │ round │ R_GONE │ CLOSED │ S_GONE │ SENT │ S_WAITS │ R_WAITS │
//!      └───────┴────────┴────────┴────────┴──────┴─────────┴─────────┘
//!
//!                 send (1)                        take (2): frees
//!         ┌───────────────────▶ SENT + S_GONE ───────────────────────▶ ✝
//!         │       leave, sender (3)               take (2), leave, receiver: frees
//!        OPEN ────────────────▶ S_GONE ──────────────────────────────▶ ✝
//!         │       close (4)                leave, sender (3)     take (2)
//!         ├───────────────────▶ CLOSED ─────────────────▶ S_GONE + CLOSED ──▶ ✝
//!         │                       │ leave, receiver (5)
//!         │       leave (5)       ▼                leave, sender (3): frees
//!         └───────────────────▶ CLOSED + R_GONE ─────────────────────▶ ✝
//!
//!   Within OPEN:  - ──▶ x_WAITS, round + 1 (6) ──▶ - (7)      x is R or S
//! ```
//!
//! Each arrow is one compare-exchange of the whole word; those to ✝ are none at all, for the other
//! side is gone. (1) and (3) are the sender's, (2), (4) and (5) the receiver's, (6) and (7) those of
//! the side that waits. (1), (3), (4) and (5) clear both `WAITS` bits.
//!
//! # Rules
//!
//! 1. A side touches the channel until it has set its `GONE` bit and never after. Whoever finds the
//!    other's bit set is alone, and frees the channel instead of setting its own.
//! 2. `value` is the sender's until `SENT`, and then the receiver's. `SENT ⇔ value is initialised`
//!    as far as the receiver sees; the sender may have a value in there before.
//! 3. `SENT ⇒ S_GONE`, `R_GONE ⇒ CLOSED`, and no `WAITS` bit is set beside any of the four.
//! 4. A slot is written by its own side only, and only while its `WAITS` bit is clear. `x_WAITS ⇔` the
//!    slot of x owns a waker; who clears the bit owns it from then on.
//! 5. `round` grows with each (6). So a compare-exchange from a word with `x_WAITS` succeeds only if
//!    the slot of x was not written since that word was loaded.
//!
//! # Races
//!
//! *Send against close*: both are a compare-exchange from a word without the other's bit; the loser
//! sees the winner's. A sender that lost takes its value back, and nobody has looked at it, since
//! `SENT` was never set (rule 2).
//! *Send against a poll with another waker*: the sender reads the slot before its exchange, perhaps
//! torn. If the exchange succeeds, the slot had not changed (rule 5); if not, what it read is thrown
//! away. So one exchange delivers the value, takes the waker, and gives the allocation up: the
//! receiver may free it while the sender is about to wake.
//! *Wait against send, close or leave*: (6) is a compare-exchange too, so it fails, or is seen.

use std::{mem::MaybeUninit, ptr::NonNull, task::Waker};

use super::slot::Slot;
use crate::primitive::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
};

const R_WAITS: u64 = 1 << 0;
const S_WAITS: u64 = 1 << 1;
const SENT: u64 = 1 << 2;
const S_GONE: u64 = 1 << 3;
const CLOSED: u64 = 1 << 4;
const R_GONE: u64 = 1 << 5;
/// It wraps after 2^58 rounds, all of which would have to come between two steps of the other side.
const ROUND: u64 = 1 << 6;

const WAITS: u64 = R_WAITS | S_WAITS;

/// See the module.
pub(crate) struct Channel<T> {
    word: AtomicU64,
    receiver: Slot,
    sender: Slot,
    value: UnsafeCell<MaybeUninit<T>>,
    /// Read with each use of the channel and written when it is freed: costs nothing, and lets a
    /// model see a use that comes too late.
    alive: UnsafeCell<()>,
}

// No code of a user runs while a change is half made, so a panic of that leaves it whole.
impl<T> std::panic::RefUnwindSafe for Channel<T> {}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Sender,
    Receiver,
}

/// The wakers that a step has taken out. The step is over; call and drop them.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakers {
    /// To be woken.
    pub(crate) other: Option<Waker>,
    /// Of this side itself: it is not needed any more.
    pub(crate) own: Option<Waker>,
}

/// What the receiver finds.
#[derive(Debug)]
#[must_use]
pub(crate) enum Taken<T> {
    /// The value. The channel is freed.
    Value(T),
    /// There will never be one. The channel is freed.
    Nothing,
    /// There will never be one, for the receiver has closed the channel. It is still there.
    Closed,
    /// Nothing yet.
    Empty,
}

/// How an attempt to wait went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Wait {
    /// The waker is in the slot.
    Waiting,
    /// What would be waited for has happened.
    Over,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }

    fn waits(self) -> u64 {
        match self {
            Self::Sender => S_WAITS,
            Self::Receiver => R_WAITS,
        }
    }

    /// What ends the waiting of this side.
    fn over(self) -> u64 {
        match self {
            Self::Sender => CLOSED,
            Self::Receiver => S_GONE | CLOSED,
        }
    }
}

impl<T> Channel<T> {
    /// An open channel, both of whose sides are there.
    #[inline]
    pub(crate) fn allocate() -> NonNull<Self> {
        NonNull::from(Box::leak(Box::new(Self {
            word: AtomicU64::new(0),
            receiver: Slot::new(),
            sender: Slot::new(),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            alive: UnsafeCell::new(()),
        })))
    }

    /// # Safety
    ///
    /// For a side that finds the other one gone, and is over with this (rule 1).
    #[inline]
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: it came from a box, and no other has it (the caller's promise).
        let channel = unsafe { Box::from_raw(this.as_ptr()) };
        channel.alive.with_mut(|_| ());
    }

    /// pairs with: every compare-exchange by the other side, of which this sees the effects.
    #[inline]
    fn load(&self) -> u64 {
        self.alive.with(|_| ());
        self.word.load(Ordering::Acquire) // pairs with: `exchange`, `wait`
    }

    fn slot(&self, side: Side) -> &Slot {
        match side {
            Side::Sender => &self.sender,
            Side::Receiver => &self.receiver,
        }
    }

    /// From `word` to a word without `WAITS` bits: gives the wakers, if the word was still that.
    #[inline]
    fn exchange(&self, side: Side, word: u64, set: u64) -> Result<Wakers, u64> {
        self.alive.with(|_| ());
        // Before the exchange, for after it the other side may free the channel (rule 1).
        let parts = (word & WAITS != 0).then(|| {
            let other = self.slot(side.other()).parts();
            (other, self.slot(side).parts())
        });
        self.word.compare_exchange(
            word,
            (word & !WAITS) | set,
            Ordering::Release, // pairs with: `load`; what this side did comes before its bit
            Ordering::Acquire, // pairs with: the other side's `exchange`, as in `load`
        )?;
        let Some((other, own)) = parts else {
            return Ok(Wakers::default());
        };
        Ok(Wakers {
            // SAFETY: the bit was set and we have cleared it, so the waker is ours (rule 4); both
            // words are those of its `put`, since the slot was not written since (rule 5).
            other: (word & side.other().waits() != 0).then(|| unsafe { other.into_waker() }),
            // SAFETY: as above, of our own slot.
            own: (word & side.waits() != 0).then(|| unsafe { own.into_waker() }),
        })
    }

    /// Transition 1, or the value back and transition 3.
    ///
    /// # Safety
    ///
    /// Only for the sender, which is gone afterwards.
    #[inline]
    pub(crate) unsafe fn send(this: NonNull<Self>, value: T) -> Result<Wakers, T> {
        // SAFETY: the sender is not gone yet, so the channel is there (rule 1).
        let channel = unsafe { this.as_ref() };
        let mut word = channel.load();
        if word & CLOSED == 0 {
            // SAFETY: not SENT, so the value is ours (rule 2).
            channel
                .value
                .with_mut(|place| unsafe { (*place).write(value) });
            loop {
                match channel.exchange(Side::Sender, word, SENT | S_GONE) {
                    Ok(wakers) => return Ok(wakers),
                    Err(now) => word = now,
                }
                if word & CLOSED != 0 {
                    break;
                }
            }
            // SAFETY: it was written above, and never given away (rule 2).
            let value = channel
                .value
                .with(|place| unsafe { place.cast::<T>().read() });
            // SAFETY: we are the sender, and touch nothing after this.
            return Err(unsafe { Self::refuse(this, value) });
        }
        // SAFETY: as above.
        Err(unsafe { Self::refuse(this, value) })
    }

    /// Transition 3 of a sender that has found the channel closed.
    ///
    /// # Safety
    ///
    /// As for `leave_sender`.
    #[cold]
    unsafe fn refuse(this: NonNull<Self>, value: T) -> T {
        // SAFETY: the caller's promise.
        let wakers = unsafe { Self::leave_sender(this) };
        debug_assert!(wakers.other.is_none() && wakers.own.is_none(), "rule 3");
        value
    }

    /// Transition 3: the sender goes without having sent.
    ///
    /// # Safety
    ///
    /// Only for the sender, which is gone afterwards.
    pub(crate) unsafe fn leave_sender(this: NonNull<Self>) -> Wakers {
        // SAFETY: the sender is not gone yet, so the channel is there (rule 1).
        let channel = unsafe { this.as_ref() };
        let mut word = channel.load();
        while word & R_GONE == 0 {
            match channel.exchange(Side::Sender, word, S_GONE) {
                Ok(wakers) => return wakers,
                Err(now) => word = now,
            }
        }
        // SAFETY: the receiver is gone (rule 1), and no waker is left (rule 3).
        unsafe { Self::free(this) };
        Wakers::default()
    }

    /// Transition 5, or 2 if the sender is gone: the value comes out, if there is one, to be dropped.
    ///
    /// # Safety
    ///
    /// Only for the receiver, which is gone afterwards.
    pub(crate) unsafe fn leave_receiver(this: NonNull<Self>) -> (Wakers, Taken<T>) {
        // SAFETY: the receiver is not gone yet, so the channel is there (rule 1).
        let channel = unsafe { this.as_ref() };
        let mut word = channel.load();
        while word & S_GONE == 0 {
            match channel.exchange(Side::Receiver, word, CLOSED | R_GONE) {
                Ok(wakers) => return (wakers, Taken::Empty),
                Err(now) => word = now,
            }
        }
        // SAFETY: we are the receiver, and touch nothing after this.
        (Wakers::default(), unsafe { Self::take(this) })
    }

    /// Transition 2: what there is for the receiver.
    ///
    /// # Safety
    ///
    /// Only for the receiver, which is gone after `Value` and `Nothing`.
    #[inline]
    pub(crate) unsafe fn take(this: NonNull<Self>) -> Taken<T> {
        // SAFETY: the receiver is not gone yet, so the channel is there (rule 1).
        let channel = unsafe { this.as_ref() };
        let word = channel.load();
        if word & S_GONE == 0 {
            return if word & CLOSED == 0 {
                Taken::Empty
            } else {
                Taken::Closed
            };
        }
        let taken = if word & SENT == 0 {
            Taken::Nothing
        } else {
            // SAFETY: SENT, so there is a value and it is ours (rule 2); the channel is freed below,
            // so it is read once.
            let value = channel
                .value
                .with(|place| unsafe { place.cast::<T>().read() });
            Taken::Value(value)
        };
        // SAFETY: the sender is gone (rule 1), and no waker is left (rule 3).
        unsafe { Self::free(this) };
        taken
    }

    /// Transition 4; does nothing once either side has ended it.
    ///
    /// Only for the receiver.
    pub(crate) fn close(&self) -> Wakers {
        let mut word = self.load();
        while word & (S_GONE | CLOSED) == 0 {
            match self.exchange(Side::Receiver, word, CLOSED) {
                Ok(wakers) => return wakers,
                Err(now) => word = now,
            }
        }
        Wakers::default()
    }

    /// Whether the receiver wants no value any more.
    ///
    /// Only for a side that is there.
    pub(crate) fn is_closed(&self) -> bool {
        self.load() & CLOSED != 0
    }

    /// Whether a value is there.
    ///
    /// Only for the receiver.
    pub(crate) fn has_value(&self) -> bool {
        self.load() & SENT != 0
    }

    /// Transition 6, after 7 if another waker was in the slot.
    ///
    /// Only for that side.
    #[inline]
    pub(crate) fn wait(&self, side: Side, waker: &Waker) -> Wait {
        let slot = self.slot(side);
        let mut word = self.load();
        if word & side.over() != 0 {
            return Wait::Over;
        }
        if word & side.waits() != 0 && slot.holds(waker) {
            return Wait::Waiting;
        }
        // Of the user, hence before anything is changed.
        let new = waker.clone();
        let mut old = None;
        while word & side.waits() != 0 {
            match self.word.compare_exchange(
                word,
                word & !side.waits(),
                // Relaxed: it keeps the other side away from the slot by rule 5, and gives nothing.
                Ordering::Relaxed,
                Ordering::Acquire, // pairs with: the other side's `exchange`, as in `load`
            ) {
                Ok(_) => {
                    word &= !side.waits();
                    // SAFETY: we have cleared the bit (rule 4), and only we write the slot.
                    old = Some(unsafe { slot.parts().into_waker() });
                }
                Err(now) => word = now,
            }
            if word & side.over() != 0 {
                return Wait::Over;
            }
        }
        slot.put(new);
        loop {
            self.alive.with(|_| ());
            let next = (word | side.waits()).wrapping_add(ROUND);
            match self.word.compare_exchange(
                word,
                next,
                Ordering::Release, // pairs with: `load`: the slot is read after the bit was seen
                Ordering::Acquire, // pairs with: the other side's `exchange`, as in `load`
            ) {
                Ok(_) => break,
                Err(now) => word = now,
            }
            if word & side.over() != 0 {
                // SAFETY: the bit was never set, so the waker is still ours (rule 4).
                drop(unsafe { slot.parts().into_waker() });
                drop(old);
                return Wait::Over;
            }
        }
        drop(old);
        Wait::Waiting
    }
}
