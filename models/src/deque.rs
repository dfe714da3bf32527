//! What `runq.rs` and `globq.rs` take for `crossbeam-deque`, which loom cannot see into: queues
//! with the same interface whose every operation is one step.

use std::cell::RefCell;
use std::collections::VecDeque;

use loom::sync::{Mutex, MutexGuard};

/// A queue of one thread.
pub(crate) struct Worker<T>(RefCell<VecDeque<T>>);

/// A queue of all threads.
#[derive(Debug)]
pub(crate) struct Injector<T>(Mutex<VecDeque<T>>);

pub(crate) enum Steal<T> {
    Empty,
    Success(T),
    Retry,
}

impl<T> Worker<T> {
    pub(crate) fn new_fifo() -> Self {
        Self(RefCell::new(VecDeque::new()))
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.0.borrow_mut().pop_front()
    }
}

impl<T> Injector<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.lock().expect("no model panics under the lock")
    }

    pub(crate) fn push(&self, task: T) {
        self.queue().push_back(task);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue().len()
    }

    pub(crate) fn steal(&self) -> Steal<T> {
        self.queue()
            .pop_front()
            .map_or(Steal::Empty, Steal::Success)
    }

    pub(crate) fn steal_batch_with_limit_and_pop(
        &self,
        dest: &Worker<T>,
        limit: usize,
    ) -> Steal<T> {
        let mut queue = self.queue();
        let Some(first) = queue.pop_front() else {
            return Steal::Empty;
        };
        let more = (limit - 1).min(queue.len());
        dest.0.borrow_mut().extend(queue.drain(..more));
        Steal::Success(first)
    }
}
