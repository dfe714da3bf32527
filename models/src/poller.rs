//! Models of `executor/src/sched/{netpoll,timers,procs,duty,park}.rs`: "the timer-against-poller race" and "the
//! duty race", with the real `Idle`. The timers are the one word of each set that the races are about: its earliest
//! tick. The steps have the names that they have there.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
    use loom::thread;

    use crate::check::check;
    use crate::idle::protocol::Idle;

    const NEVER: u64 = u64::MAX;

    struct Sched {
        procs: usize,
        idle: Idle,
        /// The earliest tick of two sets of timers, as `Timers::next` gives it.
        next: [AtomicU64; 2],
        poll_until: AtomicU64,
        /// The reactor's waker: it keeps what it was told before the wait.
        notified: AtomicBool,
        /// Ms that `ensure_poller` woke; each becomes the poller as soon as it parks.
        started: AtomicUsize,
    }

    impl Sched {
        fn new() -> Arc<Self> {
            Self::with_procs(1)
        }

        fn with_procs(procs: usize) -> Arc<Self> {
            Arc::new(Self {
                procs,
                idle: Idle::new(procs),
                next: [AtomicU64::new(NEVER), AtomicU64::new(NEVER)],
                poll_until: AtomicU64::new(0),
                notified: AtomicBool::new(false),
                started: AtomicUsize::new(0),
            })
        }

        fn next_timer(&self) -> u64 {
            let next = |set: &AtomicU64| set.load(Ordering::Relaxed);
            self.next.iter().map(next).min().expect("two sets")
        }

        /// Steps (1) to (3); returns the tick at which the wait ends by itself.
        fn publish_poll_until(&self) -> u64 {
            loop {
                let until = self.next_timer();
                self.poll_until.store(until, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                if self.next_timer() >= until {
                    return until;
                }
            }
        }

        /// Step (a), with the fence of `Timers::announce`.
        fn arm(&self, set: usize, tick: u64) {
            self.next[set].store(tick, Ordering::Relaxed);
        }

        /// Steps (b) and (c).
        fn timer_left_behind(&self, tick: u64) {
            fence(Ordering::SeqCst);
            if tick < self.poll_until.load(Ordering::Relaxed) {
                self.notified.store(true, Ordering::Relaxed);
            }
        }

        /// The hook of the timers for threads without a P.
        fn timer_armed_outside(&self, tick: u64) {
            fence(Ordering::SeqCst); // In `Timers::announce`.
            if self.idle.view().has_poller() {
                self.timer_left_behind(tick);
            } else {
                self.ensure_poller();
            }
        }

        fn ensure_poller(&self) {
            if !self.idle.view().has_poller() {
                self.started.fetch_add(1, Ordering::Relaxed);
            }
        }

        /// `procs.rs`: the one place where a P becomes idle.
        fn make_idle(&self, index: usize) {
            self.idle.park(index, false);
            // `publish_timers`.
            let next = self.next[index].load(Ordering::Relaxed);
            if next != NEVER {
                self.timer_left_behind(next);
            }
        }

        fn is_all_idle(&self) -> bool {
            self.idle.view().idle() >= self.procs
        }

        /// `duty.rs`.
        fn pass_to_any_holder(&self) {
            if self.is_all_idle() {
                self.ensure_poller();
            }
        }

        /// `park.rs`: the end of `park` for a thread inside `block_on`, which has made its P idle.
        fn park_root(&self) {
            if self.is_all_idle() && self.idle.become_poller() {
                return;
            }
            self.pass_to_any_holder();
        }

        /// Whether somebody is the poller, or on the way to be.
        fn is_attended(&self) -> bool {
            self.idle.view().has_poller() || self.started.load(Ordering::Relaxed) > 0
        }

        fn is_notified(&self) -> bool {
            self.notified.load(Ordering::Relaxed)
        }
    }

    fn spawn(sched: &Arc<Sched>, f: impl FnOnce(&Sched) + 'static) -> thread::JoinHandle<()> {
        let sched = sched.clone();
        thread::spawn(move || f(&sched))
    }

    /// "The timer-against-poller race": two Ms that park leave timers to the poller as it goes to
    /// sleep. It sleeps no longer than to the earlier, or is notified.
    #[test]
    fn the_poller_does_not_sleep_past_a_timer_left_behind() {
        check(3, || {
            let sched = Sched::new();
            let leavers = [7, 5].into_iter().enumerate().map(|(set, tick)| {
                spawn(&sched, move |sched| {
                    sched.arm(set, tick);
                    sched.timer_left_behind(tick);
                })
            });
            let leavers: Vec<_> = leavers.collect();
            let until = sched.publish_poll_until();
            leavers
                .into_iter()
                .for_each(|leaver| leaver.join().unwrap());
            assert!(until <= 5 || sched.is_notified(), "asleep until {until}");
        });
    }

    /// The same for a later wait, after the one before has ended: a stale `poll_until` costs a
    /// notification and never spares one.
    #[test]
    fn the_poller_does_not_sleep_past_a_timer_in_its_second_wait() {
        check(3, || {
            let sched = Sched::new();
            let leaver = spawn(&sched, |sched| {
                sched.arm(0, 5);
                sched.timer_left_behind(5);
            });
            let first = sched.publish_poll_until();
            // The wait, which something else ended.
            sched.poll_until.store(0, Ordering::Relaxed);
            let notified = sched.notified.swap(false, Ordering::Relaxed);
            let second = sched.publish_poll_until();
            leaver.join().unwrap();
            assert!(first <= 5 || notified || second <= 5 || sched.is_notified());
            assert!(second <= 5 || sched.is_notified(), "asleep until {second}");
        });
    }

    /// A thread without a P arms a timer while the last M parks and becomes the poller: it finds a
    /// poller to tell, or a P to start one with, or the M finds the timer.
    #[test]
    fn a_timer_armed_outside_finds_a_poller_or_makes_one() {
        check(3, || {
            let sched = Sched::new();
            let p = sched.idle.take(0).expect("it is idle");
            let outside = spawn(&sched, |sched| {
                sched.arm(1, 5);
                sched.timer_armed_outside(5);
            });
            sched.idle.park(p, false);
            assert!(sched.idle.become_poller());
            let until = sched.publish_poll_until();
            outside.join().unwrap();
            let started = sched.started.load(Ordering::Relaxed) > 0;
            assert!(until <= 5 || sched.is_notified() || started);
        });
    }
    /// "The hold-against-poller race", of `standstill.rs`: the clock is paused, a timer is armed, and a P is held as
    /// the poller goes to sleep. Returns whether it may jump.
    fn publish_standstill(sched: &Sched) -> bool {
        sched.poll_until.store(NEVER, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        sched.next_timer() != NEVER && sched.idle.view().idle() == 1
    }

    /// The P is put back: the poller sees that nobody runs, or is told to look again.
    #[test]
    fn a_clock_that_stands_still_moves_when_the_last_p_is_put_back() {
        check(3, || {
            let sched = Sched::new();
            let p = sched.idle.take(0).expect("it is idle");
            sched.arm(1, 5);
            let holder = spawn(&sched, move |sched| {
                // `make_idle`
                sched.idle.park(p, false);
                if sched.idle.view().has_poller() {
                    sched.notified.store(true, Ordering::Relaxed);
                }
            });
            assert!(sched.idle.become_poller());
            let may_jump = publish_standstill(&sched);
            holder.join().unwrap();
            assert!(
                may_jump || sched.is_notified(),
                "the clock stands still for ever"
            );
        });
    }

    /// The same, for an M that leaves a timer behind with the P, when there was none before.
    #[test]
    fn a_clock_that_stands_still_moves_for_a_timer_left_behind() {
        check(3, || {
            let sched = Sched::new();
            let p = sched.idle.take(0).expect("it is idle");
            let holder = spawn(&sched, move |sched| {
                sched.arm(0, 5);
                sched.idle.park(p, false);
                sched.timer_left_behind(5);
            });
            assert!(sched.idle.become_poller());
            let may_jump = publish_standstill(&sched);
            holder.join().unwrap();
            assert!(
                may_jump || sched.is_notified(),
                "the clock stands still for ever"
            );
        });
    }

    /// An M makes its P idle, takes another for a task that came meanwhile, and leaves that one, too. The poller, which
    /// goes to sleep at the same time, does not sleep past the timer of the first.
    #[test]
    fn the_poller_does_not_sleep_past_a_timer_of_a_p_that_was_exchanged() {
        check(3, || {
            let sched = Sched::with_procs(2);
            let (other, own) = (sched.idle.take(0).unwrap(), sched.idle.take(1).unwrap());
            sched.make_idle(other);
            assert!(sched.idle.become_poller());
            let m = spawn(&sched, move |sched| {
                sched.arm(own, 5);
                sched.make_idle(own);
                if let Some(taken) = sched.idle.take_for_wake() {
                    assert!(!sched.idle.stop_spinning() || sched.idle.view().spinning() == 0);
                    sched.make_idle(taken);
                }
            });
            let until = sched.publish_poll_until();
            m.join().unwrap();
            assert!(until <= 5 || sched.is_notified(), "asleep until {until}");
        });
    }

    /// "The duty race": the poller gets up without a P, as the only P that is held becomes idle, by one who blocks. One
    /// of the two sees to a successor.
    #[test]
    fn a_poller_that_gets_up_as_the_last_p_is_parked_has_a_successor() {
        check(3, || {
            let sched = Sched::new();
            let p = sched.idle.take(0).unwrap();
            assert!(sched.idle.become_poller());
            let holder = spawn(&sched, move |sched| {
                sched.make_idle(p);
                // `hand_over`.
                sched.ensure_poller();
            });
            sched.idle.resign_poller();
            sched.pass_to_any_holder();
            holder.join().unwrap();
            assert!(sched.is_attended());
        });
    }

    /// The same as the holder parks, inside `block_on`.
    #[test]
    fn a_poller_that_gets_up_as_the_last_root_parks_has_a_successor() {
        check(3, || {
            let sched = Sched::new();
            let p = sched.idle.take(0).unwrap();
            assert!(sched.idle.become_poller());
            let holder = spawn(&sched, move |sched| {
                sched.make_idle(p);
                sched.park_root();
            });
            sched.idle.resign_poller();
            sched.pass_to_any_holder();
            holder.join().unwrap();
            assert!(sched.is_attended());
        });
    }

    /// Two threads inside `block_on` park at once, and each could leave it to the other.
    #[test]
    fn of_two_roots_that_park_at_once_one_becomes_the_poller() {
        check(3, || {
            let sched = Sched::with_procs(2);
            let (first, second) = (sched.idle.take(0).unwrap(), sched.idle.take(1).unwrap());
            let other = spawn(&sched, move |sched| {
                sched.make_idle(first);
                sched.park_root();
            });
            sched.make_idle(second);
            sched.park_root();
            other.join().unwrap();
            assert!(sched.is_attended());
        });
    }
}
