//! Models of `executor/src/sched/{spawn,shutdown}.rs`: "the spawn-against-shutdown race" and "the last
//! sweep", with the real registry and the real count of those who are present.

#[path = "../../executor/src/sched/presence.rs"]
pub(crate) mod protocol;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
    use loom::thread;

    use super::protocol::{Kind, Presence};
    use crate::check::check;
    use crate::registry::protocol::{Registry, RegistryOwner};

    struct Sched {
        registry: Registry,
        closing: AtomicBool,
        /// The tasks' abort flags: a task that has one will drop its future at its next poll, and
        /// whoever sets it wakes the task.
        tasks: [Task; 2],
    }

    #[repr(align(8))]
    struct Task {
        aborted: AtomicUsize,
    }

    impl Sched {
        fn new() -> Arc<Self> {
            let task = || Task {
                aborted: AtomicUsize::new(0),
            };
            Arc::new(Self {
                registry: Registry::new(),
                closing: AtomicBool::new(false),
                tasks: [task(), task()],
            })
        }

        /// `spawn`: publish, fence, look at `closing`.
        fn spawn(&self, owner: &mut RegistryOwner, task: &Task) -> u32 {
            let slot = self.registry.reserve(owner);
            self.registry.publish(slot, std::ptr::from_ref(task).cast());
            fence(Ordering::SeqCst);
            if self.closing.load(Ordering::Relaxed) {
                task.aborted.fetch_add(1, Ordering::Relaxed);
            }
            slot
        }

        /// `close`, and the walk of `sweep`.
        fn close(&self) {
            self.closing.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            self.sweep();
        }

        fn sweep(&self) {
            self.registry.visit(|task| {
                // SAFETY: (1) the model keeps its tasks to its end.
                let task = unsafe { &*task.cast::<Task>() };
                task.aborted.fetch_add(1, Ordering::Relaxed);
            });
        }
    }

    /// "The spawn-against-shutdown race": the closer sees the task, or the spawner that the runtime
    /// is closing; also for the first slot of a chunk, which is made meanwhile.
    #[test]
    fn a_task_spawned_during_the_close_is_cancelled() {
        check(3, || {
            let sched = Sched::new();
            let closer = thread::spawn({
                let sched = sched.clone();
                move || sched.close()
            });
            let mut owner = RegistryOwner::new();
            for task in &sched.tasks {
                sched.spawn(&mut owner, task);
            }
            closer.join().unwrap();
            for task in &sched.tasks {
                assert!(
                    task.aborted.load(Ordering::Relaxed) >= 1,
                    "it lives for ever"
                );
            }
        });
    }

    /// The same in a slot that a completed task has just left: the closer must not take the one for
    /// the other and be content.
    #[test]
    fn a_task_spawned_into_a_used_slot_during_the_close_is_cancelled() {
        check(3, || {
            let sched = Sched::new();
            let mut owner = RegistryOwner::new();
            let slot = sched.spawn(&mut owner, &sched.tasks[0]);
            let closer = thread::spawn({
                let sched = sched.clone();
                move || sched.close()
            });
            sched.registry.remove(slot);
            sched.registry.free(&mut owner, slot);
            assert_eq!(sched.spawn(&mut owner, &sched.tasks[1]), slot);
            closer.join().unwrap();
            assert!(sched.tasks[1].aborted.load(Ordering::Relaxed) >= 1);
        });
    }

    /// Two threads spawn into shards of their own (here: two registries' owners cannot be, so one
    /// spawns and the other ends a task), while the closer and an M that ends both sweep: nothing
    /// that lives is passed over by both.
    #[test]
    fn a_task_that_one_walker_passes_over_is_in_the_hand_of_the_other() {
        check(2, || {
            let sched = Sched::new();
            let mut owner = RegistryOwner::new();
            sched.spawn(&mut owner, &sched.tasks[0]);
            let closer = thread::spawn({
                let sched = sched.clone();
                move || sched.close()
            });
            let helper = thread::spawn({
                let sched = sched.clone();
                move || {
                    if sched.closing.load(Ordering::Relaxed) {
                        sched.sweep();
                    }
                }
            });
            sched.spawn(&mut owner, &sched.tasks[1]);
            closer.join().unwrap();
            helper.join().unwrap();
            for task in &sched.tasks {
                assert!(
                    task.aborted.load(Ordering::Relaxed) >= 1,
                    "it lives for ever"
                );
            }
        });
    }

    /// A runtime with one P, in which two tasks were spawned before its end, and another may be meanwhile.
    struct Runtime {
        registry: Registry,
        presence: Presence,
        closing: AtomicBool,
        /// A bit for each task in the global queue, and in the P.
        globq: AtomicUsize,
        private: AtomicUsize,
        p_is_idle: AtomicBool,
        tasks: [Future; TASKS],
    }

    const TASKS: usize = 3;

    #[repr(align(8))]
    struct Future {
        slot: AtomicUsize,
        drops: AtomicUsize,
    }

    impl Runtime {
        /// The tasks 0 and 1 are registered.
        fn new(owner: &mut RegistryOwner) -> Arc<Self> {
            let future = || Future {
                slot: AtomicUsize::new(0),
                drops: AtomicUsize::new(0),
            };
            let this = Arc::new(Self {
                registry: Registry::new(),
                presence: Presence::new(),
                closing: AtomicBool::new(false),
                globq: AtomicUsize::new(0),
                private: AtomicUsize::new(0),
                p_is_idle: AtomicBool::new(false),
                tasks: [future(), future(), future()],
            });
            for task in 0..2 {
                this.publish(owner, task);
            }
            this
        }

        fn publish(&self, owner: &mut RegistryOwner, task: usize) {
            let slot = self.registry.reserve(owner);
            let it = &self.tasks[task];
            it.slot.store(slot as usize, Ordering::Relaxed);
            self.registry.publish(slot, std::ptr::from_ref(it).cast());
        }

        fn is_closing(&self) -> bool {
            self.closing.load(Ordering::Relaxed)
        }

        /// `Sched::spawn`, from a thread that is not present.
        fn spawn(&self, owner: &mut RegistryOwner, task: usize) {
            if !self.is_closing() {
                self.publish(owner, task);
                fence(Ordering::SeqCst);
                if !self.is_closing() {
                    self.globq.fetch_or(1 << task, Ordering::AcqRel);
                    return;
                }
                let slot = self.tasks[task].slot.load(Ordering::Relaxed);
                self.registry.remove(slot as u32);
            }
            self.tasks[task].drops.fetch_add(1, Ordering::Relaxed);
        }

        /// `Sched::cancel`, and the end of a poll.
        fn cancel(&self, task: usize) {
            let it = &self.tasks[task];
            assert_eq!(it.drops.fetch_add(1, Ordering::Relaxed), 0);
            let slot = it.slot.load(Ordering::Relaxed) as u32;
            self.registry.remove(slot);
            self.registry.free_remote(slot);
        }

        fn cancel_all(&self, tasks: usize) {
            let among = |task: &usize| tasks >> task & 1 != 0;
            (0..TASKS).filter(among).for_each(|task| self.cancel(task));
        }

        fn sweep(&self) -> bool {
            fence(Ordering::SeqCst);
            self.cancel_all(take(&self.globq));
            let idle = &self.p_is_idle;
            if idle
                .compare_exchange(true, false, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
            {
                self.cancel_all(take(&self.private));
                idle.store(true, Ordering::Release);
            }
            self.registry.is_empty()
        }

        fn leave(&self, kind: Kind) {
            if self.presence.leave_open(kind) {
                return;
            }
            loop {
                if self.sweep() {
                    self.presence.leave(kind);
                    return;
                }
                if self.presence.try_leave(kind) {
                    return;
                }
                thread::yield_now();
            }
        }

        /// `Sched::close`, which waits for nobody.
        fn close(&self) {
            self.presence.enter(Kind::Keeper);
            self.presence.close();
            self.closing.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            self.sweep();
            self.leave(Kind::Keeper);
        }

        fn assert_dropped(&self, tasks: usize) {
            for task in &self.tasks[..tasks] {
                assert_eq!(task.drops.load(Ordering::Relaxed), 1, "it lives for ever");
            }
            assert!(self.registry.is_empty());
        }
    }

    /// `word.swap(0)`, which would store also where it finds nothing; see `machines::take`.
    fn take(word: &AtomicUsize) -> usize {
        let found = word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
            (word != 0).then_some(0)
        });
        found.unwrap_or(0)
    }

    fn run(runtime: &Arc<Runtime>, f: impl FnOnce(&Runtime) + 'static) -> thread::JoinHandle<()> {
        let runtime = runtime.clone();
        thread::spawn(move || f(&runtime))
    }

    /// "The last sweep": an M is in the poll of a task, and the monitor has its P, with another task in it,
    /// as the runtime is closed by one who does not wait.
    #[test]
    fn a_task_in_a_p_that_the_monitor_holds_is_dropped_by_who_leaves_last() {
        check(2, || {
            let runtime = Runtime::new(&mut RegistryOwner::new());
            runtime.private.store(0b10, Ordering::Relaxed);
            runtime.presence.enter(Kind::Worker);
            runtime.presence.enter(Kind::Keeper);
            let monitor = run(&runtime, |runtime| {
                // `pass_on`.
                runtime.p_is_idle.store(true, Ordering::Release);
                runtime.leave(Kind::Keeper);
            });
            let closer = run(&runtime, Runtime::close);
            // The M comes back without a P.
            runtime.cancel(0);
            runtime.leave(Kind::Worker);
            monitor.join().unwrap();
            closer.join().unwrap();
            runtime.assert_dropped(2);
        });
    }

    /// The same, and a thread that is not present spawns.
    #[test]
    fn a_task_spawned_as_the_last_leaves_is_dropped_by_one_or_the_other() {
        check(2, || {
            let mut owner = RegistryOwner::new();
            let runtime = Runtime::new(&mut owner);
            runtime.globq.store(0b10, Ordering::Relaxed);
            runtime.presence.enter(Kind::Worker);
            let m = run(&runtime, |runtime| {
                runtime.cancel(0);
                runtime.leave(Kind::Worker);
            });
            let closer = run(&runtime, Runtime::close);
            runtime.spawn(&mut owner, 2);
            m.join().unwrap();
            closer.join().unwrap();
            runtime.assert_dropped(3);
        });
    }

    /// A thread that is not present has taken a task to wake it, pushes it, and asks for a thread, which the
    /// system refuses: nobody relies on that one.
    #[test]
    fn a_task_that_is_woken_as_the_last_leaves_is_dropped_although_no_thread_can_be_had() {
        check(2, || {
            let runtime = Runtime::new(&mut RegistryOwner::new());
            runtime.presence.enter(Kind::Worker);
            let waker = run(&runtime, |runtime| {
                runtime.presence.enter(Kind::Starting);
                runtime.globq.fetch_or(0b10, Ordering::AcqRel);
                runtime.presence.refused(Kind::Starting);
            });
            let closer = run(&runtime, Runtime::close);
            runtime.cancel(0);
            runtime.leave(Kind::Worker);
            waker.join().unwrap();
            closer.join().unwrap();
            runtime.assert_dropped(2);
        });
    }

    /// Who comes and goes again sweeps with the others, and nobody sweeps twice what is swept.
    #[test]
    fn a_root_that_comes_and_goes_as_the_last_leaves_loses_nothing() {
        check(2, || {
            let runtime = Runtime::new(&mut RegistryOwner::new());
            runtime.globq.store(0b10, Ordering::Relaxed);
            runtime.presence.enter(Kind::Worker);
            let root = run(&runtime, |runtime| {
                runtime.presence.enter(Kind::Root);
                // What it takes to run it, and is cancelled for its abort flag.
                let found = take(&runtime.globq);
                runtime.cancel_all(found);
                runtime.leave(Kind::Root);
            });
            let closer = run(&runtime, Runtime::close);
            runtime.cancel(0);
            runtime.leave(Kind::Worker);
            root.join().unwrap();
            closer.join().unwrap();
            runtime.assert_dropped(2);
        });
    }
}
