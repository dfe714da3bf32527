//! An operation that waits: a send, a receive, a reservation, or a select over several of them.
//!
//! ```text
//!            begin (1)              fire (2)
//!   IDLE -----------------> WAIT -----------------> FIRED(what, case) ---- take (3) ---> IDLE
//!     ^                     |  ^
//!     |    withdraw (4)     |  |  end of rewake
//!     +---------------------+  |
//!                rewake (5) |  |
//!                           v  |     fire (2): FIRED; the owner, who is being polled, sees it
//!                          REWAKING
//! ```
//!
//! (1, 3, 4, 5) the owner: the poll, or the drop, of the future that the operation lies in; (2) a peer,
//! under the lock of the channel that the fired node is queued in.
//!
//! An operation that waits at one channel *alone* needs no exchange: there (1), (2), (4) and (5) all are
//! under that channel's lock, and REWAKING is left out. A select is under no one lock.
//!
//! # Rules
//!
//! 1. An operation is fired at most once for each `begin`, by one exchange of `state`; so of several
//!    channels that a select waits at one commits. Only who fires it takes its waker.
//! 2. `waker` is touched by the owner in IDLE and REWAKING, and by who fires it out of WAIT; of an
//!    operation that waits alone, under the lock.
//! 3. An operation outlives its nodes in the queues: the owner unlinks them before it goes.
//! 4. The owner of a select that was fired passes through the lock of that channel before it lets go of
//!    the operation: who fired it may be about to take the waker, under that lock. Who fires one that
//!    waits alone touches nothing of it after the store that says so.
//! 5. A node is linked only under the lock of its channel, and while the operation is in WAIT or was
//!    fired by another of its nodes and has not withdrawn the rest yet.

use std::cell::{Cell, UnsafeCell};
use std::task::Waker;

use crate::primitive::sync::atomic::{AtomicU32, Ordering};

const IDLE: u32 = 0;
const WAIT: u32 = 1;
const REWAKING: u32 = 2;
const FIRED: u32 = 3;
/// `FIRED | what << 2 | case << 8`.
const WHAT_SHIFT: u32 = 2;
const CASE_SHIFT: u32 = 8;

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fired {
    /// A receive: a message in the channel is kept for it.
    Promised,
    /// A send: its value was taken.
    Sent,
    /// A reservation: it has a place.
    Granted,
    /// The channel was closed.
    Closed,
}

impl Fired {
    const ALL: [Self; 4] = [Self::Promised, Self::Sent, Self::Granted, Self::Closed];
}

