//! The end that changes the value.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;
use pin_project_lite::pin_project;

use super::{
    super::{
        gate::Place,
        leaf::{Leaf, Wait},
    },
    Receiver, Ref, SendError,
    shared::{Shared, count},
};

/// Changes the value that its [`Receiver`]s watch. It can be cloned, and shared.
///
/// When the last sender is dropped, receivers that have seen the last value get an error.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// A sender without receivers; [`subscribe`](Self::subscribe) makes them.
    pub fn new(init: T) -> Self {
        Self::from_shared(Arc::new(Shared::new(init)))
    }

    /// One that is counted already.
    pub(super) fn from_shared(shared: Arc<Shared<T>>) -> Self {
        Self { shared }
    }

    /// Puts a value in place of the present one, and wakes all who wait for a change.
    ///
    /// It blocks the thread while a [`Ref`] is held. The old value is dropped after the lock.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is no receiver; then nothing changes. To change it all the same
    /// use [`send_replace`](Self::send_replace).
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow(), 2);
    /// drop(receiver);
    /// assert_eq!(sender.send(3), Err(watch::SendError(3)));
    /// assert_eq!(*sender.borrow(), 2);
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Changes the value where it is, and wakes all who wait for a change.
    ///
    /// # Panics
    ///
    /// Passes a panic of the closure on. What it did to the value stays, and wakes nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = gopark::sync::watch::channel(vec![1]);
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.borrow(), [1, 2]);
    /// ```
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value where it is; the closure says whether it did, and only then are receivers
    /// told. Returns what the closure returned.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Self::send_modify).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = gopark::sync::watch::channel(5);
    /// let raise = |to: i32| sender.send_if_modified(|n| to > *n && { *n = to; true });
    /// assert!(!raise(4));
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// assert!(raise(6));
    /// ```
    #[inline]
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let mut value = self.shared.write();
        if !modify(&mut value) {
            return false;
        }
        let change = self.shared.advance();
        drop(value);
        self.shared.changes.open(change);
        true
    }

    /// Puts a value in place of the present one and returns that, whether or not there are receivers.
    #[inline]
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|place| mem::swap(place, &mut value));
        value
    }

    /// The present value; see [borrowing](super#borrowing).
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref {
            value: self.shared.read(),
            has_changed: false,
        }
    }

    /// A receiver that counts the present value as seen.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(self.shared.clone(), self.shared.version())
    }

    /// Waits until there is no receiver.
    ///
    /// By the time it returns there may be one again ([`subscribe`](Self::subscribe)).
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let (sender, receiver) = gopark::sync::watch::channel(());
    ///     gopark::spawn(async move { drop(receiver) });
    ///     sender.closed().await;
    ///     assert!(sender.is_closed());
    /// });
    /// ```
    pub async fn closed(&self) {
        Leaf::new(Closed {
            place: Place::new(&self.shared.receivers),
        })
        .await;
    }

    /// Whether there is no receiver at this moment.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// The number of receivers at this moment.
    #[inline]
    pub fn receiver_count(&self) -> usize {
        self.shared.receiver_count()
    }

    /// The number of senders at this moment.
    pub fn sender_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.add_sender();
        Self::from_shared(self.shared.clone())
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
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
            .field("senders", &self.sender_count())
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

pin_project! {
    struct Closed<'a> {
        #[pin]
        place: Place<'a>,
    }
}

impl Wait for Closed<'_> {
    type Output = ();

    const REASON: WaitReason = WaitReason::Watch;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project()
            .place
            .poll(cx.waker(), |word| (count(word) == 0).then_some(()))
    }
}
