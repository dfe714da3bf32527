//! A read-write lock for tasks without a value: one word, and a queue.
//!
//! The word is `readers << 2 | WAITERS | WRITER`.
//!
//! ```text
//!            write                                          read
//!   WRITER ◀──────────────────────────  0  ──────────────────────────▶ 1 reader ◀──▶ 2 readers …
//!      │    ──────────────────────────▶    ◀──────────────────────────    ▲
//!      │     unlock                               the last unlocks        │
//!      └────────────────────────── downgrade ─────────────────────────────┘
//! ```
//!
//! While WAITERS is set too, none of the arrows is taken but that of readers who unlock; the others are
//! taken by [`RawRwLock::admit`], for the first in the queue, under its lock.
//!
//! # Invariants
//!
//! 1. `word & WAITERS != 0 ⟺` the queue is not empty, whenever the queue's lock is free.
//! 2. WAITERS is set and cleared under the queue's lock only; while it is set, the word is written under
//!    that lock only, but for readers who subtract themselves.
//! 3. `WRITER ⇒ readers == 0`.
//! 4. Whenever the first in the queue could be let in, somebody is on the way to do it: who set the word
//!    to what lets it in, or who left the queue in front of it.
//!
//! So a waiting writer holds back the readers that come after it, and a waiting reader the writers.
//!
//! # Races
//!
//! *The last reader unlocks against enqueue*: the mark is a compare-exchange from a word with that
//! reader; either the reader sees WAITERS, or who wanted to wait sees that the reader is gone. *It
//! unlocks against the cancel of the last waiter*: the reader's way through the queue finds it empty.

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
    sync::atomic::{AtomicUsize, Ordering},
};

const WRITER: usize = 1;
const WAITERS: usize = 2;
const READER: usize = 4;
const MAX_READERS: usize = usize::MAX / READER;

/// What a waiter wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Access {
    /// The word once this access is given, if `word` lets it, the queue aside.
    #[inline]
    fn enter(self, word: usize) -> Option<usize> {
        match self {
            Self::Read if word & WRITER != 0 => None,
            Self::Read => Some(one_more(word)),
            Self::Write => (word & !WAITERS == 0).then_some(word | WRITER),
        }
    }
}

#[inline]
fn one_more(word: usize) -> usize {
    assert!(
        word / READER < MAX_READERS,
        "a read-write lock has {MAX_READERS} readers at most"
    );
    word + READER
}

#[derive(Debug)]
pub(crate) struct RawRwLock {
    word: AtomicUsize,
    queue: Queue<(), Access>,
}