/// See the module.
#[derive(Debug)]
pub struct Op {
    state: AtomicU32,
    /// Waits at one channel only.
    alone: bool,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: (1) rule 2.
unsafe impl Send for Op {}
// SAFETY: (1) rule 2.
unsafe impl Sync for Op {}

impl Op {
    /// A select.
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU32::new(IDLE),
            alone: false,
            waker: UnsafeCell::new(None),
        }
    }

    /// An operation at one channel.
    pub(crate) fn alone() -> Self {
        Self {
            state: AtomicU32::new(IDLE),
            alone: true,
            waker: UnsafeCell::new(None),
        }
    }

    /// (1) The owner begins to wait. It holds the locks of the channels.
    pub(crate) fn begin(&self, waker: Waker) {
        debug_assert_eq!(self.state.load(Ordering::Relaxed), IDLE);
        // SAFETY: (1) rule 2: the owner, in IDLE.
        let slot = unsafe { &mut *self.waker.get() };
        debug_assert!(slot.is_none(), "who fires an operation takes its waker");
        *slot = Some(waker);
        // Relaxed: the locks, which the owner holds until its nodes are linked, publish it.
        self.state.store(WAIT, Ordering::Relaxed);
    }

    /// (2) A peer, under the lock of the channel of the node for `case`, commits it, and does `and` before
    /// the owner can go on. None if another was faster. Some if it has fired; the waker, if there is one
    /// to wake.
    #[inline]
    pub(crate) fn fire(&self, what: Fired, case: u32, and: impl FnOnce()) -> Option<Option<Waker>> {
        let fired = FIRED | (what as u32) << WHAT_SHIFT | case << CASE_SHIFT;
        if !self.alone {
            return self.fire_select(fired, and);
        }
        debug_assert_eq!(self.state.load(Ordering::Relaxed), WAIT);
        and();
        // SAFETY: (1) rule 2: alone, under the lock.
        let waker = unsafe { &mut *self.waker.get() }.take();
        // The last access: rule 4.
        self.state.store(fired, Ordering::Release); // pairs with: the load in `fired`.
        Some(waker)
    }

    fn fire_select(&self, fired: u32, and: impl FnOnce()) -> Option<Option<Waker>> {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if state != WAIT && state != REWAKING {
                return None;
            }
            // pairs with: the loads in `fired` and `rewake`: what the peer did is seen; and with the
            // exchange at the end of `rewake`, for its waker.
            match self.state.compare_exchange_weak(
                state,
                fired,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        and();
        if state == REWAKING {
            return Some(None);
        }
        // SAFETY: (1) rule 2: fired out of WAIT, by us.
        Some(unsafe { &mut *self.waker.get() }.take())
    }

    /// (5) For the owner of an operation that waits alone, under the lock: another waker is to be woken.
    /// Gives back the one before.
    pub(crate) fn replace_waker(&self, waker: Waker) -> Option<Waker> {
        debug_assert!(self.alone && self.state.load(Ordering::Relaxed) == WAIT);
        // SAFETY: (1) rule 2: alone, under the lock.
        unsafe { &mut *self.waker.get() }.replace(waker)
    }

    /// Whether `waker` would wake the same task as the one that is kept. For the owner of an operation that
    /// waits alone, under the lock.
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        debug_assert!(self.alone && self.state.load(Ordering::Relaxed) == WAIT);
        // SAFETY: (1) rule 2: alone, under the lock.
        let known = unsafe { &*self.waker.get() };
        known.as_ref().is_some_and(|known| known.will_wake(waker))
    }

    /// What the operation was fired with, if it was. For the owner.
    #[inline]
    pub(crate) fn fired(&self) -> Option<(Fired, u32)> {
        let state = self.state.load(Ordering::Acquire); // pairs with: `fire`.
        decode(state)
    }

    /// (4) The owner withdraws. Some if it was fired first. From then on nobody fires it.
    pub(crate) fn withdraw(&self) -> Option<(Fired, u32)> {
        // pairs with: the exchange in `fire`.
        match self
            .state
            .compare_exchange(WAIT, IDLE, Ordering::Acquire, Ordering::Acquire)
        {
            Ok(_) => None,
            Err(state) => decode(state),
        }
    }

    /// Whether the operation waits. For the owner: it may be fired at any moment.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.state.load(Ordering::Relaxed) == IDLE
    }

    /// (3) The owner has dealt with what was fired, or (4) has withdrawn and unlinked all nodes. Gives
    /// back the waker that was not used, to be dropped outside of locks.
    pub(crate) fn reset(&self) -> Option<Waker> {
        self.state.store(IDLE, Ordering::Relaxed);
        // SAFETY: (1) rule 2: the owner, in IDLE, and no node is linked.
        unsafe { &mut *self.waker.get() }.take()
    }

    /// (5) The owner of a select is polled again. Returns what was fired, if it was; else sees to it that `waker`
    /// is the one that is woken.
    pub(crate) fn rewake(&self, waker: &Waker) -> Option<(Fired, u32)> {
        let state = self.state.load(Ordering::Acquire); // pairs with: `fire`.
        if state != WAIT {
            return decode(state);
        }
        // pairs with: the exchange in `fire`: while we are in REWAKING nobody else has the waker.
        if let Err(now) =
            self.state
                .compare_exchange(WAIT, REWAKING, Ordering::Acquire, Ordering::Acquire)
        {
            return decode(now);
        }
        // SAFETY: (1) rule 2: the owner, in REWAKING.
        let slot = unsafe { &mut *self.waker.get() };
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            // Outside of locks: `clone` and `drop` may be anybody's.
            *slot = Some(waker.clone());
        }
        // pairs with: the exchange in `fire`, which takes the waker.
        match self
            .state
            .compare_exchange(REWAKING, WAIT, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => None,
            Err(now) => decode(now),
        }
    }
}

fn decode(state: u32) -> Option<(Fired, u32)> {
    if state & 0b11 != FIRED {
        return None;
    }
    let what = Fired::ALL[(state >> WHAT_SHIFT & 0b111) as usize];
    Some((what, state >> CASE_SHIFT))
}

/// One place in a queue of waiters: of a whole operation, or of one case of a select.
///
/// All fields but `op` and `case` belong to the lock of the channel.
#[derive(Debug)]
pub(crate) struct Node {
    prev: Cell<*const Self>,
    next: Cell<*const Self>,
    linked: Cell<bool>,
    op: Cell<*const Op>,
    case: Cell<u32>,
    /// A send: where its value is. Null for a reservation, and for a receive.
    value: Cell<*mut ()>,
    /// A reservation: how many places it needs.
    places: Cell<usize>,
}

// SAFETY: (1) see the fields: the lock, or the owner before it links the node.
unsafe impl Send for Node {}
// SAFETY: as for Send.
unsafe impl Sync for Node {}

