//! Models of `executor/src/sched/idle.rs`: "submit against park" and "the last-spinner handshake".
//!
//! Around the real `Idle` stands the smallest scheduler with the steps of `find.rs`, `run.rs`,
//! `park.rs` and `mod.rs` in their order. A queue is one word that gives no order beyond its own
//! release and acquire, as `crossbeam-deque`'s do: a lock would hide a missing fence. Whom a wake-up
//! wakes, it runs at once on the waker's thread: an M that was woken starts in no other state.

#[path = "../../executor/src/sched/idle.rs"]
pub(crate) mod protocol;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;

    use super::protocol::Idle;
    use crate::check::check;

    /// Whether an M comes back to the queues after a task.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Tasks {
        Short,
        /// The M is stuck in it for ever: whoever owed the others a look must have looked before.
        Endless,
    }

    struct Sched {
        idle: Idle,
        /// A queue for each submitter: 0 nothing, 1 a task.
        queues: Vec<AtomicUsize>,
        ran: AtomicUsize,
        tasks: Tasks,
    }

    impl Sched {
        fn new(procs: usize, queues: usize, tasks: Tasks) -> Arc<Self> {
            Arc::new(Self {
                idle: Idle::new(procs),
                queues: (0..queues).map(|_| AtomicUsize::new(0)).collect(),
                ran: AtomicUsize::new(0),
                tasks,
            })
        }

        /// `Sched::ready_remote`.
        fn submit(&self, queue: usize) {
            self.queues[queue].store(1, Ordering::Release);
            if self.idle.should_wake() {
                self.wakep();
            }
        }

        /// `Sched::wakep`: wakes an M, or starts one.
        fn wakep(&self) {
            if let Some(p) = self.idle.take_for_wake() {
                self.run(p, true);
            }
        }

        fn work_visible(&self) -> bool {
            // Relaxed, like the looks at `crossbeam-deque`.
            let mut queues = self.queues.iter();
            queues.any(|queue| queue.load(Ordering::Relaxed) != 0)
        }

        fn find(&self) -> bool {
            self.queues.iter().any(|queue| {
                queue
                    .compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            })
        }

        /// The life of an M from a P to its sleep: `Sched::run` with `Sched::park` in it.
        fn run(&self, mut p: usize, mut spinning: bool) {
            loop {
                if self.find() {
                    let wake = spinning && self.idle.stop_spinning() && self.work_visible();
                    spinning = false;
                    if wake {
                        self.wakep();
                    }
                    self.ran.fetch_add(1, Ordering::Relaxed);
                    if self.tasks == Tasks::Endless {
                        return;
                    }
                    continue;
                }
                self.idle.park(p, spinning);
                if !self.work_visible() {
                    return;
                }
                let Some(taken) = self.idle.take_for_wake() else {
                    return;
                };
                (p, spinning) = (taken, true);
            }
        }

        fn ran(&self) -> usize {
            self.ran.load(Ordering::Relaxed)
        }

        /// Everybody sleeps: nothing is left, and the books balance.
        fn assert_at_rest(&self, procs: usize) {
            assert!(!self.work_visible(), "a wake-up was lost");
            assert_eq!(self.ran(), self.queues.len());
            let view = self.idle.view();
            assert_eq!((view.idle(), view.spinning()), (procs, 0));
            assert!((0..procs).all(|p| self.idle.is_idle(p)));
        }
    }

    fn spawn(sched: &Arc<Sched>, f: impl FnOnce(&Sched) + 'static) -> thread::JoinHandle<()> {
        let sched = sched.clone();
        thread::spawn(move || f(&sched))
    }

    /// "Submit against park": the only M parks while a thread without a P submits.
    #[test]
    fn work_submitted_while_the_last_m_parks_is_run() {
        for spinning in [false, true] {
            check(3, move || {
                let sched = Sched::new(1, 1, Tasks::Short);
                let p = if spinning {
                    sched.idle.take_for_wake()
                } else {
                    sched.idle.take(0)
                };
                let submitter = spawn(&sched, |sched| sched.submit(0));
                sched.run(p.expect("all are idle"), spinning);
                submitter.join().unwrap();
                sched.assert_at_rest(1);
            });
        }
    }

    /// "Submit against park" with two Ms that park and see each other's spinning.
    #[test]
    fn work_submitted_while_two_ms_park_is_run() {
        for spinning in [false, true] {
            check(2, move || {
                let sched = Sched::new(2, 1, Tasks::Short);
                let first = if spinning {
                    sched.idle.take_for_wake()
                } else {
                    sched.idle.take(0)
                };
                let second = sched.idle.take(1).expect("the other is idle");
                let submitter = spawn(&sched, |sched| sched.submit(0));
                let other = spawn(&sched, move |sched| sched.run(second, false));
                sched.run(first.expect("all are idle"), spinning);
                submitter.join().unwrap();
                other.join().unwrap();
                sched.assert_at_rest(2);
            });
        }
    }

    /// "The last-spinner handshake": two submitters rely on one spinner, which gets stuck in what it
    /// finds first.
    #[test]
    fn a_spinner_that_found_work_sees_to_the_rest() {
        check(2, || {
            let sched = Sched::new(2, 2, Tasks::Endless);
            let p = sched.idle.take_for_wake().expect("all are idle");
            let first = spawn(&sched, |sched| sched.submit(0));
            let second = spawn(&sched, |sched| sched.submit(1));
            sched.run(p, true);
            first.join().unwrap();
            second.join().unwrap();
            assert_eq!(sched.ran(), 2, "a task waits although a P is idle");
        });
    }

    /// The same with one submitter of two tasks, and a second M that parks: whoever stops last looks.
    #[test]
    fn of_two_ms_the_last_that_spins_sees_to_the_rest() {
        check(2, || {
            let sched = Sched::new(2, 2, Tasks::Endless);
            let spinner = sched.idle.take_for_wake().expect("all are idle");
            let parker = sched.idle.take(1).expect("the other is idle");
            let submitter = spawn(&sched, |sched| {
                sched.submit(0);
                sched.submit(1);
            });
            let other = spawn(&sched, move |sched| sched.run(parker, false));
            sched.run(spinner, true);
            submitter.join().unwrap();
            other.join().unwrap();
            assert_eq!(sched.ran(), 2, "a task waits although a P is idle");
        });
    }

    /// Nobody spins: two submitters wake for two tasks, though the first wake-up makes the second
    /// think that somebody spins.
    #[test]
    fn two_submitters_wake_as_many_ms_as_they_need() {
        check(2, || {
            let sched = Sched::new(2, 2, Tasks::Endless);
            let other = spawn(&sched, |sched| sched.submit(0));
            sched.submit(1);
            other.join().unwrap();
            assert_eq!(sched.ran(), 2, "a task waits although a P is idle");
        });
    }

    /// Invariant 1: whoever took a count finds a bit, and no two find the same one, while a third
    /// parks and takes.
    #[test]
    fn takers_never_get_the_same_p() {
        check(2, || {
            let sched = Sched::new(2, 0, Tasks::Short);
            let parked = sched.idle.take(1).expect("all are idle");
            let parker = spawn(&sched, move |sched| sched.idle.park(parked, false));
            let take = |sched: &Arc<Sched>, prefer| {
                let sched = sched.clone();
                thread::spawn(move || sched.idle.take(prefer))
            };
            let first = take(&sched, 1);
            let second = sched.idle.take(1);
            let mut taken: Vec<_> = first.join().unwrap().into_iter().chain(second).collect();
            parker.join().unwrap();
            let view = sched.idle.view();
            assert_eq!(view.idle(), 2 - taken.len());
            taken.extend((0..2).filter(|&p| sched.idle.is_idle(p)));
            taken.sort_unstable();
            assert_eq!(taken, [0, 1], "a P was lost or doubled");
        });
    }

    /// A P's content goes with its bit: what its last M did is seen by the next.
    #[test]
    fn a_p_comes_with_what_its_last_m_left_in_it() {
        struct World {
            idle: Idle,
            content: loom::cell::UnsafeCell<u32>,
        }
        // SAFETY: (1) the content is touched by the taker of the P only, which loom checks.
        unsafe impl Sync for World {}

        for for_wake in [false, true] {
            check(3, move || {
                let world = Arc::new(World {
                    idle: Idle::new(1),
                    content: loom::cell::UnsafeCell::new(0),
                });
                let p = world.idle.take(0).expect("it is idle");
                let taker = thread::spawn({
                    let world = world.clone();
                    move || {
                        let taken = if for_wake {
                            world.idle.take_for_wake()
                        } else {
                            world.idle.take(0)
                        };
                        if taken.is_some() {
                            // SAFETY: (1) the P is ours.
                            world.content.with_mut(|content| unsafe { *content += 1 });
                        }
                        taken.is_some()
                    }
                });
                // SAFETY: (1) the P is ours.
                world.content.with_mut(|content| unsafe { *content += 1 });
                world.idle.park(p, false);
                let taken = taker.join().unwrap();
                // SAFETY: (1) nobody else is left.
                let content = world.content.with(|content| unsafe { *content });
                assert_eq!(content, 1 + u32::from(taken));
            });
        }
    }

    /// The bit of the poller: one M at a time has it, and hands over what it did meanwhile.
    #[test]
    fn one_m_at_a_time_is_the_poller() {
        struct World {
            idle: Idle,
            reactor: loom::cell::UnsafeCell<u32>,
        }
        // SAFETY: (1) the reactor is touched by the poller only, which loom checks.
        unsafe impl Sync for World {}

        fn wait(world: &World) -> u32 {
            let became = world.idle.become_poller();
            if became {
                // SAFETY: (1) the M is the poller.
                world.reactor.with_mut(|turns| unsafe { *turns += 1 });
                assert!(world.idle.view().has_poller());
                world.idle.resign_poller();
            }
            became.into()
        }

        check(3, || {
            let world = Arc::new(World {
                idle: Idle::new(1),
                reactor: loom::cell::UnsafeCell::new(0),
            });
            let other = thread::spawn({
                let world = world.clone();
                move || wait(&world)
            });
            let turns = wait(&world) + wait(&world) + other.join().unwrap();
            assert!(turns >= 1);
            // SAFETY: (1) nobody else is left.
            assert_eq!(world.reactor.with(|turns| unsafe { *turns }), turns);
            assert!(!world.idle.view().has_poller());
            // The counts in the same word are none the worse for it.
            assert_eq!(world.idle.view().idle(), 1);
        });
    }

    /// At most half of the busy Ps' number of Ms spin, however many try at once.
    #[test]
    fn no_more_ms_spin_than_half_of_the_busy_ps() {
        check(3, || {
            let sched = Sched::new(2, 0, Tasks::Short);
            assert!(sched.idle.take(0).is_some() && sched.idle.take(1).is_some());
            let try_to_spin = |sched: &Sched| usize::from(sched.idle.start_spinning());
            let other = thread::spawn({
                let sched = sched.clone();
                move || try_to_spin(&sched)
            });
            let spinning = try_to_spin(&sched) + other.join().unwrap();
            assert_eq!(spinning, 1);
            assert_eq!(sched.idle.view().spinning(), spinning);
            assert!(sched.idle.stop_spinning(), "the one that spins is the last");
        });
    }
}
