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

    /// A guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::{OwnedRwLockReadGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(vec![1, 2]));
    /// let all = lock.try_read_owned().unwrap();
    /// let all = OwnedRwLockReadGuard::try_map(all, |all| all.get(7)).unwrap_err();
    /// assert_eq!(*OwnedRwLockReadGuard::try_map(all, |all| all.last()).unwrap(), 2);
    /// ```
    pub fn try_map<V: ?Sized>(
        this: Self,
        f: impl FnOnce(&U) -> Option<&V>,
    ) -> Result<OwnedRwLockReadGuard<T, V>, Self> {
        let Some(value) = f(&*this).map(std::ptr::from_ref) else {
            return Err(this);
        };
        Ok(OwnedRwLockReadGuard {
            leave: this.leave,
            value,
            _part: PhantomData,
        })
    }

    /// The lock that it reads.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.leave.0
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
    leave: LeaveWrite<T>,
    _value: PhantomData<*mut T>,
}

/// The writer of the lock, until it is dropped.
struct LeaveWrite<T: ?Sized> {
    /// `None` once it is downgraded.
    lock: Option<Arc<RwLock<T>>>,
}

impl<T: ?Sized> LeaveWrite<T> {
    #[inline]
    fn lock(&self) -> &Arc<RwLock<T>> {
        self.lock.as_ref().expect("a guard has its lock")
    }
}

impl<T: ?Sized> Drop for LeaveWrite<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            lock.raw().leave_write();
        }
    }
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
            leave: LeaveWrite { lock: Some(lock) },
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
        let lock = this.leave.lock.take().expect("it is there until now");
        lock.raw().downgrade();
        OwnedRwLockReadGuard::new(lock)
    }

    /// A guard of a part of the value, which cannot be downgraded.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new((1, "one")));
    /// let writer = lock.clone().try_write_owned().unwrap();
    /// *OwnedRwLockWriteGuard::map(writer, |pair| &mut pair.0) = 2;
    /// assert_eq!(*lock.try_read().unwrap(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> OwnedRwLockMappedWriteGuard<T, U> {
        let value = std::ptr::from_mut(f(&mut *this));
        OwnedRwLockMappedWriteGuard::new(this.leave, value)
    }

    /// A guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<OwnedRwLockMappedWriteGuard<T, U>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        Ok(OwnedRwLockMappedWriteGuard::new(this.leave, value))
    }

    /// The lock to which it writes.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        this.leave.lock()
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is no other guard (rule 1).
        unsafe { &*self.leave.lock().value() }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is no other guard (rule 1).
        unsafe { &mut *self.leave.lock().value() }
    }
}

/// The right to change a part of the value of an [`RwLock`], which it keeps alive, of
/// [`OwnedRwLockWriteGuard::map`]; dropped, it unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct OwnedRwLockMappedWriteGuard<T: ?Sized, U: ?Sized = T> {
    leave: LeaveWrite<T>,
    value: *mut U,
    _part: PhantomData<U>,
}

// SAFETY: it is an `&mut U` with an `Arc` of the lock, and any thread may unlock.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Send> Send for OwnedRwLockMappedWriteGuard<T, U> {}
// SAFETY: `&OwnedRwLockMappedWriteGuard` gives no more than `&U`, and the lock.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Sync> Sync for OwnedRwLockMappedWriteGuard<T, U> {}

impl<T: ?Sized, U: ?Sized> OwnedRwLockMappedWriteGuard<T, U> {
    fn new(leave: LeaveWrite<T>, value: *mut U) -> Self {
        Self {
            leave,
            value,
            _part: PhantomData,
        }
    }

    /// A guard of a part of the part.
    pub fn map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedRwLockMappedWriteGuard<T, V> {
        let value = std::ptr::from_mut(f(&mut *this));
        OwnedRwLockMappedWriteGuard::new(this.leave, value)
    }

    /// A guard of a part of the part, if there is that.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> Option<&mut V>,
    ) -> Result<OwnedRwLockMappedWriteGuard<T, V>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        Ok(OwnedRwLockMappedWriteGuard::new(this.leave, value))
    }

    /// The lock to which it writes.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        this.leave.lock()
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedRwLockMappedWriteGuard<T, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: it leads into the value, which nobody else has (rules 1 and 2).
        unsafe { &*self.value }
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedRwLockMappedWriteGuard<T, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.value }
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

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedRwLockMappedWriteGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Display> fmt::Display for OwnedRwLockMappedWriteGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
