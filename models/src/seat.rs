//! Models of `executor/src/seat.rs`: "the retake race", and what an M does when it has lost: at the end
//! of a poll (`sched/run.rs`), at the end of a blocking section (`sched/blocking.rs`), as it parks
//! (`sched/park.rs`) and as it ends (`sched/start.rs`).
//!
//! The P's content is a cell that loom watches: if ever two threads could touch it at once, or one
//! after the other without an order between them, the model fails.

#[path = "../../executor/src/seat.rs"]
mod protocol;

#[cfg(test)]
mod tests {
    use std::ptr::NonNull;
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::sync::Notify;
    use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
    use loom::thread;

    use super::protocol::{Retake, Seat};
    use crate::check::check;

    /// What only the owner of a P touches: here, how often it was touched.
    #[derive(Debug)]
    struct P(UnsafeCell<u32>);

    /// A P and the seat of the M that has it; and, for some models, of an M that gets it later.
    struct World {
        p: P,
        seat: Seat<P>,
        next_seat: Seat<P>,
    }

    // SAFETY: (1) `p` is touched by its owner only, which is what the models check.
    unsafe impl Sync for World {}

    impl World {
        /// The M of `seat` runs user code, and has the P.
        fn new() -> Arc<Self> {
            let world = Arc::new(Self {
                p: P(UnsafeCell::new(0)),
                seat: Seat::new(),
                next_seat: Seat::new(),
            });
            world.seat.install(world.p_ptr());
            world.seat.leave();
            world
        }

        fn p_ptr(&self) -> NonNull<P> {
            NonNull::from(&self.p)
        }

        /// Its owner touches the P.
        fn touch(&self, p: NonNull<P>) {
            assert_eq!(p, self.p_ptr());
            self.p.0.with_mut(|touched| {
                // SAFETY: (1) the caller owns the P; loom fails if it does not.
                unsafe { *touched += 1 }
            });
        }

        fn touched(&self) -> u32 {
            // SAFETY: as in `touch`.
            self.p.0.with(|touched| unsafe { *touched })
        }

        /// A wake or a spawn from user code. True if the M had its P.
        fn stay(&self, seat: &Seat<P>) -> bool {
            let p = seat.enter();
            if let Some(p) = p {
                self.touch(p);
            }
            seat.leave();
            p.is_some()
        }

        /// Waits for the end of a retake, by a look now and then.
        fn finish(&self, mut retake: Retake<P>) -> NonNull<P> {
            loop {
                match retake.complete(&self.seat) {
                    Ok(p) => return p,
                    Err(pending) => retake = pending,
                }
                thread::yield_now();
            }
        }

        /// The taker's life: retakes the P, and gives it to the other M. True if it got it.
        fn retake_and_hand_on(&self) -> bool {
            let Some(retake) = self.seat.retake(self.p_ptr()) else {
                return false;
            };
            let p = self.finish(retake);
            self.touch(p);
            // The other M: it sits down, runs user code, and comes back.
            self.next_seat.install(p);
            self.next_seat.leave();
            assert!(self.stay(&self.next_seat));
            true
        }
    }

    /// "The retake race": an M enters and leaves scheduler code while its P is retaken and handed to
    /// another. The stays follow one another, so the taker also meets one that is newer than the one
    /// it found ("late retake").
    #[test]
    fn a_retaken_p_is_never_touched_by_two() {
        check(3, || {
            let world = World::new();
            let taker = thread::spawn({
                let world = world.clone();
                move || assert!(world.retake_and_hand_on())
            });
            let stays = (0..3).filter(|_| world.stay(&world.seat)).count() as u32;
            taker.join().unwrap();
            assert!(!world.stay(&world.seat), "the P is gone");
            assert_eq!(world.touched(), stays + 2);
        });
    }

    /// Once an M has found its P gone it stays gone, in nested stays as in the next one: here user
    /// code that the M runs between two rounds of its loop wakes something, twice.
    #[test]
    fn a_retake_is_seen_from_the_first_stay_on_that_missed_the_p() {
        check(3, || {
            let world = World::new();
            let taker = thread::spawn({
                let world = world.clone();
                move || assert!(world.retake_and_hand_on())
            });
            let mut had = vec![world.seat.enter().is_some()];
            if had[0] && world.seat.held().is_some() {
                world.touch(world.p_ptr());
            }
            world.seat.leave();
            had.push(world.stay(&world.seat));
            had.push(world.stay(&world.seat));
            had.push(world.seat.enter().is_some());
            world.seat.leave();
            assert!(had.is_sorted_by(|before, after| before >= after));
            taker.join().unwrap();
        });
    }

