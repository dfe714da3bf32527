//! A case of a select: an operation on a channel that a select can try, queue, and take back; or any
//! other future.
//!
//! A select that is forgotten instead of dropped leaves its nodes queued. Its cases, which may lie
//! elsewhere, take them back when they are dropped: `occupied` says so.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Waker};

use super::super::core::{Chan, Reach, wake};
use super::super::error::{RecvError, SendError};
use super::super::lock::{Everywhere, RawLock};
use super::super::op::{Fired, Node, Op};
use super::super::reserve::{self, Permit};
use super::super::state::{NotReceived, NotSent};

/// What a select does with a case. `Output` is taken from the concrete type when it was chosen.
///
/// # Safety
///
/// `lock` must be the same for all of a case's life, and guard what `try_commit` and `enqueue` touch. A node
/// that `enqueue` links must stay linked at most until `unlink` returns.
pub unsafe trait Case {
    /// The lock; None if the case has none, being no operation on a channel, or off.
    #[doc(hidden)]
    fn lock(&self) -> Option<&RawLock>;

    /// Whether it is a future, which has to be polled.
    #[doc(hidden)]
    fn is_future(&self) -> bool {
        false
    }

    /// Whether it is seen at a glance that the case could not commit: its lock is among those that this thread is
    /// inside of, and what that guards says so. False decides nothing.
    #[doc(hidden)]
    fn is_plainly_unready(&self, everywhere: &Everywhere) -> bool;

    /// Commits, if that can be done at once.
    ///
    /// # Safety
    ///
    /// The lock must be held, and no node of the case be linked.
    #[doc(hidden)]
    unsafe fn try_commit(self: Pin<&mut Self>, wakers: &mut Vec<Waker>) -> bool;

    /// Waits, as case number `case` of `op`.
    ///
    /// # Safety
    ///
    /// As for `try_commit`; and `op` must live until `unlink` was called.
    #[doc(hidden)]
    unsafe fn enqueue(self: Pin<&mut Self>, op: *const Op, case: u32, wakers: &mut Vec<Waker>);

    /// Takes what the case was fired with; or, with `keep` false, gives it up. Takes the lock.
    #[doc(hidden)]
    fn conclude(self: Pin<&mut Self>, what: Fired, keep: bool, wakers: &mut Vec<Waker>);

    /// Waits no more. Takes the lock.
    #[doc(hidden)]
    fn unlink(self: Pin<&mut Self>);

    /// Takes back what a select that was forgotten has left. Takes the lock, if there is anything.
    #[doc(hidden)]
    fn reclaim(self: Pin<&mut Self>) {}

    /// Commits under the lock, which it takes, if that can be done at once; a case that is no operation on a
    /// channel is polled.
    ///
    /// # Safety
    ///
    /// No node of the case may be linked.
    #[doc(hidden)]
    unsafe fn try_alone(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> bool;

    /// Where the output is, once the case was chosen: an `Option` of it.
    #[doc(hidden)]
    fn output_slot(self: Pin<&mut Self>) -> *mut ();
}

/// A case whose output the macro takes.
pub trait TakeOutput {
    /// What the chosen arm gets.
    type Output;

