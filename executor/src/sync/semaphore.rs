//! A semaphore for tasks: `raw_semaphore` with a face.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;

use super::{
    blocking,
    leaf::{Leaf, Wait},
    permit::{OwnedSemaphorePermit, SemaphorePermit},
    raw_semaphore::{Acquire, MAX_PERMITS, RawSemaphore, Refused, poll_acquire},
    waiters::Waiter,
};

/// A number of permits that tasks take and give back.
///
/// It is fair: who waits is served in the order in which the waits began, however many permits each
/// wants. Permits that are too few for the first in the queue are kept for it, so a big request is not
/// starved by small ones. While nobody waits, taking and giving back are one atomic operation each.
///
/// # Examples
///
/// At most two at a time:
///
/// ```
/// use gopark::sync::Semaphore;
///
/// static CONNECTIONS: Semaphore = Semaphore::new(2);
///
/// # async fn connect() {}
/// gopark::block_on(async {
///     let tasks: Vec<_> = (0..10)
///         .map(|_| {
///             gopark::spawn(async {
///                 let _permit = CONNECTIONS.acquire().await.unwrap();
///                 connect().await;
///             })
///         })
///         .collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(CONNECTIONS.available_permits(), 2);
/// });
/// ```
#[derive(Debug)]
pub struct Semaphore {
    raw: RawSemaphore,
}

impl Semaphore {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = MAX_PERMITS;

    /// A semaphore with so many permits. It may stand in a `static`.
    ///
    /// # Panics
    ///
    /// If those are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    pub const fn new(permits: usize) -> Self {
        assert!(
            permits <= MAX_PERMITS,
            "a semaphore cannot have more than Semaphore::MAX_PERMITS permits"
        );
        Self {
            raw: RawSemaphore::new(permits),
        }
    }

    /// How many permits nobody has. Some of them may be kept for a bigger request that waits.
    pub fn available_permits(&self) -> usize {
        self.raw.permits()
    }

    /// Takes a permit, and waits for it if need be. It is given back when the guard is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place in the queue. If it had been served already, the
    /// permits go to the next.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] if the semaphore is closed, also while it waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::Semaphore;
    ///
    /// gopark::block_on(async {
    ///     let semaphore = Semaphore::new(2);
    ///     let permit = semaphore.acquire().await.unwrap();
    ///     assert_eq!(semaphore.available_permits(), 1);
    ///     drop(permit);
    ///     assert_eq!(semaphore.available_permits(), 2);
    /// });
    /// ```
    #[inline]
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1).await
    }

    /// Takes so many permits, all at once.
    ///
    /// It waits for ever if the semaphore never has as many.
    ///
    /// ```
    /// use gopark::sync::Semaphore;
    ///
    /// gopark::block_on(async {
    ///     let megabytes = Semaphore::new(64);
    ///     let buffer = megabytes.acquire_many(16).await.unwrap();
    ///     assert_eq!((buffer.num_permits(), megabytes.available_permits()), (16, 48));
    /// });
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// If it wants more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[inline]
    pub async fn acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.enter(count).await?;
        Ok(SemaphorePermit::new(self, count))
    }

    /// Like [`acquire`](Self::acquire), with a permit that keeps the semaphore alive instead of
    /// borrowing it.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::Semaphore;
    ///
    /// gopark::block_on(async {
    ///     let semaphore = Arc::new(Semaphore::new(1));
    ///     let permit = semaphore.clone().acquire_owned().await.unwrap();
    ///     gopark::spawn(async move { drop(permit) });
    ///     semaphore.acquire().await.unwrap();
    /// });
    /// ```
    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1).await
    }

    /// Like [`acquire_many`](Self::acquire_many), with a permit that keeps the semaphore alive.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// As for [`acquire_many`](Self::acquire_many).
    pub async fn acquire_many_owned(
        self: Arc<Self>,
        count: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.enter(count).await?;
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    /// Takes a permit, and blocks the thread until it has it. It may be called anywhere, as
    /// [`Mutex::lock_blocking`](super::Mutex::lock_blocking).
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = gopark::sync::Semaphore::new(1);
    /// assert!(semaphore.acquire_blocking().is_ok());
    /// ```
    pub fn acquire_blocking(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many_blocking(1)
    }

    /// Takes so many permits, and blocks the thread until it has them.
    ///
    /// # Errors
    ///
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// As for [`acquire_many`](Self::acquire_many).
    pub fn acquire_many_blocking(&self, count: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        blocking::wait(self.enter(count))?;
        Ok(SemaphorePermit::new(self, count))
    }

    /// Takes a permit if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] if there is none, or others wait, or the semaphore is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    /// drop(permit);
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if that is possible at once.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn try_acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.raw.try_acquire(count as usize)?;
        Ok(SemaphorePermit::new(self, count))
    }

    /// Like [`try_acquire`](Self::try_acquire), with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Like [`try_acquire_many`](Self::try_acquire_many), with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    ///
    /// As for [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        count: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.raw.try_acquire(count as usize)?;
        Ok(OwnedSemaphorePermit::new(self, count))
    }

    /// Adds permits, and serves who waits for them.
    ///
    /// ```
    /// let semaphore = gopark::sync::Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert!(semaphore.try_acquire_many(2).is_ok());
    /// ```
    ///
    /// # Panics
    ///
    /// If there were more than [`MAX_PERMITS`](Self::MAX_PERMITS) then, and nothing is added.
    pub fn add_permits(&self, count: usize) {
        self.raw.release(count);
    }

    /// Takes up to so many available permits away for ever; returns how many it took.
    ///
    /// ```
    /// let semaphore = gopark::sync::Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(2), 1);
    /// ```
    pub fn forget_permits(&self, count: usize) -> usize {
        self.raw.forget(count)
    }

    /// Closes it for ever: who waits, and who comes, gets an error. Permits that were taken stay valid.
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let semaphore = gopark::sync::Semaphore::new(0);
    ///     semaphore.close();
    ///     assert!(semaphore.acquire().await.is_err());
    /// });
    /// ```
    pub fn close(&self) {
        self.raw.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.raw.is_closed()
    }

    #[inline]
    fn enter(&self, count: u32) -> Leaf<Waiter<Acquire<'_>>> {
        Leaf::new(self.raw.waiter(count as usize))
    }
}

impl Wait for Waiter<Acquire<'_>> {
    type Output = Result<(), AcquireError>;

    const REASON: WaitReason = WaitReason::Semaphore;

    #[inline]
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_acquire(self, cx.waker()).map_err(|_| AcquireError(()))
    }
}

/// The semaphore is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquireError(());

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl Error for AcquireError {}

/// Why a permit could not be had at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore is closed.
    Closed,
    /// There are too few permits, or others wait for them.
    NoPermits,
}

impl From<Refused> for TryAcquireError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closed => Self::Closed,
            Refused::NoPermits => Self::NoPermits,
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the semaphore is closed",
            Self::NoPermits => "the semaphore has too few permits",
        })
    }
}

impl Error for TryAcquireError {}
