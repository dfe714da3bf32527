//! The judgement on how many Ps are too many: those that only wait for the others' locks. Pure, as `watch.rs`
//! is: no clock, no thread, no memory of its own but the last looks.
//!
//! Tasks that do little else than talk through one channel take turns at its lock, however many Ps they
//! run on. Then one P does the same in less time than two, for the lock, the messages and the tasks stay in one
//! cache. (Measured: 16 tasks that send to one through a capacity of 1 take 78 ns a message on two Ps, and 42 on
//! one; 16 to 16 through 128 take 27 and 13. The second P waited for half of the time to all of it.) No way of
//! waiting makes up for that, so who waits is laid off: the runtime does with fewer Ps for a while.
//!
//! It is never done on suspicion alone. Waiting arouses it, and an experiment decides: whether more polls are
//! made in the same time with fewer Ps. And it is questioned again and again.
//!
//! ```text
//!            Ps wait for locks                  clearly more polls: stays so, for a while
//!   REST -------------------------> TRIAL with fewer
//!    ^                                |         else: back, and not tried again for a while
//!    +--------------------------------+
//!    |
//!    |       the while is over, or far fewer polls are made than before
//!   REST -------------------------> TRIAL with more
//!    ^                                |         hardly fewer polls: stays so
//!    +--------------------------------+         else: back, for twice the while
//! ```
//!
//! It is slow, on purpose: a trial takes some milliseconds. What only flares up is none of its business.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How much time lies between two looks that count.
const WINDOW: Duration = Duration::from_millis(1);

/// So many waits in a millisecond arouse suspicion, on average over the last few. By number, for one wait that is
/// long may mean no more than that the kernel took the holder off its processor. The quietest of the cases that
/// gain, 16 to one through 128, has 5 to 25; the others have 50 to 110.
const SUSPICIOUS: f64 = 3.0;

/// The share of a new look in that average is 1 / `INERTIA`.
const INERTIA: f64 = 4.0;

/// A trial is over after so many looks, or one earlier if the result is clear. The first is not counted: a P
/// that is laid off goes at its 61st round.
const TRIAL_LOOKS: u32 = 3;

/// Fewer Ps must make more polls than before by this part, and more Ps may make so many fewer; and what is clear.
const MARGIN: f64 = 0.1;
const CLEAR: f64 = 0.3;

/// How long fewer Ps stay without being questioned: longer each time that they were rightly fewer.
const HOLDS: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(250);

/// How long they are not tried again after they were no better: longer each time.
const PAUSES: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(2);

