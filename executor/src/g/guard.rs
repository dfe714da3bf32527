//! A waker that may not panic.
//!
//! `async-task` wakes the task that joins another with the process's abort as the answer to a
//! panic. So a waker that is not one of our own tasks' is registered inside this guard.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::quietly::quietly;

struct Guard(Waker);

impl Wake for Guard {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // To unwind into the M that completed a task would punish the wrong one.
        quietly(|| self.0.wake_by_ref());
    }
}

/// Wraps a waker so that waking it never panics.
pub(crate) fn guarded(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Guard(waker.clone())))
}
