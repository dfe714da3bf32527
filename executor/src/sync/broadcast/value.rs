//! A value that several own alike, none of whom began with it.
//!
//! How many they are is known when it is made, so none of them counts itself in: each has a [`Share`] from
//! the beginning, and gives it back. The last one gets the value itself.
//!
//! # Rules
//!
//! 1. `owners` is the number of shares that were not given back. It only falls.
//! 2. While there are several the value is only borrowed, which is why it must be [`Sync`].
//! 3. Who finds that `owners` is its own shares has the value alone: nobody else can make one.

use std::{mem::ManuallyDrop, ptr::NonNull};

use crate::primitive::{
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering, fence},
};

/// See the module. Dropped, it drops the value.
pub(super) struct Value<T> {
    owners: AtomicUsize,
    value: UnsafeCell<T>,
}

impl<T> Value<T> {
    /// Of nobody yet.
    pub(super) fn new(value: T) -> Box<Self> {
        Box::new(Self {
            owners: AtomicUsize::new(0),
            value: UnsafeCell::new(value),
        })
    }

    pub(super) fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Gives it to so many.
    pub(super) fn share(self: Box<Self>, owners: usize) -> NonNull<Self> {
        // Relaxed: who passes the pointer on has the others see it.
        self.owners.store(owners, Ordering::Relaxed);
        NonNull::from(Box::leak(self))
    }
}

/// One or several shares of a value. Dropped, it gives them back.
pub(super) struct Share<T> {
    value: NonNull<Value<T>>,
    count: usize,
}

impl<T> Share<T> {
    /// # Safety
    ///
    /// `count` shares of `value` are the caller's, and nobody else makes a `Share` of the same.
    pub(super) unsafe fn new(value: NonNull<Value<T>>, count: usize) -> Self {
        Self { value, count }
    }

    fn shared(&self) -> &Value<T> {
        // SAFETY: rule 1: ours keep it.
        unsafe { self.value.as_ref() }
    }

    /// The value itself for the last that has it, else a clone. A panic of `clone` gives the share back.
    pub(super) fn own(self) -> T
    where
        T: Clone,
    {
        // pairs with: the subtraction in `leave`: what others did with the value is done.
        if self.shared().owners.load(Ordering::Acquire) == self.count {
            // SAFETY: we have just seen it.
            return unsafe { self.alone() }.into_inner();
        }
        // SAFETY: rule 2: the shares that others have are for borrowing, and ours keeps it.
        self.shared().value.with(|value| unsafe { &*value }.clone())
    }

    /// Gives it back, and the value to the last.
    pub(super) fn leave(self) -> Option<Box<Value<T>>> {
        let this = ManuallyDrop::new(self);
        let owners = &this.shared().owners;
        // pairs with: the fence, and the load in `own`.
        let before = owners.fetch_sub(this.count, Ordering::Release);
        (before == this.count).then(|| {
            fence(Ordering::Acquire); // pairs with: the subtractions of all others.
            // SAFETY: nobody else has a share.
            unsafe { ManuallyDrop::into_inner(this).alone() }
        })
    }

    /// # Safety
    ///
    /// Rule 3, and what others did with the value is done.
    unsafe fn alone(self) -> Box<Value<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the caller's promise; and it was a box, in `Value::share`.
        let value = unsafe { Box::from_raw(this.value.as_ptr()) };
        // A write as far as a model is concerned: it fails if anybody still reads.
        value.value.with_mut(|_| ());
        value
    }
}

impl<T> Drop for Share<T> {
    fn drop(&mut self) {
        // SAFETY: it is used no more, so its shares pass to the new one.
        drop(unsafe { Self::new(self.value, self.count) }.leave());
    }
}
