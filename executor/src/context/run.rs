//! [`Run`]: a future that is dropped when its context is done.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{self, Poll, ready},
};

use gopark_net::note;
use pin_project_lite::pin_project;

use crate::big::clear;

use super::{Context, ContextError, done::Wait};

pin_project! {
    /// The future of [`Context::run`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Run<'a, F> {
        context: &'a Context,
        wait: Wait,
        // None once it is over.
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Run<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(this.context.node());
        }
    }
}

impl<'a, F> Run<'a, F> {
    pub(super) fn new(context: &'a Context, future: F) -> Self {
        Self {
            context,
            wait: Wait::default(),
            future: Some(future),
        }
    }
}

impl<F: Future> Future for Run<'_, F> {
    type Output = Result<F::Output, ContextError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            panic!("a context's Run was polled after its completion");
        };
        if let Some(error) = this.context.err() {
            ready!(note::poll_proceed(cx)).made_progress();
            clear(this.future.as_mut());
            return Poll::Ready(Err(error));
        }
        if let Poll::Ready(output) = future.poll(cx) {
            clear(this.future.as_mut());
            return Poll::Ready(Ok(output));
        }
        // After the poll, so that a future that is ready costs no place on the roll.
        ready!(this.wait.poll(this.context.node(), cx));
        clear(this.future.as_mut());
        let ended = this.context.err();
        Poll::Ready(Err(ended.unwrap_or(ContextError::Cancelled)))
    }
}

impl<F> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
