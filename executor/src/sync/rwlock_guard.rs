//! Guards that borrow their read-write lock.
//!
//! # Rules
//!
//! 1. While a write guard lives, it is the only guard of its lock; while a read guard lives, there are
//!    read guards only.
//! 2. A guard's `value` leads into the value of the lock: to all of it, or to a part by a borrow of the
//!    guard before it, which was shared in the case of reading and else exclusive.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
};

use super::{raw_rwlock::RawRwLock, rwlock::RwLock};

/// The right to read the value of an [`RwLock`], or a part of it; dropped, it unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    raw: &'a RawRwLock,
    value: *const T,
    _borrow: PhantomData<&'a T>,
}

// SAFETY: it is an `&T` that unlocks, which any thread may do.
unsafe impl<T: ?Sized + Sync> Send for RwLockReadGuard<'_, T> {}
// SAFETY: `&RwLockReadGuard` gives no more than `&T`.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// For a new reader of `lock`.
    #[inline]
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            raw: lock.raw(),
            value: lock.value(),
            _borrow: PhantomData,
        }
    }

    /// A guard of a part of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.1);
    /// assert_eq!(*name, "one");
    /// ```
    pub fn map<U: ?Sized>(this: Self, f: impl FnOnce(&T) -> &U) -> RwLockReadGuard<'a, U> {
        let value = std::ptr::from_ref(f(&*this));
        RwLockReadGuard {
            raw: ManuallyDrop::new(this).raw,
            value,
            _borrow: PhantomData,
        }
    }

    /// A guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        this: Self,
        f: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<RwLockReadGuard<'a, U>, Self> {
        let Some(value) = f(&*this).map(std::ptr::from_ref) else {
            return Err(this);
        };
        Ok(RwLockReadGuard {
            raw: ManuallyDrop::new(this).raw,
            value,
            _borrow: PhantomData,
        })
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.raw.leave_read();
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: it leads into the value, which only readers have (rules 1 and 2).
        unsafe { &*self.value }
    }
}

/// The right to change the value of an [`RwLock`]; dropped, it unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    _borrow: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// For the new writer of `lock`.
    #[inline]
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            lock,
            _borrow: PhantomData,
        }
    }

    /// Becomes a reader, without letting another writer in between. Readers that wait before any writer
    /// come in, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.try_write().unwrap();
    /// *writer += 1;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!((*reader, *lock.try_read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T> {
        let lock = ManuallyDrop::new(this).lock;
        lock.raw().downgrade();
        RwLockReadGuard::new(lock)
    }

    /// A guard of a part of the value, which cannot be downgraded.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((1, "one"));
    /// *RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.0) = 2;
    /// assert_eq!(lock.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> RwLockMappedWriteGuard<'a, U> {
        let value = std::ptr::from_mut(f(&mut *this));
        RwLockMappedWriteGuard::new(ManuallyDrop::new(this).lock.raw(), value)
    }

    /// A guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<RwLockMappedWriteGuard<'a, U>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        let raw = ManuallyDrop::new(this).lock.raw();
        Ok(RwLockMappedWriteGuard::new(raw, value))
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw().leave_write();
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is no other guard (rule 1).
        unsafe { &*self.lock.value() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is no other guard (rule 1).
        unsafe { &mut *self.lock.value() }
    }
}

/// The right to change a part of the value of an [`RwLock`], of [`RwLockWriteGuard::map`]; dropped, it
/// unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct RwLockMappedWriteGuard<'a, U: ?Sized> {
    raw: &'a RawRwLock,
    value: *mut U,
    _borrow: PhantomData<&'a mut U>,
}

// SAFETY: it is an `&mut U` that unlocks, which any thread may do.
unsafe impl<U: ?Sized + Send> Send for RwLockMappedWriteGuard<'_, U> {}
// SAFETY: `&RwLockMappedWriteGuard` gives no more than `&U`.
unsafe impl<U: ?Sized + Sync> Sync for RwLockMappedWriteGuard<'_, U> {}

impl<'a, U: ?Sized> RwLockMappedWriteGuard<'a, U> {
    fn new(raw: &'a RawRwLock, value: *mut U) -> Self {
        Self {
            raw,
            value,
            _borrow: PhantomData,
        }
    }

    /// A guard of a part of the part.
    pub fn map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> RwLockMappedWriteGuard<'a, V> {
        let value = std::ptr::from_mut(f(&mut *this));
        RwLockMappedWriteGuard::new(ManuallyDrop::new(this).raw, value)
    }

    /// A guard of a part of the part, if there is that.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{RwLock, RwLockMappedWriteGuard, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((vec![1], "one"));
    /// let list = RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.0);
    /// let list = RwLockMappedWriteGuard::try_map(list, |list| list.get_mut(7)).unwrap_err();
    /// *RwLockMappedWriteGuard::try_map(list, |list| list.first_mut()).unwrap() = 2;
    /// assert_eq!(lock.into_inner().0, [2]);
    /// ```
    pub fn try_map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> Option<&mut V>,
    ) -> Result<RwLockMappedWriteGuard<'a, V>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        Ok(RwLockMappedWriteGuard::new(
            ManuallyDrop::new(this).raw,
            value,
        ))
    }
}

impl<U: ?Sized> Drop for RwLockMappedWriteGuard<'_, U> {
    #[inline]
    fn drop(&mut self) {
        self.raw.leave_write();
    }
}

impl<U: ?Sized> Deref for RwLockMappedWriteGuard<'_, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: it leads into the value, which nobody else has (rules 1 and 2).
        unsafe { &*self.value }
    }
}

impl<U: ?Sized> DerefMut for RwLockMappedWriteGuard<'_, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.value }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for RwLockMappedWriteGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<U: ?Sized + fmt::Display> fmt::Display for RwLockMappedWriteGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
