//! [`Stream`]: a receiver as a stream.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{super::leaf::Leaf, RecvError, receiver::Recv};

pin_project! {
    /// The stream of [`Receiver::stream`](super::Receiver::stream).
    ///
    /// It is not [`Unpin`], because its place among those who wait is inside: pin it with
    /// [`std::pin::pin!`] or [`Box::pin`].
    #[must_use = "streams do nothing unless you poll them"]
    pub struct Stream<'a, T> {
        #[pin]
        recv: Leaf<Recv<'a, T>>,
    }
}

impl<'a, T> Stream<'a, T> {
    pub(super) fn new(recv: Recv<'a, T>) -> Self
    where
        T: Clone,
    {
        Self {
            recv: Leaf::new(recv),
        }
    }
}

impl<T: Clone> futures_core::Stream for Stream<'_, T> {
    type Item = Result<T, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // A receive that was ready can be polled for the next one.
        match ready!(self.project().recv.poll(cx)) {
            Err(RecvError::Closed) => Poll::Ready(None),
            item => Poll::Ready(Some(item)),
        }
    }
}

impl<T> fmt::Debug for Stream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
