//! [`timeout`], [`timeout_at`], their future and its error.

use std::{
    error, fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use gopark_net::note;
use pin_project_lite::pin_project;

use super::{
    Duration, Instant,
    sleep::{FirstPoll, Sleep, sleep_until},
};

/// Runs `future` for at most `duration`, counted from this call.
///
/// The future is polled first, so one that is ready is never timed out, however late it is polled; a
/// future that is ready at its first poll costs one look at the clock and nothing else. When the
/// deadline comes first the output is [`Elapsed`], and the future is dropped with the [`Timeout`]. A
/// duration too long for an [`Instant`] means no limit.
///
/// A future that never returns from `poll` is not interrupted: no future can be.
///
/// # Cancel safety
///
/// Dropping the `Timeout` drops `future`; it is as cancel safe as that.
///
/// # Errors
///
/// [`Elapsed`], which converts into an [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut).
///
/// # Panics
///
/// As [`sleep`](super::sleep()).
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{Duration, timeout};
///
/// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
/// let second = Duration::from_secs(1);
/// assert_eq!(timeout(second, async { 7 }).await, Ok(7));
/// assert!(timeout(second, std::future::pending::<()>()).await.is_err());
/// # });
/// ```
#[inline]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    let delay = sleep_until(Instant::now().saturating_add(duration));
    let first = if duration.is_zero() {
        FirstPoll::AsksClock
    } else {
        FirstPoll::AsksWheel
    };
    Timeout {
        future: future.into_future(),
        delay,
        first,
    }
}

/// Runs `future` until `deadline` at most; see [`timeout`].
///
/// # Cancel safety
///
/// As for [`timeout`].
///
/// # Errors
///
/// As for [`timeout`].
///
/// # Panics
///
/// As [`sleep`](super::sleep()).
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{Duration, Instant, timeout_at};
///
/// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(10);
/// for _ in 0..2 {
///     // Both share one deadline.
///     assert!(timeout_at(deadline, std::future::pending::<()>()).await.is_err());
/// }
/// # });
/// ```
#[inline]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        delay: sleep_until(deadline),
        first: FirstPoll::AsksClock,
    }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        delay: Sleep,
        first: FirstPoll,
    }
}

impl<F> Timeout<F> {
    /// The future that is limited.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future that is limited.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future, without its limit.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = note::budget() > 0;
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A future that used the budget up must not keep its deadline from being noticed; but where
        // the budget was used up before, time-outs that elapse have to give way like all others.
        if !had_budget && note::poll_proceed(cx).is_pending() {
            return Poll::Pending;
        }
        match this.delay.poll_deadline(cx, *this.first) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                charge(cx);
                Poll::Ready(Err(Elapsed(())))
            }
        }
    }
}

/// Takes a unit of what is left of the budget.
fn charge(cx: &mut Context<'_>) {
    if note::budget() > 0 {
        if let Poll::Ready(unit) = note::poll_proceed(cx) {
            unit.made_progress();
        }
    }
}

/// The error of [`timeout`]: the deadline came before the future was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}
