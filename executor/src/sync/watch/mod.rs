//! One value that changes, and tasks that watch it.
//!
//! The channel holds one value. A [`Receiver`] that waits for a [change](Receiver::changed) learns that
//! there was at least one since it looked last, and then sees the newest value: those between may be
//! missed, the last one never. It is for configuration, state, progress, and shutdown.
//!
//! ```
//! use gopark::sync::watch;
//!
//! gopark::block_on(async {
//!     let (level, mut watched) = watch::channel(1);
//!     let task = gopark::spawn(async move {
//!         let mut seen = vec![*watched.borrow_and_update()];
//!         while watched.changed().await.is_ok() {
//!             seen.push(*watched.borrow_and_update());
//!         }
//!         seen
//!     });
//!     level.send(2).unwrap();
//!     level.send(3).unwrap();
//!     drop(level);
//!     assert_eq!(task.await.unwrap().last(), Some(&3));
//! });
//! ```
//!
//! # Borrowing
//!
//! [`borrow`](Receiver::borrow) holds a read lock: for as long as a [`Ref`] lives, senders block their
//! thread. Keep it short, and do not send while you hold one: that waits for ever. It may also wait
//! for ever to borrow a second time while a sender waits for the first to end. A `Ref` is not [`Send`],
//! so that the compiler refuses to hold it over an `await` in a task that may move.

pub mod error;
mod receiver;
mod sender;
mod shared;

use std::{fmt, ops::Deref, sync::Arc, sync::RwLockReadGuard};

pub use error::{RecvError, SendError};
pub use receiver::Receiver;
pub use sender::Sender;

/// A channel that holds `init`, which its receiver counts as seen.
///
/// ```
/// let (sender, receiver) = gopark::sync::watch::channel("idle");
/// assert_eq!(*receiver.borrow(), "idle");
/// assert_eq!(receiver.has_changed(), Ok(false));
/// sender.send("busy").unwrap();
/// assert_eq!(receiver.has_changed(), Ok(true));
/// ```
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(shared::Shared::new(init));
    let receiver = Receiver::new(shared.clone(), shared.version());
    (Sender::from_shared(shared), receiver)
}

/// The value, as long as this is held; see [the module](self#borrowing).
pub struct Ref<'a, T> {
    value: RwLockReadGuard<'a, T>,
    has_changed: bool,
}

impl<T> Ref<'_, T> {
    /// Whether the receiver had not seen this value before. Of a sender's it is always false.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ref")
            .field("value", &**self)
            .field("has_changed", &self.has_changed)
            .finish()
    }
}
