//! What lives as long as the process, for one run of a model, so that futures which borrow it may be
//! handed to threads.

use std::ops::Deref;

/// Freed by hand in the end.
pub(crate) struct Leaked<T: 'static>(pub(crate) &'static T);

impl<T> Clone for Leaked<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Leaked<T> {}

impl<T> Deref for Leaked<T> {
    type Target = &'static T;

    fn deref(&self) -> &&'static T {
        &self.0
    }
}

impl<T> Leaked<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Box::leak(Box::new(value)))
    }

    /// Only at the end of a run, when nothing borrows it any more.
    pub(crate) fn free(self) {
        // SAFETY: (1) it came from a box, and the models end with this.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.0).cast_mut()) });
    }
}
