//! [`sleep`], [`sleep_until`] and their future.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use gopark_net::note::{self, WaitReason};
use pin_project_lite::pin_project;

use super::{
    Duration, Instant,
    alarm::{Alarm, Reset},
    clock::Clock,
    entry::{End, State},
    tick,
    timers::Armed,
};

/// Waits for `duration`, counted from this call.
///
/// The future is ready at the first millisecond of the runtime's clock that is not before the
/// deadline: never early, and late by the rounding and by however long the task then waits for its
/// turn. A duration too long for an [`Instant`], such as [`Duration::MAX`], means for ever; a duration
/// of zero is ready at its first poll.
///
/// It may be called anywhere. The future is bound to a runtime when it is first polled and has to
/// wait: to the one it is polled in, outside any to the default runtime.
///
/// # Cancel safety
///
/// Dropping it loses nothing. To wait for the rest later keep the [`Sleep`] and poll a reference.
///
/// # Panics
///
/// Polling it panics once the runtime that it is bound to has shut down.
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{Duration, Instant, sleep};
///
/// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
/// let start = Instant::now();
/// sleep(Duration::from_millis(100)).await;
/// assert!(start.elapsed() >= Duration::from_millis(100));
/// # });
/// ```
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now().saturating_add(duration))
}

/// Waits until `deadline`; see [`sleep`].
///
/// # Cancel safety
///
/// As for [`sleep`].
///
/// # Panics
///
/// As for [`sleep`].
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{Duration, Instant, sleep_until};
///
/// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
/// let deadline = Instant::now() + Duration::from_secs(1);
/// sleep_until(deadline).await;
/// assert!(Instant::now() >= deadline);
/// # });
/// ```
#[inline]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        deadline,
        alarm: Alarm::new(),
    }
}

pin_project! {
    /// The future of [`sleep`] and [`sleep_until`].
    ///
    /// It is not [`Unpin`], because the timer's place in its wheel is inside: pin it with
    /// [`std::pin::pin!`] or [`Box::pin`] to poll it more than once or to [`reset`](Self::reset) it.
    /// Polled again after it was ready it is ready again.
    ///
    /// # Examples
    ///
    /// One `Sleep` for all rounds of a loop:
    ///
    /// ```
    /// use std::pin::pin;
    /// use gopark::runtime::Builder;
    /// use gopark::time::{Duration, Instant, sleep};
    ///
    /// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
    /// let mut idle = pin!(sleep(Duration::from_secs(30)));
    /// for _ in 0..3 {
    ///     idle.as_mut().reset(Instant::now() + Duration::from_secs(30));
    ///     idle.as_mut().await;
    /// }
    /// # });
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Sleep {
        deadline: Instant,
        #[pin]
        alarm: Alarm,
    }
}

/// Whether a first poll asks the clock if the deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstPoll {
    /// It asks, and is ready at once if so.
    AsksClock,
    /// It is known that the deadline lay ahead a moment ago: the wheel will tell.
    AsksWheel,
}

impl Sleep {
    /// When it is ready.
    #[inline]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it has fired, so that the next poll is ready.
    ///
    /// A `Sleep` notices that its deadline passes only after its first poll.
    pub fn is_elapsed(&self) -> bool {
        self.alarm.state() == State::Fired
    }

    /// Sets another deadline, before or after it has fired.
    ///
    /// The task that polled it last is still woken, at the new deadline, without another poll; unless
    /// the sleep had fired already, or one of the two deadlines lies beyond the end of time and means
    /// "never": then the next poll has to start it. To a later deadline this costs no lock.
    ///
    /// A `Sleep` that waits in another runtime moves to the current one if the new deadline is earlier.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use gopark::runtime::Builder;
    /// use gopark::time::{Duration, Instant, sleep};
    ///
    /// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
    /// let start = Instant::now();
    /// let mut sleep = pin!(sleep(Duration::from_secs(60)));
    /// sleep.as_mut().reset(start + Duration::from_secs(5));
    /// sleep.await;
    /// assert_eq!(start.elapsed(), Duration::from_secs(5));
    /// # });
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let mut this = self.project();
        *this.deadline = deadline;
        match this.alarm.as_mut().reset(deadline.into_std()) {
            Reset::Done => {}
            Reset::Drop(waker) => drop(waker),
            Reset::Rearm(waker) => {
                if let Some(waker) = arm(this.alarm, deadline, waker, FirstPoll::AsksClock) {
                    waker.wake();
                }
            }
        }
    }

    /// Polls without asking the budget and without leaving a wait reason.
    #[inline]
    pub(super) fn poll_deadline(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        first: FirstPoll,
    ) -> Poll<()> {
        match ready!(self.poll_end(cx, first)) {
            End::Fired => Poll::Ready(()),
            End::Closed => closed(),
        }
    }

    /// Like `poll_deadline`, for those who outlive runtimes: says how it ended, and does not panic.
    #[inline]
    pub(crate) fn poll_end(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        first: FirstPoll,
    ) -> Poll<End> {
        let mut this = self.project();
        let state = match this.alarm.state() {
            State::Armed(_) => ready!(this.alarm.rewake(cx.waker())),
            State::Idle => {
                drop(arm(
                    this.alarm.as_mut(),
                    *this.deadline,
                    cx.waker().clone(),
                    first,
                ));
                this.alarm.state()
            }
            state => state,
        };
        match state {
            State::Fired => Poll::Ready(End::Fired),
            State::Closed => Poll::Ready(End::Closed),
            State::Idle | State::Armed(_) => Poll::Pending,
        }
    }
}

/// Arms an idle alarm at the timers of this thread; gives the waker back if it was not kept, that is
/// if the alarm is over now or its deadline never comes.
#[inline]
fn arm(
    mut alarm: Pin<&mut Alarm>,
    deadline: Instant,
    waker: std::task::Waker,
    first: FirstPoll,
) -> Option<std::task::Waker> {
    let armed = crate::sched::timer_home(|clock, timers| {
        if first == FirstPoll::AsksClock && clock.now() >= deadline {
            return Armed::Due(waker);
        }
        let tick = clock.tick_ceil(deadline);
        if tick == tick::NEVER {
            return never(clock, deadline, waker);
        }
        let armed = alarm.as_mut().arm(timers, tick, waker);
        if matches!(armed, Armed::First) {
            timers.announce(tick);
        }
        armed
    });
    match armed {
        Armed::Waiting | Armed::First => None,
        Armed::Never(waker) => Some(waker),
        Armed::Due(waker) => {
            alarm.settle(End::Fired);
            Some(waker)
        }
        Armed::Closed(waker) => {
            alarm.settle(End::Closed);
            Some(waker)
        }
    }
}

/// The deadline lies at the end of time, or beyond what a clock shows: it does not come, unless the clock
/// was set there.
#[cold]
fn never(clock: &Clock, deadline: Instant, waker: std::task::Waker) -> Armed {
    if clock.now() >= deadline {
        Armed::Due(waker)
    } else {
        Armed::Never(waker)
    }
}

#[cold]
fn closed() -> ! {
    panic!(
        "a gopark timer was polled after the shutdown of the runtime that it belongs to: \
         a `Sleep`, `Timeout` or `Interval` must not outlive its `Runtime`"
    )
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(note::poll_proceed(cx));
        match self.poll_deadline(cx, FirstPoll::AsksClock) {
            Poll::Ready(()) => {
                unit.made_progress();
                Poll::Ready(())
            }
            Poll::Pending => {
                note::park(WaitReason::Sleep);
                Poll::Pending
            }
        }
    }
}