/// What the monitor sees, all Ps together, since the runtime began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) now: Duration,
    pub(crate) polls: u64,
    /// How often, and how long in all, Ms have waited for locks.
    pub(crate) waits: u64,
    pub(crate) waited: Duration,
    /// How many Ps the user wants.
    pub(crate) procs: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Crowd {
    stage: Stage,
    /// The last looks that counted, the latest first; in a trial, the one that it began with.
    looks: [Option<Sight>; 4],
    laid_off: usize,
    /// Polls a second with as many Ps as now; in a trial, as before.
    rate: f64,
    /// Waits in a millisecond.
    waits: f64,
    holds: Duration,
    pauses: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Rest {
        until: Duration,
    },
    /// Since so many looks; before it, so many were laid off.
    Trial {
        looks: u32,
        before: usize,
    },
}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Rest {
                until: Duration::ZERO,
            },
            looks: [None; 4],
            laid_off: 0,
            rate: 0.0,
            waits: 0.0,
            holds: *HOLDS.start(),
            pauses: *PAUSES.start(),
        }
    }

    /// Nothing runs, or the number of Ps was changed: what was learnt is void.
    pub(crate) fn forget(&mut self) {
        *self = Self::new();
    }

    /// How many Ps are to be laid off from now on.
    pub(crate) fn look(&mut self, sight: Sight) -> usize {
        let Some(last) = self.looks[0] else {
            self.looks[0] = Some(sight);
            return self.laid_off;
        };
        if last.procs != sight.procs {
            self.forget();
            return 0;
        }
        if sight.now - last.now < WINDOW {
            return self.laid_off;
        }
        match self.stage {
            Stage::Rest { until } => self.rest(until, last, sight),
            Stage::Trial { looks, before } => self.go_on(looks + 1, before, last, sight),
        }
        self.laid_off
    }

    fn rest(&mut self, until: Duration, last: Sight, sight: Sight) {
        let time = sight.now - last.now;
        let waits = (sight.waits - last.waits) as f64 / (time.as_secs_f64() * 1e3);
        self.waits += (waits - self.waits) / INERTIA;
        let rate = polls_a_second(last, sight);
        let collapsed = rate < self.rate / 2.0;
        self.rate = rate;
        if self.laid_off > 0 && (collapsed || sight.now >= until) {
            let more = self.laid_off.div_ceil(2);
            return self.begin(self.laid_off - more, sight);
        }
        let at_work = sight.procs - self.laid_off;
        let earliest = self.looks[1..].iter().flatten().last();
        let may_try = sight.now >= until && at_work > 1;
        if let (true, Some(earliest)) = (self.waits >= SUSPICIOUS && may_try, earliest) {
            self.rate = polls_a_second(*earliest, sight);
            // As many as wait all the time, and one at least.
            let waited = sight.waited.saturating_sub(last.waited);
            let waiting = (waited.as_nanos() / time.as_nanos()) as usize;
            let fewer = waiting.clamp(1, at_work - 1);
            return self.begin(self.laid_off + fewer, sight);
        }
        self.looks.rotate_right(1);
        self.looks[0] = Some(sight);
    }

    fn begin(&mut self, laid_off: usize, sight: Sight) {
        self.stage = Stage::Trial {
            looks: 0,
            before: self.laid_off,
        };
        self.laid_off = laid_off;
        self.looks = [Some(sight), None, None, None];
    }

    /// A look at a trial, number `looks`.
    fn go_on(&mut self, looks: u32, before: usize, begin: Sight, sight: Sight) {
        if looks == 1 {
            self.stage = Stage::Trial { looks, before };
            self.looks[0] = Some(sight);
            return;
        }
        let new = polls_a_second(begin, sight);
        let gain = new / self.rate.max(1.0) - 1.0;
        if looks < TRIAL_LOOKS && gain.abs() < CLEAR {
            self.stage = Stage::Trial { looks, before };
            return;
        }
        let fewer = self.laid_off > before;
        let keeps = gain >= if fewer { MARGIN } else { -MARGIN };
        let rest = match (fewer, keeps) {
            (true, true) => self.holds,
            (true, false) => longer(&mut self.pauses, *PAUSES.end()),
            (false, false) => longer(&mut self.holds, *HOLDS.end()),
            (false, true) => {
                self.holds = *HOLDS.start();
                Duration::ZERO
            }
        };
        if keeps {
            self.rate = new;
        } else {
            self.laid_off = before;
        }
        self.waits = 0.0;
        self.looks = [Some(sight), None, None, None];
        self.stage = Stage::Rest {
            until: sight.now + rest,
        };
    }
}

fn longer(time: &mut Duration, most: Duration) -> Duration {
    *time = (*time * 2).min(most);
    *time
}

