//! Calling what is the user's where its panic must not get out: a waker, a `Drop`, a callback.
//!
//! The panic hook has reported the panic. To let it out would punish whoever happens to run here, and keep
//! others from being woken or told.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`, and survives its panic.
pub(crate) fn quietly(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // A payload may panic in its own Drop, and so may that one's.
        if let Err(endless) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(endless);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Dropped, it panics with a smaller one.
    struct Endless(u32);

    impl Drop for Endless {
        fn drop(&mut self) {
            if let Some(smaller) = self.0.checked_sub(1) {
                panic_any(Self(smaller));
            }
        }
    }

    #[test]
    fn a_payload_that_panics_in_its_drop_is_survived() {
        quietly(|| panic_any(Endless(2)));
    }
}