    /// The output of the case that was chosen.
    fn take_output(self: Pin<&mut Self>) -> Self::Output;
}

/// The methods of `Case` that are the same for all operations on channels.
macro_rules! lock_of_chan {
    () => {
        #[inline]
        fn lock(&self) -> Option<&RawLock> {
            Some(self.reach.chan().whole_lock().raw())
        }

        #[inline]
        unsafe fn try_alone(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            wakers: &mut Vec<Waker>,
        ) -> bool {
            let entry = self.reach.chan().whole_lock().raw().acquire(0);
            // SAFETY: (1) the lock is held; (2) no node is linked, says the caller.
            let commits = unsafe { self.as_mut().try_commit(wakers) };
            // SAFETY: (1) taken above.
            unsafe { self.reach.chan().whole_lock().raw().release(entry) };
            commits
        }
    };
}

/// What the chosen arm gets, for a case with the field `output`.
macro_rules! output_of {
    (<$($parameter:tt),*> $case:ty => $output:ty) => {
        impl<$($parameter),*> TakeOutput for $case {
            type Output = $output;

            #[inline]
            fn take_output(self: Pin<&mut Self>) -> Self::Output {
                // SAFETY: (1) the output is not pinned.
                let this = unsafe { self.get_unchecked_mut() };
                this.output.take().expect("the case that was chosen has an output")
            }
        }
    };
}

/// Where the node of a case is, once it has to wait: most need not, and save the making of it.
struct Place {
    /// Whether the node was made, and may be linked.
    occupied: bool,
    node: MaybeUninit<Node>,
}

impl Place {
    #[inline]
    fn new() -> Self {
        // As a literal it is a constant for the compiler, which then copies all of it, in zeroes.
        let mut place = MaybeUninit::<Self>::uninit();
        // SAFETY: (1) it is a field of ours.
        let occupied = unsafe { &raw mut (*place.as_mut_ptr()).occupied };
        // SAFETY: (1) as above.
        unsafe { occupied.write(false) };
        // SAFETY: (1) `node` may be uninitialised, and there is nothing else.
        unsafe { place.assume_init() }
    }

    /// Makes a node that is to be linked.
    fn occupy(&mut self, op: *const Op, case: u32, value: *mut ()) -> &Node {
        debug_assert!(!self.occupied);
        self.occupied = true;
        let node = self.node.write(Node::new());
        node.prepare(op, case, value);
        node
    }

    /// The node that may be linked still; the place is free from now on.
    #[inline]
    fn vacate(&mut self) -> Option<&Node> {
        if !std::mem::take(&mut self.occupied) {
            return None;
        }
        // SAFETY: (1) occupied: it was made.
        Some(unsafe { self.node.assume_init_ref() })
    }
}

/// A receive.
pub struct RecvCase<T, R: Reach<T>> {
    reach: R,
    place: Place,
    output: Option<Result<T, RecvError>>,
    _pin: PhantomPinned,
}

impl<T, R: Reach<T>> RecvCase<T, R> {
    pub(in super::super) fn new(reach: R) -> Self {
        Self {
            reach,
            place: Place::new(),
            output: None,
            _pin: PhantomPinned,
        }
    }
}

impl<T, R: Reach<T>> RecvCase<T, R> {
    #[inline]
    fn take_back(&mut self) {
        if self.place.occupied {
            self.take_back_slow();
        }
    }

    #[cold]
    fn take_back_slow(&mut self) {
        let Some(node) = self.place.vacate() else {
            return;
        };
        let mut state = self.reach.chan().lock();
        state.receivers.unlink(node);
        // SAFETY: (1) occupied: the select was forgotten, so its operation is where it was.
        let promised = unsafe { node.was_fired_with(Fired::Promised) };
        let waker = promised.then(|| state.break_promise()).flatten();
        drop(state);
        wake(waker);
    }
}

impl<T, R: Reach<T>> Drop for RecvCase<T, R> {
    #[inline]
    fn drop(&mut self) {
        self.take_back();
    }
}

impl<T, R: Reach<T>> TakeOutput for RecvCase<T, R> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn take_output(self: Pin<&mut Self>) -> Self::Output {
        // SAFETY: (1) the output is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        this.output
            .take()
            .expect("the case that was chosen has an output")
    }
}

// SAFETY: (1) the key is the channel's address, and so is the lock; (2) only `enqueue` links the node,
// and `unlink` unlinks it under the lock.
unsafe impl<T, R: Reach<T>> Case for RecvCase<T, R> {
    lock_of_chan!();

    #[inline]
    fn is_plainly_unready(&self, everywhere: &Everywhere) -> bool {
        let lock = self.reach.chan().whole_lock();
        // SAFETY: (1) the lock is held, if it is one of those.
        everywhere.holds(lock.raw()) && unsafe { lock.value() }.is_plainly_empty()
    }