    /// Rule 4: "of a release and a retake exactly one gets the P".
    #[test]
    fn a_release_and_a_retake_do_not_both_get_the_p() {
        check(3, || {
            let world = World::new();
            let taker = thread::spawn({
                let world = world.clone();
                move || world.retake_and_hand_on()
            });
            let entered = world.seat.enter();
            if let Some(p) = entered {
                world.touch(p);
            }
            let released = world.seat.release();
            if let Some(p) = released {
                world.touch(p);
            }
            world.seat.leave();
            let retaken = taker.join().unwrap();
            assert!(retaken != released.is_some(), "the P was lost or doubled");
            let by_m = u32::from(entered.is_some()) + u32::from(released.is_some());
            assert_eq!(world.touched(), by_m + if retaken { 2 } else { 0 });
        });
    }

    /// Rule 5: a retake that finds the M in scheduler code stays pending, and completes at a later
    /// look, also when the M has come back meanwhile.
    #[test]
    fn a_pending_retake_completes_after_the_stay_it_found() {
        check(3, || {
            let world = World::new();
            let p = world.seat.enter().expect("nobody has retaken it yet");
            let taker = thread::spawn({
                let world = world.clone();
                move || {
                    let retake = world.seat.retake(world.p_ptr()).expect("it is there");
                    let p = world.finish(retake);
                    world.touch(p);
                }
            });
            world.touch(p);
            // The P may go at any moment; within this stay it is still ours to touch.
            world.touch(p);
            assert!(world.seat.held().is_none_or(|held| held == p));
            world.seat.leave();
            world.stay(&world.seat);
            taker.join().unwrap();
            assert!(world.touched() >= 3);
            assert!(!world.stay(&world.seat));
        });
    }

    /// While the M is inside, no look completes the retake: this one has no race in it.
    #[test]
    fn a_retake_waits_as_long_as_the_m_stays() {
        check(3, || {
            let world = World::new();
            let p = world.seat.enter().expect("nobody has retaken it yet");
            let retake = world.seat.retake(p).expect("it is there");
            let retake = retake.complete(&world.seat).expect_err("the M is inside");
            let retake = retake.complete(&world.seat).expect_err("the M is inside");
            assert!(world.seat.release().is_none());
            world.seat.leave();
            let _ = world.seat.enter();
            assert_eq!(retake.complete(&world.seat).unwrap(), p);
        });
    }

    /// Two takers, an M that gives up its P: one of the three has it.
    #[test]
    fn of_two_takers_one_gets_the_p() {
        check(2, || {
            let world = World::new();
            let take = |world: Arc<World>| {
                move || match world.seat.retake(world.p_ptr()) {
                    Some(retake) => {
                        let p = world.finish(retake);
                        world.touch(p);
                        true
                    }
                    None => false,
                }
            };
            let first = thread::spawn(take(world.clone()));
            let second = thread::spawn(take(world.clone()));
            let _ = world.seat.enter();
            let released = world.seat.release().inspect(|&p| world.touch(p)).is_some();
            world.seat.leave();
            let takers = [first.join().unwrap(), second.join().unwrap()];
            let owners = takers.into_iter().filter(|&got| got).count() + usize::from(released);
            assert_eq!(owners, 1);
            assert_eq!(world.touched(), 1);
        });
    }

    /// A P that came back to its M by hand of the taker is the M's again, with all that others did.
    #[test]
    fn a_p_that_is_handed_back_is_whole() {
        check(2, || {
            let world = World::new();
            let taker = thread::spawn({
                let world = world.clone();
                move || {
                    let retake = world.seat.retake(world.p_ptr()).expect("it is there");
                    let p = world.finish(retake);
                    world.touch(p);
                    p.as_ptr() as usize
                }
            });
            let mut touched = u32::from(world.stay(&world.seat));
            let p = taker.join().unwrap() as *mut P;
            let _ = world.seat.enter();
            world.seat.install(NonNull::new(p).unwrap());
            world.seat.leave();
            touched += 1 + u32::from(world.stay(&world.seat));
            assert_eq!(world.touched(), touched);
        });
    }

    /// Ps of which one is on its way between Ms by hand of the monitor, who gives it to nobody but
    /// puts it down: what `Idle` is to the scheduler.
    struct Runtime {
        ps: [P; 2],
        seat: Seat<P>,
        /// The idle Ps, each at its own place.
        idle: [AtomicPtr<P>; 2],
        /// Tasks that were readied by the M without a P: the global queue.
        globq: AtomicUsize,
        stopped: AtomicBool,
    }

    // SAFETY: as for `World`.
    unsafe impl Sync for Runtime {}

