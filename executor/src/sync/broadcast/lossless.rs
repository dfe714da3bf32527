//! The sender that waits: for channels of [`lossless`](super::lossless()).
//!
//! Those who wait to send do not queue: each room that a receiver makes is for whoever comes first.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
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
    Receiver, SendError, TrySendError,
    sender::closed,
    shared::{Refused, Shared},
};

/// Sends values to all its [`Receiver`]s, and waits for the slowest. It can be cloned, and shared.
///
/// Its receivers never meet [`RecvError::Lagged`](super::RecvError::Lagged). One that does not
/// receive holds everybody up: drop it.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// One that is counted already.
    pub(super) fn from_shared(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// Sends a value to all receivers that are there, as soon as there is room for it, and returns how
    /// many they are.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is no receiver, or none is left while it waits.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it was ready, it has sent nothing, and the value is dropped with it.
    pub async fn send(&self, value: T) -> Result<usize, SendError<T>> {
        Leaf::new(Sending {
            shared: &*self.shared,
            value: Some(value),
            place: Place::new(&self.shared.room),
        })
        .await
    }

    /// [`send`](Self::send), on this thread, which may be one of a runtime or none.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_blocking(&self, value: T) -> Result<usize, SendError<T>> {
        blocking::wait(self.send(value))
    }

    /// Sends a value if there is room for it now.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the value, if there is no room or no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::broadcast::{TrySendError, lossless};
    ///
    /// let (sender, mut receiver) = lossless(1);
    /// assert_eq!(sender.try_send(1), Ok(1));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(sender.try_send(2), Ok(1));
    /// ```
    pub fn try_send(&self, value: T) -> Result<usize, TrySendError<T>> {
        self.shared.send(value).map_err(|refused| match refused {
            Refused::Full(value) => TrySendError::Full(value),
            Refused::NoReceiver(value) => TrySendError::Closed(value),
        })
    }

    /// A receiver of all that is sent from now on.
    ///
    /// # Panics
    ///
    /// If the channel has as many as it can have.
    #[track_caller]
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(self.shared.clone())
    }

    /// The number of values that some receiver has still to receive.
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether every value was received by all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of receivers at this moment.
    pub fn receiver_count(&self) -> usize {
        self.shared.receiver_count()
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn closed(&self) {
        closed(&self.shared).await;
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.add_sender();
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.remove_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

pin_project! {
    struct Sending<'a, T> {
        shared: &'a Shared<T>,
        value: Option<T>,
        #[pin]
        place: Place<'a>,
    }
}

impl<T> Wait for Sending<'_, T> {
    type Output = Result<usize, SendError<T>>;

    const REASON: WaitReason = WaitReason::ChanSend;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            // Before the attempt: room that is made after it shows as another word.
            let before = this.shared.room.load();
            let value = this.value.take().expect("it is not polled after its end");
            match this.shared.send(value) {
                Ok(receivers) => return Poll::Ready(Ok(receivers)),
                Err(Refused::NoReceiver(value)) => return Poll::Ready(Err(SendError(value))),
                Err(Refused::Full(value)) => *this.value = Some(value),
            }
            let changed = |word| (word != before).then_some(());
            ready!(this.place.as_mut().poll(cx.waker(), changed));
        }
    }
}
