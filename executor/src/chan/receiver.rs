//! The receiving half.

use std::fmt;
use std::iter::FusedIterator;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use super::core::{Chan, Reach, Waiter, release, retain};
use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use super::many::{Drain, RecvMany};
use super::recv::{self, Recv};
use super::state::NotReceived;
use super::{blocking, timed};
use crate::time::Instant;

/// Receives messages from a channel. Each message goes to one receiver; clones compete for them, and
/// those that wait are served in the order in which they came.
///
/// It is a [`Stream`] of messages, and [`iter`](Self::iter) blocks a thread for each. When the last
/// receiver is dropped, the channel is closed, and what is in it is dropped.
pub struct Receiver<T> {
    chan: Arc<Chan<T>>,
    /// Where the stream waits: made when it first has to, and kept.
    stream: Option<Pin<Box<Waiter>>>,
}

impl<T> Receiver<T> {
    pub(super) fn new(chan: Arc<Chan<T>>) -> Self {
        Self { chan, stream: None }
    }

    pub(super) fn chan(&self) -> &Chan<T> {
        &self.chan
    }

    /// Receives a message; waits while there is none.
    ///
    /// # Errors
    ///
    /// Fails if the channel is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// No message is lost or changes its place in the order when the future is dropped, at any
    /// capacity, in any select. A message that was kept for it goes to the receiver that waits next,
    /// or to whoever comes.
    ///
    /// # A receive that is not polled any more
    ///
    /// A receive that waits and is woken is owed one message: the channel keeps one back until the future is
    /// polled or dropped. A future that is neither, because its task waits for something else first, keeps it
    /// from all others. If what that task waits for needs the message, both wait for ever:
    ///
    /// ```no_run
    /// # gopark::block_on(async {
    /// # let (_tx, rx) = gopark::chan::bounded::<u32>(1);
    /// let mut first = std::pin::pin!(rx.recv());
    /// # let second =
    /// futures::select_biased! {
    ///     message = futures::FutureExt::fuse(&mut first) => message,
    ///     // A message that comes now is kept for `first`, which lives on.
    ///     _ = futures::FutureExt::fuse(gopark::yield_now()) => rx.recv().await,
    /// }
    /// # ; let _ = second; });
    /// ```
    ///
    /// The way out is to give the receive itself to the select, which then drops it (`rx.recv()` in an arm
    /// and not `&mut first`), to drop it before waiting for anything else, or to run what lives on as a task
    /// of its own. The report of deadlocks on the current-thread flavour names such a wait.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::rendezvous();
    ///     gopark::spawn(async move { tx.send(1).await });
    ///     assert_eq!(rx.recv().await, Ok(1));
    ///     assert_eq!(rx.recv().await, Err(gopark::chan::RecvError)); // the sender is gone
    /// });
    /// ```
    pub fn recv(&self) -> Recv<'_, T> {
        Recv::new(&self.chan)
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    ///
    /// Says whether the channel is only empty, or closed, too.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        recv::try_recv(self).map_err(|reason| match reason {
            NotReceived::Empty => TryRecvError::Empty,
            NotReceived::Closed => TryRecvError::Disconnected,
        })
    }

    /// Receives a message, and blocks the thread while there is none. In a task the thread gives its
    /// processor up meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if the channel is closed and empty.
    pub fn recv_blocking(&self) -> Result<T, RecvError> {
        match self.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvError),
            Err(TryRecvError::Empty) => blocking::wait(self.recv()),
        }
    }

    /// Receives a message, but waits for `duration` at most.
    ///
    /// # Errors
    ///
    /// Fails if the time is up, or the channel is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn recv_timeout(&self, duration: Duration) -> Result<T, RecvTimeoutError> {
        timed::recv(self.recv(), crate::time::sleep(duration)).await
    }

    /// Receives a message, but waits until `deadline` at most.
    ///
    /// # Errors
    ///
    /// Fails if the time is up, or the channel is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// As [`recv`](Self::recv).
    pub async fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        timed::recv(self.recv(), crate::time::sleep_until(deadline)).await
    }

    /// Receives a message, and blocks the thread for `duration` at most.
    ///
    /// # Errors
    ///
    /// Fails if the time is up, or the channel is closed and empty.
    pub fn recv_timeout_blocking(&self, duration: Duration) -> Result<T, RecvTimeoutError> {
        match self.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => blocking::recv_for(self.recv(), duration),
        }
    }

    /// Receives a message, and blocks the thread until `deadline` at most.
    ///
    /// # Errors
    ///
    /// Fails if the time is up, or the channel is closed and empty.
    pub fn recv_deadline_blocking(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_timeout_blocking(deadline.saturating_duration_since(Instant::now()))
    }

    /// Receives up to `limit` messages into `buffer`, under one lock; waits only while there is none.
    /// Returns how many came: 0 if the channel is closed and empty, or `limit` is 0.
    ///
    /// # Cancel safety
    ///
    /// No message is lost when the future is dropped: `buffer` has either got some, and then the future is
    /// ready, or none.
    pub fn recv_many<'a>(&'a self, buffer: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T> {
        RecvMany::new(&self.chan, buffer, limit)
    }

    /// Takes the messages that are there now, without waiting for more.
    pub fn drain(&self) -> Drain<'_, T> {
        Drain::new(self)
    }

    /// The messages, until the channel is closed and empty. Blocks the thread for each; in a task the
    /// thread gives its processor up meanwhile.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// The messages that can be had without waiting.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }

    /// Closes the channel; true if this call did. What is in it can still be received, and senders that
    /// wait get their messages back.
    pub fn close(&self) -> bool {
        self.chan.close()
    }

    /// A receiver that does not keep the channel open.
    pub fn downgrade(&self) -> WeakReceiver<T> {
        WeakReceiver {
            chan: Arc::downgrade(&self.chan),
        }
    }

    /// Whether the other receives from the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chan, &other.chan)
    }
}

