//! Receiving: the future, and what it shares with streams and selects.

use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use gopark_net::note::{self, WaitReason};

use super::core::{Chan, Reach, Waiter, wake, wake_all, waker_under_lock};
use super::error::RecvError;
use super::op::Fired;
use super::state::NotReceived;

/// The future of [`Receiver::recv`](super::Receiver::recv).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, T> {
    chan: &'a Chan<T>,
    waiter: Waiter,
    _pin: PhantomPinned,
}

impl<'a, T> Recv<'a, T> {
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

impl<T> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        // SAFETY: (1) the future is pinned, and its drop withdraws.
        unsafe { poll_recv(this.chan, &this.waiter, cx) }
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        withdraw(self.chan, &self.waiter);
    }
}

/// Receives, or waits by `waiter`.
///
/// # Safety
///
/// After Pending the waiter must stay where it is until `withdraw` was called, or this has returned Ready.
pub(super) unsafe fn poll_recv<T>(
    chan: &Chan<T>,
    waiter: &Waiter,
    cx: &mut Context<'_>,
) -> Poll<Result<T, RecvError>> {
    let budget = ready!(note::poll_proceed(cx));
    let result = if waiter.is_idle() {
        // SAFETY: the caller's promise.
        ready!(unsafe { begin(chan, waiter, cx) })
    } else {
        match waiter.rewake(chan, cx) {
            None => {
                // One lock more, for a poll that was in vain.
                let owes = chan.lock().owes();
                note::park(wait_reason(owes));
                return Poll::Pending;
            }
            Some(what) => conclude(chan, waiter, what),
        }
    };
    budget.made_progress();
    Poll::Ready(result)
}

/// The first poll.
///
/// # Safety
///
/// As for `poll_recv`.
unsafe fn begin<T>(
    chan: &Chan<T>,
    waiter: &Waiter,
    cx: &mut Context<'_>,
) -> Poll<Result<T, RecvError>> {
    let mut foreign: Option<Waker> = None;
    loop {
        let mut state = chan.lock();
        match state.try_recv() {
            Ok((value, waker)) => {
                drop(state);
                wake(waker);
                return Poll::Ready(Ok(value));
            }
            Err(NotReceived::Closed) => {
                drop(state);
                return Poll::Ready(Err(RecvError));
            }
            Err(NotReceived::Empty) => {}
        }
        let Some(waker) = foreign.take().or_else(|| waker_under_lock(cx)) else {
            drop(state);
            foreign = Some(cx.waker().clone());
            continue;
        };
        let node = waiter.begin(waker, std::ptr::null_mut());
        // SAFETY: the caller's promise.
        unsafe { state.receivers.push(node) };
        let granted = state.grant_for_receiver(std::ptr::null());
        let owes = state.owes();
        drop(state);
        wake(granted);
        note::park(wait_reason(owes));
        return Poll::Pending;
    }
}

/// Why a receive waits. If nothing else ever happens, what is kept for another is why: the report of deadlocks
/// says so.
fn wait_reason(owes: bool) -> WaitReason {
    if owes {
        WaitReason::ChanRecvOwed
    } else {
        WaitReason::ChanRecv
    }
}

/// Takes what the receive was fired with.
pub(super) fn conclude<T>(chan: &Chan<T>, waiter: &Waiter, what: Fired) -> Result<T, RecvError> {
    waiter.conclude();
    if what != Fired::Promised {
        return Err(RecvError);
    }
    let mut wakers = Vec::new();
    let value = chan.lock().take_promised(&mut wakers);
    wake_all(wakers);
    Ok(value)
}

/// Gives the receive up: what was promised to it goes to the next.
#[inline]
pub(super) fn withdraw<T>(chan: &Chan<T>, waiter: &Waiter) {
    if !waiter.is_idle() {
        withdraw_slow(chan, waiter);
    }
}

#[cold]
fn withdraw_slow<T>(chan: &Chan<T>, waiter: &Waiter) {
    let waker = waiter.withdraw(chan, |state, node, fired| {
        state.receivers.unlink(node);
        (fired == Some(Fired::Promised))
            .then(|| state.break_promise())
            .flatten()
    });
    wake(waker);
}

/// Receives without waiting.
pub(super) fn try_recv<T>(reach: &impl Reach<T>) -> Result<T, NotReceived> {
    let received = reach.chan().lock().try_recv();
    received.map(|(value, waker)| {
        wake(waker);
        value
    })
}
