//! What a channel holds, and Go's rules for matching senders with receivers. All of it under the lock.
//!
//! ```text
//!    senders that wait       buffer                                     receivers that wait
//!    [ v ][ v ][ permit ] -> [ m m m m | m m ]  -> taken, oldest first   [ r ][ r ]
//!                                       ^ promised: so many are kept for receivers that were woken
//! ```
//!
//! A message that finds a receiver waiting is not copied into it but *promised*: it goes into the buffer,
//! also beyond the capacity, and the receiver, woken, takes a message at its next poll. So a receiver that is
//! dropped before that poll loses nothing: the promise passes to the next. And others cannot take as many
//! messages as are promised, so nobody barges.
//!
//! What is promised is *a* message, not *that* message: whoever receives takes the oldest of the buffer, by a
//! promise or not. So messages are received in the order in which they were sent, whoever is polled first.
//! A receive is then like one on a queue, at the moment when it takes its message.
//!
//! # Invariants, whenever the lock is free
//!
//! 1. `promised <= buffer.len()`, and `available = buffer.len() - promised`.
//! 2. `receivers.is_empty() || available == 0`: whoever waits finds nothing.
//! 3. `available + reserved <= capacity`, but for permits that were granted at capacity 0.
//! 4. `senders.is_empty() || available + reserved >= capacity`: whoever waits finds no room; at capacity 0:
//!    no receivers, or too few, that are not spoken for. No send waits beside a receiver, but for those of
//!    one select. Of those that wait only the first, a reservation of several places, has some of them
//!    already: `collected`.
//! 5. `closed` implies `senders.is_empty()`; and `closed && buffer.is_empty()` implies
//!    `receivers.is_empty()`.
//!
//! Source: Go's `chan.go` (`chansend`, `chanrecv`, `closechan`), but for promises and permits.

use std::any::Any;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::task::Waker;

use slab::Slab;

use super::op::{Fired, Node, Op, Queue};
use crate::elastic::{self, Elastic};

/// See the module.
#[derive(Debug)]
pub(crate) struct State<T> {
    buffer: Elastic<T>,
    /// `usize::MAX` if there is no limit.
    capacity: usize,
    promised: usize,
    /// Places that are kept for permits, and `collected`.
    reserved: usize,
    /// Places that the first of those that wait has so far, if that is a reservation of several.
    collected: usize,
    pub(crate) receivers: Queue,
    pub(crate) senders: Queue,
    closed: bool,
    /// Who waits for the end. Few do, and for long, so this may allocate.
    mourners: Slab<Waker>,
    source: Option<Source<T>>,
    /// What sends on a timer. The channel owns it, and knows no more of it.
    feeder: Option<Arc<dyn Any + Send + Sync>>,
}

/// Makes messages without end.
#[derive(Debug)]
pub(crate) struct Source<T>(fn() -> T);

impl<T> Source<T> {
    pub(crate) fn new(make: fn() -> T) -> Self {
        Self(make)
    }
}

/// A send that cannot be done at once.
#[derive(Debug)]
pub(crate) enum NotSent<T> {
    Full(T),
    Closed(T),
}

/// A receive that cannot be done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReceived {
    Empty,
    Closed,
}

/// The most places of one reservation: sums of places do not overflow.
pub(crate) const MOST_PLACES: usize = usize::MAX >> 3;

/// Buffers up to so many bytes are allocated when the channel is made, so that no send allocates.
const PREALLOCATED: usize = 64 * 1024;