    impl Runtime {
        /// The M of `seat` has the first P and is in scheduler code; the second is idle, or busy for
        /// ever.
        fn new(is_second_idle: bool) -> Arc<Self> {
            let this = Arc::new(Self {
                ps: [P(UnsafeCell::new(0)), P(UnsafeCell::new(0))],
                seat: Seat::new(),
                idle: [const { std::ptr::null_mut() }; 2].map(AtomicPtr::new),
                globq: AtomicUsize::new(0),
                stopped: AtomicBool::new(false),
            });
            this.seat.install(NonNull::from(&this.ps[0]));
            if is_second_idle {
                this.put(NonNull::from(&this.ps[1]));
            }
            this
        }

        fn touch(&self, p: NonNull<P>) {
            assert!(self.ps.iter().any(|known| NonNull::from(known) == p));
            // SAFETY: (1) the Ps live as long as we do.
            unsafe { p.as_ref() }.0.with_mut(|touched| {
                // SAFETY: (1) the caller owns the P; loom fails if it does not.
                unsafe { *touched += 1 }
            });
        }

        /// `Idle::park`.
        fn put(&self, p: NonNull<P>) {
            let at = usize::from(p == NonNull::from(&self.ps[1]));
            let before = self.idle[at].swap(p.as_ptr(), Ordering::AcqRel);
            assert!(before.is_null(), "an idle P was parked again");
        }

        /// `Idle::take`, with a preference for the second or the first.
        fn take(&self, prefer: usize) -> Option<NonNull<P>> {
            let take = |at: usize| {
                let idle = &self.idle[at];
                // No swap where there is nothing: loom would have it undo a later `put`.
                let p = NonNull::new(idle.load(Ordering::Relaxed))?;
                idle.compare_exchange(
                    p.as_ptr(),
                    std::ptr::null_mut(),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .ok()
                .map(|_| p)
            };
            take(prefer).or_else(|| take(1 - prefer))
        }

        /// `M::ready`, from user code: to the P, or without one to the global queue.
        fn ready(&self) {
            match self.seat.enter() {
                Some(p) => self.touch(p),
                None => _ = self.globq.fetch_add(1, Ordering::Relaxed),
            }
            self.seat.leave();
        }

        /// `Sched::sit_down`.
        fn sit_down(&self, prefer: usize) {
            if let Some(p) = self.take(prefer) {
                self.seat.install(p);
            }
        }

        /// The end of a section: `Section::drop` with `Sched::come_back`.
        fn end_section(&self, prefer: usize) {
            if self.seat.is_vacant() {
                let p = self.seat.enter();
                assert!(p.is_none(), "a P came to an M that did not take it");
                self.sit_down(prefer);
                self.seat.leave();
            }
        }

        /// `Sched::handoff`.
        fn handoff(&self) {
            let released = self.seat.release();
            self.seat.leave();
            if let Some(p) = released {
                self.touch(p);
                self.put(p);
            }
        }

        /// `Monitor::complete`, at later and later looks.
        fn pass_on(&self, mut retake: Retake<P>) {
            let p = loop {
                match retake.complete(&self.seat) {
                    Ok(p) => break p,
                    Err(pending) => retake = pending,
                }
                thread::yield_now();
            };
            self.touch(p);
            self.put(p);
        }

        /// `Monitor::examine` and `retake`: what it glances at may be another's by then.
        fn examine(&self) {
            if let (Some(p), _) = self.seat.glance() {
                if let Some(retake) = self.seat.retake(p) {
                    self.pass_on(retake);
                }
            }
        }

        /// When all is over: every P is at one place, and what was done to each is seen, as many
        /// steps as were counted.
        fn assert_whole(&self, ps: usize, steps: u32) {
            let held = self.seat.glance().0;
            let idle = std::iter::from_fn(|| self.take(0));
            let found: Vec<_> = idle.chain(held).collect();
            assert_eq!(found.len(), ps, "a P was lost or doubled");
            assert!(ps == 1 || found[0] != found[1]);
            // SAFETY: (1) nobody else is left.
            let touched = |p: &P| p.0.with(|touched| unsafe { *touched });
            let done: u32 = self.ps.iter().map(touched).sum();
            let remote = self.globq.load(Ordering::Relaxed) as u32;
            assert!(done + remote >= steps, "{done} + {remote} < {steps}");
        }
    }

    fn spawn(world: &Arc<Runtime>, f: impl FnOnce(&Runtime) + 'static) -> thread::JoinHandle<()> {
        let world = world.clone();
        thread::spawn(move || f(&world))
    }

