//! Guards that borrow their mutex.
//!
//! A guard is the right to the value: there is one for each time that the lock was taken, and its Drop
//! unlocks. A mapped guard is the same right to a part of the value.
//!
//! # Rules
//!
//! 1. While a guard lives, its mutex is locked, and no other guard of that mutex lives.
//! 2. A mapped guard's `value` leads into the value of the mutex, by a borrow that was exclusive as long
//!    as the guard before it lived.

use std::{
    fmt,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
};

use super::{mutex::Mutex, raw_mutex::RawMutex};

/// The right to the value of a locked [`Mutex`]; dropped, it unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
}

// SAFETY: `&MutexGuard` gives no more than `&T`.
unsafe impl<T: ?Sized + Send + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// For who has just locked `mutex`.
    #[inline]
    pub(super) fn new(mutex: &'a Mutex<T>) -> Self {
        Self { mutex }
    }

    /// The mutex that it locks.
    ///
    /// ```
    /// use gopark::sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(MutexGuard::mutex(&guard).try_lock().is_err());
    /// ```
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.mutex
    }

    /// A guard of a part of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new((1, "one"));
    /// let mut number = MutexGuard::map(mutex.try_lock().unwrap(), |pair| &mut pair.0);
    /// *number = 2;
    /// drop(number);
    /// assert_eq!(mutex.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedMutexGuard<'a, U> {
        let value = std::ptr::from_mut(f(&mut *this));
        MappedMutexGuard::new(ManuallyDrop::new(this).mutex.raw(), value)
    }

    /// A guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        Ok(MappedMutexGuard::new(
            ManuallyDrop::new(this).mutex.raw(),
            value,
        ))
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw().unlock();
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the mutex is locked for us alone (rule 1).
        unsafe { &*self.mutex.value() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the mutex is locked for us alone (rule 1).
        unsafe { &mut *self.mutex.value() }
    }
}

/// The right to a part of the value of a locked [`Mutex`], of [`MutexGuard::map`]; dropped, it unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct MappedMutexGuard<'a, U: ?Sized> {
    raw: &'a RawMutex,
    value: *mut U,
    _borrow: PhantomData<&'a mut U>,
}

// SAFETY: it is an `&mut U` that unlocks, which any thread may do.
unsafe impl<U: ?Sized + Send> Send for MappedMutexGuard<'_, U> {}
// SAFETY: `&MappedMutexGuard` gives no more than `&U`.
unsafe impl<U: ?Sized + Sync> Sync for MappedMutexGuard<'_, U> {}

impl<'a, U: ?Sized> MappedMutexGuard<'a, U> {
    fn new(raw: &'a RawMutex, value: *mut U) -> Self {
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
    ) -> MappedMutexGuard<'a, V> {
        let value = std::ptr::from_mut(f(&mut *this));
        MappedMutexGuard::new(ManuallyDrop::new(this).raw, value)
    }

    /// A guard of a part of the part, if there is that.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> Option<&mut V>,
    ) -> Result<MappedMutexGuard<'a, V>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        Ok(MappedMutexGuard::new(ManuallyDrop::new(this).raw, value))
    }
}

impl<U: ?Sized> Drop for MappedMutexGuard<'_, U> {
    #[inline]
    fn drop(&mut self) {
        self.raw.unlock();
    }
}

impl<U: ?Sized> Deref for MappedMutexGuard<'_, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: it leads into the value of a mutex that is locked for us alone (rules 1 and 2).
        unsafe { &*self.value }
    }
}

impl<U: ?Sized> DerefMut for MappedMutexGuard<'_, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.value }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for MappedMutexGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<U: ?Sized + fmt::Display> fmt::Display for MappedMutexGuard<'_, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