super::common_methods!(Receiver);

impl<T> Reach<T> for Receiver<T> {
    #[inline]
    fn chan(&self) -> &Chan<T> {
        &self.chan
    }
}

/// A message is taken whole or not at all, also if a waker panics.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        retain(&self.chan.receivers);
        Self::new(self.chan.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let Some(waiter) = &self.stream {
            recv::withdraw(&self.chan, waiter);
        }
        if release(&self.chan.receivers) {
            self.chan.disconnect_receivers();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let waiter = this.stream.get_or_insert_with(|| Box::pin(Waiter::new()));
        // SAFETY: (1) the waiter is boxed, and the receiver's drop withdraws.
        unsafe { recv::poll_recv(&this.chan, waiter, cx) }.map(Result::ok)
    }
}

impl<T> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.chan.lock().is_drained()
    }
}

/// The iterator of [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(&'a Receiver<T>);

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv_blocking().ok()
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

/// The iterator of [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a Receiver<T>);

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

/// The iterator that a receiver becomes.
#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv_blocking().ok()
    }
}

impl<T> FusedIterator for IntoIter<T> {}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// A receiver that does not keep its channel open, from [`Receiver::downgrade`].
pub struct WeakReceiver<T> {
    chan: Weak<Chan<T>>,
}

impl<T> WeakReceiver<T> {
    /// A receiver, if there still is one.
    pub fn upgrade(&self) -> Option<Receiver<T>> {
        let chan = self.chan.upgrade()?;
        let mut count = chan.receivers.load(Ordering::Relaxed);
        while count > 0 {
            match chan.receivers.compare_exchange_weak(
                count,
                count + 1,
                Ordering::Relaxed, // the count publishes nothing but itself
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Receiver::new(chan)),
                Err(now) => count = now,
            }
        }
        None
    }
}

impl<T> Clone for WeakReceiver<T> {
    fn clone(&self) -> Self {
        Self {
            chan: self.chan.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakReceiver").finish_non_exhaustive()
    }
}
