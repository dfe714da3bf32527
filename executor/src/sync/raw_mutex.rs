//! A lock for tasks without a value: one word, and a queue.
//!
//! ```text
//!            try_lock                    enqueue
//!   0 ─────────────────────▶ LOCKED ─────────────────▶ LOCKED | WAITERS ──┐
//!     ◀─────────────────────        ◀─────────────────                    │ unlock: to the first
//!            unlock                  the last one leaves,                 │ of several
//!                                    or gets the lock      ▲──────────────┘
//! ```
//!
//! # Invariants
//!
//! 1. `word & WAITERS != 0 ⟺` the queue is not empty, whenever the queue's lock is free.
//! 2. WAITERS is set and cleared under the queue's lock only; while it is set, so is LOCKED, and the
//!    word is written under the queue's lock only.
//! 3. Who unlocks while somebody waits hands the lock to the first: LOCKED stays. So nobody overtakes a
//!    waiter.
//!
//! # Races
//!
//! *Unlock against enqueue*: both are a compare-exchange from LOCKED. Either the lock becomes free, and
//! who wanted to wait takes it; or WAITERS is set, and the unlock goes to the queue. *Unlock against the
//! cancel of the last waiter*: both hold the queue's lock; the unlock that comes second finds the queue
//! empty and frees the lock.

use std::{
    ops::ControlFlow,
    pin::Pin,
    task::{Poll, Waker},
};

use super::{
    waiters::{Home, Locked, Queue, Waiter},
    wakes::Wakes,
};
use crate::primitive::{
    const_fn,
    sync::atomic::{AtomicU32, Ordering},
};

const LOCKED: u32 = 1;
const WAITERS: u32 = 2;

#[derive(Debug)]
pub(crate) struct RawMutex {
    word: AtomicU32,
    queue: Queue<(), ()>,
}

impl RawMutex {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                word: AtomicU32::new(0),
                queue: Queue::new(()),
            }
        }
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        self.word
            // pairs with: the stores of zero in `unlock` and `unlock_slow`.
            .compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Only for who holds the lock, which is given up.
    #[inline]
    pub(crate) fn unlock(&self) {
        let freed = self
            .word
            // pairs with: the compare-exchange in `try_lock` and `poll_lock`.
            .compare_exchange(LOCKED, 0, Ordering::Release, Ordering::Relaxed);
        if freed.is_err() {
            self.unlock_slow();
        }
    }

    #[cold]
    fn unlock_slow(&self) {
        // Woken when it is dropped, after the lock.
        let mut wakes = Wakes::new();
        let mut locked = self.queue.lock();
        if !locked.grant_front(&mut wakes) {
            // pairs with: the compare-exchange in `try_lock` and `poll_lock`.
            self.word.store(0, Ordering::Release);
        } else if locked.is_empty() {
            // Relaxed: the new holder is not told by the word but by its node.
            self.word.store(LOCKED, Ordering::Relaxed);
        }
    }

    /// A waiter for the lock, to be polled by [`poll_lock`].
    #[inline]
    pub(crate) fn waiter(&self) -> Waiter<&Self> {
        Waiter::new(self)
    }

    /// Under the queue's lock: takes the mutex if it is free, else marks that somebody waits.
    fn take_or_mark(&self) -> ControlFlow<(), ()> {
        loop {
            if self.try_lock() {
                return ControlFlow::Break(());
            }
            // Relaxed: nothing is published but the mark.
            match self.word.compare_exchange(
                LOCKED,
                LOCKED | WAITERS,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Err(0) => {}
                _ => return ControlFlow::Continue(()),
            }
        }
    }
}

/// Ready once the caller holds the lock.
#[inline]
pub(crate) fn poll_lock(waiter: Pin<&mut Waiter<&RawMutex>>, waker: &Waker) -> Poll<()> {
    if !waiter.is_idle() {
        return waiter.poll_granted(waker);
    }
    let mutex = *waiter.home();
    if mutex.try_lock() {
        return Poll::Ready(());
    }
    match waiter.enqueue(Some(waker), |_| mutex.take_or_mark()) {
        ControlFlow::Break(()) => Poll::Ready(()),
        ControlFlow::Continue(()) => Poll::Pending,
    }
}

// SAFETY: the queue is a field of the mutex, which the handle borrows.
unsafe impl Home for &RawMutex {
    type State = ();
    type Kind = ();

    fn queue(&self) -> &Queue<(), ()> {
        &self.queue
    }

    fn left(&self, locked: &mut Locked<(), ()>, (): &(), _: &mut Wakes) {
        if locked.is_empty() {
            // Relaxed: under the queue's lock, and it was LOCKED | WAITERS (invariant 2).
            self.word.store(LOCKED, Ordering::Relaxed);
        }
    }

    fn returned(&self, (): ()) {
        self.unlock();
    }
}