impl<T> State<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let most = PREALLOCATED / size_of::<T>().max(1);
        let first = if capacity == usize::MAX { 0 } else { capacity };
        Self {
            buffer: Elastic::with_capacity(first.min(most)),
            capacity,
            promised: 0,
            reserved: 0,
            collected: 0,
            receivers: Queue::new(),
            senders: Queue::new(),
            closed: false,
            mourners: Slab::new(),
            source: None,
            feeder: None,
        }
    }

    pub(crate) fn set_feeder(&mut self, feeder: Arc<dyn Any + Send + Sync>) {
        self.feeder = Some(feeder);
    }

    /// To be dropped without the lock.
    pub(crate) fn take_feeder(&mut self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.feeder.take()
    }

    pub(crate) fn set_source(&mut self, source: Source<T>) {
        self.source = Some(source);
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Messages in the channel, as its users count: those that anyone may take, and never more than it
    /// holds. A message whose receiver went away counts beyond the capacity until it is taken.
    pub(crate) fn len(&self) -> usize {
        self.available().min(self.capacity)
    }

    /// Whether nothing will ever be received any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.closed && self.buffer.is_empty()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Messages that anyone may take.
    #[inline]
    pub(crate) fn available(&self) -> usize {
        self.buffer.len() - self.promised
    }

    /// Whether receives that were woken have not taken their messages yet.
    pub(crate) fn owes(&self) -> bool {
        self.promised > 0
    }

    /// Whether a message that no receiver waits for would find room.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.available() + self.reserved < self.capacity
    }

    /// How many messages would find room, or a receiver, at the moment.
    pub(crate) fn room(&self) -> usize {
        self.places().saturating_add(self.receivers.len())
    }

    /// The channel is full: puts `value` in, and gives back the oldest message that may be taken, which is
    /// `value` itself if there is none.
    pub(crate) fn replace_oldest(&mut self, value: T) -> T {
        if self.available() == 0 {
            return value;
        }
        self.swap_for_oldest(value)
    }

    /// Whether it is seen at a glance that `try_recv` would give Empty.
    #[inline]
    pub(crate) fn is_plainly_empty(&self) -> bool {
        self.available() == 0
            && self.senders.is_empty()
            && self.source.is_none()
            && self.nothing() == NotReceived::Empty
    }

    /// Whether it is seen at a glance that `try_send` would give Full.
    #[inline]
    pub(crate) fn is_plainly_full(&self) -> bool {
        !self.closed && self.receivers.is_empty() && !self.has_room()
    }

    /// Sends, if that can be done at once. The waker is that of the receiver that the message was
    /// promised to.
    #[inline]
    pub(crate) fn try_send(&mut self, value: T) -> Result<Option<Waker>, NotSent<T>> {
        if self.closed {
            return Err(NotSent::Closed(value));
        }
        if !self.receivers.is_empty() {
            match self.promise(value) {
                Ok(waker) => return Ok(waker),
                Err(back) => return self.buffer_up(back),
            }
        }
        self.buffer_up(value)
    }

    #[inline]
    fn buffer_up(&mut self, value: T) -> Result<Option<Waker>, NotSent<T>> {
        if self.has_room() {
            self.buffer.push_back(value);
            Ok(None)
        } else {
            Err(NotSent::Full(value))
        }
    }

    /// Promises `value` to the first receiver that waits still.
    fn promise(&mut self, value: T) -> Result<Option<Waker>, T> {
        while let Some(node) = self.receivers.pop() {
            if let Some(waker) = node.fire(Fired::Promised, || ()) {
                self.buffer.push_back(value);
                self.promised += 1;
                return Ok(waker);
            }
        }
        Err(value)
    }

    /// Receives, if that can be done at once. The waker is that of a sender that has found its place.
    #[inline(always)]
    pub(crate) fn try_recv(&mut self) -> Result<(T, Option<Waker>), NotReceived> {
        if self.available() > 0 {
            let value = self.buffer.pop_front();
            let waker = self.refill();
            return Ok((value.expect("available > 0"), waker));
        }
        if self.senders.is_empty() && self.source.is_none() {
            return Err(self.nothing());
        }
        self.try_recv_slow()
    }

    /// Why nothing is received.
    #[inline]
    fn nothing(&self) -> NotReceived {
        if self.is_drained() {
            NotReceived::Closed
        } else {
            NotReceived::Empty
        }
    }

    /// Nothing is available: a timer, a sender that waits at capacity 0, or nothing.
    #[inline(never)]
    fn try_recv_slow(&mut self) -> Result<(T, Option<Waker>), NotReceived> {
        if let (Some(Source(make)), false) = (&self.source, self.closed) {
            return Ok((make(), None));
        }
        // A reservation needs a place, or a receiver that waits; a send that meets a receiver does not, so
        // the two do not stand in each other's way.
        while let Some(node) = self.senders.pop_first(|node| !node.is_reservation()) {
            let mut taken = None;
            // SAFETY: (1) a sender's node, (2) which is being fired by us.
            let take = || taken = Some(unsafe { take_value(node) });
            if let Some(waker) = node.fire(Fired::Sent, take) {
                let value = taken.expect("who fires takes");
                return Ok((self.swap_for_oldest(value), waker));
            }
        }
        Err(self.nothing())
    }

    /// Puts `value` in, and takes the oldest out, which is `value` itself if there is no other. What is
    /// promised came earlier, too: as much stays promised as was.
    fn swap_for_oldest(&mut self, value: T) -> T {
        if self.buffer.is_empty() {
            return value;
        }
        self.buffer.push_back(value);
        self.buffer.pop_front().expect("one was put in")
    }

    /// A place has become free: the first sender that waits still gets it.
    #[inline]
    fn refill(&mut self) -> Option<Waker> {
        if self.senders.is_empty() {
            return None;
        }
        self.refill_slow()
    }

    #[inline(never)]
    fn refill_slow(&mut self) -> Option<Waker> {
        while self.has_room() {
            if !self.collect() {
                return None;
            }
            let node = self.senders.pop()?;
            let (buffer, reserved) = (&mut self.buffer, &mut self.reserved);
            let fired = if node.is_reservation() {
                self.collected = 0;
                node.fire(Fired::Granted, || *reserved += 1)
            } else {
                // SAFETY: (1) a sender's node, (2) which is being fired by us.
                let take = || unsafe { take_value(node) };
                node.fire(Fired::Sent, || buffer.push_back(take()))
            };
            if let Some(waker) = fired {
                return waker;
            }
        }
        None
    }

    /// There is room: the first that waits, if it needs several places, takes what there is, all but the last
    /// that it needs. Whether that is there, too.
    fn collect(&mut self) -> bool {
        let Some(first) = self.senders.first() else {
            return true;
        };
        let lacking = first.places() - 1 - self.collected;
        if lacking == 0 {
            return true;
        }
        let more = lacking.min(self.places());
        self.collected += more;
        self.reserved += more;
        more == lacking && self.has_room()
    }

    /// How many places are free.
    fn places(&self) -> usize {
        let used = self.available() + self.reserved;
        self.capacity.saturating_sub(used)
    }

    /// A receiver begins to wait: at capacity 0 a reservation that waits may be granted for it.
    /// Not to a case of the select that the receiver is a case of, `own`.
    pub(crate) fn grant_for_receiver(&mut self, own: *const Op) -> Option<Waker> {
        if self.capacity > 0 {
            return None;
        }
        while self.receivers.len() > self.reserved {
            // What waits beside a receiver can be a send only if both are of one select.
            let is_other = |node: &Node| node.is_reservation() && !std::ptr::eq(node.op(), own);
            let places = self.senders.find(is_other)?.places();
            if self.receivers.len() - self.reserved < places {
                return None;
            }
            let node = self.senders.pop_first(is_other)?;
            if let Some(waker) = node.fire(Fired::Granted, || ()) {
                self.reserved += places;
                return waker;
            }
        }
        None
    }

    /// Reserves `count` places, if that can be done at once; Err says whether the channel is closed.
    pub(crate) fn try_reserve(&mut self, count: usize) -> Result<(), NotReceived> {
        if self.closed {
            return Err(NotReceived::Closed);
        }
        let has_room = if self.capacity == 0 {
            let waits_for_several = |node: &Node| node.is_reservation() && node.places() > 1;
            self.receivers.len().saturating_sub(self.reserved) >= count
                && self.senders.find(waits_for_several).is_none()
        } else {
            self.places() >= count
        };
        if !has_room && count > 0 {
            return Err(NotReceived::Empty);
        }
        self.reserved += count;
        Ok(())
    }

    /// Sends by a permit. The wakers are that of the receiver that the message was promised to, and that
    /// of who then gets the permit's place.
    pub(crate) fn send_reserved(&mut self, value: T) -> Result<[Option<Waker>; 2], T> {
        self.reserved -= 1;
        if self.closed {
            return Err(value);
        }
        match self.promise(value) {
            Ok(waker) => Ok([waker, self.refill()]),
            Err(back) => {
                self.buffer.push_back(back);
                Ok([None, None])
            }
        }
    }

    /// A permit is given back unused.
    pub(crate) fn unreserve(&mut self) -> Option<Waker> {
        self.reserved -= 1;
        if self.capacity == 0 {
            self.grant_for_receiver(std::ptr::null())
        } else {
            self.refill()
        }
    }

    /// Several are given back unused.
    pub(crate) fn unreserve_many(&mut self, count: usize, wakers: &mut Vec<Waker>) {
        self.reserved -= count;
        self.serve(wakers);
    }

    /// A reservation of several places begins to wait.
    ///
    /// # Safety
    ///
    /// As for [`Queue::push`].
    pub(crate) unsafe fn wait_for_places(&mut self, node: &Node) {
        // SAFETY: the caller's promise.
        unsafe { self.senders.push(node) };
        if self.has_room() {
            // Then nobody waits before it, and there is too little for all of it.
            let has_all = self.collect();
            debug_assert!(!has_all, "try_reserve would have reserved");
        }
    }

    /// A reservation gives up that waits, and may be the first of those.
    pub(crate) fn withdraw_reservation(&mut self, node: &Node, wakers: &mut Vec<Waker>) {
        if self
            .senders
            .first()
            .is_some_and(|first| std::ptr::eq(first, node))
        {
            self.reserved -= std::mem::take(&mut self.collected);
        }
        self.senders.unlink(node);
        self.serve(wakers);
    }

    /// Several places may have become free: all that wait for them and can have them get them.
    fn serve(&mut self, wakers: &mut Vec<Waker>) {
        loop {
            let waiting = self.senders.len();
            wakers.extend(if self.capacity == 0 {
                self.grant_for_receiver(std::ptr::null())
            } else {
                self.refill()
            });
            if self.senders.len() == waiting {
                return;
            }
        }
    }

    /// A receiver takes the message that it was promised. More wakers may follow if it was the last of
    /// a closed channel.
    #[inline]
    pub(crate) fn take_promised(&mut self, wakers: &mut Vec<Waker>) -> T {
        self.promised -= 1;
        let value = self.buffer.pop_front();
        self.end_if_drained(wakers);
        value.expect("what is promised is in the buffer")
    }

    /// A receiver that was promised a message goes without it: the next gets it, or anybody.
    pub(crate) fn break_promise(&mut self) -> Option<Waker> {
        while let Some(node) = self.receivers.pop() {
            if let Some(waker) = node.fire(Fired::Promised, || ()) {
                return waker;
            }
        }
        self.promised -= 1;
        None
    }

    /// Closes the channel; false if it was closed before. Receivers get what is in the buffer;
    /// senders that wait get their values back.
    pub(crate) fn close(&mut self, wakers: &mut Vec<Waker>) -> bool {
        if std::mem::replace(&mut self.closed, true) {
            return false;
        }
        self.reserved -= std::mem::take(&mut self.collected);
        while let Some(node) = self.senders.pop() {
            wakers.extend(node.fire(Fired::Closed, || ()).flatten());
        }
        self.end_if_drained(wakers);
        wakers.extend(
            std::mem::take(&mut self.mourners)
                .into_iter()
                .map(|(_, waker)| waker),
        );
        true
    }

    /// Keeps `waker` for the end of the channel, which is open.
    pub(crate) fn mourn(&mut self, waker: Waker) -> usize {
        self.mourners.insert(waker)
    }

    /// The waker that was kept under `key`; the channel is open still.
    pub(crate) fn mourner(&mut self, key: usize) -> &mut Waker {
        &mut self.mourners[key]
    }

    pub(crate) fn stop_mourning(&mut self, key: usize) -> Option<Waker> {
        let waker = self.mourners.try_remove(key);
        elastic::give_back_empty(&mut self.mourners);
        waker
    }

    /// Tells receivers that wait that nothing will come any more, if that is so.
    #[inline]
    fn end_if_drained(&mut self, wakers: &mut Vec<Waker>) {
        if self.is_drained() {
            while let Some(node) = self.receivers.pop() {
                wakers.extend(node.fire(Fired::Closed, || ()).flatten());
            }
        }
    }

    /// Takes all messages out, to be dropped outside the lock: the last receiver has gone.
    pub(crate) fn take_buffer(&mut self) -> Elastic<T> {
        // A promise holds a receiver, unless its future was forgotten.
        self.promised = 0;
        std::mem::take(&mut self.buffer)
    }
}

/// Takes the value out of a sender's slot.
///
/// # Safety
///
/// The node must be a sender's, and be fired with `Sent` by the caller, which so owns the value, and whose
/// owner cannot go on yet.
unsafe fn take_value<T>(node: &Node) -> T {
    let slot = node.value().cast::<MaybeUninit<T>>();
    // SAFETY: (1) the slot lives as long as its node was linked, under the lock that we hold.
    let value = unsafe { slot.read() };
    // SAFETY: (1) the sender waits with its value in the slot, and leaves it alone once it was fired.
    unsafe { value.assume_init() }
}
