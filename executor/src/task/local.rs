//! Task-locals: values that belong to a future while it is polled.
//!
//! A key is a thread-local slot that is empty except while some scope is being polled, called or
//! dropped on this thread. Entering a scope swaps the scope's value with what is in the slot, and
//! leaving swaps back, so scopes nest and each thread that polls the future sees its value.
//!
//! # Invariants
//! 1. Between two polls of a [`TaskLocalFuture`] its value is in `slot`; during one it is in the
//!    thread's slot and `slot` holds what was there before.
//! 2. The thread's slot is mutably borrowed for the moment of a swap only, when no user code runs.
//! 3. A slot has no destructor: it is empty when its thread ends, for a scope ends in the frame that
//!    entered it. So scopes work in destructors of other thread-locals, too.

use std::any::type_name;
use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::mem::{self, ManuallyDrop};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project_lite::pin_project;

use crate::big::clear;

/// Declares task-local keys.
///
/// The syntax is that of [`std::thread_local!`] without initial values: a key has a value only
/// inside a scope. Each key is a static of type [`LocalKey`](crate::task::LocalKey).
///
/// # Examples
///
/// ```
/// gopark::task_local! {
///     /// Who is asking.
///     pub static USER: String;
///     static ATTEMPT: u32;
/// }
///
/// gopark::block_on(USER.scope("ada".to_string(), async {
///     let greeting = ATTEMPT.sync_scope(2, || USER.with(|user| format!("{user}, {}", ATTEMPT.get())));
///     assert_eq!(greeting, "ada, 2");
/// }));
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty; $($rest:tt)*) => {
        $crate::task_local!($(#[$attr])* $vis static $name: $type);
        $crate::task_local!($($rest)*);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty) => {
        $(#[$attr])*
        $vis static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static SLOT: $crate::task::LocalSlot<$type> = const { $crate::task::LocalSlot::new() };
            }
            $crate::task::LocalKey::__new(SLOT)
        };
    };
}

/// A key to a value that belongs to a future; declared by [`task_local!`](crate::task_local).
///
/// Tasks that the future spawns do not inherit the value.
pub struct LocalKey<T: 'static> {
    slot: thread::LocalKey<LocalSlot<T>>,
}

/// A thread's slot of a key; for `task_local!` only.
#[doc(hidden)]
#[derive(Debug)]
pub struct LocalSlot<T>(ManuallyDrop<RefCell<Option<T>>>);

impl<T> LocalSlot<T> {
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self(ManuallyDrop::new(RefCell::new(None)))
    }
}

impl<T: 'static> LocalKey<T> {
    /// For `task_local!` only.
    #[doc(hidden)]
    pub const fn __new(slot: thread::LocalKey<LocalSlot<T>>) -> Self {
        Self { slot }
    }

    /// Runs a future with this key set to `value`: whenever it is polled, and when it is dropped.
    ///
    /// # Cancel safety
    ///
    /// That of the inner future. The value is dropped after it.
    ///
    /// # Panics
    ///
    /// The returned future panics if it is polled inside [`with`](Self::with) of the same key.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::task_local! { static DEPTH: u32; }
    ///
    /// gopark::block_on(DEPTH.scope(1, async {
    ///     let inner = DEPTH.scope(DEPTH.get() + 1, async { DEPTH.get() });
    ///     assert_eq!(gopark::spawn(inner).await.unwrap(), 2);
    ///     assert_eq!(DEPTH.get(), 1);
    /// }));
    /// ```
    #[track_caller]
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> TaskLocalFuture<T, F> {
        TaskLocalFuture {
            key: self,
            slot: Some(value),
            future: Some(future),
            _pin: PhantomPinned,
        }
    }

    /// Calls `f` with this key set to `value`.
    ///
    /// # Panics
    ///
    /// Panics inside [`with`](Self::with) of the same key. Passes a panic of `f` on.
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        match self.enter(&mut Some(value), f) {
            Ok(result) => result,
            Err(error) => error.panic::<T>(),
        }
    }

    /// Calls `f` with the value.
    ///
    /// # Panics
    ///
    /// Panics outside a scope of this key; see [`try_with`](Self::try_with).
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::task_local! { static NAME: String; }
    ///
    /// let len = NAME.sync_scope("gopark".into(), || NAME.with(String::len));
    /// assert_eq!(len, 6);
    /// ```
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    ///
    /// Fails outside a scope of this key, without calling `f`.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::task_local! { static NAME: String; }
    ///
    /// let error = NAME.try_with(String::len).unwrap_err();
    /// assert!(error.to_string().contains("String"));
    /// ```
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let unset = AccessError {
            type_name: type_name::<T>(),
        };
        let call = |slot: &LocalSlot<T>| slot.0.borrow().as_ref().map(f);
        self.slot.with(call).ok_or(unset)
    }

    /// A clone of the value.
    ///
    /// # Panics
    ///
    /// Panics outside a scope of this key.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// A clone of the value.
    ///
    /// # Errors
    ///
    /// Fails outside a scope of this key.
    pub fn try_get(&'static self) -> Result<T, AccessError>
    where
        T: Clone,
    {
        self.try_with(T::clone)
    }

    /// Calls `f` between two swaps of `value` with the thread's slot.
    fn enter<R>(
        &'static self,
        value: &mut Option<T>,
        f: impl FnOnce() -> R,
    ) -> Result<R, Borrowed> {
        struct Leave<'a, T: 'static> {
            key: &'static LocalKey<T>,
            value: &'a mut Option<T>,
        }
        impl<T> Drop for Leave<'_, T> {
            fn drop(&mut self) {
                // It is not borrowed: every `with` inside has ended.
                self.key
                    .slot
                    .with(|slot| mem::swap(self.value, &mut *slot.0.borrow_mut()));
            }
        }

        self.slot
            .with(|slot| {
                slot.0
                    .try_borrow_mut()
                    .map(|mut slot| mem::swap(value, &mut *slot))
            })
            .map_err(|_| Borrowed)?;
        let _leave = Leave { key: self, value };
        Ok(f())
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey<{}>", type_name::<T>())
    }
}

