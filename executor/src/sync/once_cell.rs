//! [`OnceCell`]: a value that is made once, by whoever needs it first.
//!
//! `once` says who may touch `value` (its states are in [`once`](super::once)):
//!
//! # Rules
//!
//! 1. `once` is COMPLETE ⇔ `value` is `Some`, whenever nobody holds the claim or `&mut self`.
//! 2. `value` is written by the holder of the claim, before it completes that, or through `&mut self`.
//! 3. It is read through `&self` only after COMPLETE was seen; from then on it stays where it is as long
//!    as the cell is borrowed.

use std::{cell::UnsafeCell, convert::Infallible, error::Error, fmt};

use super::{
    blocking,
    once::{Busy, Claim, Once},
};

/// A cell that is written once, by the first that asks for its value.
///
/// # Examples
///
/// ```
/// use gopark::sync::OnceCell;
///
/// static CONFIG: OnceCell<String> = OnceCell::new();
///
/// async fn config() -> &'static str {
///     CONFIG.get_or_init(async || {
///         gopark::yield_now().await;
///         String::from("loaded")
///     }).await
/// }
///
/// gopark::block_on(async {
///     let other = gopark::spawn(config());
///     assert_eq!(config().await, "loaded");
///     assert_eq!(other.await.unwrap(), "loaded");
/// });
/// ```
pub struct OnceCell<T> {
    once: Once,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: through `&OnceCell` values are written from one thread and read from others (rules 2 and 3),
// and can be dropped by a thread other than that which wrote them.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

/// Why [`OnceCell::set`] did not set the value, which it gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetError<T> {
    /// The cell has a value.
    AlreadySet(T),
    /// Another one is about to give it one.
    Initializing(T),
}

impl<T> OnceCell<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        Self {
            once: Once::new(),
            value: UnsafeCell::new(None),
        }
    }

    /// A cell that has `value`, or is empty if there is none.
    pub const fn new_with(value: Option<T>) -> Self {
        let once = if value.is_some() {
            Once::completed()
        } else {
            Once::new()
        };
        Self {
            once,
            value: UnsafeCell::new(value),
        }
    }

    /// Whether it has a value.
    pub fn is_set(&self) -> bool {
        self.once.is_completed()
    }

    /// The value, if it has one.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if !self.once.is_completed() {
            return None;
        }
        // SAFETY: COMPLETE was seen (rule 3), so nobody writes as long as `self` is borrowed.
        unsafe { &*self.value.get() }.as_ref()
    }

    /// The value, if it has one, to change it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut().as_mut()
    }

    /// The value; if it has none, what the closure's future makes is it. Of several that ask at once one
    /// runs its closure, and the others wait.
    ///
    /// A closure that asks the same cell waits for itself, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the closure's future, if it was the one that ran; then another one runs its
    /// own, one that waits or one that comes.
    ///
    /// # Panics
    ///
    /// Passes a panic of the closure on, to who called with it. The others try theirs.
    pub async fn get_or_init(&self, init: impl AsyncFnOnce() -> T) -> &T {
        let Ok(value) = self
            .get_or_try_init(async || Ok::<T, Infallible>(init().await))
            .await;
        value
    }

    /// As [`get_or_init`](Self::get_or_init), with a closure that may fail; then the cell stays empty, and
    /// the next one tries.
    ///
    /// # Errors
    ///
    /// What the closure of this very call returned.
    ///
    /// # Cancel safety
    ///
    /// As `get_or_init`.
    ///
    /// # Panics
    ///
    /// As `get_or_init`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::OnceCell;
    ///
    /// gopark::block_on(async {
    ///     let cell = OnceCell::new();
    ///     assert_eq!(cell.get_or_try_init(async || Err("no")).await, Err("no"));
    ///     assert_eq!(cell.get_or_try_init(async || Ok::<_, ()>(1)).await, Ok(&1));
    /// });
    /// ```
    pub async fn get_or_try_init<E>(
        &self,
        init: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        if let Some(claim) = self.once.claim().await {
            let value = init().await?;
            self.fill(claim, value);
        }
        Ok(self.expect())
    }

    /// [`get_or_init`](Self::get_or_init), on this thread, which may be one of a runtime or none.
    ///
    /// # Panics
    ///
    /// As `get_or_init`.
    pub fn get_or_init_blocking(&self, init: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        if let Some(claim) = blocking::wait(self.once.claim()) {
            self.fill(claim, init());
        }
        self.expect()
    }

    /// Gives the cell its value.
    ///
    /// # Errors
    ///
    /// [`SetError`], with the value, if it has one or another is making one.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{OnceCell, SetError};
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(SetError::AlreadySet(2)));
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.once.try_claim() {
            Ok(claim) => {
                self.fill(claim, value);
                Ok(())
            }
            Err(Busy::Complete) => Err(SetError::AlreadySet(value)),
            Err(Busy::Running) => Err(SetError::Initializing(value)),
        }
    }

    /// The value, out of a cell that is gone with it.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// The value, out of a cell that is empty afterwards.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    fn fill(&self, claim: Claim<'_>, value: T) {
        // SAFETY: we hold the claim (rule 2). What was there is `None` (rule 1), so nothing is dropped.
        unsafe { *self.value.get() = Some(value) };
        claim.complete();
    }

    fn expect(&self) -> &T {
        self.get().expect("a completed cell has its value")
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    /// A cell with a clone of the value, or an empty one.
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadySet(_) => "the cell has a value already",
            Self::Initializing(_) => "the cell is being given a value by another",
        })
    }
}

impl<T: fmt::Debug> Error for SetError<T> {}
