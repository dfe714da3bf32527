//! Models of `executor/src/g/{abort,harness,join,meta}.rs`: "the abort race", and the join handle.
//!
//! `async-task` is taken as given and loom cannot see into it, so a stand-in has the transitions
//! that it documents in its `header.rs`, `raw.rs` and `task.rs`, and no more orderings than those. What
//! is checked is what we built around it: the abort flag and the wake that follows, the harness
//! that looks at the flag, and `is_finished`.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::sync::Mutex;
    use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
    use loom::thread;

    use crate::check::check;

    const SCHEDULED: usize = 1;
    const RUNNING: usize = 2;
    const COMPLETED: usize = 4;
    const CLOSED: usize = 8;
    const HANDLE: usize = 16;
    const AWAITER: usize = 32;

    /// Cancelled, or how many polls it took.
    type Output = Result<usize, ()>;

    /// What lies in the task's union; `Gone` after the output was taken.
    #[derive(Debug)]
    enum Stage {
        Future { polls: usize },
        Output(Output),
        Gone,
    }

    struct Task {
        state: AtomicUsize,
        stage: UnsafeCell<Stage>,
        awaiter: Mutex<bool>,
        /// Runnables in the queues: one at most.
        queue: AtomicUsize,

        // `Meta`
        aborted: AtomicU8,
        finished: AtomicU8,
        /// What the future's `Drop` leaves behind, for who sees `is_finished`.
        dropped: UnsafeCell<bool>,

        /// The future is ready at this poll.
        ready_at: usize,
        joiner_wakes: AtomicUsize,
    }

    // SAFETY: (1) `stage` is touched by the runner, and by the taker of the output; `dropped` as its
    // comment says. loom checks both.
    unsafe impl Sync for Task {}

    impl Task {
        fn new(state: usize, ready_at: usize) -> Arc<Self> {
            Arc::new(Self {
                state: AtomicUsize::new(state),
                stage: UnsafeCell::new(Stage::Future { polls: 0 }),
                awaiter: Mutex::new(false),
                queue: AtomicUsize::new(state & SCHEDULED),
                aborted: AtomicU8::new(0),
                finished: AtomicU8::new(0),
                dropped: UnsafeCell::new(false),
                ready_at,
                joiner_wakes: AtomicUsize::new(0),
            })
        }

        fn schedule(&self) {
            let before = self.queue.fetch_add(1, Ordering::Release);
            assert_eq!(before, 0, "a task was in two queues");
        }

        /// An M looks for the task, and polls it if it is due.
        fn look(&self) -> bool {
            let found = self
                .queue
                .compare_exchange(1, 0, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
            if found {
                self.run();
            }
            found
        }

        /// `Waker::wake_by_ref`.
        fn wake(&self) {
            let mut state = self.state.load(Ordering::Acquire);
            loop {
                if state & (COMPLETED | CLOSED) != 0 {
                    return;
                }
                // Also if it is scheduled already, to synchronise with the runner.
                match self.exchange(state, state | SCHEDULED) {
                    Ok(()) => {
                        if state & (SCHEDULED | RUNNING) == 0 {
                            self.schedule();
                        }
                        return;
                    }
                    Err(now) => state = now,
                }
            }
        }

        fn exchange(&self, state: usize, new: usize) -> Result<(), usize> {
            self.state
                .compare_exchange(state, new, Ordering::AcqRel, Ordering::Acquire)
                .map(|_| ())
        }

        fn transition(&self, new: impl Fn(usize) -> usize) -> usize {
            let mut state = self.state.load(Ordering::Acquire);
            loop {
                match self.exchange(state, new(state)) {
                    Ok(()) => return state,
                    Err(now) => state = now,
                }
            }
        }

        /// `Runnable::run`.
        fn run(&self) {
            self.transition(|state| (state & !SCHEDULED) | RUNNING);
            match self.poll() {
                Some(output) => {
                    // SAFETY: (1) we are the runner.
                    self.stage
                        .with_mut(|stage| unsafe { *stage = Stage::Output(output) });
                    let before = self.transition(|state| {
                        let done = (state & !(RUNNING | SCHEDULED)) | COMPLETED;
                        if state & HANDLE == 0 {
                            done | CLOSED
                        } else {
                            done
                        }
                    });
                    if before & HANDLE == 0 {
                        let _ = self.take_output();
                    }
                    if before & AWAITER != 0 {
                        let awaiter = std::mem::take(&mut *self.awaiter.lock().unwrap());
                        self.joiner_wakes
                            .fetch_add(awaiter.into(), Ordering::Relaxed);
                    }
                }
                None => {
                    if self.transition(|state| state & !RUNNING) & SCHEDULED != 0 {
                        self.schedule();
                    }
                }
            }
        }

        /// `Harness::poll`, and `Harness::drop` when it is ready.
        fn poll(&self) -> Option<Output> {
            let output = if self.aborted.load(Ordering::Relaxed) != 0 {
                Err(())
            } else {
                // SAFETY: (1) we are the runner.
                let polls = self.stage.with_mut(|stage| match unsafe { &mut *stage } {
                    Stage::Future { polls } => {
                        *polls += 1;
                        *polls
                    }
                    other => panic!("a task was polled as {other:?}"),
                });
                if polls < self.ready_at {
                    return None;
                }
                Ok(polls)
            };
            // SAFETY: (1) nobody looks before `finished` is set.
            self.dropped.with_mut(|dropped| unsafe { *dropped = true });
            self.finished.store(1, Ordering::Release);
            Some(output)
        }

        /// Panics if there is none, or not any more.
        fn take_output(&self) -> Output {
            // SAFETY: (1) who has closed the completed task owns the output.
            let stage = self
                .stage
                .with_mut(|stage| unsafe { std::mem::replace(&mut *stage, Stage::Gone) });
            match stage {
                Stage::Output(output) => output,
                other => panic!("the output was taken out of {other:?}"),
            }
        }

        /// `AbortHandle::abort` and `JoinHandle::abort`: steps (1) and (2).
        fn abort(&self) {
            self.aborted.store(1, Ordering::Relaxed);
            self.wake();
        }

        fn is_finished(&self) -> bool {
            self.finished.load(Ordering::Acquire) != 0
        }

        /// `JoinHandle::poll`.
        fn join(&self) -> Option<Output> {
            if self.state.load(Ordering::Acquire) & COMPLETED == 0 {
                *self.awaiter.lock().unwrap() = true;
                let before = self.state.fetch_or(AWAITER, Ordering::AcqRel);
                if before & COMPLETED == 0 {
                    return None;
                }
            }
            let before = self.transition(|state| state | CLOSED);
            assert_eq!(before & CLOSED, 0, "the output was given out before");
            Some(self.take_output())
        }

        /// `JoinHandle::drop`.
        fn detach(&self) {
            let state = self.state.load(Ordering::Acquire);
            let mut state = state;
            loop {
                let completed = state & (COMPLETED | CLOSED) == COMPLETED;
                let new = if completed {
                    state | CLOSED
                } else {
                    state & !HANDLE
                };
                match self.exchange(state, new) {
                    Ok(()) if completed => {
                        let _ = self.take_output();
                        state = new;
                    }
                    Ok(()) => return,
                    Err(now) => state = now,
                }
            }
        }

        /// After all threads have ended, the Ms go on until nothing is due.
        fn settle(&self) {
            while self.look() {}
        }

        fn is_gone(&self) -> bool {
            // SAFETY: (1) nobody else is left.
            self.stage
                .with(|stage| matches!(unsafe { &*stage }, Stage::Gone))
        }
    }

    fn spawn(task: &Arc<Task>, f: impl FnOnce(&Task) + 'static) -> thread::JoinHandle<()> {
        let task = task.clone();
        thread::spawn(move || f(&task))
    }

    /// "The abort race": the task is parked, queued, or in the middle of a poll that parks; two
    /// handles abort it. It does not go on living.
    #[test]
    fn an_abort_ends_a_task_that_goes_on_living() {
        for state in [HANDLE, HANDLE | SCHEDULED] {
            check(3, move || {
                let task = Task::new(state, usize::MAX);
                let m = spawn(&task, |task| {
                    task.look();
                    task.look();
                });
                let other = spawn(&task, Task::abort);
                task.abort();
                m.join().unwrap();
                other.join().unwrap();
                task.settle();
                assert_eq!(task.join(), Some(Err(())), "the abort was lost");
            });
        }
    }

    /// An abort meets a wake, of which the one that comes second finds the task scheduled already.
    #[test]
    fn an_abort_is_not_lost_behind_a_wake() {
        check(3, || {
            let task = Task::new(HANDLE, usize::MAX);
            let waker = spawn(&task, Task::wake);
            let m = spawn(&task, |task| {
                task.look();
            });
            task.abort();
            waker.join().unwrap();
            m.join().unwrap();
            task.settle();
            assert_eq!(task.join(), Some(Err(())), "the abort was lost");
        });
    }

    /// An abort that meets the last poll comes too late, or wins; the joiner gets one answer.
    #[test]
    fn an_abort_that_races_with_completion_leaves_one_output() {
        check(3, || {
            let task = Task::new(HANDLE | SCHEDULED, 1);
            let m = spawn(&task, |task| {
                task.look();
            });
            let aborter = spawn(&task, Task::abort);
            let early = task.join();
            m.join().unwrap();
            aborter.join().unwrap();
            task.settle();
            assert!(task.is_finished());
            let output = early.or_else(|| task.join());
            assert!(matches!(output, Some(Ok(1) | Err(()))));
            assert!(task.is_gone());
        });
    }

    /// A joiner that found the task unfinished is woken when it is done, by completion or abort.
    #[test]
    fn a_joiner_is_woken() {
        for aborts in [false, true] {
            check(3, move || {
                let task = Task::new(HANDLE | SCHEDULED, if aborts { usize::MAX } else { 1 });
                let m = spawn(&task, move |task| {
                    task.look();
                    if aborts {
                        task.abort();
                        task.look();
                    }
                });
                let early = task.join();
                m.join().unwrap();
                if early.is_none() {
                    assert_eq!(task.joiner_wakes.load(Ordering::Relaxed), 1);
                    assert_eq!(task.join(), Some(if aborts { Err(()) } else { Ok(1) }));
                }
                assert!(task.is_gone());
            });
        }
    }

    /// A handle that is dropped while its task completes: the output is dropped once, by one of them.
    #[test]
    fn the_output_of_a_detached_task_is_dropped_once() {
        check(3, || {
            let task = Task::new(HANDLE | SCHEDULED, 1);
            let m = spawn(&task, |task| {
                task.look();
            });
            let aborter = spawn(&task, Task::abort);
            task.detach();
            m.join().unwrap();
            aborter.join().unwrap();
            task.settle();
            assert!(task.is_finished() && task.is_gone());
        });
    }

    /// "Whether the future has been dropped": who is told so sees what its `Drop` did.
    #[test]
    fn who_sees_a_task_finished_sees_its_future_dropped() {
        check(3, || {
            let task = Task::new(HANDLE | SCHEDULED, 1);
            let m = spawn(&task, |task| {
                task.look();
            });
            if task.is_finished() {
                // SAFETY: (1) loom fails if the drop is not ordered before this.
                assert!(task.dropped.with(|dropped| unsafe { *dropped }));
            }
            m.join().unwrap();
        });
    }
}
