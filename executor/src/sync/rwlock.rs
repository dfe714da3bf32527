//! A read-write lock for tasks: the word and the queue of `raw_rwlock` around a value.

use std::{
    cell::UnsafeCell,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;

use super::{
    blocking,
    leaf::{Leaf, Wait},
    mutex::TryLockError,
    raw_rwlock::{Access, RawRwLock, Wanted, poll_enter},
    rwlock_guard::{RwLockReadGuard, RwLockWriteGuard},
    rwlock_owned::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard},
    waiters::Waiter,
};

/// A lock around a value that many may read, or one may change; holders may `.await`.
///
/// It is fair: who waits is let in in the order in which the waits began. So a writer that waits holds
/// back the readers that come after it, and no stream of readers keeps it out. Readers that follow each
/// other in the queue are let in together. While nobody waits, locking and unlocking are one atomic
/// operation each.
///
/// It is never poisoned: a panic of a holder unlocks it.
///
/// A task that reads and asks to read again may wait for ever, namely if a writer waits in between.
///
/// # Examples
///
/// ```
/// use gopark::sync::RwLock;
///
/// gopark::block_on(async {
///     let lock = RwLock::new(5);
///     {
///         let one = lock.read().await;
///         let other = lock.read().await;
///         assert_eq!(*one + *other, 10);
///     }
///     *lock.write().await += 1;
///     assert_eq!(*lock.read().await, 6);
/// });
/// ```
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    value: UnsafeCell<T>,
}

// SAFETY: it owns the value, and nothing in it is bound to a thread.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers share the value, so it must be Sync; a writer may take it out, so it must be Send.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// An unlocked lock. It may stand in a `static`.
    ///
    /// ```
    /// use gopark::sync::RwLock;
    ///
    /// static LEVEL: RwLock<u8> = RwLock::new(1);
    /// assert_eq!(*LEVEL.read_blocking(), 1);
    /// ```
    pub const fn new(value: T) -> Self {
        Self {
            raw: RawRwLock::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// The value; nobody can hold the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until it may read, together with other readers.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place in the queue. If it was its turn already, that goes to
    /// the next.
    ///
    /// # Panics
    ///
    /// If there are `usize::MAX / 4` readers.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::RwLock;
    ///
    /// gopark::block_on(async {
    ///     let lock = RwLock::new(1);
    ///     let (one, other) = (lock.read().await, lock.read().await);
    ///     assert_eq!(*one, *other);
    /// });
    /// ```
    #[inline]
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        self.enter(Access::Read).await;
        RwLockReadGuard::new(self)
    }

    /// Waits until it may write, alone.
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::RwLock;
    ///
    /// gopark::block_on(async {
    ///     let lock = RwLock::new(1);
    ///     *lock.write().await += 1;
    ///     assert_eq!(lock.into_inner(), 2);
    /// });
    /// ```
    #[inline]
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.enter(Access::Write).await;
        RwLockWriteGuard::new(self)
    }

    /// Like [`read`](Self::read), with a guard that keeps the lock alive instead of borrowing it.
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::RwLock;
    ///
    /// gopark::block_on(async {
    ///     let lock = Arc::new(RwLock::new(1));
    ///     let guard = lock.clone().read_owned().await;
    ///     gopark::spawn(async move { assert_eq!(*guard, 1) }).await.unwrap();
    /// });
    /// ```
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        self.enter(Access::Read).await;
        OwnedRwLockReadGuard::new(self)
    }

    /// Like [`write`](Self::write), with a guard that keeps the lock alive instead of borrowing it.
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        self.enter(Access::Write).await;
        OwnedRwLockWriteGuard::new(self)
    }

    /// Reads, and blocks the thread until it may. It may be called anywhere, as
    /// [`Mutex::lock_blocking`](super::Mutex::lock_blocking).
    ///
    /// # Panics
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gopark::sync::RwLock::new(1);
    /// *lock.write_blocking() += 1;
    /// assert_eq!(*lock.read_blocking(), 2);
    /// ```
    pub fn read_blocking(&self) -> RwLockReadGuard<'_, T> {
        self.enter_blocking(Access::Read);
        RwLockReadGuard::new(self)
    }

    /// Writes, and blocks the thread until it may. It may be called anywhere, as
    /// [`Mutex::lock_blocking`](super::Mutex::lock_blocking).
    pub fn write_blocking(&self) -> RwLockWriteGuard<'_, T> {
        self.enter_blocking(Access::Write);
        RwLockWriteGuard::new(self)
    }

    /// Reads if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if there is a writer, or somebody waits.
    ///
    /// # Panics
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = gopark::sync::RwLock::new(1);
    /// let reader = lock.try_read().unwrap();
    /// assert!(lock.try_read().is_ok());
    /// assert!(lock.try_write().is_err());
    /// drop(reader);
    /// ```
    #[inline]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.try_enter(Access::Read)?;
        Ok(RwLockReadGuard::new(self))
    }

    /// Writes if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if there is a reader or a writer, or somebody waits.
    #[inline]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.try_enter(Access::Write)?;
        Ok(RwLockWriteGuard::new(self))
    }

    /// Like [`try_read`](Self::try_read), with a guard that keeps the lock alive.
    ///
    /// # Errors
    ///
    /// As for [`try_read`](Self::try_read).
    ///
    /// # Panics
    ///
    /// As for [`read`](Self::read).
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        self.try_enter(Access::Read)?;
        Ok(OwnedRwLockReadGuard::new(self))
    }

    /// Like [`try_write`](Self::try_write), with a guard that keeps the lock alive.
    ///
    /// # Errors
    ///
    /// As for [`try_write`](Self::try_write).
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        self.try_enter(Access::Write)?;
        Ok(OwnedRwLockWriteGuard::new(self))
    }

    /// The value, without locking: nobody else can have the lock.
    ///
    /// ```
    /// let mut lock = gopark::sync::RwLock::new(1);
    /// *lock.get_mut() = 2;
    /// assert_eq!(lock.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn enter(&self, access: Access) -> Leaf<Waiter<Wanted<'_>>> {
        Leaf::new(self.raw.waiter(access))
    }

    fn enter_blocking(&self, access: Access) {
        if !self.raw.try_enter(access) {
            blocking::wait(self.enter(access));
        }
    }

    #[inline]
    fn try_enter(&self, access: Access) -> Result<(), TryLockError> {
        if self.raw.try_enter(access) {
            Ok(())
        } else {
            Err(TryLockError(()))
        }
    }

    pub(super) fn raw(&self) -> &RawRwLock {
        &self.raw
    }

    pub(super) fn value(&self) -> *mut T {
        self.value.get()
    }
}

impl Wait for Waiter<Wanted<'_>> {
    type Output = ();

    const REASON: WaitReason = WaitReason::Lock;

    #[inline]
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        poll_enter(self, cx.waker())
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => out.field("value", &&*guard),
            Err(_) => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}
