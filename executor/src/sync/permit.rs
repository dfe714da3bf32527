//! Permits of a semaphore that somebody has.

use std::sync::Arc;

use super::semaphore::Semaphore;

/// Permits of a [`Semaphore`] that it borrows: of [`acquire`](Semaphore::acquire) and its like.
///
/// Dropped, it gives them back.
#[must_use = "a permit that is not held is given back at once"]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: u32,
}

impl<'a> SemaphorePermit<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: u32) -> Self {
        Self { semaphore, count }
    }

    /// How many permits these are.
    pub fn num_permits(&self) -> usize {
        self.count as usize
    }

    /// Gives them never back: the semaphore has so many fewer.
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// Adds the permits of another to these.
    ///
    /// # Panics
    ///
    /// If they are of another semaphore, or too many for a `u32`.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            std::ptr::eq(self.semaphore, other.semaphore),
            "permits of different semaphores cannot be merged"
        );
        self.count = self
            .count
            .checked_add(other.count)
            .expect("the permits of one guard are a `u32` at most");
        other.count = 0;
    }

    /// Splits so many permits off, if there are as many.
    pub fn split(&mut self, count: u32) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self::new(self.semaphore, count))
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.add_permits(self.count as usize);
    }
}

/// Permits of a [`Semaphore`] that it keeps alive: of [`acquire_owned`](Semaphore::acquire_owned) and its
/// like.
///
/// Dropped, it gives them back.
#[must_use = "a permit that is not held is given back at once"]
#[derive(Debug)]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    count: u32,
}

impl OwnedSemaphorePermit {
    #[inline]
    pub(super) fn new(semaphore: Arc<Semaphore>, count: u32) -> Self {
        Self { semaphore, count }
    }

    /// How many permits these are.
    pub fn num_permits(&self) -> usize {
        self.count as usize
    }

    /// Gives them never back: the semaphore has so many fewer.
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// Adds the permits of another to these.
    ///
    /// # Panics
    ///
    /// If they are of another semaphore, or too many for a `u32`.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "permits of different semaphores cannot be merged"
        );
        self.count = self
            .count
            .checked_add(other.count)
            .expect("the permits of one guard are a `u32` at most");
        other.count = 0;
    }

    /// Splits so many permits off, if there are as many.
    pub fn split(&mut self, count: u32) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self::new(self.semaphore.clone(), count))
    }

    /// The semaphore that they are of.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }
}

impl Drop for OwnedSemaphorePermit {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.add_permits(self.count as usize);
    }
}
