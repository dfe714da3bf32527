//! Who waits for a primitive of this folder: a list of nodes that live in the waiting futures.
//!
//! A primitive has a [`Queue`] (`queue.rs`): a short lock around its slow state and the list. A future has
//! a [`Waiter`]: a node and a handle to the primitive. Nothing is allocated, and a waiter leaves the
//! list in O(1) wherever it stands.
//!
//! ```text
//!                (2) enqueue, locked                (4) grant, locked
//!        ┌───────────────────────────▶ QUEUED ─────────────────────────▶ GRANTED
//!  (1)   │                              │  │ ▲                             │
//! new ─▶ IDLE ◀──(5) leave, locked──────┘  └─┘                             │
//!        │ ▲                         (3) another waker, locked             │
//!        │ └─────────────────────────(6) take what was granted ────────────┘
//! ```
//!
//! All but (4) are the owner's. "Locked" means: under the lock of the queue.
//!
//! # Rules
//!
//! 1. The owner of a node is whoever has `Pin<&mut Waiter>`, or drops the waiter.
//! 2. `state` is QUEUED exactly while the node is in one of the two lists of the queue. Only the holder
//!    of the lock changes it from or to QUEUED.
//! 3. `links` is touched under the lock only.
//! 4. `waker` is written by the owner alone, and while QUEUED only under the lock. So the owner may
//!    read it at any time, and the holder of the lock while QUEUED. A QUEUED node owns one waker; in the
//!    other states what is left there are two words that can be compared and nothing else.
//! 5. `kind` is the owner's, but while QUEUED it is the lock's. There is one exactly while QUEUED or
//!    GRANTED.
//! 6. The store of GRANTED is the last touch of a node by the holder of the lock. The owner may free
//!    the node without the lock once it has seen GRANTED, and takes the lock to leave QUEUED otherwise.
//! 7. A waiter is QUEUED only in the queue of its `home`, which [`Home`] promises to be one and the
//!    same as long as the waiter lives. A QUEUED waiter is pinned, and its Drop takes it out. So what is
//!    in a list is alive.
//! 8. No code of a user runs under the lock: wakers are cloned before, woken and dropped after.
//!
//! # Races
//!
//! *Grant against cancel*: the Drop of a QUEUED waiter looks again under the lock. Either it takes the
//! node out, or it finds GRANTED and passes on what was granted ([`Home::returned`]). *Grant against a
//! poll with another waker*: the waker is exchanged under the lock, so either the new one is woken or
//! the poll finds GRANTED. *Grant against a poll with the same waker*: a load that finds QUEUED, be it
//! stale, is followed by the wake of that waker.

use std::{
    fmt,
    mem::MaybeUninit,
    ops::ControlFlow,
    pin::Pin,
    ptr::NonNull,
    task::{Poll, Waker},
};

use super::queue::{GRANTED, IDLE, Node, QUEUED};
use super::wakes::Wakes;
use crate::primitive::sync::atomic::Ordering;

pub(crate) use super::queue::{Locked, Queue};

/// A handle to a primitive, `&Primitive` or `Arc<Primitive>`: where a waiter waits, and what becomes of
/// what it leaves behind.
///
/// # Safety
///
/// `queue` returns the same queue each time, which lives and stays where it is as long as the handle,
/// also when the handle is moved (rule 7).
pub(crate) unsafe trait Home {
    /// The primitive's own state under the lock.
    type State;
    /// What a waiter waits for, and what it then is granted. Nothing whose Drop runs code of a user.
    type Kind;

    fn queue(&self) -> &Queue<Self::State, Self::Kind>;

    /// A waiter has left before its turn, so that another's may have come. Called under the lock. What
    /// is put into `wakes`, which is empty, is woken after it.
    fn left(
        &self,
        locked: &mut Locked<Self::State, Self::Kind>,
        kind: &Self::Kind,
        wakes: &mut Wakes,
    );

    /// `left` has filled `wakes`, so there may be more to grant. Called without the lock.
    fn resume(&self) {}

    /// A waiter is dropped without having taken what it was granted: it goes to the next. Called without
    /// the lock.
    fn returned(&self, kind: Self::Kind);
}

/// A place in a queue, in a pinned future. See the module.
pub(crate) struct Waiter<H: Home> {
    node: Node<H::Kind>,
    home: H,
}

impl<H: Home> Waiter<H> {
    /// Transition 1.
    pub(crate) fn new(home: H) -> Self {
        Self {
            node: Node::new(),
            home,
        }
    }

    pub(crate) fn home(&self) -> &H {
        &self.home
    }

    /// Whether it is in no queue and has nothing to take.
    pub(crate) fn is_idle(&self) -> bool {
        // Relaxed: it becomes and ceases to be idle by its owner only.
        self.node.state.load(Ordering::Relaxed) == IDLE
    }

    /// Transition 2, for an idle waiter, unless `decide`, which looks at the primitive under the lock,
    /// breaks with a result. `waker` may be missing; then the grant wakes nobody.
    #[inline]
    pub(crate) fn enqueue<B>(
        self: Pin<&mut Self>,
        waker: Option<&Waker>,
        decide: impl FnOnce(&mut Locked<H::State, H::Kind>) -> ControlFlow<B, H::Kind>,
    ) -> ControlFlow<B> {
        self.enqueue_at_home(waker, |_, locked| decide(locked))
    }

