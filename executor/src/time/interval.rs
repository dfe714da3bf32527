//! [`interval`], [`interval_at`] and what they do about ticks that were missed.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use gopark_net::note::{self, WaitReason};

use super::{
    Duration, Instant,
    sleep::{FirstPoll, Sleep, sleep_until},
};

/// How late a tick may be before it counts as missed: timers count in milliseconds and a busy task may
/// have to wait for its turn. The figure is tokio's.
const TOLERANCE: Duration = Duration::from_millis(5);

/// Ticks now and then every `period`.
///
/// The first [`tick`](Interval::tick) is ready at once. A tick that is noticed late does not delay the
/// ones after it, unless [`MissedTickBehavior`] says so.
///
/// # Panics
///
/// If `period` is zero.
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{Duration, Instant, interval};
///
/// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
/// let start = Instant::now();
/// let mut every = interval(Duration::from_millis(10));
/// every.tick().await; // at once
/// every.tick().await;
/// every.tick().await;
/// assert_eq!(start.elapsed(), Duration::from_millis(20));
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert_period(period);
    Interval::new(Instant::now(), period)
}

/// Ticks at `start` and then every `period`; see [`interval`].
///
/// # Panics
///
/// If `period` is zero.
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{Duration, Instant, interval_at};
///
/// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
/// let start = Instant::now() + Duration::from_millis(50);
/// let mut every = interval_at(start, Duration::from_millis(10));
/// assert_eq!(every.tick().await, start);
/// assert_eq!(every.tick().await, start + Duration::from_millis(10));
/// # });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert_period(period);
    Interval::new(start, period)
}

#[track_caller]
fn assert_period(period: Duration) {
    assert!(
        !period.is_zero(),
        "the period of an interval must be longer than zero"
    );
}

/// What an [`Interval`] does when ticks were missed, because nobody called
/// [`tick`](Interval::tick) for longer than its period.
///
/// With a period of 50 ms, ticks at 0 and 50, and a task that is then busy until 220:
///
/// ```text
///          0    50             [busy]              220   250   270   300   320
/// Burst    x    x              (100, 150, 200)     xxx   x           x
/// Delay    x    x              (100)               x           x           x
/// Skip     x    x              (100)               x     x           x
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Ticks are made up for as fast as possible, so that after some time as many have come as if
    /// none had been late.
    #[default]
    Burst,
    /// The next tick comes a full period after the late one: there is always a period between two.
    Delay,
    /// What was missed is skipped: the next tick comes at the next multiple of the period from the
    /// start.
    Skip,
}

impl MissedTickBehavior {
    /// The tick after the one of `due`, which was noticed too late, at `now`.
    fn after(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due.saturating_add(period),
            Self::Delay => now.saturating_add(period),
            Self::Skip => {
                let into_period = now.saturating_duration_since(due).as_nanos() % period.as_nanos();
                now.saturating_add(period - duration_of(into_period))
            }
        }
    }
}

/// A duration of `nanos`, which are fewer than those of some other duration.
fn duration_of(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    Duration::new((nanos / SECOND) as u64, (nanos % SECOND) as u32)
}

/// What [`interval`] and [`interval_at`] return.
///
/// It ticks only while somebody asks; nothing runs in between.
pub struct Interval {
    delay: Pin<Box<Sleep>>,
    period: Duration,
    missed: MissedTickBehavior,
}

impl Interval {
    fn new(start: Instant, period: Duration) -> Self {
        let delay = Box::pin(sleep_until(start));
        Self {
            delay,
            period,
            missed: MissedTickBehavior::default(),
        }
    }

    /// Waits for the next tick; returns the instant for which it was planned.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no tick: the next call gets it.
    ///
    /// # Panics
    ///
    /// As [`sleep`](super::sleep()).
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// As [`tick`](Self::tick), for use in other futures: registers the task if the tick has not
    /// come yet.
    ///
    /// # Panics
    ///
    /// As [`sleep`](super::sleep()).
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let unit = ready!(note::poll_proceed(cx));
        if self
            .delay
            .as_mut()
            .poll_deadline(cx, FirstPoll::AsksClock)
            .is_pending()
        {
            note::park(WaitReason::Interval);
            return Poll::Pending;
        }
        unit.made_progress();
        let due = self.delay.deadline();
        let now = Instant::now();
        let next = if now > due.saturating_add(TOLERANCE) {
            self.missed.after(due, now, self.period)
        } else {
            due.saturating_add(self.period)
        };
        self.delay.as_mut().reset(next);
        Poll::Ready(due)
    }

    /// Starts again: the next tick comes one period from now.
    pub fn reset(&mut self) {
        self.reset_at(Instant::now().saturating_add(self.period));
    }

    /// Starts again: the next tick comes at once.
    pub fn reset_immediately(&mut self) {
        self.reset_at(Instant::now());
    }

    /// Starts again: the next tick comes `after` from now.
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(Instant::now().saturating_add(after));
    }

    /// Starts again: the next tick comes at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.delay.as_mut().reset(deadline);
    }

    /// What happens to ticks that are missed; [`Burst`](MissedTickBehavior::Burst) at first.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Sets what happens to ticks that are missed.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("next", &self.delay.deadline())
            .field("period", &self.period)
            .field("missed_tick_behavior", &self.missed)
            .finish()
    }
}
