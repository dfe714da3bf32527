//! Systems other than Linux: none of it.

use std::time::Duration;

pub(crate) fn register_process_fence() -> bool {
    false
}

pub(crate) fn process_fence() -> bool {
    false
}

/// See `linux.rs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadProbe;

impl ThreadProbe {
    pub(crate) fn of_this_thread() -> Self {
        Self
    }

    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        None
    }

    pub(crate) fn waited(&self) -> Option<Duration> {
        None
    }

    pub(crate) fn is_runnable(&self) -> Option<bool> {
        None
    }
}

pub(crate) fn nap_exactly() {}