    /// "The retake race" at the end of a poll, with wakes in it: `Sched::run_task` between two rounds
    /// of `find`. What is woken goes to the P or, once that is gone, to the global queue.
    #[test]
    fn a_poll_that_ends_as_its_p_is_taken_goes_on_without() {
        check(3, || {
            let world = Runtime::new(false);
            let p = NonNull::from(&world.ps[0]);
            let monitor = spawn(&world, Runtime::examine);
            let mut found = 0;
            for _ in 0..2 {
                if world.seat.held() != Some(p) {
                    break;
                }
                // `find`, `run_task`.
                world.touch(p);
                found += 1;
                world.seat.leave();
                world.ready();
                let _ = world.seat.enter();
            }
            world.handoff();
            monitor.join().unwrap();
            // Each poll found its task and readied one; who put the P down touched it.
            world.assert_whole(1, 2 * found + 1);
        });
    }

    /// "The way back": a section ends as the P is taken, and the M sits down on the same P once more or
    /// on another; then the next section begins, while the monitor still looks at the first.
    #[test]
    fn an_m_comes_back_to_a_p_while_the_monitor_takes_one() {
        for prefer in [0, 1] {
            check(3, move || {
                let world = Runtime::new(prefer == 1);
                world.seat.leave();
                let monitor = spawn(&world, |world| {
                    world.examine();
                    world.examine();
                });
                for _ in 0..2 {
                    world.end_section(prefer);
                    world.ready();
                }
                monitor.join().unwrap();
                world.end_section(prefer);
                assert!(!world.seat.is_vacant(), "a P is idle, and the M has none");
                world.assert_whole(1 + prefer, 2);
            });
        }
    }

    /// `block_eager` in a section: the P is given up by the M or taken by the monitor, not both, and
    /// there is one for the way back.
    #[test]
    fn a_p_given_up_in_a_section_is_not_taken_as_well() {
        check(3, || {
            let world = Runtime::new(false);
            world.seat.leave();
            let monitor = spawn(&world, Runtime::examine);
            // `Blocked::begin`, what blocks, `Blocked::drop`, `Section::drop`.
            let _ = world.seat.enter();
            world.handoff();
            world.ready();
            let p = world.seat.enter();
            assert!(p.is_none(), "a P came to an M that did not take it");
            world.sit_down(0);
            world.seat.leave();
            world.end_section(0);
            world.ready();
            monitor.join().unwrap();
            world.assert_whole(1, 3);
        });
    }

    /// "A retake against a park": the M that is found in scheduler code leaves it before it sleeps, or
    /// the retake would never be complete and nobody would wake it.
    #[test]
    fn a_retake_from_an_m_that_parks_is_completed_while_it_sleeps() {
        check(3, || {
            let world = Runtime::new(false);
            let bed = Arc::new(Notify::new());
            let monitor = spawn(&world, {
                let bed = bed.clone();
                move |world| {
                    if let Some(retake) = world.seat.retake(NonNull::from(&world.ps[0])) {
                        world.pass_on(retake);
                        // `hand_over`: the P goes to an idle M.
                        bed.notify();
                    }
                }
            });
            world.touch(NonNull::from(&world.ps[0]));
            let released = world.seat.release();
            if let Some(p) = released {
                world.put(p);
            }
            world.seat.leave();
            if released.is_none() {
                bed.wait();
            }
            let _ = world.seat.enter();
            world.sit_down(0);
            world.seat.leave();
            monitor.join().unwrap();
            // The P may have been taken after its M rose: then it is idle now.
            world.assert_whole(1, 1);
        });
    }

    /// "A retake against the end of an M": the thread goes while its P is taken, the runtime closes,
    /// and the monitor, told to stop, first completes what is pending: it holds the M.
    #[test]
    fn a_retake_from_an_m_that_ends_is_completed_before_the_monitor_ends() {
        check(3, || {
            let world = Runtime::new(false);
            let monitor = spawn(&world, |world| {
                world.examine();
                while !world.stopped.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            });
            let worker = spawn(&world, |world| {
                // `work`: the loop has ended, its local tasks are dropped, and wake others.
                world.seat.leave();
                world.ready();
                let _ = world.seat.enter();
                world.handoff();
            });
            worker.join().unwrap();
            world.stopped.store(true, Ordering::Relaxed);
            monitor.join().unwrap();
            // `sweep` gets at the P, and all that it holds.
            assert!(world.seat.is_vacant());
            world.touch(world.take(0).expect("the P was lost"));
            // SAFETY: (1) nobody else is left.
            let touched = world.ps[0].0.with(|touched| unsafe { *touched });
            let remote = world.globq.load(Ordering::Relaxed);
            assert_eq!(touched as usize + remote, 3);
        });
    }
}
