//! A channel: its state under the lock, the counts of its handles, and the wakes that follow.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use super::lock::{Guard, Lock};
use super::op::{Fired, Node, Op};
use super::state::{Source, State};
use crate::current;

/// See the module.
pub struct Chan<T> {
    state: Lock<State<T>>,
    /// Handles that keep it open, of either side.
    pub(crate) senders: AtomicUsize,
    pub(crate) receivers: AtomicUsize,
}

impl<T> Chan<T> {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Lock::new(State::new(capacity)),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        })
    }

    /// A channel that gives a message whenever it is asked.
    pub(crate) fn with_source(source: Source<T>) -> Arc<Self> {
        let chan = Self::new(1);
        chan.lock().set_source(source);
        chan
    }

    /// The channel does not end with its last sender.
    pub(crate) fn keep_open(&self) {
        retain(&self.senders);
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, State<T>> {
        self.state.lock()
    }

    /// The lock itself, for a select, which takes several.
    pub(crate) fn raw_lock(&self) -> &Lock<State<T>> {
        &self.state
    }

    /// Closes the channel; false if it was closed before.
    pub(crate) fn close(&self) -> bool {
        let mut wakers = Vec::new();
        let closes = self.lock().close(&mut wakers);
        wake_all(wakers);
        closes
    }

    /// The last receiver has gone: nobody will ever take what is in the channel.
    pub(crate) fn disconnect_receivers(&self) {
        let mut wakers = Vec::new();
        let mut state = self.lock();
        state.close(&mut wakers);
        let buffer = state.take_buffer();
        drop(state);
        wake_all(wakers);
        drop(buffer);
    }
}

impl<T> fmt::Debug for Chan<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chan").finish_non_exhaustive()
    }
}

/// What reaches a channel: a borrow of it, or a handle.
pub trait Reach<T> {
    /// The channel.
    fn chan(&self) -> &Chan<T>;
}

impl<T> Reach<T> for &Chan<T> {
    #[inline]
    fn chan(&self) -> &Chan<T> {
        self
    }
}

/// An operation that waits at one channel: what lies in its future.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) op: Op,
    pub(crate) node: Node,
}

impl Waiter {
    pub(crate) const fn new() -> Self {
        Self {
            op: Op::new(),
            node: Node::new(),
        }
    }

    /// Whether nothing is waited for: the next poll is the first.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.op.is_idle()
    }

    /// Ends the operation, which was fired: passes through the lock (op rule 4), where `f` may do what
    /// is left to do.
    #[inline]
    pub(crate) fn conclude<T, R>(&self, chan: &Chan<T>, f: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut state = chan.lock();
        debug_assert!(!self.node.is_linked());
        let result = f(&mut state);
        drop(state);
        // Fired out of WAIT its waker was taken; out of REWAKING it is still there.
        drop(self.op.reset());
        result
    }

    /// Gives the operation up, if it waits: unlinks the node, and says what was fired nevertheless,
    /// with which `f` then deals, under the lock.
    pub(crate) fn withdraw<T, R>(
        &self,
        chan: &Chan<T>,
        f: impl FnOnce(&mut State<T>, Option<Fired>) -> R,
    ) -> R {
        let mut state = chan.lock();
        let fired = self.op.fired().map(|(what, _)| what);
        let result = f(&mut state, fired);
        debug_assert!(!self.node.is_linked());
        drop(state);
        drop(self.op.reset());
        result
    }
}

/// A waker to be left in a queue. Cloning one that is not ours may run anybody's code, so that is done
/// outside the lock: None says that the caller must let go of it first.
#[inline]
pub(crate) fn waker_under_lock(cx: &Context<'_>) -> Option<Waker> {
    current::is_own_waker(cx.waker()).then(|| cx.waker().clone())
}

#[inline]
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[inline]
pub(crate) fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

/// Counts one handle less; true for the last.
pub(crate) fn release(count: &AtomicUsize) -> bool {
    // pairs with: the other handles' decrements: the last sees what all have done.
    count.fetch_sub(1, Ordering::AcqRel) == 1
}

/// Counts one handle more.
pub(crate) fn retain(count: &AtomicUsize) {
    // Relaxed: the handle that is cloned keeps the count above zero.
    let before = count.fetch_add(1, Ordering::Relaxed);
    assert!(before < usize::MAX / 2, "too many handles of one channel");
}
