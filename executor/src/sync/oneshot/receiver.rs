//! The end that receives: a future.

use std::{
    fmt,
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll, ready},
};

use gopark_net::note::{self, WaitReason};

use super::{
    super::blocking,
    channel::{Channel, Side, Taken, Wait},
    error::{RecvError, TryRecvError},
};

/// Receives one value from its [`Sender`](super::Sender): await it.
///
/// # Cancel safety
///
/// The future may be dropped and so end the channel; or keep it and poll a reference, `(&mut
/// receiver).await`, of which dropping loses nothing.
///
/// # Errors
///
/// [`RecvError`] if the sender was dropped without having sent, or the receiver was
/// [closed](Self::close) before.
///
/// # Panics
///
/// It panics when polled after it was ready, or after [`try_recv`](Self::try_recv) has returned
/// anything but [`TryRecvError::Empty`].
///
/// # Examples
///
/// ```
/// use gopark::sync::oneshot;
///
/// gopark::block_on(async {
///     let (sender, receiver) = oneshot::channel::<u32>();
///     drop(sender);
///     assert!(receiver.await.is_err());
/// });
/// ```
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Receiver<T> {
    /// `None` once the outcome was given out. Else it is there: rule 1 of `channel`.
    channel: Option<NonNull<Channel<T>>>,
}

// SAFETY: what both ends share follows the rules of `channel`; values go from thread to thread.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: through `&Receiver` only the word is read.
unsafe impl<T: Send> Sync for Receiver<T> {}

impl<T> Receiver<T> {
    /// The one receiver of a fresh channel.
    #[inline]
    pub(super) fn new(channel: NonNull<Channel<T>>) -> Self {
        Self {
            channel: Some(channel),
        }
    }

    /// The value, if it was sent already. Once a value or `Closed` was returned, it is `Closed` for
    /// ever.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if it may still be sent, else [`TryRecvError::Closed`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.take() {
            None => Err(TryRecvError::Empty),
            Some(Ok(value)) => Ok(value),
            Some(Err(RecvError(()))) => Err(TryRecvError::Closed),
        }
    }

    /// Waits on this thread, which may be one of a runtime or none.
    ///
    /// In a task it gives the processor to another thread meanwhile, as
    /// [`block_eager`](crate::block_eager) does.
    ///
    /// # Errors
    ///
    /// As awaiting it.
    ///
    /// # Panics
    ///
    /// As awaiting it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// let thread = std::thread::spawn(move || receiver.recv_blocking());
    /// sender.send(5).unwrap();
    /// assert_eq!(thread.join().unwrap(), Ok(5));
    /// ```
    #[track_caller]
    pub fn recv_blocking(self) -> Result<T, RecvError> {
        blocking::wait(self)
    }

    /// Refuses what was not sent yet, and tells the sender so. A value that is there already can still
    /// be received.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::oneshot::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// receiver.close();
    /// assert_eq!(sender.send(1), Err(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn close(&mut self) {
        if let Some(channel) = self.channel() {
            super::wake(channel.close());
        }
    }

    /// Whether the outcome was given out, so that polling again would panic.
    pub fn is_terminated(&self) -> bool {
        self.channel.is_none()
    }

    /// Whether no value is there to be received at this moment.
    pub fn is_empty(&self) -> bool {
        !self.channel().is_some_and(Channel::has_value)
    }

    #[inline]
    fn channel(&self) -> Option<&Channel<T>> {
        let channel = self.channel.as_ref()?;
        // SAFETY: the receiver is not gone, so the channel is there (rule 1 of `channel`).
        Some(unsafe { channel.as_ref() })
    }

    /// The outcome, if there is one; after that nothing is left of this end.
    #[inline]
    fn take(&mut self) -> Option<Result<T, RecvError>> {
        let Some(channel) = self.channel else {
            return Some(Err(RecvError(())));
        };
        // SAFETY: we are the receiver; below it is gone where `take` says so.
        match unsafe { Channel::take(channel) } {
            Taken::Empty => None,
            Taken::Value(value) => {
                self.channel = None;
                Some(Ok(value))
            }
            Taken::Nothing => {
                self.channel = None;
                Some(Err(RecvError(())))
            }
            Taken::Closed => {
                self.leave();
                Some(Err(RecvError(())))
            }
        }
    }

    fn leave(&mut self) {
        if let Some(channel) = self.channel.take() {
            // SAFETY: we are the receiver, and this is our last step.
            let (wakers, value) = unsafe { Channel::leave_receiver(channel) };
            super::wake(wakers);
            drop(value);
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(
            this.channel.is_some(),
            "a oneshot receiver was polled after it had given out its value"
        );
        let unit = ready!(note::poll_proceed(cx));
        loop {
            if let Some(outcome) = this.take() {
                unit.made_progress();
                return Poll::Ready(outcome);
            }
            let Some(channel) = this.channel() else {
                unreachable!("nothing was taken")
            };
            match channel.wait(Side::Receiver, cx.waker()) {
                Wait::Over => {}
                Wait::Waiting => {
                    note::park(WaitReason::Oneshot);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<T> Drop for Receiver<T> {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("empty", &self.is_empty())
            .field("terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}
