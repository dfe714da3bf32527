//! [`Instant`]: a point of time on the clock of a runtime.

use std::{
    fmt,
    ops::{Add, AddAssign, Sub, SubAssign},
    time::{Duration, Instant as StdInstant},
};

use super::tick;

/// A point of time, like [`std::time::Instant`], on the clock of the current runtime.
///
/// It differs from the one of `std` in two ways: [`now`](Self::now) stands still while the
/// runtime's time is [paused](super::pause), and what leads beyond that which the system can express gives
/// the latest, or the earliest, instant that there is, instead of a panic.
///
/// # Examples
///
/// ```
/// use gopark::time::{Duration, Instant};
///
/// let start = Instant::now();
/// assert!(start + Duration::from_millis(5) > start);
/// assert!(start + Duration::MAX > start);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(StdInstant);

impl Instant {
    /// Now, by the clock of the current runtime; outside any, by that of the system.
    #[inline]
    pub fn now() -> Self {
        crate::sched::current_clock(|clock| match clock {
            Some(clock) => clock.now(),
            None => Self(StdInstant::now()),
        })
    }

    /// From an instant of `std`.
    #[inline]
    pub const fn from_std(std: StdInstant) -> Self {
        Self(std)
    }

    /// To an instant of `std`.
    #[inline]
    pub const fn into_std(self) -> StdInstant {
        self.0
    }

    /// The time from `earlier` until this instant; zero if `earlier` is later.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from `earlier` until this instant; `None` if `earlier` is later.
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// The time from `earlier` until this instant; zero if `earlier` is later.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from this instant until [`Instant::now`]; zero if it lies ahead.
    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    /// This instant and `duration`; `None` if the system cannot express it.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// This instant less `duration`; `None` if the system cannot express it.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
    }

    /// This instant and `duration`, or the latest instant that there is, which no timer ever reaches.
    #[inline]
    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration)
            .unwrap_or_else(|| Self(tick::latest()))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the latest instant that the system can express, which no timer ever reaches.
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// Saturates at the earliest instant that the system can express.
    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration)
            .unwrap_or_else(|| Self(tick::earliest()))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// The time between the two; zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl From<StdInstant> for Instant {
    fn from(std: StdInstant) -> Self {
        Self(std)
    }
}

impl From<Instant> for StdInstant {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
