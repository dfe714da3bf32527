//! A channel: its state under the lock, the counts of its handles, and the wakes that follow.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};

use super::lock::{Guard, Lock};
use super::op::{Fired, Node, Op};
use super::state::{Source, State};
use crate::current;
use crate::elastic::Elastic;
use crate::sync::wakes;

/// See the module.
pub struct Chan<T> {
    state: Lock<State<T>>,
    /// Handles that keep it open, of either side.
    pub(crate) senders: AtomicUsize,
    pub(crate) receivers: AtomicUsize,
}

// No code of a user runs while a change is half made, so a panic of that leaves it whole.
impl<T> std::panic::RefUnwindSafe for Chan<T> {}

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

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, State<T>> {
        self.state.lock()
    }

    /// The lock itself, for a select, which takes several.
    pub(crate) fn whole_lock(&self) -> &Lock<State<T>> {
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
        let feeder = state.take_feeder();
        drop(state);
        drop(feeder);
        wake_all(wakers);
        drop_each(buffer);
    }
}

/// Drops all messages, also if the drop of some panics; goes on with the first panic then, unless the thread
/// panics already.
fn drop_each<T>(mut messages: Elastic<T>) {
    let mut first = None;
    loop {
        let drop_some = AssertUnwindSafe(|| while messages.pop_front().is_some() {});
        match catch_unwind(drop_some) {
            Ok(()) => break,
            Err(panic) if first.is_none() => first = Some(panic),
            Err(_) => {}
        }
    }
    if let Some(panic) = first.filter(|_| !std::thread::panicking()) {
        resume_unwind(panic);
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

/// An operation that waits at one channel: what lies in its future. It is made only when it has to
/// wait: an operation that need not pays for one word.
pub(crate) struct Waiter {
    /// Whether `parts` are there, and the operation waits or was fired. The owner's.
    waits: Cell<bool>,
    parts: UnsafeCell<MaybeUninit<Parts>>,
}

struct Parts {
    op: Op,
    node: Node,
}

// SAFETY: (1) `waits` is the owner's; (2) operation and node are Sync.
unsafe impl Send for Waiter {}
// SAFETY: as for Send: through `&Waiter` only the futures of this module act, by `&mut` of theirs.
unsafe impl Sync for Waiter {}

impl Waiter {
    #[inline]
    pub(crate) const fn new() -> Self {
        // As a literal it is a constant for the compiler, which then copies all of it, in zeroes.
        let mut waiter = MaybeUninit::<Self>::uninit();
        // SAFETY: (1) it is a field of ours.
        let waits = unsafe { &raw mut (*waiter.as_mut_ptr()).waits };
        // SAFETY: (1) as above.
        unsafe { waits.write(Cell::new(false)) };
        // SAFETY: (1) `parts` may be uninitialised, and there is nothing else.
        unsafe { waiter.assume_init() }
    }

    /// Whether nothing is waited for: the next poll is the first.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        !self.waits.get()
    }

    /// Begins to wait, with `value` for a send, and gives the node to be linked: by the caller, who holds
    /// the lock, before it lets go of that.
    pub(crate) fn begin(&self, waker: Waker, value: *mut ()) -> &Node {
        debug_assert!(self.is_idle());
        let place = self.parts.get();
        // Begun before they lie where they will, so that each field is written once.
        let (op, node) = (Op::alone(), Node::new());
        op.begin(waker);
        // SAFETY: (1) the place is ours.
        let op_place = unsafe { &raw const (*place.cast::<Parts>()).op };
        node.prepare(op_place, 0, value);
        // SAFETY: (1) the owner, and nothing is linked.
        unsafe { &mut *place }.write(Parts { op, node });
        self.waits.set(true);
        &self.parts().node
    }

    fn parts(&self) -> &Parts {
        debug_assert!(self.waits.get());
        // SAFETY: (1) nobody has `&mut` of the parts while they are there.
        let parts = unsafe { &*self.parts.get() };
        // SAFETY: (1) `waits`: they are there.
        unsafe { parts.assume_init_ref() }
    }

    /// What the operation was fired with, if it was; else sees to it that the waker of `cx` is the one that
    /// is woken.
    #[inline]
    pub(crate) fn rewake<T>(&self, chan: &Chan<T>, cx: &Context<'_>) -> Option<Fired> {
        let fired = self.fired();
        if fired.is_some() {
            return fired;
        }
        self.rewake_slow(chan, cx)
    }

    #[inline]
    fn fired(&self) -> Option<Fired> {
        self.parts().op.fired().map(|(what, _)| what)
    }

    #[cold]
    fn rewake_slow<T>(&self, chan: &Chan<T>, cx: &Context<'_>) -> Option<Fired> {
        let state = chan.lock();
        let known = self.fired().is_some() || self.parts().op.will_wake(cx.waker());
        drop(state);
        if !known {
            // Outside the lock: `clone` and `drop` may be anybody's.
            let mut waker = Some(cx.waker().clone());
            let state = chan.lock();
            if self.fired().is_none() {
                waker = waker
                    .take()
                    .and_then(|waker| self.parts().op.replace_waker(waker));
            }
            drop(state);
            drop(waker);
        }
        self.fired()
    }

    /// Waits no more: nothing is linked, and who fired the operation has done with it.
    fn end(&self) {
        debug_assert!(!self.parts().node.is_linked());
        self.waits.set(false);
        // SAFETY: (1) the owner, and nobody else has them any more.
        let parts = unsafe { &mut *self.parts.get() };
        // The waker may be anybody's, and goes outside of the lock. Fired out of WAIT it was taken.
        // SAFETY: (1) `waits` said that they are there, and says no more so.
        unsafe { parts.assume_init_drop() };
    }

    /// Ends the operation, which was fired.
    #[inline]
    pub(crate) fn conclude(&self) {
        debug_assert!(self.fired().is_some());
        self.end();
    }

    /// Gives the operation up, which waits: `f` unlinks the node, and deals with what was fired
    /// nevertheless, under the lock.
    pub(crate) fn withdraw<T, R>(
        &self,
        chan: &Chan<T>,
        f: impl FnOnce(&mut State<T>, &Node, Option<Fired>) -> R,
    ) -> R {
        let mut state = chan.lock();
        let parts = self.parts();
        let fired = parts.op.fired().map(|(what, _)| what);
        let result = f(&mut state, &parts.node, fired);
        drop(state);
        self.end();
        result
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("waits", &self.waits.get())
            .finish_non_exhaustive()
    }
}

/// A waker to be left in a queue. Cloning one that is not ours may run anybody's code, so that is done
/// outside the lock: None says that the caller must let go of it first.
#[inline]
pub(crate) fn waker_under_lock(cx: &Context<'_>) -> Option<Waker> {
    current::is_own_waker(cx.waker()).then(|| cx.waker().clone())
}

/// Wakes who was served. What a waker panics with is not for us, whose operation has happened.
#[inline]
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        wakes::wake(waker);
    }
}

/// Wakes all, also if one panics.
#[inline]
pub(crate) fn wake_all(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(wakes::wake);
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
