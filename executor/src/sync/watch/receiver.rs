//! The end that watches.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use gopark_net::note::{self, Budgeted, WaitReason};
use pin_project_lite::pin_project;

use super::{
    super::{
        blocking,
        gate::Place,
        leaf::{Leaf, Wait},
    },
    RecvError, Ref,
    shared::{Shared, Version, news},
};

/// Watches the value of a channel. A clone has seen what its original has.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version of the value that was seen last.
    seen: Version,
}

impl<T> Receiver<T> {
    /// One more receiver.
    pub(super) fn new(shared: Arc<Shared<T>>, seen: Version) -> Self {
        shared.add_receiver();
        Self { shared, seen }
    }

    /// Waits until there is a value that was not seen yet, and counts it as seen.
    ///
    /// The value itself is then read by [`borrow`](Self::borrow) or
    /// [`borrow_and_update`](Self::borrow_and_update). A value that is newer than the one of which this
    /// tells is told of by the next call, unless `borrow_and_update` has seen it.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if all senders were dropped and the last value was seen.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it was ready, it has counted nothing as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::watch;
    ///
    /// gopark::block_on(async {
    ///     let (sender, mut receiver) = watch::channel(1);
    ///     sender.send(2).unwrap();
    ///     drop(sender);
    ///     assert!(receiver.changed().await.is_ok());
    ///     assert_eq!(*receiver.borrow(), 2);
    ///     assert!(receiver.changed().await.is_err());
    /// });
    /// ```
    #[inline]
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        changed(&self.shared, &mut self.seen).await
    }

    /// [`changed`](Self::changed), on this thread, which may be one of a runtime or none.
    ///
    /// # Errors
    ///
    /// As `changed`.
    pub fn changed_blocking(&mut self) -> Result<(), RecvError> {
        blocking::wait(self.changed())
    }

    /// Whether there is a value that was not seen yet.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if all senders were dropped, whether or not the last value was seen.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        if self.is_closed() {
            return Err(RecvError(()));
        }
        Ok(self.seen != self.shared.version())
    }

    /// Whether all senders were dropped.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// The present value, which stays unseen if it was; see [borrowing](super#borrowing).
    pub fn borrow(&self) -> Ref<'_, T> {
        let value = self.shared.read();
        Ref {
            has_changed: self.seen != self.shared.version(),
            value,
        }
    }

    /// The present value, which counts as seen from now on; see [borrowing](super#borrowing).
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = self.shared.read();
        let version = self.shared.version();
        let has_changed = self.seen != version;
        self.seen = version;
        Ref { value, has_changed }
    }

    /// Waits for a value of which `is_it` is true, the present one included, and returns it. All values
    /// that were looked at count as seen.
    ///
    /// The closure runs under the lock of the value.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if all senders were dropped and it is not true of the last value.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it was ready, it has seen the values that it looked at.
    ///
    /// # Panics
    ///
    /// Passes a panic of the closure on.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::watch;
    ///
    /// gopark::block_on(async {
    ///     let (sender, mut receiver) = watch::channel(0);
    ///     gopark::spawn(async move {
    ///         for n in 1..=10 {
    ///             sender.send_replace(n);
    ///         }
    ///     });
    ///     assert!(*receiver.wait_for(|n| *n >= 7).await.unwrap() >= 7);
    /// });
    /// ```
    pub async fn wait_for(
        &mut self,
        mut is_it: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        // The unit of a look that finds it at once; each wait below asks by itself.
        poll_fn(|cx| note::poll_proceed(cx).map(Budgeted::made_progress)).await;
        let mut told = false;
        loop {
            {
                let value = self.shared.read();
                let version = self.shared.version();
                let has_changed = told || self.seen != version;
                self.seen = version;
                if is_it(&value) {
                    return Ok(Ref { value, has_changed });
                }
            }
            changed(&self.shared, &mut self.seen).await?;
            told = true;
        }
    }

    /// [`wait_for`](Self::wait_for), on this thread, which may be one of a runtime or none.
    ///
    /// # Errors
    ///
    /// As `wait_for`.
    ///
    /// # Panics
    ///
    /// As `wait_for`.
    pub fn wait_for_blocking(
        &mut self,
        is_it: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        blocking::wait(self.wait_for(is_it))
    }

    /// Counts the present value as not seen, so that [`changed`](Self::changed) is ready at once.
    pub fn mark_changed(&mut self) {
        self.seen = self.shared.version().before();
    }

    /// Counts the present value as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version();
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self::new(self.shared.clone(), self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.remove_receiver();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("closed", &self.is_closed())
            .field("changed", &(self.seen != self.shared.version()))
            .finish_non_exhaustive()
    }
}

#[inline]
fn changed<'a, T>(shared: &'a Shared<T>, seen: &'a mut Version) -> Leaf<Changed<'a>> {
    Leaf::new(Changed {
        place: Place::new(&shared.changes),
        seen,
    })
}

pin_project! {
    struct Changed<'a> {
        #[pin]
        place: Place<'a>,
        seen: &'a mut Version,
    }
}

impl Wait for Changed<'_> {
    type Output = Result<(), RecvError>;

    const REASON: WaitReason = WaitReason::Watch;

    #[inline]
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let seen = **this.seen;
        let news = ready!(this.place.poll(cx.waker(), |word| news(word, seen)));
        Poll::Ready(news.map(|version| **this.seen = version))
    }
}
