//! Telling a task, or all that wait, that something has happened.
//!
//! The word is `generation << 2 | state`.
//!
//! ```text
//!                    notify_one                     the first waits
//!   NOTIFIED ◀──────────────────────── EMPTY ──────────────────────────▶ WAITING
//!       └──────────────────────────────▶  ◀─────────────────────────────────┘
//!             a poll takes the permit         the last is told, or leaves
//! ```
//!
//! # Invariants
//!
//! 1. `state == WAITING ⟺` the queue is not empty, whenever its lock is free.
//! 2. WAITING is entered and left under the queue's lock only, and only there `generation` changes.
//! 3. `generation` counts the calls of `notify_waiters`. A [`Notified`] that was made under an earlier
//!    one is ready at its first poll.
//!
//! # Races
//!
//! *`notify_one` against a first poll*: both are a compare-exchange from EMPTY: either the poll finds the
//! permit, or the notification finds WAITING. *Told against cancelled*: a waiter that was told by
//! `notify_one` and is dropped tells the next (`returned`). *`notify_waiters` against who comes
//! meanwhile*: those that are told are set apart at once, and the later ones wait for the next call.

use std::{ops::ControlFlow, sync::Arc};

use super::{
    blocking,
    notified::{Notified, OwnedNotified},
    waiters::{Home, Locked, Queue},
    wakes::Wakes,
};
use crate::primitive::{
    const_fn,
    sync::atomic::{AtomicUsize, Ordering},
};

const STATE: usize = 3;
const EMPTY: usize = 0;
const WAITING: usize = 1;
const NOTIFIED: usize = 2;
const GENERATION: usize = 4;

fn with_state(word: usize, state: usize) -> usize {
    word & !STATE | state
}

/// Which of those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Not yet; or all of them.
    All,
    First,
    Last,
}

/// A signal to tasks that wait: to one, which is kept if none waits, or to all that wait now.
///
/// [`notify_one`](Self::notify_one) tells the task that has waited longest. If none waits it leaves one
/// permit, and the next that waits goes on at once; more permits than one are not kept.
/// [`notify_waiters`](Self::notify_waiters) tells all, and leaves nothing.
///
/// What the notifier did before is seen by the task that was notified.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gopark::sync::Notify;
///
/// gopark::block_on(async {
///     let bell = Arc::new(Notify::new());
///     let waiter = gopark::spawn({
///         let bell = bell.clone();
///         async move { bell.notified().await }
///     });
///     bell.notify_one(); // before or after the task waits: it makes no difference
///     waiter.await.unwrap();
/// });
/// ```
#[derive(Debug)]
pub struct Notify {
    word: AtomicUsize,
    queue: Queue<(), Told>,
}

impl Notify {
    const_fn! {
        /// Without a permit. It may stand in a `static`.
        pub const fn new() -> Self {
            Self {
                word: AtomicUsize::new(EMPTY),
                queue: Queue::new(()),
            }
        }
    }

