//! Models of `executor/src/ring.rs` and of `executor/src/runq.rs` over it.
//!
//! A word is the number of a cell that the pusher wrote before and the taker reads after: so loom
//! also sees whether a word brings with it what its task did before. Every model ends with
//! the same question: was each word taken once, and in the order of its source?

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::thread;

    use crate::check::{check, check_either, race};
    use crate::globq::GlobalQueue;
    use crate::ring::{CAPACITY, Full, Ring, Stolen};
    use crate::runq::{RunQueue, Steal, Stealer, Word};

    /// The tasks by their number, from 1 on; each may be touched by who holds its word.
    struct Tasks(Vec<UnsafeCell<u32>>);

    // SAFETY: (1) a task is touched by the holder of its word only, which loom checks.
    unsafe impl Sync for Tasks {}

    impl Tasks {
        fn new(count: usize) -> Arc<Self> {
            Arc::new(Self((0..=count).map(|_| UnsafeCell::new(0)).collect()))
        }

        fn touch(&self, word: usize) -> usize {
            // SAFETY: (1) the caller holds the word.
            self.0[word].with_mut(|touched| unsafe { *touched += 1 });
            word
        }

        fn assert_each_taken_once(&self, takers: &[&[usize]]) {
            let mut all = takers.concat();
            all.sort_unstable();
            assert!(all.iter().copied().eq(1..self.0.len()), "{takers:?}");
        }
    }

    fn assert_in_order(taken: &[usize]) {
        assert!(
            taken.is_sorted(),
            "{taken:?} is not the order of the source"
        );
    }

    fn claim(ring: &Ring, tasks: &Tasks, most: usize) -> Vec<usize> {
        let mut buffer = vec![0; most];
        let count = ring.claim(&mut buffer);
        buffer.truncate(count);
        buffer.into_iter().map(|word| tasks.touch(word)).collect()
    }

    /// Steals once and takes what has come into the thief's own ring.
    fn steal(ring: &Ring, thief: &Ring, tasks: &Tasks) -> Vec<usize> {
        let mut taken = Vec::new();
        if let Stolen::Word(word) = ring.steal_into(thief) {
            taken.push(tasks.touch(word));
            taken.extend(claim(thief, tasks, CAPACITY));
        }
        taken
    }

    /// A ring whose indices stand just before a wrap of its slots.
    fn worn_ring(tasks: &Tasks, pushed: usize) -> Arc<Ring> {
        let ring = Ring::new();
        for _ in 0..CAPACITY - 1 {
            ring.push(usize::MAX).unwrap();
            assert_eq!(ring.claim(&mut [0]), 1);
        }
        for word in 1..=pushed {
            ring.push(tasks.touch(word)).unwrap();
        }
        Arc::new(ring)
    }

    fn spawn<R: 'static>(
        ring: &Arc<Ring>,
        tasks: &Arc<Tasks>,
        f: impl FnOnce(&Ring, &Tasks) -> R + 'static,
    ) -> thread::JoinHandle<R> {
        let (ring, tasks) = (ring.clone(), tasks.clone());
        thread::spawn(move || f(&ring, &tasks))
    }

    /// The owner claims several at once and pushes anew, over the slots that a thief reads: "torn
    /// read".
    #[test]
    fn an_owner_and_a_thief_share_each_word_once() {
        check(3, || {
            let tasks = Tasks::new(CAPACITY + 1);
            let ring = worn_ring(&tasks, CAPACITY - 1);
            let thief = spawn(&ring, &tasks, |ring, tasks| {
                steal(ring, &Ring::new(), tasks)
            });
            let mut owned = claim(&ring, &tasks, 2);
            for word in [CAPACITY, CAPACITY + 1] {
                assert_eq!(ring.push(tasks.touch(word)), Ok(()));
            }
            owned.extend(claim(&ring, &tasks, 1));
            let stolen = thief.join().unwrap();
            owned.extend(claim(&ring, &tasks, CAPACITY));
            assert_in_order(&owned);
            assert_in_order(&stolen);
            tasks.assert_each_taken_once(&[&owned, &stolen]);
        });
    }

    #[test]
    fn two_thieves_and_the_owner_share_each_word_once() {
        check(2, || {
            let tasks = Tasks::new(CAPACITY);
            let ring = worn_ring(&tasks, CAPACITY - 1);
            let rob = |ring: &Ring, tasks: &Tasks| steal(ring, &Ring::new(), tasks);
            let first = spawn(&ring, &tasks, rob);
            let second = spawn(&ring, &tasks, rob);
            assert_eq!(ring.push(tasks.touch(CAPACITY)), Ok(()));
            let mut owned = claim(&ring, &tasks, 1);
            let (first, second) = (first.join().unwrap(), second.join().unwrap());
            owned.extend(claim(&ring, &tasks, CAPACITY));
            for taken in [&owned, &first, &second] {
                assert_in_order(taken);
            }
            tasks.assert_each_taken_once(&[&owned, &first, &second]);
        });
    }

    /// A thief's ring is robbed while it is being filled by a theft.
    #[test]
    fn a_thief_that_is_robbed_passes_each_word_on_once() {
        check(2, || {
            let tasks = Tasks::new(CAPACITY);
            let ring = worn_ring(&tasks, CAPACITY);
            // The thief's ring has been full once, and is empty now.
            let thief = Arc::new(Ring::new());
            for _ in 0..CAPACITY {
                thief.push(usize::MAX).unwrap();
            }
            assert_eq!(thief.claim(&mut [0; CAPACITY]), CAPACITY);
            let robber = spawn(&thief, &tasks, |thief, tasks| {
                steal(thief, &Ring::new(), tasks)
            });
            let mut held = match ring.steal_into(&thief) {
                Stolen::Word(word) => vec![tasks.touch(word)],
                other => panic!("{other:?}, and nobody else robs this ring"),
            };
            held.extend(claim(&thief, &tasks, CAPACITY));
            let robbed = robber.join().unwrap();
            let left = claim(&ring, &tasks, CAPACITY);
            for taken in [&held, &robbed, &left] {
                assert_in_order(taken);
            }
            tasks.assert_each_taken_once(&[&held, &robbed, &left]);
        });
    }

    /// The owner's claim of several and another's taking of one (the closer's `steal_one`). Who sees
    /// the last word gone must also see that it was pushed, or it would find more words than there
    /// ever were.
    #[test]
    fn the_last_words_are_taken_once() {
        check_either(3, |owner_starts| {
            let tasks = Tasks::new(2);
            let ring = worn_ring(&tasks, 0);
            let (owner, thief) = (ring.clone(), ring.clone());
            let (owners, thiefs) = (tasks.clone(), tasks.clone());
            let (owned, stolen) = race(
                owner_starts,
                move || {
                    for word in 1..=2 {
                        assert_eq!(owner.push(owners.touch(word)), Ok(()));
                    }
                    claim(&owner, &owners, 2)
                },
                move || {
                    let taken = thief.take().into_iter().chain(thief.take());
                    taken.map(|word| thiefs.touch(word)).collect::<Vec<_>>()
                },
            );
            let left = claim(&ring, &tasks, 2);
            tasks.assert_each_taken_once(&[&owned, &stolen, &left]);
        });
    }

    /// The same with two who take, so that the one learns from the other that a word is gone.
    #[test]
    fn of_two_thieves_one_takes_the_only_word() {
        for halves in [false, true] {
            check_either(2, move |owner_starts| {
                let tasks = Tasks::new(1);
                let ring = worn_ring(&tasks, 0);
                let thief = move |ring: &Ring, tasks: &Tasks| {
                    if halves {
                        return steal(ring, &Ring::new(), tasks);
                    }
                    ring.take()
                        .map(|word| tasks.touch(word))
                        .into_iter()
                        .collect()
                };
                let first = spawn(&ring, &tasks, thief);
                let (owner, robbed) = (ring.clone(), ring.clone());
                let (owners, thiefs) = (tasks.clone(), tasks.clone());
                let ((), second) = race(
                    owner_starts,
                    move || assert_eq!(owner.push(owners.touch(1)), Ok(())),
                    move || thief(&robbed, &thiefs),
                );
                let first = first.join().unwrap();
                let left = claim(&ring, &tasks, 1);
                tasks.assert_each_taken_once(&[&first, &second, &left]);
            });
        }
    }

    /// The same for a theft of half.
    #[test]
    fn a_thief_of_a_ring_that_was_just_emptied_finds_nothing() {
        check_either(3, |owner_starts| {
            let tasks = Tasks::new(2);
            let ring = worn_ring(&tasks, 0);
            let (owner, robbed) = (ring.clone(), ring.clone());
            let (owners, thiefs) = (tasks.clone(), tasks.clone());
            let (owned, stolen) = race(
                owner_starts,
                move || {
                    for word in 1..=2 {
                        assert_eq!(owner.push(owners.touch(word)), Ok(()));
                    }
                    claim(&owner, &owners, 2)
                },
                move || steal(&robbed, &Ring::new(), &thiefs),
            );
            let left = claim(&ring, &tasks, 2);
            tasks.assert_each_taken_once(&[&owned, &stolen, &left]);
        });
    }

    /// A full ring gives the word back, and has room as soon as a thief was there.
    #[test]
    fn a_push_into_a_full_ring_fails_or_finds_what_a_thief_left() {
        check(3, || {
            let tasks = Tasks::new(CAPACITY + 1);
            let ring = worn_ring(&tasks, CAPACITY);
            let thief = spawn(&ring, &tasks, |ring, tasks| {
                steal(ring, &Ring::new(), tasks)
            });
            let pushed = ring.push(tasks.touch(CAPACITY + 1));
            let stolen = thief.join().unwrap();
            let mut owned = claim(&ring, &tasks, CAPACITY);
            if let Err(Full(word)) = pushed {
                assert_eq!(word, CAPACITY + 1);
                owned.push(word);
            }
            tasks.assert_each_taken_once(&[&owned, &stolen]);
        });
    }

    /// A task of a run queue: its number.
    struct Task(usize);

    impl Word for Task {
        fn into_word(self) -> NonNull<()> {
            NonNull::new(std::ptr::without_provenance_mut(self.0)).expect("numbers begin with 1")
        }

        unsafe fn from_word(word: NonNull<()>) -> Self {
            Self(word.as_ptr().addr())
        }
    }

    struct World {
        tasks: Arc<Tasks>,
        global: GlobalQueue<Task>,
    }

    impl World {
        fn new(count: usize) -> Arc<Self> {
            Arc::new(Self {
                tasks: Tasks::new(count),
                global: GlobalQueue::new(),
            })
        }

        fn ready(&self, word: usize) -> Task {
            Task(self.tasks.touch(word))
        }

        fn run(&self, task: Task) -> usize {
            self.tasks.touch(task.0)
        }

        fn drain(&self, queue: &RunQueue<Task>) -> Vec<usize> {
            std::iter::from_fn(|| queue.pop(|| false))
                .map(|task| self.run(task))
                .collect()
        }

        fn drain_global(&self) -> Vec<usize> {
            std::iter::from_fn(|| self.global.pop())
                .map(|task| self.run(task))
                .collect()
        }
    }

    /// A P's whole life with its queue: `runnext`, the hand, the ring, a spill into the injector, and
    /// a batch out of it; against a thief and an M that takes from the injector.
    #[test]
    fn a_queue_that_spills_while_it_is_robbed_loses_no_task() {
        check(2, || {
            let count = CAPACITY + 2;
            let world = World::new(count);
            let queue = RunQueue::new();
            let stealer = queue.stealer();
            for word in 1..=CAPACITY - 1 {
                queue.push_back(world.ready(word), &world.global);
            }
            let thief = thread::spawn({
                let world = world.clone();
                move || {
                    let own = RunQueue::new();
                    let mut taken = Vec::new();
                    if let Steal::Task(task) = own.steal_from(&stealer) {
                        taken.push(world.run(task));
                    }
                    taken.extend(world.drain(&own));
                    assert_in_order(&taken);
                    // Then it looks into the injector.
                    let mut spilled = Vec::new();
                    if let Some(task) = own.steal_from_global(&world.global, 2) {
                        spilled.push(world.run(task));
                    }
                    spilled.extend(world.drain(&own));
                    assert_in_order(&spilled);
                    taken.extend(spilled);
                    taken
                }
            });
            for word in CAPACITY..=count {
                // The first goes to an empty `runnext`, which wakes nobody.
                let displaced = queue.push_next(world.ready(word), &world.global);
                assert_eq!(displaced, word != CAPACITY);
            }
            // With the hand: several at once.
            let mut owned = Vec::new();
            owned.extend(queue.pop(|| true).map(|task| world.run(task)));
            assert_eq!(owned, [count], "what was readied last runs next");
            owned.extend(queue.pop(|| true).map(|task| world.run(task)));
            let stolen = thief.join().unwrap();
            owned.extend(world.drain(&queue));
            assert!(queue.is_empty());
            assert_in_order(&owned[1..]);
            let spilled = world.drain_global();
            assert_in_order(&spilled);
            world
                .tasks
                .assert_each_taken_once(&[&owned, &stolen, &spilled]);
        });
    }

    /// A batch from the injector, larger than the room that its taker has left after a theft from it.
    #[test]
    fn two_ms_share_the_injector() {
        check(2, || {
            let world = World::new(4);
            for word in 1..=4 {
                world.global.push(world.ready(word));
            }
            let take = |world: &World| {
                let own = RunQueue::new();
                let first = own.steal_from_global(&world.global, 2);
                let mut taken: Vec<_> = first.into_iter().map(|task| world.run(task)).collect();
                taken.extend(world.drain(&own));
                assert_in_order(&taken);
                taken
            };
            let other = thread::spawn({
                let world = world.clone();
                move || take(&world)
            });
            let own = take(&world);
            let other = other.join().unwrap();
            assert_eq!((own.len(), other.len()), (2, 2));
            world.tasks.assert_each_taken_once(&[&own, &other]);
        });
    }

    /// Two tasks that ready each other do not starve the ring; and `runnext` keeps its turn.
    #[test]
    fn runnext_runs_a_bounded_number_of_times_in_a_row() {
        check(1, || {
            let world = World::new(4);
            let queue = RunQueue::new();
            queue.push_back(Task(1), &world.global);
            queue.push_back(Task(2), &world.global);
            let _ = queue.push_next(Task(3), &world.global);
            let mut order = Vec::new();
            while !order.contains(&2) {
                let Task(word) = queue.pop(|| false).expect("3 is always ready");
                order.push(word);
                if word == 3 {
                    let _ = queue.push_next(Task(3), &world.global);
                }
                assert!(order.len() < 100, "the ring starves: {order:?}");
            }
            assert_eq!(order, [3, 3, 1, 3, 3, 2]);
        });
    }
}
