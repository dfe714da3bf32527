//! Sending and receiving within a time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError};
use super::recv::Recv;
use super::send::Send;
use crate::time::Sleep;

/// Receives until `sleep` ends. What comes at the same moment wins.
pub(super) async fn recv<T>(recv: Recv<'_, T>, sleep: Sleep) -> Result<T, RecvTimeoutError> {
    let (mut recv, mut sleep) = (pin!(recv), pin!(sleep));
    poll_fn(|cx| {
        if let Poll::Ready(received) = recv.as_mut().poll(cx) {
            return Poll::Ready(received.map_err(|RecvError| RecvTimeoutError::Disconnected));
        }
        sleep
            .as_mut()
            .poll(cx)
            .map(|()| Err(RecvTimeoutError::Timeout))
    })
    .await
}

/// Sends until `sleep` ends. A receiver that comes at the same moment wins.
pub(super) async fn send<T>(send: Send<'_, T>, sleep: Sleep) -> Result<(), SendTimeoutError<T>> {
    let (mut send, mut sleep) = (pin!(send), pin!(sleep));
    poll_fn(|cx| {
        if let Poll::Ready(sent) = send.as_mut().poll(cx) {
            return Poll::Ready(
                sent.map_err(|SendError(value)| SendTimeoutError::Disconnected(value)),
            );
        }
        match sleep.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(match send.as_mut().cancel() {
                Some(value) => Err(SendTimeoutError::Timeout(value)),
                None => Ok(()),
            }),
        }
    })
    .await
}
