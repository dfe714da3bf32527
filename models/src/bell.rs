//! Models of `executor/src/sysmon/bell.rs`: "the ring race", with the real `Idle` and the real pulse.
//!
//! The monitor of `sysmon/{mod,look}.rs` is a stand-in: a look sees what a real one sees, and a nap
//! ends at once. It lives until it has seen all that it is to see, so a step through which it sleeps
//! is a deadlock, which loom reports.

#[path = "../../executor/src/sysmon/bell.rs"]
mod protocol;
#[path = "../../executor/src/pulse.rs"]
mod pulse;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use loom::sync::{Mutex, Notify};
    use loom::thread;

    use super::protocol::{Bell, Wants};
    use super::pulse::Pulse;
    use crate::check::check;
    use crate::idle::protocol::Idle;

    /// What the monitor wants when nothing else is to be seen.
    const WANTS: Wants = Wants::BLOCK.and(Wants::BUSY).and(Wants::JOB);

    struct Sched {
        bell: Bell,
        /// The monitor's parker.
        bed: Notify,
        thread: Mutex<Option<thread::JoinHandle<()>>>,
        /// How many starts of its thread are refused still.
        refusals: AtomicUsize,
        rings: AtomicUsize,
        procs: usize,
        idle: Idle,
        /// Whether polls are watched, and not only sections.
        watches: AtomicBool,
        pulse: Pulse<()>,
        jobs: AtomicUsize,
    }

    impl Sched {
        /// The monitor, if it has started, is up and about.
        fn new(procs: usize, bell: Bell) -> Arc<Self> {
            Arc::new(Self {
                bell,
                bed: Notify::new(),
                thread: Mutex::new(None),
                refusals: AtomicUsize::new(0),
                rings: AtomicUsize::new(0),
                procs,
                idle: Idle::new(procs),
                watches: AtomicBool::new(true),
                pulse: Pulse::new(),
                jobs: AtomicUsize::new(0),
            })
        }

        /// `Sched::install`, after somebody has taken the P.
        fn install(&self) {
            if self.bell.is_taker_wanted(|| self.idle.view().idle() == 0) {
                self.wake();
            }
        }

        /// The beginning of `block`.
        fn begin_block(&self) {
            assert!(self.pulse.begin_block());
            if self.bell.is_wanted(Wants::BLOCK) {
                self.wake();
            }
        }

        /// The end of `Sched::submit_job`.
        fn submit(&self) {
            self.jobs.fetch_add(1, Ordering::Release);
            if self.bell.is_wanted(Wants::JOB) {
                self.wake();
            }
        }

        /// `Sched::run_job`, with a P, up to the closure.
        fn run_job(&self) {
            self.jobs.fetch_sub(1, Ordering::AcqRel);
            self.begin_block();
        }

        /// `Sched::ring` to a monitor that has started.
        fn wake(&self) {
            self.rings.fetch_add(1, Ordering::Relaxed);
            self.bed.notify();
        }

        /// What the monitor must not sleep through.
        fn sees(&self, step: Wants) -> bool {
            if step == Wants::BUSY {
                self.idle.view().idle() < self.procs
            } else if step == Wants::BLOCK {
                self.pulse.is_blocking()
            } else {
                self.jobs.load(Ordering::Relaxed) > 0
            }
        }

        /// `Monitor::may_sleep`.
        fn may_sleep(&self) -> bool {
            let is_busy = self.watches.load(Ordering::Relaxed) && self.sees(Wants::BUSY);
            !is_busy && !self.sees(Wants::JOB) && !self.sees(Wants::BLOCK)
        }

        /// The monitor's life, up to the look that sees `steps`. Returns how often it lay down.
        fn watch(&self, steps: impl Fn(&Self) -> bool) -> usize {
            let mut lain_down = 0;
            loop {
                self.bell.rise();
                if steps(self) {
                    return lain_down;
                }
                if !self.may_sleep() {
                    // There is something, if not all: a nap.
                    self.bell.nap(Wants::JOB);
                    thread::yield_now();
                    continue;
                }
                self.bell.lie_down(WANTS);
                lain_down += 1;
                if self.may_sleep() {
                    self.bed.wait();
                }
            }
        }
    }

    fn spawn<T: 'static>(
        sched: &Arc<Sched>,
        f: impl FnOnce(&Arc<Sched>) -> T + 'static,
    ) -> thread::JoinHandle<T> {
        let sched = sched.clone();
        thread::spawn(move || f(&sched))
    }

    /// "The ring race": a step is taken while the monitor lies down. It sees it, or is rung for.
    #[test]
    fn the_monitor_does_not_sleep_through_a_step() {
        for step in [Wants::BLOCK, Wants::JOB] {
            check(3, move || {
                let sched = Sched::new(1, Bell::new(Wants::NOTHING));
                let m = spawn(&sched, move |sched| match step {
                    Wants::JOB => sched.submit(),
                    _ => sched.begin_block(),
                });
                sched.watch(|sched| sched.sees(step));
                m.join().unwrap();
            });
        }
    }

    /// A P is left, so the monitor naps until the last one is taken. It sees that, or is rung for.
    #[test]
    fn the_monitor_does_not_nap_through_the_last_p() {
        check(3, || {
            let sched = Sched::new(2, Bell::new(Wants::NOTHING));
            let waker = spawn(&sched, |sched| {
                for _ in 0..2 {
                    assert!(sched.idle.take(0).is_some());
                    spawn(sched, |sched| sched.install()).join().unwrap();
                }
            });
            loop {
                sched.bell.rise();
                if sched.idle.view().idle() == 0 {
                    break;
                }
                sched.bell.nap(Wants::FULL);
                if sched.idle.view().idle() > 0 {
                    sched.bed.wait();
                }
            }
            waker.join().unwrap();
        });
    }

    /// The same where one takes the P, and another, which it starts or claims, sits down on it and asks
    /// the bell.
    #[test]
    fn the_monitor_does_not_sleep_through_a_p_that_another_took() {
        check(3, || {
            let sched = Sched::new(1, Bell::new(Wants::NOTHING));
            let waker = spawn(&sched, |sched| {
                assert!(sched.idle.take_for_wake().is_some());
                spawn(sched, |sched| sched.install()).join().unwrap();
            });
            sched.watch(|sched| sched.sees(Wants::BUSY));
            waker.join().unwrap();
        });
    }

    /// A P is given back and taken again while the monitor lies down, and up to its next look.
    #[test]
    fn the_monitor_does_not_sleep_through_the_second_of_two_steps() {
        check(3, || {
            let sched = Sched::new(1, Bell::new(Wants::NOTHING));
            let m = spawn(&sched, |sched| {
                let p = sched.idle.take(0).expect("it is idle");
                sched.install();
                sched.idle.park(p, false);
                assert!(sched.idle.take(0).is_some());
                sched.install();
                // It is stuck in the poll.
                sched.jobs.fetch_add(1, Ordering::Relaxed);
            });
            sched.watch(|sched| sched.sees(Wants::BUSY) && sched.sees(Wants::JOB));
            m.join().unwrap();
        });
    }

    /// Where polls are not watched, a P that is held lets the monitor sleep. A job that begins on an M
    /// with a P is a section like any other, and is rung for.
    #[test]
    fn a_job_that_begins_with_a_p_is_watched() {
        check(3, || {
            let sched = Sched::new(1, Bell::new(Wants::NOTHING));
            sched.watches.store(false, Ordering::Relaxed);
            sched.jobs.store(1, Ordering::Relaxed);
            let m = spawn(&sched, |sched| sched.run_job());
            sched.watch(|sched| sched.sees(Wants::BLOCK));
            m.join().unwrap();
        });
    }

    /// Several steps at once: for one lie-down there is one ring.
    #[test]
    fn of_several_steps_one_rings() {
        check(3, || {
            let sched = Sched::new(1, Bell::new(WANTS));
            let first = spawn(&sched, |sched| sched.begin_block());
            let second = spawn(&sched, |sched| sched.submit());
            assert!(sched.idle.take(0).is_some());
            sched.install();
            first.join().unwrap();
            second.join().unwrap();
            assert_eq!(sched.rings.load(Ordering::Relaxed), 1);
        });
    }

    /// The same with a monitor that gets up and lies down again meanwhile.
    #[test]
    fn there_are_no_more_rings_than_times_the_monitor_lay_down() {
        check(2, || {
            let sched = Sched::new(1, Bell::new(Wants::NOTHING));
            let ms = [(); 2].map(|()| spawn(&sched, |sched| sched.submit()));
            let lain_down = sched.watch(|sched| sched.jobs.load(Ordering::Relaxed) == 2);
            for m in ms {
                m.join().unwrap();
            }
            // One for each nap is possible too: here naps want jobs.
            let rings = sched.rings.load(Ordering::Relaxed);
            assert!(rings <= lain_down + 1, "{rings} for {lain_down}");
        });
    }

    impl Sched {
        /// `Sysmon::wake`.
        fn wake_if_started(&self) -> bool {
            let thread = self.thread.lock().unwrap();
            if thread.is_some() {
                self.bed.notify();
            }
            thread.is_some()
        }

        /// `Sched::ring`, with `Sysmon::start`: the monitor is to see so many steps.
        fn ring(self: &Arc<Self>, steps: usize) {
            if self.wake_if_started() {
                return;
            }
            let mut slot = self.thread.lock().unwrap();
            let left = self.refusals.load(Ordering::Relaxed);
            if left > 0 {
                self.refusals.store(left - 1, Ordering::Relaxed);
                drop(slot);
                // `Sysmon::start`, refused.
                self.bell.nap(WANTS);
                return;
            }
            assert!(slot.is_none(), "two monitors");
            let watch = move |sched: &Arc<Self>| {
                sched.watch_jobs(steps);
            };
            *slot = Some(spawn(self, watch));
        }

        /// A monitor for which a job is seen once, and lets it sleep then.
        fn watch_jobs(&self, steps: usize) {
            loop {
                self.bell.rise();
                let seen = self.jobs.load(Ordering::Relaxed);
                if seen == steps {
                    return;
                }
                self.bell.lie_down(WANTS);
                if self.jobs.load(Ordering::Relaxed) == seen {
                    self.bed.wait();
                }
            }
        }

        fn submit_to_any(self: &Arc<Self>, steps: usize) {
            self.jobs.fetch_add(1, Ordering::Release);
            if self.bell.is_wanted(Wants::JOB) {
                self.ring(steps);
            }
        }
    }

    /// "A monitor that has not started": the first wanted step starts it, once. It sees that step and
    /// those that came meanwhile. A start that is refused is tried again by the next step.
    #[test]
    fn the_first_step_starts_the_monitor_or_leaves_it_to_the_next() {
        for refusals in [0, 1, 2] {
            check(3, move || {
                let steps = 3 + refusals;
                let sched = Sched::new(1, Bell::new(WANTS));
                sched.refusals.store(refusals, Ordering::Relaxed);
                let other = spawn(&sched, move |sched| sched.submit_to_any(steps));
                sched.submit_to_any(steps);
                other.join().unwrap();
                for _ in 2..steps {
                    sched.submit_to_any(steps);
                }
                let monitor = sched.thread.lock().unwrap().take();
                monitor.expect("it was never started").join().unwrap();
            });
        }
    }
}
