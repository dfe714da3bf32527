//! Waiters without an identity: tasks in the `poll_*` interfaces of one source and direction, who are told apart
//! by their wakers only.
//!
//! # Invariants
//! 1. No two of `wakers` wake the same task; beyond `SCANNED` of them `keys` has the key of each, and is empty
//!    up to there.
//! 2. A key is not used again while it is in `keys`: the waker in `wakers` keeps its task's memory alive.
//!
//! # Why wakers are collected
//! Nobody can withdraw such a waker, so one whose task is gone stays until the next report. A source on which
//! one task after the other gives up, and on which nothing is ever reported, would keep them all. So when
//! their number reaches `collect_at` all are woken once, and the bound is doubled for those that come back. A
//! living task is woken needlessly at most once for each doubling, none is while the number stays below
//! [`COLLECT`], and once the number of waiters does not grow any more nobody is.

use std::collections::HashSet;
use std::mem;
use std::task::Waker;

/// How many wakers are compared one by one; with more of them a set is kept.
const SCANNED: usize = if crate::primitive::MODEL { 1 } else { 16 };

/// How many wakers are kept before they are collected for the first time.
const COLLECT: usize = if crate::primitive::MODEL { 2 } else { 4_096 };

/// Two wakers wake the same task if their keys are the same: the addresses of their data and their table.
type Key = (usize, usize);

#[derive(Debug)]
pub(crate) struct Anonymous {
    /// The oldest first.
    wakers: Vec<Waker>,
    keys: HashSet<Key>,
    collect_at: usize,
}

impl Default for Anonymous {
    fn default() -> Self {
        Self {
            wakers: Vec::new(),
            keys: HashSet::new(),
            collect_at: COLLECT,
        }
    }
}

impl Anonymous {
    /// Takes the waker of `spare`, unless one is there that wakes the same task. Returns those that are to be
    /// woken because too many have collected.
    pub(crate) fn enlist(&mut self, spare: &mut Option<Waker>) -> Vec<Waker> {
        if spare.as_ref().is_none_or(|waker| self.has(waker)) {
            return Vec::new();
        }
        let collected = if self.wakers.len() < self.collect_at {
            Vec::new()
        } else {
            self.collect_at *= 2;
            self.keys.clear();
            mem::take(&mut self.wakers)
        };
        if let Some(waker) = spare.take() {
            self.wakers.push(waker);
        }
        if self.wakers.len() == SCANNED + 1 {
            self.keys.extend(self.wakers.iter().map(key));
        } else if self.wakers.len() > SCANNED {
            self.keys.extend(self.wakers.last().map(key));
        }
        collected
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Moves all wakers to `out`: something was reported.
    pub(crate) fn take(&mut self, out: &mut Vec<Waker>) {
        if !self.wakers.is_empty() {
            out.append(&mut self.wakers);
            *self = Self::default();
        }
    }

    fn has(&self, waker: &Waker) -> bool {
        if self.wakers.len() <= SCANNED {
            self.wakers.iter().any(|other| other.will_wake(waker))
        } else {
            self.keys.contains(&key(waker))
        }
    }
}

fn key(waker: &Waker) -> Key {
    (
        waker.data().addr(),
        std::ptr::from_ref(waker.vtable()).addr(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tasks(count: usize) -> Vec<Arc<Task>> {
        (0..count).map(|_| Arc::default()).collect()
    }

    fn enlist(anonymous: &mut Anonymous, task: &Arc<Task>) -> Vec<Waker> {
        anonymous.enlist(&mut Some(task.clone().into()))
    }

    #[test]
    fn a_task_that_waits_twice_is_woken_once_however_many_wait() {
        let counts = [1, SCANNED, SCANNED + 1, SCANNED + 2, 1_000];
        for count in counts.into_iter().filter(|&count| count <= COLLECT) {
            let (mut anonymous, tasks) = (Anonymous::default(), tasks(count));
            for task in tasks.iter().chain(&tasks) {
                assert!(enlist(&mut anonymous, task).is_empty(), "{count} tasks");
            }
            let mut out = Vec::new();
            anonymous.take(&mut out);
            out.into_iter().for_each(Waker::wake);
            for task in &tasks {
                assert_eq!(task.0.load(Ordering::Relaxed), 1, "{count} tasks");
            }
        }
    }

    #[test]
    fn wakers_of_dead_tasks_are_given_back_without_a_report() {
        let mut anonymous = Anonymous::default();
        let mut most = 0;
        for task in tasks(20 * COLLECT) {
            enlist(&mut anonymous, &task)
                .into_iter()
                .for_each(Waker::wake);
            most = most.max(anonymous.wakers.len());
        }
        assert!(most < 20 * COLLECT, "{most} wakers were kept");
    }

    #[test]
    fn living_tasks_are_woken_once_for_each_doubling_and_then_no_more() {
        let (mut anonymous, tasks) = (Anonymous::default(), tasks(3 * COLLECT));
        // A woken task comes back.
        let mut queue: Vec<usize> = (0..tasks.len()).rev().collect();
        while let Some(index) = queue.pop() {
            let collected = enlist(&mut anonymous, &tasks[index]);
            let woken = collected.len();
            collected.into_iter().for_each(Waker::wake);
            // The order in which they come back does not matter; the first of them did wait.
            queue.extend(0..woken);
        }
        let wakes: Vec<_> = tasks
            .iter()
            .map(|task| task.0.load(Ordering::Relaxed))
            .collect();
        assert!(wakes.iter().all(|&wakes| wakes <= 2), "{wakes:?}");
        assert_eq!(anonymous.wakers.len(), tasks.len());
    }
}
