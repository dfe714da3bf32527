//! A mutex for tasks: the word and the queue of `raw_mutex` around a value.

use std::{
    cell::UnsafeCell,
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
    mutex_guard::MutexGuard,
    mutex_owned::OwnedMutexGuard,
    raw_mutex::{RawMutex, poll_lock},
    waiters::Waiter,
};
use crate::primitive::const_fn;

/// A lock around a value, whose holder may `.await`.
///
/// It is fair: who waits gets the lock in the order in which the waits began (the first polls of
/// [`lock`](Self::lock)), and an unlock hands it to the first of them, so nobody overtakes. As long as
/// nobody waits, locking and unlocking are one atomic operation each and wake no one.
///
/// It is never poisoned: a panic of the holder unlocks it, and leaves the value as it was then.
///
/// A guard may be held across an `.await`, and sent to another thread if the value may. Where no holder
/// awaits, [`std::sync::Mutex`] does as well, and is the simpler choice.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gopark::sync::Mutex;
///
/// gopark::block_on(async {
///     let sum = Arc::new(Mutex::new(0));
///     let tasks: Vec<_> = (0..10)
///         .map(|n| {
///             let sum = sum.clone();
///             gopark::spawn(async move {
///                 let mut sum = sum.lock().await;
///                 gopark::yield_now().await; // the others wait
///                 *sum += n;
///             })
///         })
///         .collect();
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(*sum.lock().await, 45);
/// });
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    value: UnsafeCell<T>,
}

// SAFETY: it owns the value, and nothing in it is bound to a thread.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: the value is reached by the holder of the lock alone, one thread at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    const_fn! {
        /// An unlocked mutex. It may stand in a `static`.
        ///
        /// ```
        /// use gopark::sync::Mutex;
        ///
        /// static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
        /// gopark::block_on(async { NAMES.lock().await.push("gopher".into()) });
        /// ```
        pub const fn new(value: T) -> Self {
            Self {
                raw: RawMutex::new(),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value; nobody can hold the lock.
    ///
    /// ```
    /// assert_eq!(gopark::sync::Mutex::new(1).into_inner(), 1);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, and waits for its turn if need be.
    ///
    /// A task that locks again while it holds the guard waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it loses its place in the queue. If it was its turn already, the lock goes
    /// to the next.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::Mutex;
    ///
    /// gopark::block_on(async {
    ///     let mutex = Mutex::new(1);
    ///     *mutex.lock().await += 1;
    ///     assert_eq!(mutex.into_inner(), 2);
    /// });
    /// ```
    #[inline]
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        Leaf::new(self.raw.waiter()).await;
        MutexGuard::new(self)
    }

    /// Like [`lock`](Self::lock), with a guard that keeps the mutex alive instead of borrowing it.
    ///
    /// # Cancel safety
    ///
    /// As for [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::Mutex;
    ///
    /// gopark::block_on(async {
    ///     let mutex = Arc::new(Mutex::new(1));
    ///     let guard = mutex.clone().lock_owned().await;
    ///     gopark::spawn(async move { assert_eq!(*guard, 1) }).await.unwrap();
    /// });
    /// ```
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        Leaf::new(self.raw.waiter()).await;
        OwnedMutexGuard::new(self)
    }

    /// Locks, and blocks the thread until it is its turn.
    ///
    /// For code that is not async. It may be called anywhere: within a task the processor is given to
    /// another thread first (see [`block_eager`](crate::block_eager)), so the holder can go on. What
    /// else waits in the same task waits, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// *mutex.lock_blocking() += 1;
    /// assert_eq!(*mutex.lock_blocking(), 2);
    /// ```
    pub fn lock_blocking(&self) -> MutexGuard<'_, T> {
        if !self.raw.try_lock() {
            blocking::wait(Leaf::new(self.raw.waiter()));
        }
        MutexGuard::new(self)
    }

    /// Like [`lock_blocking`](Self::lock_blocking), with a guard that keeps the mutex alive instead of
    /// borrowing it.
    pub fn lock_owned_blocking(self: Arc<Self>) -> OwnedMutexGuard<T> {
        if !self.raw.try_lock() {
            blocking::wait(Leaf::new(self.raw.waiter()));
        }
        OwnedMutexGuard::new(self)
    }

    /// Locks if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if the lock is held.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_err());
    /// drop(guard);
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        if self.raw.try_lock() {
            Ok(MutexGuard::new(self))
        } else {
            Err(TryLockError(()))
        }
    }

    /// Like [`try_lock`](Self::try_lock), with a guard that keeps the mutex alive instead of borrowing
    /// it.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if the lock is held.
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        if self.raw.try_lock() {
            Ok(OwnedMutexGuard::new(self))
        } else {
            Err(TryLockError(()))
        }
    }

    /// The value, without locking: nobody else can have the mutex.
    ///
    /// ```
    /// let mut mutex = gopark::sync::Mutex::new(1);
    /// *mutex.get_mut() = 2;
    /// assert_eq!(mutex.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    pub(super) fn raw(&self) -> &RawMutex {
        &self.raw
    }

    pub(super) fn value(&self) -> *mut T {
        self.value.get()
    }
}

impl Wait for Waiter<&RawMutex> {
    type Output = ();

    const REASON: WaitReason = WaitReason::Lock;

    #[inline]
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        poll_lock(self, cx.waker())
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => out.field("value", &&*guard),
            Err(_) => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// A lock could not be had at once: it is held, or others wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryLockError(pub(super) ());

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is held")
    }
}

impl Error for TryLockError {}