    #[inline]
    unsafe fn try_commit(self: Pin<&mut Self>, wakers: &mut Vec<Waker>) -> bool {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) the lock is held, says the caller.
        let state = unsafe { this.reach.chan().whole_lock().value() };
        this.output = match state.try_recv() {
            Ok((value, waker)) => {
                wakers.extend(waker);
                Some(Ok(value))
            }
            Err(NotReceived::Closed) => Some(Err(RecvError)),
            Err(NotReceived::Empty) => return false,
        };
        true
    }

    unsafe fn enqueue(self: Pin<&mut Self>, op: *const Op, case: u32, wakers: &mut Vec<Waker>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) the lock is held, says the caller.
        let state = unsafe { this.reach.chan().whole_lock().value() };
        let node = this.place.occupy(op, case, std::ptr::null_mut());
        // SAFETY: (1) we are pinned; (2) the node is unlinked before we go, if only by our drop.
        unsafe { state.receivers.push(node) };
        wakers.extend(state.grant_for_receiver(op));
    }

    fn conclude(self: Pin<&mut Self>, what: Fired, keep: bool, wakers: &mut Vec<Waker>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        this.place.vacate();
        let mut state = this.reach.chan().lock();
        if what != Fired::Promised {
            this.output = keep.then_some(Err(RecvError));
        } else if keep {
            this.output = Some(Ok(state.take_promised(wakers)));
        } else {
            wakers.extend(state.break_promise());
        }
    }

    fn unlink(self: Pin<&mut Self>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if let Some(node) = this.place.vacate() {
            this.reach.chan().lock().receivers.unlink(node);
        }
    }

    fn reclaim(self: Pin<&mut Self>) {
        // SAFETY: (1) the node stays where it is.
        unsafe { self.get_unchecked_mut() }.take_back();
    }

    fn output_slot(self: Pin<&mut Self>) -> *mut () {
        // SAFETY: (1) the output is not pinned.
        (&raw mut unsafe { self.get_unchecked_mut() }.output).cast()
    }
}

/// A send.
pub struct SendCase<'a, T> {
    reach: &'a Chan<T>,
    place: Place,
    /// `holds` says whether there is a value in it. Touched by who fires the node, or else by the owner.
    slot: UnsafeCell<MaybeUninit<T>>,
    holds: bool,
    output: Option<Result<(), SendError<T>>>,
    _pin: PhantomPinned,
}

// SAFETY: (1) the slot holds a T; see there for who touches it.
unsafe impl<T: Send> Send for SendCase<'_, T> {}
// SAFETY: (1) `&SendCase` gives access to nothing.
unsafe impl<T: Send> Sync for SendCase<'_, T> {}

impl<'a, T> SendCase<'a, T> {
    pub(in super::super) fn new(reach: &'a Chan<T>, value: T) -> Self {
        Self {
            reach,
            place: Place::new(),
            slot: UnsafeCell::new(MaybeUninit::new(value)),
            holds: true,
            output: None,
            _pin: PhantomPinned,
        }
    }

    #[inline]
    fn take_back(&mut self) {
        if self.place.occupied {
            self.take_back_slow();
        }
    }

    #[cold]
    fn take_back_slow(&mut self) {
        let Some(node) = self.place.vacate() else {
            return;
        };
        let mut state = self.reach.lock();
        state.senders.unlink(node);
        // SAFETY: (1) occupied: the select was forgotten, so its operation is where it was.
        self.holds &= unsafe { !node.was_fired_with(Fired::Sent) };
    }

    fn take_value(&mut self) -> T {
        debug_assert!(self.holds);
        self.holds = false;
        // SAFETY: (1) `holds` said that the value is there, and says no more so.
        unsafe { self.slot.get_mut().assume_init_read() }
    }
}

