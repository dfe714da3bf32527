//! A batch of wakers: collected under a lock, woken after it.
//!
//! The batch is an array on the stack. Who has more to wake than fits gives the lock back, wakes, and
//! comes again ([`Wakes::is_full`]).
//!
//! A waker is user code and may panic. So it is woken [`quietly`].

use std::task::Waker;

use crate::{primitive::MODEL, quietly::quietly};

/// A guess: so many that the lock is worth it, so few that the stack does not notice.
const ROOM: usize = if MODEL { 1 } else { 16 };

/// See the module. Wakes what is left in it when dropped, which must not be under a lock.
#[derive(Debug)]
pub(crate) struct Wakes {
    wakers: [Option<Waker>; ROOM],
    len: usize,
}

impl Wakes {
    pub(crate) fn new() -> Self {
        Self {
            wakers: [const { None }; ROOM],
            len: 0,
        }
    }

    /// Whether there is no room for another waker.
    pub(crate) fn is_full(&self) -> bool {
        self.len == ROOM
    }

    /// Adds a waker to a batch that is not full.
    pub(crate) fn push(&mut self, waker: Waker) {
        self.wakers[self.len] = Some(waker);
        self.len += 1;
    }

    /// Wakes all, in the order in which they came. Only without a lock.
    pub(crate) fn wake_all(&mut self) {
        for slot in &mut self.wakers[..self.len] {
            if let Some(waker) = slot.take() {
                wake(waker);
            }
        }
        self.len = 0;
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.wake_all();
    }
}

/// Wakes one, and survives its panic.
pub(crate) fn wake(waker: Waker) {
    quietly(|| waker.wake());
}
