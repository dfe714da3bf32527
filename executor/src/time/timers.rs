//! The timers of one P: a wheel, the clock whose ticks it counts, and who wants to know.
//!
//! There is one `Timers` per P and one per runtime for threads that hold no P. A timer is armed in
//! that of the thread which polls it first and stays there until it fires or is dropped, also when
//! its task moves on to another P. Anyone may turn any wheel: the P's owner does, and a thief or the
//! poller when the owner is stuck.

use std::{fmt, task::Waker, time::Instant};

use super::{locked_wheel::LockedWheel, tick};
use crate::primitive::sync::atomic::{Ordering, fence};

/// Called with the tick of a timer that has become the first to fire of all in its `Timers`.
pub(crate) type Earlier = Box<dyn Fn(u64) + Send + Sync>;

/// How arming went. Where a waker comes back, it was not kept.
#[derive(Debug)]
#[must_use]
pub(crate) enum Armed {
    /// Filed.
    Waiting,
    /// Filed, and nothing in this wheel is due earlier.
    First,
    /// Not filed: the tick has come already.
    Due(Waker),
    /// Not filed: the tick never comes.
    Never(Waker),
    /// Not filed: the timers are closed.
    Closed(Waker),
}

pub(crate) struct Timers {
    home: Home,
    earlier: Option<Earlier>,
}

/// Where an alarm is filed: what it keeps of its `Timers`.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) wheel: &'static LockedWheel,
    origin: Instant,
}

impl Home {
    /// The first tick that is not before `deadline`.
    pub(crate) fn tick_ceil(&self, deadline: Instant) -> u64 {
        tick::ceil(self.origin, deadline)
    }
}

impl Timers {
    /// Timers that count ticks from `origin`, which is [`Clock::origin`](super::clock::Clock::origin)
    /// of the runtime.
    ///
    /// `earlier` is for timers that no run loop watches: it is called outside all locks, by the thread
    /// that has armed a timer which is now the first of all, and must see to it that somebody turns
    /// the wheel in time.
    pub(crate) fn new(origin: Instant, earlier: Option<Earlier>) -> Self {
        Self::on(LockedWheel::take(), origin, earlier)
    }

    /// Timers on a wheel that is open and empty.
    pub(crate) fn on(
        wheel: &'static LockedWheel,
        origin: Instant,
        earlier: Option<Earlier>,
    ) -> Self {
        Self {
            home: Home { wheel, origin },
            earlier,
        }
    }

    /// The tick at which [`Timers::fire`] will have something to do, or [`NEVER`](tick::NEVER). It may
    /// be too early, never too late.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.home.wheel.next()
    }

    /// How many timers wait here.
    pub(crate) fn len(&self) -> usize {
        self.home.wheel.len()
    }

    /// Takes the wakers of everything that is due at `now` out of the wheel, to be woken by the
    /// caller.
    #[inline]
    pub(crate) fn fire(&self, now: u64, out: &mut Vec<Waker>) {
        if self.next() <= now {
            self.home.wheel.fire(now, out);
        }
    }

    /// Ends all timers, at the shutdown of the runtime: takes their wakers, to be woken by the caller,
    /// and lets nobody arm another one. Polling one of these timers panics from now on.
    pub(crate) fn close(&self, out: &mut Vec<Waker>) {
        self.home.wheel.close(out);
    }

    #[inline]
    pub(crate) fn home(&self) -> Home {
        self.home
    }

    /// Tells of a timer that has become the first, at `tick`. To be called outside all locks.
    #[inline]
    pub(crate) fn announce(&self, tick: u64) {
        if let Some(earlier) = &self.earlier {
            // StoreLoad: `next` was written before the hook looks who sleeps for how long; pairs with:
            // the fence of a sleeper (invariant 2 of `locked_wheel`).
            fence(Ordering::SeqCst);
            earlier(tick);
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        self.close(&mut wakers);
        self.home.wheel.give_back();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("len", &self.len())
            .field("next", &self.next())
            .finish_non_exhaustive()
    }
}