impl RawRwLock {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                word: AtomicUsize::new(0),
                queue: Queue::new(()),
            }
        }
    }

    /// Takes the lock if nobody is in the way or waits.
    #[inline]
    pub(crate) fn try_enter(&self, access: Access) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & WAITERS != 0 {
                return false;
            }
            let Some(entered) = access.enter(word) else {
                return false;
            };
            match self.word.compare_exchange_weak(
                word,
                entered,
                Ordering::Acquire, // pairs with: all that leave, and `downgrade`.
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Only for a reader, who is none any more.
    #[inline]
    pub(crate) fn leave_read(&self) {
        // pairs with: the compare-exchanges in `try_enter` and `admit`.
        let before = self.word.fetch_sub(READER, Ordering::Release);
        if before & WAITERS != 0 && before / READER == 1 {
            self.admit_all();
        }
    }

    /// Only for the writer, who is none any more.
    #[inline]
    pub(crate) fn leave_write(&self) {
        let freed = self
            .word
            // pairs with: the compare-exchange in `try_enter`.
            .compare_exchange(WRITER, 0, Ordering::Release, Ordering::Relaxed);
        if freed.is_err() {
            self.change_slow(|word| word - WRITER);
        }
    }

    /// Only for the writer, who is a reader from here on. The readers that wait first come in with it.
    pub(crate) fn downgrade(&self) {
        let changed = self
            .word
            // pairs with: the compare-exchange in `try_enter`.
            .compare_exchange(WRITER, READER, Ordering::Release, Ordering::Relaxed);
        if changed.is_err() {
            self.change_slow(|word| word - WRITER + READER);
        }
    }

    /// The writer changes the word while others wait, or did a moment ago.
    #[cold]
    fn change_slow(&self, change: impl Fn(usize) -> usize) {
        let locked = self.queue.lock();
        // Relaxed: a writer is alone, and WAITERS changes under the lock.
        let word = self.word.load(Ordering::Relaxed);
        // pairs with: the compare-exchanges in `try_enter` and `admit`.
        self.word.store(change(word), Ordering::Release);
        drop(locked);
        self.admit_all();
    }

    /// Lets in whoever may come in, in batches between which the queue's lock is free.
    #[cold]
    fn admit_all(&self) {
        self.queue
            .in_batches(|locked, wakes| self.admit(locked, wakes));
    }

    /// Lets the first in the queue in, and the next, as long as the word lets them; true if it stopped
    /// because `wakes` was full.
    fn admit(&self, locked: &mut Locked<(), Access>, wakes: &mut Wakes) -> bool {
        while let Some(&mut access) = locked.front() {
            if wakes.is_full() {
                return true;
            }
            // pairs with: all that leave; what they did is handed to the waiter with the grant.
            let Ok(_) = self
                .word
                .fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
                    access.enter(word)
                })
            else {
                return false;
            };
            locked.grant_front(wakes);
        }
        // Relaxed: it publishes nothing.
        self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        false
    }

    /// Under the queue's lock: takes the lock if it is to be had, else marks that somebody waits.
    fn take_or_mark(&self, access: Access) -> ControlFlow<(), Access> {
        loop {
            if self.try_enter(access) {
                return ControlFlow::Break(());
            }
            let word = self.word.load(Ordering::Relaxed);
            if word & WAITERS != 0 {
                return ControlFlow::Continue(access);
            }
            if access.enter(word).is_some() {
                continue;
            }
            // Relaxed: nothing is published but the mark.
            let marked = self.word.compare_exchange(
                word,
                word | WAITERS,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if marked.is_ok() {
                return ControlFlow::Continue(access);
            }
        }
    }

    /// A waiter for the lock, to be polled by [`poll_enter`].
    #[inline]
    pub(crate) fn waiter(&self, access: Access) -> Waiter<Wanted<'_>> {
        Waiter::new(Wanted { lock: self, access })
    }
}

/// What somebody wants of which lock.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    lock: &'a RawRwLock,
    access: Access,
}

/// Ready once the caller has the access that it wants.
#[inline]
pub(crate) fn poll_enter(waiter: Pin<&mut Waiter<Wanted<'_>>>, waker: &Waker) -> Poll<()> {
    if !waiter.is_idle() {
        return waiter.poll_granted(waker).map(drop);
    }
    let Wanted { lock, access } = *waiter.home();
    if lock.try_enter(access) {
        return Poll::Ready(());
    }
    match waiter.enqueue(Some(waker), |_| lock.take_or_mark(access)) {
        ControlFlow::Break(()) => Poll::Ready(()),
        ControlFlow::Continue(()) => Poll::Pending,
    }
}

// SAFETY: the queue is a field of the lock, which the handle borrows.
unsafe impl Home for Wanted<'_> {
    type State = ();
    type Kind = Access;

    fn queue(&self) -> &Queue<(), Access> {
        &self.lock.queue
    }

    fn left(&self, locked: &mut Locked<(), Access>, _: &Access, wakes: &mut Wakes) {
        self.lock.admit(locked, wakes);
    }

    fn resume(&self) {
        self.lock.admit_all();
    }

    fn returned(&self, access: Access) {
        match access {
            Access::Read => self.lock.leave_read(),
            Access::Write => self.lock.leave_write(),
        }
    }
}
