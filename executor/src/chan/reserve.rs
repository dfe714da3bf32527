//! Permits: a place in a channel that is kept for a message still to be made.

use std::fmt;
use std::future::Future;
use std::marker::{PhantomData, PhantomPinned};
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use gopark_net::note::{self, WaitReason};

use super::core::{Chan, Reach, Waiter, wake, waker_under_lock};
use super::error::SendError;
use super::op::Fired;
use super::sender::Sender;
use super::state::NotReceived;

/// A place in a channel, from [`Sender::reserve`].
///
/// Dropped unused, the place goes to the next that waits for one.
#[must_use = "a permit that is dropped sends nothing"]
pub struct Permit<'a, T>(Place<T, &'a Chan<T>>);

/// A place in a channel that keeps its sender, from [`Sender::reserve_owned`].
#[must_use = "a permit that is dropped sends nothing"]
pub struct OwnedPermit<T>(Place<T, Sender<T>>);

/// What both kinds of permit are.
struct Place<T, R: Reach<T>> {
    reach: R,
    _value: PhantomData<fn(T)>,
}

impl<T, R: Reach<T>> Place<T, R> {
    fn new(reach: R) -> Self {
        Self {
            reach,
            _value: PhantomData,
        }
    }

    fn send(self, value: T) -> Result<R, SendError<T>> {
        let sent = self.reach.chan().lock().send_reserved(value);
        let this = ManuallyDrop::new(self);
        // SAFETY: (1) `this` is not dropped, so the reach is taken once.
        let reach = unsafe { std::ptr::read(&raw const this.reach) };
        sent.map_err(SendError)?.into_iter().for_each(wake);
        Ok(reach)
    }
}

impl<T, R: Reach<T>> Drop for Place<T, R> {
    fn drop(&mut self) {
        let waker = self.reach.chan().lock().unreserve();
        wake(waker);
    }
}

impl<T> Permit<'_, T> {
    pub(super) fn new(chan: &Chan<T>) -> Permit<'_, T> {
        Permit(Place::new(chan))
    }

    /// Sends a message into the place; never waits.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel was closed meanwhile.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        self.0.send(value).map(drop)
    }
}

impl<T> OwnedPermit<T> {
    pub(super) fn new(sender: Sender<T>) -> Self {
        Self(Place::new(sender))
    }

    /// Sends a message into the place, and gives the sender back; never waits.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel was closed meanwhile.
    pub fn send(self, value: T) -> Result<Sender<T>, SendError<T>> {
        self.0.send(value)
    }

    /// Gives the place up, and the sender back.
    pub fn release(self) -> Sender<T> {
        self.0.reach.clone()
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").finish_non_exhaustive()
    }
}

/// The future of [`Sender::reserve`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Reserve<'a, T> {
    chan: &'a Chan<T>,
    waiter: Waiter,
    _pin: PhantomPinned,
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>) -> Self {
        Self {
            chan,
            waiter: Waiter::new(),
            _pin: PhantomPinned,
        }
    }

    pub(super) fn parts(&self) -> (&'a Chan<T>, &Waiter) {
        (self.chan, &self.waiter)
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        // SAFETY: (1) the future is pinned, and its drop withdraws.
        let reserved = ready!(unsafe { poll_reserve(this.chan, &this.waiter, cx) });
        Poll::Ready(reserved.map(|()| Permit::new(this.chan)))
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        withdraw(self.chan, &self.waiter);
    }
}

/// Reserves a place, which a permit must be made of then, or waits by `waiter`.
///
/// # Safety
///
/// After Pending the waiter must stay where it is until `withdraw` was called, or this has returned Ready.
pub(super) unsafe fn poll_reserve<T>(
    chan: &Chan<T>,
    waiter: &Waiter,
    cx: &mut Context<'_>,
) -> Poll<Result<(), SendError<()>>> {
    let budget = ready!(note::poll_proceed(cx));
    let result = if waiter.is_idle() {
        // SAFETY: the caller's promise.
        ready!(unsafe { begin(chan, waiter, cx) })
    } else {
        let Some(what) = waiter.rewake(chan, cx) else {
            note::park(WaitReason::ChanSend);
            return Poll::Pending;
        };
        waiter.conclude();
        outcome(what)
    };
    budget.made_progress();
    Poll::Ready(result)
}

/// What came of a reservation that was fired.
pub(super) fn outcome(what: Fired) -> Result<(), SendError<()>> {
    if what == Fired::Granted {
        Ok(())
    } else {
        Err(SendError(()))
    }
}

/// The first poll.
///
/// # Safety
///
/// As for `poll_reserve`.
unsafe fn begin<T>(
    chan: &Chan<T>,
    waiter: &Waiter,
    cx: &mut Context<'_>,
) -> Poll<Result<(), SendError<()>>> {
    let mut foreign: Option<Waker> = None;
    loop {
        let mut state = chan.lock();
        match state.try_reserve(1) {
            Ok(()) => return Poll::Ready(Ok(())),
            Err(NotReceived::Closed) => return Poll::Ready(Err(SendError(()))),
            Err(NotReceived::Empty) => {}
        }
        let Some(waker) = foreign.take().or_else(|| waker_under_lock(cx)) else {
            drop(state);
            foreign = Some(cx.waker().clone());
            continue;
        };
        let node = waiter.begin(waker, std::ptr::null_mut());
        // SAFETY: the caller's promise.
        unsafe { state.senders.push(node) };
        drop(state);
        note::park(WaitReason::ChanSend);
        return Poll::Pending;
    }
}

/// Gives the reservation up: a place that it was granted goes to the next.
pub(super) fn withdraw<T>(chan: &Chan<T>, waiter: &Waiter) {
    if waiter.is_idle() {
        return;
    }
    let waker = waiter.withdraw(chan, |state, node, fired| {
        state.senders.unlink(node);
        (fired == Some(Fired::Granted))
            .then(|| state.unreserve())
            .flatten()
    });
    wake(waker);
}
