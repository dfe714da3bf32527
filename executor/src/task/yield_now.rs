//! Letting others run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use gopark_net::note::{self, WaitReason};

/// Goes to the back of the run queue once, so that everything else that is due on this processor runs
/// first.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped.
///
/// # Examples
///
/// ```
/// gopark::block_on(async {
///     for _ in 0..3 {
///         gopark::yield_now().await;
///     }
/// });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        note::park(WaitReason::Yield);
        // A task that is woken while it runs is appended to the queue, not put in `runnext`.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