output_of!(<T> SendCase<'_, T> => Result<(), SendError<T>>);

// SAFETY: as for `RecvCase`.
unsafe impl<T> Case for SendCase<'_, T> {
    lock_of_chan!();

    #[inline]
    fn is_plainly_unready(&self, everywhere: &Everywhere) -> bool {
        let lock = self.reach.whole_lock();
        // SAFETY: (1) the lock is held, if it is one of those.
        everywhere.holds(lock.raw()) && unsafe { lock.value() }.is_plainly_full() && self.holds
    }

    #[inline]
    unsafe fn try_commit(self: Pin<&mut Self>, wakers: &mut Vec<Waker>) -> bool {
        // SAFETY: (1) node and slot stay where they are.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) the lock is held, says the caller.
        let state = unsafe { this.reach.whole_lock().value() };
        if !this.holds {
            // A select that was forgotten has sent it.
            this.output = Some(Ok(()));
            return true;
        }
        this.output = match state.try_send(this.take_value()) {
            Ok(waker) => {
                wakers.extend(waker);
                Some(Ok(()))
            }
            Err(NotSent::Closed(value)) => Some(Err(SendError(value))),
            Err(NotSent::Full(value)) => {
                this.slot.get_mut().write(value);
                this.holds = true;
                return false;
            }
        };
        true
    }

    unsafe fn enqueue(self: Pin<&mut Self>, op: *const Op, case: u32, _: &mut Vec<Waker>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) the lock is held, says the caller.
        let state = unsafe { this.reach.whole_lock().value() };
        let node = this.place.occupy(op, case, this.slot.get().cast());
        // SAFETY: as in `RecvCase`.
        unsafe { state.senders.push(node) };
    }

    fn conclude(self: Pin<&mut Self>, what: Fired, keep: bool, _: &mut Vec<Waker>) {
        // SAFETY: (1) node and slot stay where they are.
        let this = unsafe { self.get_unchecked_mut() };
        this.place.vacate();
        // Passes through the lock: op rule 4.
        drop(this.reach.lock());
        if what == Fired::Sent {
            // Whoever fired it has the value.
            this.holds = false;
            this.output = Some(Ok(()));
        } else if keep {
            this.output = Some(Err(SendError(this.take_value())));
        }
    }

    fn unlink(self: Pin<&mut Self>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if let Some(node) = this.place.vacate() {
            this.reach.lock().senders.unlink(node);
        }
    }

    fn reclaim(self: Pin<&mut Self>) {
        // SAFETY: (1) node and slot stay where they are.
        unsafe { self.get_unchecked_mut() }.take_back();
    }

    fn output_slot(self: Pin<&mut Self>) -> *mut () {
        // SAFETY: (1) the output is not pinned.
        (&raw mut unsafe { self.get_unchecked_mut() }.output).cast()
    }
}

impl<T> Drop for SendCase<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.take_back();
        if self.holds {
            drop(self.take_value());
        }
    }
}

/// A send whose value stays with the caller unless it is sent.
pub struct SendOptCase<'a, T> {
    source: &'a mut Option<T>,
    send: SendCase<'a, T>,
}

impl<'a, T> SendOptCase<'a, T> {
    pub(in super::super) fn new(reach: &'a Chan<T>, source: &'a mut Option<T>) -> Self {
        let value = source.take();
        let value = value.expect("send_opt needs a value to send; the slot was None");
        Self {
            source,
            send: SendCase::new(reach, value),
        }
    }

    fn send(self: Pin<&mut Self>) -> Pin<&mut SendCase<'a, T>> {
        // SAFETY: (1) `send` is pinned with us.
        unsafe { self.map_unchecked_mut(|this| &mut this.send) }
    }
}

impl<T> TakeOutput for SendOptCase<'_, T> {
    type Output = Result<(), SendError<()>>;

    fn take_output(mut self: Pin<&mut Self>) -> Self::Output {
        self.as_mut()
            .send()
            .take_output()
            .map_err(|SendError(value)| {
                // SAFETY: (1) the source is not pinned.
                *unsafe { self.get_unchecked_mut() }.source = Some(value);
                SendError(())
            })
    }
}

// SAFETY: as for the send within.
unsafe impl<T> Case for SendOptCase<'_, T> {
    fn lock(&self) -> Option<&RawLock> {
        self.send.lock()
    }

    fn is_plainly_unready(&self, everywhere: &Everywhere) -> bool {
        self.send.is_plainly_unready(everywhere)
    }

    unsafe fn try_commit(self: Pin<&mut Self>, wakers: &mut Vec<Waker>) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.send().try_commit(wakers) }
    }

    unsafe fn enqueue(self: Pin<&mut Self>, op: *const Op, case: u32, wakers: &mut Vec<Waker>) {
        // SAFETY: the caller's promise.
        unsafe { self.send().enqueue(op, case, wakers) };
    }

    fn conclude(self: Pin<&mut Self>, what: Fired, keep: bool, wakers: &mut Vec<Waker>) {
        self.send().conclude(what, keep, wakers);
    }

    fn unlink(self: Pin<&mut Self>) {
        self.send().unlink();
    }

    unsafe fn try_alone(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.send().try_alone(cx, wakers) }
    }

    fn output_slot(self: Pin<&mut Self>) -> *mut () {
        self.send().output_slot()
    }
}

