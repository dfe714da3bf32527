//! The end that sends and never waits.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;
use pin_project_lite::pin_project;

use super::{
    super::{
        gate::Place,
        leaf::{Leaf, Wait},
    },
    Receiver, SendError,
    shared::{Policy, Refused, Shared, count},
};

/// Sends values to all its [`Receiver`]s. It can be cloned, and shared.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// A [`Sender`] that does not keep the channel open.
pub struct WeakSender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// A sender without receivers; [`subscribe`](Self::subscribe) makes them.
    ///
    /// # Panics
    ///
    /// If `capacity` is zero, or more than memory can hold.
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self {
            shared: Shared::new(capacity, Policy::Lossy),
        }
    }

    /// Sends a value to all receivers that are there, and returns how many they are. It never waits; if
    /// the channel is full, its oldest value is lost for those who have not received it.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::broadcast::{SendError, channel};
    ///
    /// let (sender, receiver) = channel(1);
    /// drop(receiver);
    /// assert_eq!(sender.send(1), Err(SendError(1)));
    /// let mut receiver = sender.subscribe();
    /// assert_eq!(sender.send(2), Ok(1));
    /// assert_eq!(receiver.try_recv(), Ok(2));
    /// ```
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        self.shared
            .send(value)
            .map_err(|(Refused::NoReceiver(value) | Refused::Full(value))| SendError(value))
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

    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender::new(self.shared.clone())
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
    /// By the time it returns there may be one again ([`subscribe`](Self::subscribe)).
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn closed(&self) {
        closed(&self.shared).await;
    }

    /// The number of senders that keep the channel open.
    pub fn strong_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// The number of [`WeakSender`]s.
    pub fn weak_count(&self) -> usize {
        self.shared.weak.load(Ordering::Relaxed)
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

impl<T> WeakSender<T> {
    fn new(shared: Arc<Shared<T>>) -> Self {
        shared.weak.fetch_add(1, Ordering::Relaxed);
        Self { shared }
    }

    /// A sender that keeps the channel open, unless the last one of those was dropped.
    ///
    /// ```
    /// let (sender, _receiver) = gopark::sync::broadcast::channel::<u8>(1);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.shared.try_add_sender().then(|| Sender {
            shared: self.shared.clone(),
        })
    }

    /// The number of senders that keep the channel open.
    pub fn strong_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// The number of weak ones.
    pub fn weak_count(&self) -> usize {
        self.shared.weak.load(Ordering::Relaxed)
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone())
    }
}

impl<T> Drop for WeakSender<T> {
    fn drop(&mut self) {
        self.shared.weak.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

pub(super) fn closed<T>(shared: &Shared<T>) -> impl Future<Output = ()> + use<'_, T> {
    Leaf::new(Closed {
        place: Place::new(&shared.receivers),
    })
}

pin_project! {
    struct Closed<'a> {
        #[pin]
        place: Place<'a>,
    }
}

impl Wait for Closed<'_> {
    type Output = ();

    const REASON: WaitReason = WaitReason::Broadcast;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project()
            .place
            .poll(cx.waker(), |word| (count(word) == 0).then_some(()))
    }
}
