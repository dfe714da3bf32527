//! The end that sends.

use std::{
    fmt,
    mem::ManuallyDrop,
    ptr::NonNull,
    task::{Context, Poll, ready},
};

use gopark_net::note::{self, WaitReason};

use super::channel::{Channel, Side, Wait};

/// Sends one value to its [`Receiver`](super::Receiver).
///
/// Dropped without having sent, it ends the receiver's wait with an error.
pub struct Sender<T> {
    /// There until this is dropped or has sent: rule 1 of `channel`. `NonNull` of a type with a cell
    /// is invariant in `T`, as a type through which values go in must be.
    channel: NonNull<Channel<T>>,
}

// SAFETY: what both ends share follows the rules of `channel`; values go from thread to thread.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: through `&Sender` only the word is read.
unsafe impl<T: Send> Sync for Sender<T> {}

impl<T> Sender<T> {
    /// The one sender of a fresh channel.
    #[inline]
    pub(super) fn new(channel: NonNull<Channel<T>>) -> Self {
        Self { channel }
    }

    /// Sends the value, and wakes the receiver. It never waits.
    ///
    /// `Ok` means that the receiver can take it, not that it will: it may be dropped at any time, and
    /// then drops the value.
    ///
    /// # Errors
    ///
    /// Gives the value back if the receiver was closed or dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(1), Err(1));
    /// ```
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        let this = ManuallyDrop::new(self);
        // SAFETY: we are the sender, and are not dropped after this.
        let wakers = unsafe { Channel::send(this.channel, value) }?;
        super::wake(wakers);
        Ok(())
    }

    /// Whether the receiver was closed or dropped, so that nothing can be sent any more.
    ///
    /// `false` may be out of date at once.
    pub fn is_closed(&self) -> bool {
        self.channel().is_closed()
    }

    /// Waits until the receiver is closed or dropped.
    ///
    /// It is for work that nobody wants any more:
    ///
    /// ```
    /// use futures::future::{Either, select};
    /// use gopark::sync::oneshot;
    /// use std::pin::pin;
    ///
    /// gopark::block_on(async {
    ///     let (mut sender, receiver) = oneshot::channel::<u32>();
    ///     let worker = gopark::spawn(async move {
    ///         let work = pin!(std::future::pending::<u32>());
    ///         match select(work, pin!(sender.closed())).await {
    ///             Either::Left(_) => "done",
    ///             Either::Right(_) => "given up",
    ///         }
    ///     });
    ///     drop(receiver);
    ///     assert_eq!(worker.await.unwrap(), "given up");
    /// });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn closed(&mut self) {
        std::future::poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// Polls for what [`closed`](Self::closed) waits for. Only the waker of the last call is woken.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(note::poll_proceed(cx));
        match self.channel().wait(Side::Sender, cx.waker()) {
            Wait::Over => {
                unit.made_progress();
                Poll::Ready(())
            }
            Wait::Waiting => {
                note::park(WaitReason::Oneshot);
                Poll::Pending
            }
        }
    }

    #[inline]
    fn channel(&self) -> &Channel<T> {
        // SAFETY: the sender is not gone, so the channel is there (rule 1 of `channel`).
        unsafe { self.channel.as_ref() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // SAFETY: we are the sender, and this is our last step.
        super::wake(unsafe { Channel::leave_sender(self.channel) });
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
