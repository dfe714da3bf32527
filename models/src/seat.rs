//! Models of `executor/src/seat.rs`: "the retake race".
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
}
