//! The end that receives.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use gopark_net::note::WaitReason;
use pin_project_lite::pin_project;

use super::{
    super::{
        blocking,
        gate::Place,
        leaf::{Leaf, Wait},
    },
    RecvError, TryRecvError,
    shared::{Shared, is_closed, position},
    stream::Stream,
    value::Share,
};

/// Receives every value that is sent while it is there.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The number of the value that it receives next.
    next: u64,
}

impl<T> Receiver<T> {
    /// One more receiver.
    #[track_caller]
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        let next = shared.add_receiver();
        Self { shared, next }
    }

    /// The number of values that it has not received, the lost ones included.
    pub fn len(&self) -> usize {
        (position(self.shared.sent.load()) - self.next) as usize
    }

    /// Whether it has received all that was sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all senders were dropped. There may be values left.
    pub fn is_closed(&self) -> bool {
        is_closed(self.shared.sent.load())
    }

    /// The number of senders that keep the channel open.
    pub fn sender_strong_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// The number of [`WeakSender`](super::WeakSender)s.
    pub fn sender_weak_count(&self) -> usize {
        self.shared.weak.load(Ordering::Relaxed)
    }

    /// Another receiver, of all that is sent from now on.
    ///
    /// # Panics
    ///
    /// If the channel has as many as it can have.
    #[track_caller]
    pub fn resubscribe(&self) -> Self {
        Self::new(self.shared.clone())
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if values are lost; the next call has the oldest that is left.
    /// [`RecvError::Closed`] if there are no senders and no values any more.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it was ready, it has received nothing.
    ///
    /// # Panics
    ///
    /// Passes a panic of the value's `clone` on. The value counts as received.
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        Leaf::new(Recv {
            place: Place::new(&self.shared.sent),
            shared: &*self.shared,
            next: &mut self.next,
        })
        .await
    }

    /// [`recv`](Self::recv), on this thread, which may be one of a runtime or none.
    ///
    /// # Errors
    ///
    /// As `recv`.
    ///
    /// # Panics
    ///
    /// As `recv`.
    pub fn recv_blocking(&mut self) -> Result<T, RecvError> {
        blocking::wait(self.recv())
    }

    /// The next value, if it was sent already.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), or [`TryRecvError::Empty`] if there is none yet.
    ///
    /// # Panics
    ///
    /// As `recv`.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.take(&mut self.next).map(Share::own)
    }

    /// All that it receives, as a stream. It ends with the channel; values that are lost are an item,
    /// [`RecvError::Lagged`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing: this receiver goes on where it ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use futures::StreamExt;
    ///
    /// gopark::block_on(async {
    ///     let (sender, mut receiver) = gopark::sync::broadcast::channel(8);
    ///     sender.send(1).unwrap();
    ///     sender.send(2).unwrap();
    ///     drop(sender);
    ///     let mut all = pin!(receiver.stream());
    ///     while let Some(value) = all.next().await {
    ///         println!("{}", value.unwrap());
    ///     }
    /// });
    /// ```
    pub fn stream(&mut self) -> Stream<'_, T> {
        Stream::new(Recv {
            place: Place::new(&self.shared.sent),
            shared: &*self.shared,
            next: &mut self.next,
        })
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.remove_receiver(self.next);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

pin_project! {
    pub(super) struct Recv<'a, T> {
        shared: &'a Shared<T>,
        next: &'a mut u64,
        #[pin]
        place: Place<'a>,
    }
}

impl<T: Clone> Wait for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    const REASON: WaitReason = WaitReason::Broadcast;

    #[inline]
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.shared.take(this.next) {
                Ok(value) => return Poll::Ready(Ok(value.own())),
                Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError::Closed)),
                Err(TryRecvError::Lagged(count)) => {
                    return Poll::Ready(Err(RecvError::Lagged(count)));
                }
                Err(TryRecvError::Empty) => {}
            }
            let next = **this.next;
            let news = |word| (position(word) != next || is_closed(word)).then_some(());
            ready!(this.place.as_mut().poll(cx.waker(), news));
        }
    }
}