/// A scope cannot be entered inside `with`.
struct Borrowed;

impl Borrowed {
    #[cold]
    #[track_caller]
    fn panic<T>(self) -> ! {
        let name = type_name::<T>();
        panic!(
            "a scope of the task-local of type {name} was entered inside `with` of the same key; \
             expected the closure of `with` to return first"
        )
    }
}

pin_project! {
    /// A future with a task-local value; from [`LocalKey::scope`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct TaskLocalFuture<T: 'static, F> {
        key: &'static LocalKey<T>,
        slot: Option<T>,
        // None once it is done, or dropped.
        #[pin]
        future: Option<F>,
        #[pin]
        _pin: PhantomPinned,
    }

    impl<T: 'static, F> PinnedDrop for TaskLocalFuture<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if mem::needs_drop::<F>() && this.future.is_some() {
                // Where no scope can be entered, the future is dropped without one, with the field.
                let _ = this.key.enter(this.slot, || clear(this.future.as_mut()));
            }
        }
    }
}

impl<T: 'static, F> TaskLocalFuture<T, F> {
    /// Takes the value out, typically after completion. What is polled or dropped later finds the
    /// key unset.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// gopark::task_local! { static NAME: String; }
    ///
    /// gopark::block_on(async {
    ///     let mut scope = pin!(NAME.scope("gopark".into(), async { NAME.with(String::len) }));
    ///     assert_eq!(scope.as_mut().await, 6);
    ///     assert_eq!(scope.take_value().as_deref(), Some("gopark"));
    /// });
    /// ```
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().slot.take()
    }
}

impl<T: 'static, F: Future> Future for TaskLocalFuture<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        assert!(
            this.future.is_some(),
            "a TaskLocalFuture was polled after its completion"
        );
        let poll = || {
            let polled = this
                .future
                .as_mut()
                .as_pin_mut()
                .map(|future| future.poll(cx));
            if !matches!(polled, Some(Poll::Pending)) {
                clear(this.future.as_mut());
            }
            polled.unwrap_or(Poll::Pending)
        };
        match this.key.enter(this.slot, poll) {
            Ok(polled) => polled,
            Err(error) => error.panic::<T>(),
        }
    }
}

impl<T: fmt::Debug + 'static, F> fmt::Debug for TaskLocalFuture<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocalFuture")
            .field("key", &self.key)
            .field("value", &self.slot)
            .finish_non_exhaustive()
    }
}

/// The error of a key that has no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError {
    type_name: &'static str,
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.type_name;
        write!(
            f,
            "the task-local of type {name} is not set; expected a call inside its scope"
        )
    }
}

impl Error for AccessError {}
