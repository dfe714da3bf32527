//! The local run queue of a P: `runnext` and a FIFO from which others may steal.
//!
//! The FIFO is `crossbeam-deque`'s `Worker`; this file adds what makes it Go's: the slot in front,
//! and the spill.
//!
//! # Invariants
//!
//! 1. All methods of [`RunQueue`] are called by the owner of the P (see `seat.rs`); a [`Stealer`]
//!    by anyone.
//! 2. `len(queue) <= CAPACITY`: a push into a full queue first moves the older half to the
//!    injector, as Go's `runqputslow` does.
//! 3. `runnext` is not stealable. It is what this P runs next, in nanoseconds; who would steal it
//!    pays a cache miss to gain nothing. (tokio made its slot stealable, and users lost a third of
//!    their throughput: tokio#8065, reverted in #8100.) If its P gets stuck, the P is handed on and
//!    takes the slot along.

use std::cell::Cell;

use crossbeam_deque::Worker;
pub(crate) use crossbeam_deque::{Steal, Stealer};

use crate::globq::GlobalQueue;

/// Go's ring holds 256.
pub(crate) const CAPACITY: usize = 256;

/// How many tasks in a row may come from `runnext` while others wait in the FIFO: a pair of tasks
/// that wake each other must not starve the rest. Go ends such a chain by its 10 ms time slice
/// only; 32 polls of about 50 ns are far less than a steal costs.
const RUNNEXT_RUN: u32 = 32;

/// See the module.
pub(crate) struct RunQueue<T> {
    next: Cell<Option<T>>,
    /// Polls in a row that came from `next`.
    next_run: Cell<u32>,
    queue: Worker<T>,
}

impl<T> RunQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            next: Cell::new(None),
            next_run: Cell::new(0),
            queue: Worker::new_fifo(),
        }
    }

    pub(crate) fn stealer(&self) -> Stealer<T> {
        self.queue.stealer()
    }

    /// Readies `task` to run next. What was to run next goes to the back; true if something did,
    /// so that there is work now that another P could do.
    #[inline]
    #[must_use = "work in the queue may want a wake-up"]
    pub(crate) fn push_next(&self, task: T, spill: &GlobalQueue<T>) -> bool {
        match self.next.replace(Some(task)) {
            None => false,
            Some(old) => {
                self.push_back(old, spill);
                true
            }
        }
    }

    /// Appends `task`.
    #[inline]
    pub(crate) fn push_back(&self, task: T, spill: &GlobalQueue<T>) {
        if self.queue.len() >= CAPACITY {
            self.spill(spill);
        }
        self.queue.push(task);
    }

    /// Moves the older half to the injector. Thieves may be faster: then less is moved.
    #[cold]
    #[inline(never)]
    fn spill(&self, spill: &GlobalQueue<T>) {
        for _ in 0..CAPACITY / 2 {
            match self.queue.pop() {
                Some(task) => spill.push(task),
                None => return,
            }
        }
        spill.count_spill();
    }

    /// The next task to run.
    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        if let Some(task) = self.next.take() {
            let run = self.next_run.get();
            if run < RUNNEXT_RUN {
                self.next_run.set(run + 1);
                return Some(task);
            }
            // It has had its turn: now the FIFO's head, and this one at its tail. The queue cannot
            // overflow by it: one is popped.
            self.next_run.set(0);
            return match self.queue.pop() {
                None => Some(task),
                Some(head) => {
                    self.queue.push(task);
                    Some(head)
                }
            };
        }
        self.next_run.set(0);
        self.queue.pop()
    }

    /// Tasks in the FIFO, which other Ps could take.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        let next = self.next.take();
        let empty = next.is_none() && self.queue.is_empty();
        self.next.set(next);
        empty
    }

    /// Steals half of a victim's FIFO (`crossbeam` caps it at 32), and returns the first of it.
    pub(crate) fn steal_from(&self, victim: &Stealer<T>) -> Steal<T> {
        victim.steal_batch_and_pop(&self.queue)
    }

    /// Takes a share of the injector, at most `limit`, and returns the first of it.
    pub(crate) fn steal_from_global(&self, global: &GlobalQueue<T>, limit: usize) -> Option<T> {
        global.pop_batch(&self.queue, limit)
    }
}
