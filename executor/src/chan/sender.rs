//! The sending half.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::closed::Closed;
use super::core::{Chan, Reach, release, retain, wake, wake_all};
use super::error::{SendError, SendManyError, SendTimeoutError, TrySendError};
use super::reserve::{OwnedPermit, Permit, Reserve};
use super::reserve_many::ReserveMany;
use super::send::{Send, SendOpt};
use super::state::{NotReceived, NotSent};
use super::{blocking, many, timed};
use crate::time::Instant;

/// Sends messages into a channel. Clones send into the same one.
///
/// When the last sender is dropped, the channel is closed: receivers get what is in it, and then
/// [`RecvError`](super::RecvError).
pub struct Sender<T> {
    chan: Arc<Chan<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(chan: Arc<Chan<T>>) -> Self {
        Self { chan }
    }

    pub(super) fn chan(&self) -> &Chan<T> {
        &self.chan
    }

    /// Sends a message; waits while the channel is full, or, with capacity 0, until a receiver takes it. What it
    /// says at capacity 0 that this has ended, and what more can be had, stands at
    /// [`rendezvous`](super::rendezvous).
    ///
    /// Senders that wait are served in the order in which they came.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel is closed, also if it is closed while this waits.
    ///
    /// # Cancel safety
    ///
    /// A receiver may take the message from a send that waits, before its next poll. So when the future is
    /// dropped, the message has been sent, or is dropped with it; [`Send::cancel`] tells which, and gives it
    /// back. In gopark's [`select!`](crate::select) a send that is not chosen has not happened. Two
    /// sends in the `select!` of another crate may both happen; there use [`reserve`](Self::reserve), or
    /// [`send_opt`](Self::send_opt).
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::bounded(1);
    ///     tx.send("hello").await.unwrap();
    ///     assert_eq!(rx.recv().await, Ok("hello"));
    ///     drop(rx);
    ///     assert_eq!(tx.send("lost").await.unwrap_err().into_inner(), "lost");
    /// });
    /// ```
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send::new(&self.chan, value)
    }

    /// Sends the message in `source`, which is None afterwards if and only if it was sent.
    ///
    /// # Errors
    ///
    /// Fails if the channel is closed; the message is in `source` again.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the message has been sent or is in `source`.
    ///
    /// # Panics
    ///
    /// Panics if it is polled with `source` None.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::rendezvous();
    ///     let mut message = Some(String::from("hello"));
    ///     assert!(futures::poll!(Box::pin(tx.send_opt(&mut message))).is_pending());
    ///     assert!(message.is_some());
    ///     drop(rx);
    /// });
    /// ```
    pub fn send_opt<'a>(&'a self, source: &'a mut Option<T>) -> SendOpt<'a, T> {
        SendOpt::new(&self.chan, source)
    }

    /// Sends a message if that can be done at once.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel is full (with capacity 0: if no receiver waits) or closed.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let sent = self.chan.lock().try_send(value);
        match sent {
            Ok(waker) => {
                wake(waker);
                Ok(())
            }
            Err(NotSent::Full(value)) => Err(TrySendError::Full(value)),
            Err(NotSent::Closed(value)) => Err(TrySendError::Disconnected(value)),
        }
    }

    /// Sends a message, and blocks the thread as long as [`send`](Self::send) would wait. In a task
    /// the thread gives its processor up meanwhile.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel is closed.
    pub fn send_blocking(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => blocking::wait(self.send(value)),
        }
    }

    /// Sends a message, but waits for `duration` at most.
    ///
    /// # Errors
    ///
    /// Gives the message back if the time is up, or the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_timeout(
        &self,
        value: T,
        duration: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        timed::send(self.send(value), crate::time::sleep(duration)).await
    }

    /// Sends a message, but waits until `deadline` at most.
    ///
    /// # Errors
    ///
    /// Gives the message back if the time is up, or the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_deadline(
        &self,
        value: T,
        deadline: Instant,
    ) -> Result<(), SendTimeoutError<T>> {
        timed::send(self.send(value), crate::time::sleep_until(deadline)).await
    }

    /// Sends a message, and blocks the thread for `duration` at most.
    ///
    /// # Errors
    ///
    /// Gives the message back if the time is up, or the channel is closed.
    pub fn send_timeout_blocking(
        &self,
        value: T,
        duration: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(value)) => Err(SendTimeoutError::Disconnected(value)),
            Err(TrySendError::Full(value)) => blocking::send_for(self.send(value), duration),
        }
    }

    /// Sends a message, and blocks the thread until `deadline` at most.
    ///
    /// # Errors
    ///
    /// Gives the message back if the time is up, or the channel is closed.
    pub fn send_deadline_blocking(
        &self,
        value: T,
        deadline: Instant,
    ) -> Result<(), SendTimeoutError<T>> {
        self.send_timeout_blocking(value, deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits for a place in the channel, and keeps it for one message. With capacity 0 it waits for a
    /// receiver to wait.
    ///
    /// # Errors
    ///
    /// Fails if the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is sent before [`Permit::send`], so nothing is lost or sent twice, in any select.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::bounded(1);
    ///     let permit = tx.reserve().await.unwrap();
    ///     assert!(tx.try_send("no room").is_err());
    ///     permit.send("kept").unwrap();
    ///     assert_eq!(rx.try_recv(), Ok("kept"));
    /// });
    /// ```
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve::new(&self.chan)
    }

    /// As [`reserve`](Self::reserve); the permit keeps the sender.
    ///
    /// # Errors
    ///
    /// Fails if the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// As [`reserve`](Self::reserve); the sender is dropped with the future.
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        // The place passes from the one kind of permit to the other without being given back.
        let permit = self.reserve().await?;
        std::mem::forget(permit);
        Ok(OwnedPermit::new(self))
    }

    /// Waits for `count` places in the channel, and keeps each for one message. With capacity 0 it waits for
    /// so many receivers to wait at once.
    ///
    /// It waits once, in its turn among all that wait to send, and those behind it wait until it has all of its
    /// places. Until then the places that become free are kept for it, and [`is_full`](Self::is_full) says true.
    ///
    /// # Errors
    ///
    /// Fails if the channel is closed; and at once if `count` is more than the capacity of a channel that holds
    /// messages.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, places that it has go to those that wait behind it.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::bounded(2);
    ///     for (permit, message) in tx.reserve_many(2).await.unwrap().zip(["both", "or none"]) {
    ///         permit.send(message).unwrap();
    ///     }
    ///     assert_eq!(rx.drain().collect::<Vec<_>>(), ["both", "or none"]);
    ///     let error = tx.reserve_many(3).await.unwrap_err();
    ///     assert_eq!(error.to_string(), "reserving 3 places in a channel of capacity 2");
    /// });
    /// ```
    pub fn reserve_many(&self, count: usize) -> ReserveMany<'_, T> {
        ReserveMany::new(&self.chan, count)
    }

    /// Reserves a place if that can be done at once.
    ///
    /// # Errors
    ///
    /// Fails if the channel is full or closed.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        let reserved = self.chan.lock().try_reserve(1);
        match reserved {
            Ok(()) => Ok(Permit::new(&self.chan)),
            Err(NotReceived::Empty) => Err(TrySendError::Full(())),
            Err(NotReceived::Closed) => Err(TrySendError::Disconnected(())),
        }
    }

    /// Sends a message at once: if the channel is full, the oldest message makes room and is given
    /// back. With capacity 0 that is the message itself, if no receiver waits.
    ///
    /// # Errors
    ///
    /// Gives the message back if the channel is closed.
    pub fn force_send(&self, value: T) -> Result<Option<T>, SendError<T>> {
        let mut state = self.chan.lock();
        match state.try_send(value) {
            Ok(waker) => {
                drop(state);
                wake(waker);
                Ok(None)
            }
            Err(NotSent::Closed(value)) => Err(SendError(value)),
            Err(NotSent::Full(value)) => Ok(Some(state.replace_oldest(value))),
        }
    }

    /// Sends all messages of an iterator in their order, waits where it must, and returns how many. Many
    /// that find room are sent under one lock.
    ///
    /// # Errors
    ///
    /// If the channel is closed, gives back all messages that were not sent, as an iterator: those that were
    /// taken already, at most 64, and then the one that was given. It says how many were sent, too.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, some messages have been sent, and up to 64 that were taken from the
    /// iterator may be dropped with it.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::unbounded();
    ///     assert_eq!(tx.send_many(0..100).await.unwrap(), 100);
    ///     rx.close();
    ///     let error = tx.send_many(100..1000).await.unwrap_err();
    ///     assert_eq!(error.sent(), 0);
    ///     assert!(error.into_iter().eq(100..1000));
    /// });
    /// ```
    pub async fn send_many<I>(&self, messages: I) -> Result<usize, SendManyError<I::IntoIter>>
    where
        I: IntoIterator<Item = T>,
    {
        many::send_many(&self.chan, messages.into_iter()).await
    }

    /// Waits until the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub fn closed(&self) -> Closed<'_, T> {
        Closed::new(&self.chan)
    }

    /// Closes the channel; true if this call did. Receivers get what is in it, and senders that wait get
    /// their messages back.
    pub fn close(&self) -> bool {
        self.chan.close()
    }

    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            chan: Arc::downgrade(&self.chan),
        }
    }

    /// Whether the other sends into the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chan, &other.chan)
    }
}

super::common_methods!(Sender);

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        retain(&self.chan.senders);
        Self {
            chan: self.chan.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if release(&self.chan.senders) {
            let mut wakers = Vec::new();
            self.chan.lock().close(&mut wakers);
            wake_all(wakers);
        }
    }
}

/// A message is put in whole or not at all, also if a waker panics.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Reach<T> for Sender<T> {
    fn chan(&self) -> &Chan<T> {
        &self.chan
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// A sender that does not keep its channel open, from [`Sender::downgrade`].
pub struct WeakSender<T> {
    chan: Weak<Chan<T>>,
}

impl<T> WeakSender<T> {
    /// A sender, if there still is one.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let chan = self.chan.upgrade()?;
        let mut count = chan.senders.load(Ordering::Relaxed);
        while count > 0 {
            match chan.senders.compare_exchange_weak(
                count,
                count + 1,
                Ordering::Relaxed, // the count publishes nothing but itself
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Sender { chan }),
                Err(now) => count = now,
            }
        }
        None
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            chan: self.chan.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
