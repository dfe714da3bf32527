//! A sender as a `Sink`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use super::core::Waiter;
use super::error::SendError;
use super::reserve::{self, OwnedPermit};
use super::sender::Sender;

/// A sender as a [`Sink`], from [`Sender::into_sink`].
///
/// It is ready when a place in the channel is kept for it, so `start_send` never fails for want of room,
/// and what was sent is in the channel at once: flushing waits for nothing.
pub struct SendSink<T> {
    sender: Option<Sender<T>>,
    /// Where it waits for a place: made when it first has to, and kept.
    waiter: Option<Pin<Box<Waiter>>>,
    permit: Option<OwnedPermit<T>>,
}

impl<T> Sender<T> {
    /// This sender as a [`Sink`].
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{SinkExt, StreamExt};
    ///
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::bounded(4);
    ///     let mut sink = tx.into_sink();
    ///     sink.send_all(&mut futures::stream::iter([Ok(1), Ok(2)])).await.unwrap();
    ///     drop(sink);
    ///     assert_eq!(rx.collect::<Vec<_>>().await, [1, 2]);
    /// });
    /// ```
    pub fn into_sink(self) -> SendSink<T> {
        SendSink {
            sender: Some(self),
            waiter: None,
            permit: None,
        }
    }
}

impl<T> Sink<T> for SendSink<T> {
    type Error = SendError<()>;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = &mut *self;
        if this.permit.is_some() {
            return Poll::Ready(Ok(()));
        }
        let Some(sender) = &this.sender else {
            return Poll::Ready(Err(SendError(())));
        };
        let waiter = this.waiter.get_or_insert_with(|| Box::pin(Waiter::new()));
        // SAFETY: (1) the waiter is boxed, and `withdraw` below is called before it goes.
        ready!(unsafe { reserve::poll_reserve(sender.chan(), waiter, cx) })?;
        this.permit = Some(OwnedPermit::new(sender.clone()));
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, value: T) -> Result<(), Self::Error> {
        let permit = self.permit.take();
        let permit =
            permit.expect("start_send on a sink that is not ready; expected poll_ready first");
        permit.send(value).map(drop).map_err(|_| SendError(()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl<T> SendSink<T> {
    /// Gives up what it waits for, its place, and the sender.
    fn end(&mut self) {
        if let (Some(sender), Some(waiter)) = (&self.sender, &self.waiter) {
            reserve::withdraw(sender.chan(), waiter);
        }
        self.permit = None;
        self.sender = None;
    }
}

impl<T> Drop for SendSink<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> fmt::Debug for SendSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendSink").finish_non_exhaustive()
    }
}
