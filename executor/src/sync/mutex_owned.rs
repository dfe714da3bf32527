//! Guards that keep their mutex alive: the twins of `mutex_guard`, by the same rules, with an `Arc` in
//! place of the borrow.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use super::mutex::Mutex;

/// The right to the value of a locked [`Mutex`], which it keeps alive; dropped, it unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct OwnedMutexGuard<T: ?Sized> {
    unlock: Unlock<T>,
}

/// Unlocks a mutex when it is dropped.
struct Unlock<T: ?Sized>(Arc<Mutex<T>>);

impl<T: ?Sized> Drop for Unlock<T> {
    #[inline]
    fn drop(&mut self) {
        self.0.raw().unlock();
    }
}

// SAFETY: `&OwnedMutexGuard` gives no more than `&T`, and the mutex.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedMutexGuard<T> {}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// For who has just locked `mutex`.
    #[inline]
    pub(super) fn new(mutex: Arc<Mutex<T>>) -> Self {
        Self {
            unlock: Unlock(mutex),
        }
    }

    /// The mutex that it locks.
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.unlock.0
    }

    /// A guard of a part of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gopark::sync::{Mutex, OwnedMutexGuard};
    ///
    /// let mutex = Arc::new(Mutex::new((1, "one")));
    /// let guard = mutex.clone().try_lock_owned().unwrap();
    /// let name = OwnedMutexGuard::map(guard, |pair| &mut pair.1);
    /// assert_eq!(*name, "one");
    /// ```
    pub fn map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> &mut U,
    ) -> OwnedMappedMutexGuard<T, U> {
        let value = std::ptr::from_mut(f(&mut *this));
        OwnedMappedMutexGuard::new(this.unlock, value)
    }

    /// A guard of a part of the value, if there is that part.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<U: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<OwnedMappedMutexGuard<T, U>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        Ok(OwnedMappedMutexGuard::new(this.unlock, value))
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the mutex is locked for us alone (rule 1).
        unsafe { &*self.unlock.0.value() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the mutex is locked for us alone (rule 1).
        unsafe { &mut *self.unlock.0.value() }
    }
}

/// The right to a part of the value of a locked [`Mutex`], of [`OwnedMutexGuard::map`]; dropped, it
/// unlocks.
#[must_use = "a guard that is not held unlocks at once"]
pub struct OwnedMappedMutexGuard<T: ?Sized, U: ?Sized = T> {
    unlock: Unlock<T>,
    value: *mut U,
    _part: PhantomData<U>,
}

// SAFETY: it is an `&mut U` with an `Arc` of the mutex, and any thread may unlock.
unsafe impl<T: ?Sized + Send, U: ?Sized + Send> Send for OwnedMappedMutexGuard<T, U> {}
// SAFETY: `&OwnedMappedMutexGuard` gives no more than `&U`.
unsafe impl<T: ?Sized + Send, U: ?Sized + Sync> Sync for OwnedMappedMutexGuard<T, U> {}

impl<T: ?Sized, U: ?Sized> OwnedMappedMutexGuard<T, U> {
    fn new(unlock: Unlock<T>, value: *mut U) -> Self {
        Self {
            unlock,
            value,
            _part: PhantomData,
        }
    }

    /// A guard of a part of the part.
    pub fn map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> &mut V,
    ) -> OwnedMappedMutexGuard<T, V> {
        let value = std::ptr::from_mut(f(&mut *this));
        OwnedMappedMutexGuard::new(this.unlock, value)
    }

    /// A guard of a part of the part, if there is that.
    ///
    /// # Errors
    ///
    /// The guard itself if `f` returns `None`.
    pub fn try_map<V: ?Sized>(
        mut this: Self,
        f: impl FnOnce(&mut U) -> Option<&mut V>,
    ) -> Result<OwnedMappedMutexGuard<T, V>, Self> {
        let Some(value) = f(&mut *this).map(std::ptr::from_mut) else {
            return Err(this);
        };
        Ok(OwnedMappedMutexGuard::new(this.unlock, value))
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedMappedMutexGuard<T, U> {
    type Target = U;

    #[inline]
    fn deref(&self) -> &U {
        // SAFETY: it leads into the value of a mutex that is locked for us alone (rules 1 and 2).
        unsafe { &*self.value }
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedMappedMutexGuard<T, U> {
    #[inline]
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.value }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Debug> fmt::Debug for OwnedMappedMutexGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized, U: ?Sized + fmt::Display> fmt::Display for OwnedMappedMutexGuard<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
