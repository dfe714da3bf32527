//! The global run queue: `crossbeam-deque`'s `Injector`, where tasks go that no P has a claim to:
//! woken by threads that hold no P, spilled from a full local queue, or left by a P that was
//! given up.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_deque::{Injector, Steal, Worker};

/// See the module.
#[derive(Debug)]
pub(crate) struct GlobalQueue<T> {
    injector: Injector<T>,
    spills: AtomicU64,
}

impl<T> GlobalQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            injector: Injector::new(),
            spills: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn push(&self, task: T) {
        self.injector.push(task);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.injector.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.injector.len()
    }

    /// The oldest task.
    pub(crate) fn pop(&self) -> Option<T> {
        loop {
            match self.injector.steal() {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// The oldest task; up to `limit - 1` further ones go to `dest`.
    pub(crate) fn pop_batch(&self, dest: &Worker<T>, limit: usize) -> Option<T> {
        loop {
            match self.injector.steal_batch_with_limit_and_pop(dest, limit) {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Counts a local queue that was full.
    pub(crate) fn count_spill(&self) {
        self.spills.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn spills(&self) -> u64 {
        self.spills.load(Ordering::Relaxed)
    }
}