    /// Waits for a notification.
    ///
    /// From when it was made it is sure to meet a [`notify_waiters`](Self::notify_waiters). It has its
    /// place among those that [`notify_one`](Self::notify_one) tells from its first poll, or from
    /// [`Notified::enable`].
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place. If `notify_one` had told it already, the next is told
    /// instead.
    #[inline]
    pub fn notified(&self) -> Notified<'_> {
        Notified::new(self)
    }

    /// Like [`notified`](Self::notified), with a future that keeps the `Notify` alive instead of
    /// borrowing it.
    ///
    /// # Cancel safety
    ///
    /// As for [`notified`](Self::notified).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::Notify;
    ///
    /// gopark::block_on(async {
    ///     let bell = Arc::new(Notify::new());
    ///     let task = gopark::spawn(bell.clone().notified_owned());
    ///     bell.notify_one();
    ///     task.await.unwrap();
    /// });
    /// ```
    pub fn notified_owned(self: Arc<Self>) -> OwnedNotified {
        OwnedNotified::new(self)
    }

    /// Waits for a notification, and blocks the thread until it comes. It may be called anywhere, as
    /// [`Mutex::lock_blocking`](super::Mutex::lock_blocking).
    ///
    /// # Examples
    ///
    /// ```
    /// let bell = gopark::sync::Notify::new();
    /// bell.notify_one();
    /// bell.notified_blocking();
    /// ```
    pub fn notified_blocking(&self) {
        blocking::wait(self.notified());
    }

    /// Tells the one that has waited longest, or leaves a permit if none waits.
    ///
    /// ```
    /// use gopark::sync::Notify;
    ///
    /// gopark::block_on(async {
    ///     let bell = Notify::new();
    ///     bell.notify_one();
    ///     bell.notified().await; // at once
    /// });
    /// ```
    #[inline]
    pub fn notify_one(&self) {
        self.tell(Told::First);
    }

    /// Tells the one that came last, or leaves a permit if none waits.
    pub fn notify_last(&self) {
        self.tell(Told::Last);
    }

    /// Tells all that wait now, including each [`Notified`] that was made and not polled yet. It leaves
    /// no permit.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::Notify;
    ///
    /// gopark::block_on(async {
    ///     let bell = Notify::new();
    ///     let (one, other) = (bell.notified(), bell.notified());
    ///     bell.notify_waiters();
    ///     one.await;
    ///     other.await;
    /// });
    /// ```
    pub fn notify_waiters(&self) {
        let mut locked = self.queue.lock();
        // pairs with: the load in `generation`.
        let before = self.word.fetch_add(GENERATION, Ordering::Release);
        if before & STATE != WAITING {
            return;
        }
        // Relaxed: those that wait are told by their nodes.
        self.word.fetch_and(!STATE, Ordering::Relaxed);
        locked.dismiss_all();
        self.queue.grant_leaving(locked);
    }

    /// The generation of now.
    #[inline]
    pub(super) fn generation(&self) -> usize {
        // pairs with: the addition in `notify_waiters`.
        self.word.load(Ordering::Acquire) & !STATE
    }

    #[inline]
    fn tell(&self, whom: Told) {
        if !self.leave_permit() {
            self.tell_waiting(whom);
        }
    }

    /// Out of the way of who tells when nobody waits.
    #[cold]
    fn tell_waiting(&self, whom: Told) {
        let mut wakes = Wakes::new();
        let mut locked = self.queue.lock();
        let told = match whom {
            Told::Last => locked.back(),
            Told::First | Told::All => locked.front(),
        };
        let Some(told) = told else {
            // It is not WAITING any more, and cannot become so under the lock.
            let left = self.leave_permit();
            debug_assert!(left);
            return;
        };
        *told = whom;
        match whom {
            Told::Last => locked.grant_back(&mut wakes),
            Told::First | Told::All => locked.grant_front(&mut wakes),
        };
        self.settle(&locked);
        drop(locked);
    }

    /// Makes it NOTIFIED, unless it is WAITING.
    #[inline]
    fn leave_permit(&self) -> bool {
        self.word
            // pairs with: itself, for a permit that is there already, and `take_permit`.
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
                (word & STATE != WAITING).then_some(with_state(word, NOTIFIED))
            })
            .is_ok()
    }

    #[inline]
    pub(super) fn take_permit(&self) -> bool {
        self.word
            // pairs with: `leave_permit`.
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
                (word & STATE == NOTIFIED).then_some(with_state(word, EMPTY))
            })
            .is_ok()
    }

    /// Under the queue's lock: nobody waits any more, if that is so.
    fn settle(&self, locked: &Locked<(), Told>) {
        // Relaxed: WAITING comes and goes under the lock.
        if locked.is_empty() && self.word.load(Ordering::Relaxed) & STATE == WAITING {
            self.word.fetch_and(!STATE, Ordering::Relaxed);
        }
    }

    /// Under the queue's lock: whether somebody who has seen `generation` must wait.
    pub(super) fn decide(&self, generation: usize) -> ControlFlow<(), Told> {
        loop {
            if self.generation() != generation || self.take_permit() {
                return ControlFlow::Break(());
            }
            // Relaxed: nothing is published but the mark.
            let marked = self
                .word
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                    (word & STATE != NOTIFIED).then_some(with_state(word, WAITING))
                });
            if marked.is_ok() {
                return ControlFlow::Continue(Told::All);
            }
        }
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! home {
    ($handle:ty) => {
        // SAFETY: the queue is a field of what the handle borrows or keeps in its place.
        unsafe impl Home for $handle {
            type State = ();
            type Kind = Told;

            fn queue(&self) -> &Queue<(), Told> {
                &self.queue
            }

            fn left(&self, locked: &mut Locked<(), Told>, _: &Told, _: &mut Wakes) {
                self.settle(locked);
            }

            fn returned(&self, told: Told) {
                match told {
                    Told::All => {}
                    whom => self.tell(whom),
                }
            }
        }
    };
}

home!(&Notify);
home!(Arc<Notify>);