impl<T> Drop for SendOptCase<'_, T> {
    fn drop(&mut self) {
        self.send.take_back();
        if self.send.holds {
            *self.source = Some(self.send.take_value());
        }
    }
}

/// A reservation.
pub struct ReserveCase<'a, T> {
    reach: &'a Chan<T>,
    place: Place,
    output: Option<Result<Permit<'a, T>, SendError<()>>>,
    _pin: PhantomPinned,
}

impl<'a, T> ReserveCase<'a, T> {
    pub(in super::super) fn new(reach: &'a Chan<T>) -> Self {
        Self {
            reach,
            place: Place::new(),
            output: None,
            _pin: PhantomPinned,
        }
    }
}

impl<T> Drop for ReserveCase<'_, T> {
    fn drop(&mut self) {
        if let Some(node) = self.place.vacate() {
            self.reach.lock().senders.unlink(node);
        }
    }
}

output_of!(<'a, T> ReserveCase<'a, T> => Result<Permit<'a, T>, SendError<()>>);

// SAFETY: as for `RecvCase`.
unsafe impl<T> Case for ReserveCase<'_, T> {
    lock_of_chan!();

    #[inline]
    fn is_plainly_unready(&self, everywhere: &Everywhere) -> bool {
        let lock = self.reach.whole_lock();
        // SAFETY: (1) the lock is held, if it is one of those.
        everywhere.holds(lock.raw()) && unsafe { lock.value() }.is_plainly_full()
    }

    unsafe fn try_commit(self: Pin<&mut Self>, _: &mut Vec<Waker>) -> bool {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) the lock is held, says the caller.
        let state = unsafe { this.reach.whole_lock().value() };
        this.output = match state.try_reserve(1) {
            Ok(()) => Some(Ok(Permit::new(this.reach))),
            Err(NotReceived::Closed) => Some(Err(SendError(()))),
            Err(NotReceived::Empty) => return false,
        };
        true
    }

    unsafe fn enqueue(self: Pin<&mut Self>, op: *const Op, case: u32, _: &mut Vec<Waker>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) the lock is held, says the caller.
        let state = unsafe { this.reach.whole_lock().value() };
        let node = this.place.occupy(op, case, std::ptr::null_mut());
        // SAFETY: as in `RecvCase`.
        unsafe { state.senders.push(node) };
    }

    fn conclude(self: Pin<&mut Self>, what: Fired, keep: bool, wakers: &mut Vec<Waker>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        this.place.vacate();
        let mut state = this.reach.lock();
        if !keep {
            if what == Fired::Granted {
                wakers.extend(state.unreserve());
            }
            return;
        }
        drop(state);
        this.output = Some(reserve::outcome(what).map(|()| Permit::new(this.reach)));
    }

    fn unlink(self: Pin<&mut Self>) {
        // SAFETY: (1) the node stays where it is.
        let this = unsafe { self.get_unchecked_mut() };
        if let Some(node) = this.place.vacate() {
            this.reach.lock().senders.unlink(node);
        }
    }

    fn output_slot(self: Pin<&mut Self>) -> *mut () {
        // SAFETY: (1) the output is not pinned.
        (&raw mut unsafe { self.get_unchecked_mut() }.output).cast()
    }
}

macro_rules! opaque_debug {
    ($(<$($parameter:tt),*> $case:ty, $name:literal;)*) => {
        $(impl<$($parameter),*> fmt::Debug for $case {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name).finish_non_exhaustive()
            }
        })*
    };
}

opaque_debug! {
    <T> SendCase<'_, T>, "SendCase";
    <T> SendOptCase<'_, T>, "SendOptCase";
    <T> ReserveCase<'_, T>, "ReserveCase";
}

impl<T, R: Reach<T>> fmt::Debug for RecvCase<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvCase").finish_non_exhaustive()
    }
}