    /// Like [`Waiter::enqueue`], for a `decide` that has no other way to the primitive.
    pub(crate) fn enqueue_at_home<B>(
        self: Pin<&mut Self>,
        waker: Option<&Waker>,
        decide: impl FnOnce(&H, &mut Locked<H::State, H::Kind>) -> ControlFlow<B, H::Kind>,
    ) -> ControlFlow<B> {
        debug_assert!(self.is_idle());
        let waker = waker.unwrap_or(Waker::noop()).clone();
        // SAFETY: nothing is moved out.
        let this = unsafe { self.get_unchecked_mut() };
        let mut locked = this.home.queue().lock();
        let kind = match decide(&this.home, &mut locked) {
            ControlFlow::Continue(kind) => kind,
            ControlFlow::Break(result) => {
                drop(locked);
                return ControlFlow::Break(result);
            }
        };
        // SAFETY: IDLE, so the owner alone has `kind`, and there is none (rule 5).
        this.node
            .kind
            .with_mut(|slot| unsafe { *slot = MaybeUninit::new(kind) });
        // SAFETY: likewise `waker` (rule 4); what was there needs no Drop.
        let write = |slot: *mut MaybeUninit<Waker>| unsafe { *slot = MaybeUninit::new(waker) };
        this.node.waker.with_mut(write);
        // Relaxed: others look at it under the lock that we hold.
        this.node.state.store(QUEUED, Ordering::Relaxed);
        // SAFETY: it was IDLE, so it is in no list; it is pinned, and Drop takes it out (rule 7).
        unsafe { locked.push_back(NonNull::from(&this.node)) };
        ControlFlow::Continue(())
    }

    /// For a waiter that is not idle: transition 6 if it was granted; else sees to it that `waker` is
    /// the one to be woken (3).
    pub(crate) fn poll_granted(self: Pin<&mut Self>, waker: &Waker) -> Poll<H::Kind> {
        debug_assert!(!self.is_idle());
        // SAFETY: nothing is moved out.
        let this = unsafe { self.get_unchecked_mut() };
        if let Some(kind) = this.take() {
            return Poll::Ready(kind);
        }
        // SAFETY: it was QUEUED, so there is or was a waker, whose two words are still there; and only
        // we write them (rule 4). Comparing runs no code of a user.
        let same =
            |slot: *const MaybeUninit<Waker>| unsafe { &*slot.cast::<Waker>() }.will_wake(waker);
        if this.node.waker.with(same) {
            return Poll::Pending;
        }
        this.exchange_waker(waker.clone())
    }

    /// Transition 6, if it was granted.
    pub(crate) fn take_granted(self: Pin<&mut Self>) -> Option<H::Kind> {
        // SAFETY: nothing is moved out.
        unsafe { self.get_unchecked_mut() }.take()
    }

    #[inline]
    fn take(&mut self) -> Option<H::Kind> {
        // pairs with: the store of GRANTED in `List::grant`.
        (self.node.state.load(Ordering::Acquire) == GRANTED).then(|| self.node.take())
    }

    /// Transition 3.
    #[cold]
    fn exchange_waker(&mut self, waker: Waker) -> Poll<H::Kind> {
        let locked = self.home.queue().lock();
        // Relaxed: GRANTED was stored under the lock that we hold.
        if self.node.state.load(Ordering::Relaxed) == GRANTED {
            drop(locked);
            return Poll::Ready(self.node.take());
        }
        // SAFETY: we are the owner and hold the lock (rule 4).
        let slot = self.node.waker.with_mut(|slot| unsafe { &mut *slot });
        let old = std::mem::replace(slot, MaybeUninit::new(waker));
        drop(locked);
        // SAFETY: QUEUED, so the node owned it, and now it owns the new one.
        drop(unsafe { old.assume_init() });
        Poll::Pending
    }

    /// Leaves the queue (5), or passes on what was granted; the waiter is idle afterwards.
    fn leave(&mut self) {
        // pairs with: the store of GRANTED in `List::grant`.
        match self.node.state.load(Ordering::Acquire) {
            IDLE => {}
            GRANTED => {
                let kind = self.node.take();
                self.home.returned(kind);
            }
            _ => self.leave_queue(),
        }
    }

    #[cold]
    fn leave_queue(&mut self) {
        let mut wakes = Wakes::new();
        let mut locked = self.home.queue().lock();
        // Relaxed: GRANTED was stored under the lock that we hold.
        if self.node.state.load(Ordering::Relaxed) == GRANTED {
            drop(locked);
            let kind = self.node.take();
            return self.home.returned(kind);
        }
        // SAFETY: QUEUED, so it is in a list of its home's queue (rules 2 and 7).
        unsafe { locked.unlink(NonNull::from(&self.node)) };
        // SAFETY: we are the owner and hold the lock (rule 4); from here on the node owns no waker.
        let read = |slot: *const MaybeUninit<Waker>| unsafe { slot.cast::<Waker>().read() };
        let waker = self.node.waker.with(read);
        // Relaxed: from here on it is the owner's alone.
        self.node.state.store(IDLE, Ordering::Relaxed);
        // SAFETY: it was QUEUED until now, so there is a kind, and the owner alone has it (rule 5).
        let kind = self
            .node
            .kind
            .with(|kind| unsafe { kind.cast::<H::Kind>().read() });
        self.home.left(&mut locked, &kind, &mut wakes);
        drop(locked);
        drop(waker);
        if wakes.is_full() {
            wakes.wake_all();
            self.home.resume();
        }
    }
}

impl<H: Home> Drop for Waiter<H> {
    fn drop(&mut self) {
        self.leave();
        // A write as far as a model is concerned: it fails if anybody still reads.
        self.node.waker.with_mut(|_| ());
    }
}

impl<H: Home> fmt::Debug for Waiter<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.node.state.load(Ordering::Relaxed) {
            IDLE => "Idle",
            QUEUED => "Queued",
            _ => "Granted",
        };
        f.debug_tuple("Waiter").field(&state).finish()
    }
}
