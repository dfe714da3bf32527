//! Guards that keep their read-write lock alive: the twins of `rwlock_guard`, by the same rules, with an
//! `Arc` in place of the borrow.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use super::rwlock::RwLock;

/// The right to read the value of an [`RwLock`], which it keeps alive, or a part of it; dropped, it
/// unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct OwnedRwLockReadGuard<T: ?Sized, U: ?Sized = T> {
    leave: LeaveRead<T>,
    value: *const U,
    _part: PhantomData<U>,
}

/// A reader of the lock, until it is dropped.
struct LeaveRead<T: ?Sized>(Arc<RwLock<T>>);

impl<T: ?Sized> Drop for LeaveRead<T> {
    #[inline]
    fn drop(&mut self) {
        self.0.raw().leave_read();
    }
}

// SAFETY: it is an `&U` with an `Arc` of the lock, and any thread may unlock.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Sync> Send for OwnedRwLockReadGuard<T, U> {}
// SAFETY: `&OwnedRwLockReadGuard` gives no more than `&U`, and the lock.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Sync> Sync for OwnedRwLockReadGuard<T, U> {}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// For a new reader of `lock`.
    #[inline]
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            value: lock.value(),
            leave: LeaveRead(lock),
            _part: PhantomData,
        }
    }
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockReadGuard<T, U> {
    /// A guard of a part of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::{OwnedRwLockReadGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new((1, "one")));
    /// let name = OwnedRwLockReadGuard::map(lock.try_read_owned().unwrap(), |pair| &pair.1);
    /// assert_eq!(*name, "one");
    /// ```
    pub fn map<V: ?Sized>(this: Self, f: impl FnOnce(&U) -> &V) -> OwnedRwLockReadGuard<T, V> {
        let value = std::ptr::from_ref(f(&*this));
        OwnedRwLockReadGuard {
            leave: this.leave,
            value,
            _part: PhantomData,
        }
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedRwLockReadGuard<T, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: it leads into the value, which only readers have (rules 1 and 2).
        unsafe { &*self.value }
    }
}

/// The right to change the value of an [`RwLock`], which it keeps alive; dropped, it unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    /// `None` once it is downgraded.
    lock: Option<Arc<RwLock<T>>>,
    _value: PhantomData<*mut T>,
}

// SAFETY: it is an `&mut T` with an `Arc` of the lock, and any thread may unlock.
unsafe impl<T: ?Sized + Send + Sync> Send for OwnedRwLockWriteGuard<T> {}
// SAFETY: `&OwnedRwLockWriteGuard` gives no more than `&T`, and the lock.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedRwLockWriteGuard<T> {}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// For the new writer of `lock`.
    #[inline]
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            lock: Some(lock),
            _value: PhantomData,
        }
    }

    /// Becomes a reader, without letting another writer in between. Readers that wait before any writer
    /// come in, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let writer = lock.clone().try_write_owned().unwrap();
    /// let reader = OwnedRwLockWriteGuard::downgrade(writer);
    /// assert_eq!((*reader, *lock.try_read().unwrap()), (1, 1));
    /// ```
    pub fn downgrade(mut this: Self) -> OwnedRwLockReadGuard<T> {
        let lock = this.lock.take().expect("it is there until now");
        lock.raw().downgrade();
        OwnedRwLockReadGuard::new(lock)
    }

    #[inline]
    fn value(&self) -> *mut T {
        let lock = self.lock.as_ref().expect("a guard has its lock");
        lock.value()
    }
}

impl<T: ?Sized> Drop for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            lock.raw().leave_write();
        }
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is no other guard (rule 1).
        unsafe { &*self.value() }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is no other guard (rule 1).
        unsafe { &mut *self.value() }
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockReadGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Display> fmt::Display for OwnedRwLockReadGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedRwLockWriteGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
