//! One pinned timer and the wheel it is filed in: the safe face of [`entry`](super::entry).
//!
//! An `Alarm` is the owner of its entry (rule 1 there): all that changes it takes `Pin<&mut Self>`, and
//! the pin promises that it is dropped before its memory is used for something else. Its `Drop` takes
//! the entry out of the wheel; so whatever is filed is alive.
//!
//! Invariant: while the entry is ARMED, it is filed in `home`, which is therefore not `None`.

use std::{
    fmt,
    pin::Pin,
    task::{Poll, Waker},
    time::Instant,
};

use super::{
    entry::{End, Entry, Postponed, State},
    tick,
    timers::{Armed, Home, Timers},
};

pub(crate) struct Alarm {
    home: Option<Home>,
    entry: Entry,
}

/// What [`Alarm::reset`] leaves to be done.
#[derive(Debug)]
#[must_use]
pub(crate) enum Reset {
    /// Nothing: it waits for the new deadline, or for the next poll.
    Done,
    /// The new deadline is earlier, so the alarm was taken out of its wheel: arm it with this waker.
    Rearm(Waker),
    /// The new deadline never comes: drop this waker.
    Drop(Waker),
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            home: None,
            entry: Entry::new(),
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        self.entry.state()
    }

    /// Files an alarm that is not armed in `timers`. After [`Armed::First`] the caller has to call
    /// [`Timers::announce`] once it holds no lock.
    #[inline]
    pub(crate) fn arm(self: Pin<&mut Self>, timers: &Timers, tick: u64, waker: Waker) -> Armed {
        debug_assert!(!matches!(self.state(), State::Armed(_)));
        let home = timers.home();
        // SAFETY: the entry is not moved out; `home` is not pinned structurally.
        let this = unsafe { self.get_unchecked_mut() };
        this.home = Some(home);
        // SAFETY: the entry is pinned because `self` is.
        let entry = unsafe { Pin::new_unchecked(&this.entry) };
        // SAFETY: we are the owner, the entry is not ARMED, and `drop` disarms it in `self.home`.
        unsafe { home.wheel.arm(entry, tick, waker) }
    }

    /// Where an armed alarm is filed.
    #[inline]
    fn home(&self) -> Home {
        let Some(home) = self.home else {
            unreachable!("an armed alarm is filed somewhere");
        };
        home
    }

    /// Ends an idle alarm without filing it.
    #[inline]
    pub(crate) fn settle(&self, end: End) {
        self.entry.settle(end);
    }

    /// For an armed alarm: sees to it that `waker` is the one to be woken. `Ready` if it is over now.
    #[inline]
    pub(crate) fn rewake(self: Pin<&mut Self>, waker: &Waker) -> Poll<State> {
        // SAFETY: `Pin<&mut Self>` makes us the owner.
        if unsafe { self.entry.is_armed_with(waker) } {
            return Poll::Pending;
        }
        self.rewake_slow(waker)
    }

    #[cold]
    fn rewake_slow(self: Pin<&mut Self>, waker: &Waker) -> Poll<State> {
        let home = self.home();
        let waker = waker.clone();
        // SAFETY: we are the owner, and what is armed was armed in `self.home`.
        let (old, state) = unsafe { home.wheel.exchange_waker(&self.entry, waker) };
        drop(old);
        match state {
            State::Armed(_) => Poll::Pending,
            state => Poll::Ready(state),
        }
    }

    /// Sets the alarm to another deadline. One that was never polled, or is over, is idle after this
    /// and is to be armed when it is polled; one that is armed keeps its waker.
    pub(crate) fn reset(self: Pin<&mut Self>, deadline: Instant) -> Reset {
        let armed = match self.state() {
            State::Idle => return Reset::Done,
            State::Fired | State::Closed => {
                self.entry.rewind();
                return Reset::Done;
            }
            State::Armed(armed) => armed,
        };
        let home = self.home();
        let tick = home.tick_ceil(deadline);
        if (armed..tick::NEVER).contains(&tick) {
            match self.entry.postpone(armed, tick) {
                Postponed::Done => {}
                // The wake that is under way brings the task here again.
                Postponed::TooLate => self.entry.rewind(),
            }
            return Reset::Done;
        }
        // SAFETY: the entry is pinned because `self` is.
        let entry = unsafe { Pin::new_unchecked(&self.entry) };
        // SAFETY: we are the owner, and the entry was armed in `self.home`.
        match unsafe { home.wheel.disarm(entry) } {
            Some(waker) if tick == tick::NEVER => Reset::Drop(waker),
            Some(waker) => Reset::Rearm(waker),
            None => {
                self.entry.rewind();
                Reset::Done
            }
        }
    }
}

impl Drop for Alarm {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.entry.state(), State::Armed(_)) {
            return;
        }
        let home = self.home();
        // SAFETY: what was pinned is dropped in its place.
        let entry = unsafe { Pin::new_unchecked(&self.entry) };
        // SAFETY: we are the owner, and the entry was armed in `self.home`.
        drop(unsafe { home.wheel.disarm(entry) });
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alarm").field(&self.state()).finish()
    }
}