fn polls_a_second(from: Sight, to: Sight) -> f64 {
    (to.polls - from.polls) as f64 / (to.now - from.now).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A runtime of so many Ps, looked at every millisecond.
    struct Runtime {
        crowd: Crowd,
        sight: Sight,
    }

    impl Runtime {
        fn new(procs: usize) -> Self {
            Self {
                crowd: Crowd::new(),
                sight: Sight {
                    procs,
                    ..Sight::default()
                },
            }
        }

        /// Runs for so many milliseconds, in each of which `work` says how many polls are made by so many Ps, and
        /// how often they wait. Gives how many Ps were at work in each.
        fn run(&mut self, ms: usize, work: impl Fn(usize) -> (u64, u64)) -> Vec<usize> {
            (0..ms)
                .map(|_| {
                    let at_work = self.sight.procs - self.crowd.look(self.sight);
                    let (polls, waits) = work(at_work);
                    let sight = &mut self.sight;
                    sight.now += WINDOW;
                    sight.polls += polls;
                    sight.waits += waits;
                    // All but one of them, all the time.
                    sight.waited += WINDOW * u32::from(waits > 0) * (at_work as u32 - 1);
                    at_work
                })
                .collect()
        }
    }

    /// Tasks that talk through one channel: the more Ps the worse.
    fn crowded(at_work: usize) -> (u64, u64) {
        match at_work {
            1 => (10_000, 0),
            _ => (6_000, 60),
        }
    }

    /// Waits as often, and gains by each P.
    fn busy(at_work: usize) -> (u64, u64) {
        (10_000 * at_work as u64, 60)
    }

    /// Looks in which fewer than all were at work.
    fn lean(looks: &[usize], procs: usize) -> usize {
        looks.iter().filter(|&&at_work| at_work < procs).count()
    }

    #[test]
    fn who_only_waits_is_laid_off_for_longer_and_longer() {
        let mut runtime = Runtime::new(2);
        let first = runtime.run(10, crowded);
        assert_eq!(first[..2], [2, 2]);
        assert_eq!(first[3..], [1; 7]);
        // At most one look in ten is one of all Ps, and later one in fifty.
        assert!(lean(&runtime.run(100, crowded), 2) >= 90);
        runtime.run(1_000, crowded);
        assert!(lean(&runtime.run(1_000, crowded), 2) >= 980);
    }

    #[test]
    fn of_many_all_who_wait_are_laid_off_at_once() {
        let mut runtime = Runtime::new(64);
        let looks = runtime.run(10, crowded);
        assert_eq!(looks[3..], [1; 7]);
    }

    #[test]
    fn who_waits_and_works_stays() {
        for procs in [2, 64] {
            let mut runtime = Runtime::new(procs);
            let first = lean(&runtime.run(100, busy), procs);
            assert!((1..20).contains(&first), "it was tried: {first}");
            // It is tried ever more seldom.
            runtime.run(10_000, busy);
            assert!(lean(&runtime.run(10_000, busy), procs) <= 30);
        }
    }

    #[test]
    fn without_waits_nothing_is_tried() {
        let mut runtime = Runtime::new(2);
        let looks = runtime.run(1_000, |at_work| (10_000 * at_work as u64, 2));
        assert_eq!(lean(&looks, 2), 0);
    }

    /// Other tasks come, of longer polls, for which more Ps are better.
    #[test]
    fn who_was_laid_off_is_back_when_the_work_is_another() {
        let mut runtime = Runtime::new(2);
        runtime.run(2_000, crowded);
        let looks = runtime.run(10, |at_work| (100 * at_work as u64, 0));
        assert_eq!(looks[3..], [2; 7]);
    }

    /// That they make as many polls a second as before hides it for a while.
    #[test]
    fn who_was_laid_off_is_back_in_a_quarter_of_a_second() {
        let mut runtime = Runtime::new(2);
        runtime.run(2_000, crowded);
        let looks = runtime.run(260, |at_work| (10_000 * at_work as u64, 0));
        assert_eq!(looks[255..], [2; 5]);
    }

    #[test]
    fn many_come_back_step_by_step() {
        let mut runtime = Runtime::new(16);
        runtime.run(100, crowded);
        let looks = runtime.run(100, |at_work| (10_000 * at_work as u64, 0));
        assert_eq!(*looks.last().unwrap(), 16);
        let steps = |looks: &[usize]| looks.windows(2).all(|pair| pair[0] <= pair[1]);
        assert!(steps(&looks), "{looks:?}");
    }

    #[test]
    fn another_number_of_ps_ends_it() {
        let mut runtime = Runtime::new(2);
        runtime.run(10, crowded);
        runtime.sight.procs = 4;
        assert_eq!(runtime.run(1, crowded), [4]);
    }

    #[test]
    fn looks_that_come_early_do_not_count() {
        let mut crowd = Crowd::new();
        for look in 0..100 {
            let sight = Sight {
                now: Duration::from_micros(look * 9),
                polls: look,
                waits: look * 100,
                waited: Duration::from_micros(look * 9),
                procs: 2,
            };
            assert_eq!(crowd.look(sight), 0);
        }
    }
}