impl Node {
    pub(crate) const fn new() -> Self {
        Self {
            prev: Cell::new(std::ptr::null()),
            next: Cell::new(std::ptr::null()),
            linked: Cell::new(false),
            op: Cell::new(std::ptr::null()),
            case: Cell::new(0),
            value: Cell::new(std::ptr::null_mut()),
            places: Cell::new(1),
        }
    }

    /// Prepares the node to be linked, for the case `case` of `op`.
    pub(crate) fn prepare(&self, op: *const Op, case: u32, value: *mut ()) {
        debug_assert!(!self.linked.get());
        self.op.set(op);
        self.case.set(case);
        self.value.set(value);
    }

    /// For a reservation of several places, before it is linked.
    pub(crate) fn set_places(&self, places: usize) {
        debug_assert!(!self.linked.get());
        self.places.set(places);
    }

    /// How many places it needs.
    pub(crate) fn places(&self) -> usize {
        self.places.get()
    }

    /// Whether it is a reservation, of those that wait to send.
    pub(crate) fn is_reservation(&self) -> bool {
        self.value.get().is_null()
    }

    pub(crate) fn is_linked(&self) -> bool {
        self.linked.get()
    }

    pub(crate) fn op(&self) -> *const Op {
        self.op.get()
    }

    /// The sender's value.
    pub(crate) fn value(&self) -> *mut () {
        self.value.get()
    }

    /// Whether the operation was fired with `what` for this node, which is not linked.
    ///
    /// # Safety
    ///
    /// The operation that it was last prepared for must live.
    pub(crate) unsafe fn was_fired_with(&self, what: Fired) -> bool {
        // SAFETY: the caller's promise.
        unsafe { &*self.op.get() }.fired() == Some((what, self.case.get()))
    }

    /// Fires the operation of a node that was just unlinked, under the lock, and does `and` before the
    /// owner can go on.
    #[inline]
    pub(crate) fn fire(&self, what: Fired, and: impl FnOnce()) -> Option<Option<Waker>> {
        let case = self.case.get();
        // SAFETY: (1) op rule 3: the node was linked until now, under the lock that we hold, so its
        // operation lives until it was fired, and of a select until its owner has had that lock.
        unsafe { &*self.op.get() }.fire(what, case, and)
    }
}

/// A queue of waiters, the first first. All of it under the lock of the channel.
#[derive(Debug)]
pub(crate) struct Queue {
    head: *const Node,
    tail: *const Node,
    len: usize,
}

// SAFETY: (1) the nodes are Sync, and whoever owns one unlinks it before it goes.
unsafe impl Send for Queue {}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            head: std::ptr::null(),
            tail: std::ptr::null(),
            len: 0,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Links a node at the end.
    ///
    /// # Safety
    ///
    /// The node must stay where it is, and be unlinked before it goes.
    pub(crate) unsafe fn push(&mut self, node: &Node) {
        debug_assert!(!node.linked.get());
        node.prev.set(self.tail);
        node.next.set(std::ptr::null());
        node.linked.set(true);
        // SAFETY: (1) what is linked lives: the caller's promise, then.
        match unsafe { self.tail.as_ref() } {
            Some(tail) => tail.next.set(node),
            None => self.head = node,
        }
        self.tail = node;
        self.len += 1;
    }

    /// The first node.
    pub(crate) fn first(&self) -> Option<&Node> {
        // SAFETY: (1) what is linked lives.
        unsafe { self.head.as_ref() }
    }

    /// The first node that is wanted, still linked.
    pub(crate) fn find(&self, is_wanted: impl Fn(&Node) -> bool) -> Option<&Node> {
        let mut at = self.head;
        // SAFETY: (1) what is linked lives.
        while let Some(node) = unsafe { at.as_ref() } {
            if is_wanted(node) {
                return Some(node);
            }
            at = node.next.get();
        }
        None
    }

    /// Unlinks the first node that is wanted.
    pub(crate) fn pop_first(&mut self, is_wanted: impl Fn(&Node) -> bool) -> Option<&Node> {
        let node: *const Node = self.find(is_wanted)?;
        // SAFETY: (1) what is linked lives.
        let node = unsafe { &*node };
        self.unlink(node);
        Some(node)
    }

    /// Unlinks the first node.
    pub(crate) fn pop(&mut self) -> Option<&Node> {
        // SAFETY: (1) what is linked lives.
        let node = unsafe { self.head.as_ref() }?;
        self.unlink(node);
        Some(node)
    }

    /// Unlinks a node, which must be in this queue if it is in any.
    pub(crate) fn unlink(&mut self, node: &Node) {
        if !node.linked.replace(false) {
            return;
        }
        let (prev, next) = (node.prev.get(), node.next.get());
        // SAFETY: (1) what is linked lives.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(next),
            None => self.head = next,
        }
        // SAFETY: (1) what is linked lives.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev),
            None => self.tail = prev,
        }
        self.len -= 1;
    }
}
