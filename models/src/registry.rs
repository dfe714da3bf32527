//! Models of `executor/src/g/registry.rs`: "remove against visit" and "remote free against reserve".
//!
//! A task is a heap cell that loom watches: it is written when its allocation dies, so a visit that
//! looked at a dead task, or was not over before the death, fails the model. `Shard::remove` frees
//! the slot as the owner or from afar; so do these models.

#[path = "../../executor/src/g/registry.rs"]
pub(crate) mod protocol;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;

    use super::protocol::{Registry, RegistryOwner};
    use crate::check::{check, check_either, race};

    /// A task's allocation: alive or not.
    #[repr(align(8))]
    struct Task(UnsafeCell<bool>);

    // SAFETY: (1) the cell is read by who may see the task and written at its death; loom checks
    // that there is an order between them.
    unsafe impl Sync for Task {}

    impl Task {
        fn new() -> Arc<Self> {
            Arc::new(Self(UnsafeCell::new(true)))
        }

        fn at(self: &Arc<Self>) -> *const () {
            Arc::as_ptr(self).cast()
        }

        /// The allocation is initialised.
        fn make(&self) {
            // SAFETY: (1) nobody has seen it.
            self.0.with_mut(|alive| unsafe { *alive = true });
        }

        /// Completion: `Harness::drop` has vacated the slot, and the allocation dies.
        fn die(&self) {
            // SAFETY: (1) see the type.
            self.0.with_mut(|alive| unsafe { *alive = false });
        }

        fn is_alive(&self) -> bool {
            // SAFETY: (1) see the type.
            self.0.with(|alive| unsafe { *alive })
        }
    }

    /// What walkers found.
    fn visit(registry: &Registry) -> Vec<*const ()> {
        let mut found = Vec::new();
        registry.visit(|task| {
            // SAFETY: (1) the models keep the memory of every task to their end.
            let found_alive = unsafe { &*task.cast::<Task>() }.is_alive();
            assert!(found_alive, "a dead task was visited");
            found.push(task);
        });
        found
    }

    /// "Remove against visit": the task completes on another thread while it is visited.
    #[test]
    fn a_task_is_not_freed_while_it_is_visited() {
        check_either(3, |walker_starts| {
            let registry = Arc::new(Registry::new());
            let mut owner = RegistryOwner::new();
            let task = Task::new();
            let slot = registry.reserve(&mut owner);
            registry.publish(slot, task.at());
            let (walker, ender) = (registry.clone(), registry.clone());
            let dying = task.clone();
            race(
                walker_starts,
                move || visit(&walker),
                move || {
                    ender.remove(slot);
                    dying.die();
                    ender.free_remote(slot);
                },
            );
            assert!(registry.is_empty() && !task.is_alive());
            assert!(visit(&registry).is_empty());
        });
    }

    /// The same with two walkers: the closer, and an M that ends and sweeps too. A task that one of
    /// them passes over is in the hand of the other.
    #[test]
    fn two_walkers_share_the_tasks_and_let_them_die() {
        check(2, || {
            let registry = Arc::new(Registry::new());
            let mut owner = RegistryOwner::new();
            let task = Task::new();
            let slot = registry.reserve(&mut owner);
            registry.publish(slot, task.at());
            let walker = thread::spawn({
                let registry = registry.clone();
                move || visit(&registry).len()
            });
            let ender = thread::spawn({
                let (registry, task) = (registry.clone(), task.clone());
                move || {
                    registry.remove(slot);
                    task.die();
                }
            });
            visit(&registry);
            ender.join().unwrap();
            walker.join().unwrap();
            assert!(registry.is_empty() && !task.is_alive());
        });
    }

    /// A walker that sees a slot pass from one task to the next sees either or none, and never an
    /// unfinished one, also in a chunk that is made meanwhile.
    #[test]
    fn a_walk_meets_tasks_only_as_they_were_published() {
        check_either(3, |walker_starts| {
            let registry = Arc::new(Registry::new());
            let tasks: Vec<_> = (0..3).map(|_| Task::new()).collect();
            let (walker, spawner) = (registry.clone(), registry.clone());
            let spawned = tasks.clone();
            race(
                walker_starts,
                move || visit(&walker),
                move || {
                    let mut owner = RegistryOwner::new();
                    for (index, task) in (0..).zip(&spawned) {
                        let slot = spawner.reserve(&mut owner);
                        assert_eq!(slot, index);
                        task.make();
                        spawner.publish(slot, task.at());
                    }
                    // The owner ends the second of them and reuses its slot.
                    spawner.remove(1);
                    spawned[1].die();
                    spawner.free(&mut owner, 1);
                    let reserved = [1, 3].map(|_| spawner.reserve(&mut owner));
                    assert_eq!(reserved, [1, 3]);
                },
            );
            assert_eq!(visit(&registry), [tasks[0].at(), tasks[2].at()]);
        });
    }

    /// "Remote free against reserve": two threads give slots back while the owner takes; no slot is
    /// in two hands, and none is lost (invariant 2).
    #[test]
    fn a_slot_is_handed_out_once_and_never_lost() {
        check(2, || {
            let registry = Arc::new(Registry::new());
            let mut owner = RegistryOwner::new();
            let held: Arc<Vec<_>> = Arc::new((0..4).map(|_| AtomicUsize::new(0)).collect());
            let take = {
                let (registry, held) = (registry.clone(), held.clone());
                move |owner: &mut RegistryOwner| {
                    let slot = registry.reserve(owner);
                    let before = held[slot as usize].fetch_add(1, Ordering::Relaxed);
                    assert_eq!(before, 0, "slot {slot} is in two hands");
                    slot
                }
            };
            let give = |slots: Vec<u32>| {
                let (registry, held) = (registry.clone(), held.clone());
                thread::spawn(move || {
                    for slot in slots {
                        registry.publish(slot, 8 as *const ());
                        registry.remove(slot);
                        held[slot as usize].fetch_sub(1, Ordering::Relaxed);
                        registry.free_remote(slot);
                    }
                })
            };
            let slots: Vec<_> = (0..3).map(|_| take(&mut owner)).collect();
            let first = give(vec![slots[0], slots[1]]);
            let second = give(vec![slots[2]]);
            let early = take(&mut owner);
            first.join().unwrap();
            second.join().unwrap();
            let mut all = vec![early];
            all.extend((0..3).map(|_| take(&mut owner)));
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3], "a slot was lost: the registry grew");
        });
    }

    /// A link of the remote list is seen by the owner that takes it, whoever pushed on top of it; and
    /// a slot that is given back while the owner takes the list is in the next one.
    #[test]
    fn the_remote_list_is_taken_whole() {
        check_either(3, |owner_starts| {
            let registry = Arc::new(Registry::new());
            let mut owner = RegistryOwner::new();
            let mut reserve = {
                let registry = registry.clone();
                move || registry.reserve(&mut owner)
            };
            let slots: Vec<_> = (0..3).map(|_| reserve()).collect();
            registry.free_remote(slots[2]);
            let helper = thread::spawn({
                let registry = registry.clone();
                move || registry.free_remote(1)
            });
            let (mut got, mut reserve) = race(
                owner_starts,
                move || (vec![reserve()], reserve),
                move || registry.free_remote(0),
            )
            .0;
            helper.join().unwrap();
            got.extend((0..3).map(|_| reserve()));
            got.sort_unstable();
            assert_eq!(got, [0, 1, 2, 3]);
        });
    }

    /// "Who sees the slots empty sees the futures dropped."
    #[test]
    fn an_empty_registry_is_seen_after_the_deaths() {
        check_either(3, |closer_starts| {
            let registry = Arc::new(Registry::new());
            let mut owner = RegistryOwner::new();
            let future = Task::new();
            let slot = registry.reserve(&mut owner);
            registry.publish(slot, future.at());
            let (ender, dropped) = (registry.clone(), future.clone());
            race(
                closer_starts,
                move || {
                    if registry.is_empty() {
                        // loom fails if the death is not ordered before this.
                        assert!(!future.is_alive());
                    }
                },
                move || {
                    // The future is dropped before its slot is vacated.
                    dropped.die();
                    ender.remove(slot);
                    ender.free_remote(slot);
                },
            );
        });
    }
}
