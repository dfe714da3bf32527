//! What feeds a timer channel: a timer in the runtime's wheel that delivers into the channel by itself, as Go's do.
//! There is no task behind it.
//!
//! ```text
//!   Receiver ─▶ Chan ─ feeder ─▶ Feeder ─ sleep ── armed in ──▶ wheel
//!                ▲                │  ▲                            │
//!                └───── weak ─────┘  └─────── weak (waker) ───────┘ fires, or is closed
//! ```
//!
//! # Invariants
//!
//! 1. The channel alone owns the feeder: its last receiver drops it, and that takes the timer out of the wheel.
//!    Who fires owns it for the moment.
//! 2. `sleep` is polled under its lock only, with a waker of this feeder. It is not moved once it has been
//!    polled: it lies in the `Arc`, and is dropped in its place.
//!
//! *Arm against fire*: the timer may fire before `deliver` has given the lock back; the one that fires then waits
//! for the lock, and finds it fired.

use std::fmt;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use super::core::{Chan, wake};
use super::state::NotSent;
use crate::time::{End, FirstPoll, Instant, Sleep, sleep_until};

pub(super) struct Feeder {
    chan: Weak<Chan<Instant>>,
    /// None: it gives the time once.
    period: Option<Duration>,
    /// None when nothing more comes.
    sleep: Mutex<Option<Sleep>>,
}

impl Feeder {
    /// Feeds `chan` at `first`, and each `period` after that.
    pub(super) fn start(chan: &Arc<Chan<Instant>>, first: Instant, period: Option<Duration>) {
        let feeder = Arc::new(Self {
            chan: Arc::downgrade(chan),
            period,
            sleep: Mutex::new(Some(sleep_until(first))),
        });
        chan.lock().set_feeder(feeder.clone());
        feeder.deliver();
    }

    /// Delivers what is due, and waits for the next.
    fn deliver(self: &Arc<Self>) {
        let waker = waker(self);
        let mut cx = Context::from_waker(&waker);
        while let Poll::Ready(due) = self.poll_due(&mut cx) {
            let Some(chan) = self.chan.upgrade() else {
                return;
            };
            let Some(now) = due else {
                // The runtime has ended, and its clock with it.
                chan.close();
                return;
            };
            let sent = chan.lock().try_send(now);
            match sent {
                Ok(receiver) => wake(receiver),
                // Whoever receives is behind, and needs no second tick.
                Err(NotSent::Full(_)) => {}
                Err(NotSent::Closed(_)) => *self.sleep() = None,
            }
        }
    }

    /// Ready with the time if it is due, and with None if it never will be. Pending also when nothing more comes.
    fn poll_due(&self, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        let mut slot = self.sleep();
        let Some(sleep) = slot.as_mut() else {
            return Poll::Pending;
        };
        // SAFETY: invariant 2.
        let mut sleep = unsafe { Pin::new_unchecked(sleep) };
        match sleep.as_mut().poll_end(cx, FirstPoll::AsksClock) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(End::Fired) => {
                let now = Instant::now();
                match self.period {
                    Some(period) => {
                        let next = next_tick(sleep.deadline(), period, now);
                        sleep.reset(next);
                    }
                    None => *slot = None,
                }
                Poll::Ready(Some(now))
            }
            Poll::Ready(End::Closed) => {
                *slot = None;
                Poll::Ready(None)
            }
        }
    }

    fn sleep(&self) -> MutexGuard<'_, Option<Sleep>> {
        // Nothing under this lock panics.
        self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Feeder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feeder")
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

/// The first tick after `now`: those that were missed are left out.
fn next_tick(last: Instant, period: Duration, now: Instant) -> Instant {
    let behind = now.saturating_duration_since(last).as_nanos();
    let missed = behind / period.as_nanos().max(1);
    let ahead = period
        .as_nanos()
        .saturating_mul(missed.saturating_add(1))
        .min(u128::from(u64::MAX));
    last.saturating_add(Duration::from_nanos(ahead as u64).max(period))
}

/// A waker that delivers, and keeps nothing alive: its data is a `Weak<Feeder>`.
fn waker(feeder: &Arc<Feeder>) -> Waker {
    let raw = raw_waker(Arc::downgrade(feeder));
    // SAFETY: (1) the table below treats the data as the `Weak` that it is; `Feeder` is Send and Sync.
    unsafe { Waker::from_raw(raw) }
}

fn raw_waker(feeder: Weak<Feeder>) -> RawWaker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| raw_waker(Weak::clone(&borrow(data))),
        |data| fire(&ManuallyDrop::into_inner(borrow(data))),
        |data| fire(&borrow(data)),
        |data| drop(ManuallyDrop::into_inner(borrow(data))),
    );
    RawWaker::new(feeder.into_raw().cast(), &TABLE)
}

/// The `Weak` that a waker's data is.
fn borrow(data: *const ()) -> ManuallyDrop<Weak<Feeder>> {
    // SAFETY: (1) the data comes from `raw_waker`, and its count is the waker's, which only those take who end
    // the waker.
    ManuallyDrop::new(unsafe { Weak::from_raw(data.cast::<Feeder>()) })
}

fn fire(feeder: &Weak<Feeder>) {
    if let Some(feeder) = feeder.upgrade() {
        feeder.deliver();
    }
}
