//! Models of `executor/src/sched/{spawn,shutdown}.rs`: "the spawn-against-shutdown race", with the
//! real registry.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
    use loom::thread;

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
}
