//! Futures and closures that are too big to be passed from function to function.
//!
//! Each call that takes a value may copy it into a frame of its own, above all in debug builds. So what is big goes
//! into a box in the very function that the user calls, and on from there by its pointer.

use std::pin::Pin;

/// In bytes; tokio's figures. A box costs an allocation more, and one step more in each poll.
const LIMIT: usize = if cfg!(debug_assertions) {
    2 << 10
} else {
    16 << 10
};

/// Whether values of this type belong in a box.
#[inline(always)]
pub(crate) const fn is_big<T>() -> bool {
    size_of::<T>() > LIMIT
}

/// Drops what is in a slot. In a frame of its own, for `None` is as big as what it replaces.
#[inline]
pub(crate) fn clear<T>(mut slot: Pin<&mut Option<T>>) {
    slot.set(None);
}
