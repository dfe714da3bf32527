//! What the workloads need of a channel, and all the channels that are compared.
//!
//! The abstraction costs nothing: everything is monomorphised, and the futures are the channels' own.

use std::marker::PhantomData;

use gopark::chan;
use tokio::sync::mpsc;

use super::Tasks;
use super::threads::Threads;
use crate::rt;

/// The capacity of a channel that has no limit.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// A channel on a runtime.
pub(super) trait Channel: 'static {
    type Tasks: Tasks;
    type Sender: Clone + Send + Sync + 'static;
    type Receiver: Send + 'static;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver);

    /// One more receiver of the same channel.
    fn another(receiver: &Self::Receiver) -> Self::Receiver;

    /// Sends a message, and waits for room.
    fn send(sender: &Self::Sender, message: usize) -> impl Future<Output = ()> + Send;

    /// Waits for a message; None if all senders are gone.
    fn recv(receiver: &mut Self::Receiver) -> impl Future<Output = Option<usize>> + Send;

    /// Sends a message; true if that could be done at once.
    fn try_send(sender: &Self::Sender, message: usize) -> bool;

    /// Receives a message if there is one.
    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize>;
}

const RECEIVED: &str = "the receivers stay until all senders are gone";

/// gopark's own, on gopark.
#[derive(Debug)]
pub(super) struct Own<R>(PhantomData<R>);

impl<R: Tasks> Channel for Own<R> {
    type Tasks = R;
    type Sender = chan::Sender<usize>;
    type Receiver = chan::Receiver<usize>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        match capacity {
            UNBOUNDED => chan::unbounded(),
            _ => chan::bounded(capacity),
        }
    }

    fn another(receiver: &Self::Receiver) -> Self::Receiver {
        receiver.clone()
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send(message).await.expect(RECEIVED);
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await.ok()
    }

    fn try_send(sender: &Self::Sender, message: usize) -> bool {
        sender.try_send(message).is_ok()
    }

    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.try_recv().ok()
    }
}

/// tokio's own, on tokio.
#[derive(Debug)]
pub(super) struct Tokio;

impl Channel for Tokio {
    type Tasks = rt::Tokio;
    type Sender = mpsc::Sender<usize>;
    type Receiver = mpsc::Receiver<usize>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity)
    }

    fn another(_: &Self::Receiver) -> Self::Receiver {
        unreachable!("tokio's channel has one receiver")
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send(message).await.expect(RECEIVED);
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await
    }

    fn try_send(sender: &Self::Sender, message: usize) -> bool {
        sender.try_send(message).is_ok()
    }

    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.try_recv().ok()
    }
}

/// tokio's own without a limit, which is another type.
#[derive(Debug)]
pub(super) struct TokioUnbounded;

impl Channel for TokioUnbounded {
    type Tasks = rt::Tokio;
    type Sender = mpsc::UnboundedSender<usize>;
    type Receiver = mpsc::UnboundedReceiver<usize>;

    fn make(_: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::unbounded_channel()
    }

    fn another(_: &Self::Receiver) -> Self::Receiver {
        unreachable!("tokio's channel has one receiver")
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send(message).expect(RECEIVED);
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await
    }

    fn try_send(sender: &Self::Sender, message: usize) -> bool {
        sender.send(message).is_ok()
    }

    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.try_recv().ok()
    }
}

/// kanal, on tokio and on gopark.
#[derive(Debug)]
pub(super) struct Kanal<R>(PhantomData<R>);

impl<R: Tasks> Channel for Kanal<R> {
    type Tasks = R;
    type Sender = kanal::AsyncSender<usize>;
    type Receiver = kanal::AsyncReceiver<usize>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        match capacity {
            UNBOUNDED => kanal::unbounded_async(),
            _ => kanal::bounded_async(capacity),
        }
    }

    fn another(receiver: &Self::Receiver) -> Self::Receiver {
        receiver.clone()
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send(message).await.expect(RECEIVED);
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await.ok()
    }

    fn try_send(sender: &Self::Sender, message: usize) -> bool {
        sender.try_send(message).expect(RECEIVED)
    }

    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.try_recv().ok()?
    }
}

/// async-channel, on tokio.
#[derive(Debug)]
pub(super) struct AsyncChannel;

impl Channel for AsyncChannel {
    type Tasks = rt::Tokio;
    type Sender = async_channel::Sender<usize>;
    type Receiver = async_channel::Receiver<usize>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        match capacity {
            UNBOUNDED => async_channel::unbounded(),
            _ => async_channel::bounded(capacity),
        }
    }

    fn another(receiver: &Self::Receiver) -> Self::Receiver {
        receiver.clone()
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send(message).await.expect(RECEIVED);
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await.ok()
    }

    fn try_send(sender: &Self::Sender, message: usize) -> bool {
        sender.try_send(message).is_ok()
    }

    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.try_recv().ok()
    }
}

/// flume, on tokio.
#[derive(Debug)]
pub(super) struct Flume;

impl Channel for Flume {
    type Tasks = rt::Tokio;
    type Sender = flume::Sender<usize>;
    type Receiver = flume::Receiver<usize>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        match capacity {
            UNBOUNDED => flume::unbounded(),
            _ => flume::bounded(capacity),
        }
    }

    fn another(receiver: &Self::Receiver) -> Self::Receiver {
        receiver.clone()
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send_async(message).await.expect(RECEIVED);
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv_async().await.ok()
    }

    fn try_send(sender: &Self::Sender, message: usize) -> bool {
        sender.try_send(message).is_ok()
    }

    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.try_recv().ok()
    }
}

/// crossbeam, between threads.
#[derive(Debug)]
pub(super) struct Crossbeam;

impl Channel for Crossbeam {
    type Tasks = Threads;
    type Sender = crossbeam_channel::Sender<usize>;
    type Receiver = crossbeam_channel::Receiver<usize>;

    fn make(capacity: usize) -> (Self::Sender, Self::Receiver) {
        match capacity {
            UNBOUNDED => crossbeam_channel::unbounded(),
            _ => crossbeam_channel::bounded(capacity),
        }
    }

    fn another(receiver: &Self::Receiver) -> Self::Receiver {
        receiver.clone()
    }

    async fn send(sender: &Self::Sender, message: usize) {
        sender.send(message).expect(RECEIVED);
    }

    async fn recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().ok()
    }

    fn try_send(sender: &Self::Sender, message: usize) -> bool {
        sender.try_send(message).is_ok()
    }

    fn try_recv(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.try_recv().ok()
    }
}
