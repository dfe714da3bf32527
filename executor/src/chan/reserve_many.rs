//! Several places at once: a reservation that waits once, in one place of the line, and is served whole.
//!
//! Two that each held some places and waited for more would wait for each other. So only the first of
//! those that wait collects places, and what comes behind it gets none before it has all of its own.

use std::fmt;
use std::future::Future;
use std::iter::FusedIterator;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use gopark_net::note::{self, WaitReason};

use super::core::{Chan, Waiter, wake_all, waker_under_lock};
use super::error::ReserveManyError;
use super::op::Fired;
use super::reserve::Permit;
use super::state::{MOST_PLACES, NotReceived};

/// Places in a channel, from [`Sender::reserve_many`](super::Sender::reserve_many): an iterator of permits.
///
/// Places that are left when it is dropped go to those that wait for them.
#[must_use = "permits that are dropped send nothing"]
pub struct Permits<'a, T> {
    chan: &'a Chan<T>,
    left: usize,
}

impl<'a, T> Iterator for Permits<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        self.left = self.left.checked_sub(1)?;
        Some(Permit::new(self.chan))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for Permits<'_, T> {}

impl<T> FusedIterator for Permits<'_, T> {}

impl<T> Drop for Permits<'_, T> {
    fn drop(&mut self) {
        give_back(self.chan, self.left);
    }
}

impl<T> fmt::Debug for Permits<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permits")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

fn give_back<T>(chan: &Chan<T>, places: usize) {
    if places == 0 {
        return;
    }
    let mut wakers = Vec::new();
    chan.lock().unreserve_many(places, &mut wakers);
    wake_all(wakers);
}

/// The future of [`Sender::reserve_many`](super::Sender::reserve_many).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ReserveMany<'a, T> {
    chan: &'a Chan<T>,
    count: usize,
    waiter: Waiter,
    _pin: PhantomPinned,
}

impl<'a, T> ReserveMany<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, count: usize) -> Self {
        Self {
            chan,
            count,
            waiter: Waiter::new(),
            _pin: PhantomPinned,
        }
    }

    /// The first poll.
    fn begin(&self, cx: &mut Context<'_>) -> Poll<Result<(), ReserveManyError>> {
        let mut foreign: Option<Waker> = None;
        loop {
            let mut state = self.chan.lock();
            // At capacity 0 there may be as many receivers that wait as there is memory for.
            let capacity = match state.capacity() {
                0 => MOST_PLACES,
                capacity => capacity.min(MOST_PLACES),
            };
            let count = self.count;
            if count > capacity {
                return Poll::Ready(Err(ReserveManyError::TooMany { count, capacity }));
            }
            match state.try_reserve(count) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(NotReceived::Closed) => {
                    return Poll::Ready(Err(ReserveManyError::Disconnected));
                }
                Err(NotReceived::Empty) => {}
            }
            let Some(waker) = foreign.take().or_else(|| waker_under_lock(cx)) else {
                drop(state);
                foreign = Some(cx.waker().clone());
                continue;
            };
            let node = self.waiter.begin(waker, std::ptr::null_mut());
            node.set_places(count);
            // SAFETY: (1) the future is pinned, and its drop withdraws.
            unsafe { state.wait_for_places(node) };
            drop(state);
            note::park(WaitReason::ChanSend);
            return Poll::Pending;
        }
    }
}

impl<'a, T> Future for ReserveMany<'a, T> {
    type Output = Result<Permits<'a, T>, ReserveManyError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        let budget = ready!(note::poll_proceed(cx));
        let reserved = if this.waiter.is_idle() {
            ready!(this.begin(cx))
        } else {
            let Some(what) = this.waiter.rewake(this.chan, cx) else {
                note::park(WaitReason::ChanSend);
                return Poll::Pending;
            };
            this.waiter.conclude();
            match what {
                Fired::Granted => Ok(()),
                _ => Err(ReserveManyError::Disconnected),
            }
        };
        budget.made_progress();
        Poll::Ready(reserved.map(|()| Permits {
            chan: this.chan,
            left: this.count,
        }))
    }
}

impl<T> Drop for ReserveMany<'_, T> {
    fn drop(&mut self) {
        if self.waiter.is_idle() {
            return;
        }
        let mut wakers = Vec::new();
        self.waiter
            .withdraw(self.chan, |state, node, fired| match fired {
                None => state.withdraw_reservation(node, &mut wakers),
                Some(Fired::Granted) => state.unreserve_many(self.count, &mut wakers),
                Some(_) => {}
            });
        wake_all(wakers);
    }
}
