//! What each waiting future of this folder owes its executor: it asks the budget, and says why it
//! waits.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use gopark_net::note::{self, WaitReason};
use pin_project_lite::pin_project;

/// The waiting itself, which knows neither.
pub(crate) trait Wait {
    type Output;

    const REASON: WaitReason;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output>;
}

pin_project! {
    /// A [`Wait`] as a future.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(crate) struct Leaf<W> {
        #[pin]
        wait: W,
    }
}

impl<W: Wait> Leaf<W> {
    pub(crate) fn new(wait: W) -> Self {
        Self { wait }
    }

    /// The waiting itself.
    pub(crate) fn wait(self: Pin<&mut Self>) -> Pin<&mut W> {
        self.project().wait
    }
}

impl<W: Wait> Future for Leaf<W> {
    type Output = W::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<W::Output> {
        let unit = ready!(note::poll_proceed(cx));
        match self.project().wait.poll_wait(cx) {
            Poll::Ready(output) => {
                unit.made_progress();
                Poll::Ready(output)
            }
            Poll::Pending => {
                note::park(W::REASON);
                Poll::Pending
            }
        }
    }
}
