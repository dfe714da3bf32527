//! The judgement on how many Ps are too many: those that only wait for the others' locks, or are only woken for
//! what is done by the time they come. Pure, as `watch.rs` is: no clock, no thread, no memory of its own but
//! the last looks.
//!
//! Tasks that do little else than talk through one channel take turns at its lock, however many Ps they
//! run on. Then one P does the same in less time than two, for the lock, the messages and the tasks stay in one
//! cache. (Measured: 16 tasks that send to one through a capacity of 1 take 78 ns a message on two Ps, and 42 on
//! one; 16 to 16 through 128 take 27 and 13. The second P waited for half of the time to all of it.) No way of
//! waiting makes up for that, so who waits is laid off: the runtime does with fewer Ps for a while.
//!
//! Tasks that wake a few others each time, such as who changes a watched value, have an idle P woken for them.
//! That takes 20 us, in which the first P has run them all. (16 tasks that see each change of one value take 3.2 us
//! a change on two Ps, 1.3 on one.) Then the P that comes and goes is the one too many; unless all do, for then there
//! is not enough to do, and each is there for what comes next.
//!
//! It is never done on suspicion alone. An experiment decides: whether as many polls are made in the same time with
//! fewer Ps. And it is questioned again and again.
//!
//! ```text
//!            Ps wait, or come and go            as many polls, or more: stays so, for a while
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
//! It is slow, on purpose: a trial takes some milliseconds. What only flares up is none of its business, unless it does
//! so again and again: when all was quiet in between, what was learnt last is taken up where it was, for a while.

use std::ops::RangeInclusive;
use std::time::Duration;

/// How much time lies between two looks that count.
const WINDOW: Duration = Duration::from_millis(1);

/// So many waits in a millisecond, for each P at work, arouse suspicion, on average over the last looks. By
/// number, for one wait that is long may mean no more than that the kernel took the holder off its processor. The
/// quietest of the cases that gain, 16 to one through 128, has 3 to 12; the others have 25 to 55.
const SUSPICIOUS: f64 = 1.5;

/// Who parks so often in a millisecond comes and goes: with some 30 us for each time it does little else.
const COMES_AND_GOES: f64 = 10.0;

/// Who makes so many polls in a millisecond, and never parks, is steady: it has enough to do, and none of it takes
/// long.
const STEADY: f64 = 100.0;

/// So many Ps that come and go beside a steady one arouse suspicion, on average over the last looks.
const TOO_MANY: f64 = 0.5;

/// The share of a new look in those averages is 1 / `INERTIA`.
const INERTIA: f64 = 4.0;

/// A trial is over after so many looks, or one earlier if the result is clear. The first is not counted: a P
/// that is laid off goes at its 61st round.
const TRIAL_LOOKS: u32 = 3;

/// Fewer Ps must make as many polls as before, which is as much for less; more Ps may make fewer by this part.
const MARGIN: f64 = 0.1;

/// So much more or fewer polls are a clear result.
const CLEAR: f64 = 0.3;

/// The share of the Ps that are laid off at least, 1 / `STEP`, so that it can be seen.
const STEP: usize = 8;

/// How long fewer Ps stay without being questioned: longer each time that they were rightly fewer.
const HOLDS: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(250);

/// How long they are not tried again after they were no better: longer each time.
const PAUSES: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(2);

/// For how long after the last trial that was for fewer Ps these are taken up again when all was quiet meanwhile.
const REMEMBERED: Duration = Duration::from_secs(5);

/// What the monitor sees, since the runtime began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) now: Duration,
    /// How many Ps the user wants.
    pub(crate) procs: usize,
    /// How often, and how long in all, Ms have waited for locks.
    pub(crate) waits: u64,
    pub(crate) waited: Duration,
}

/// What a P has done since the runtime began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) polls: u64,
    /// How often it was parked.
    pub(crate) parks: u64,
}

/// A look that counts.
#[derive(Clone, Copy, Debug)]
struct Look {
    sight: Sight,
    /// Of all Ps.
    polls: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Crowd {
    stage: Stage,
    /// The last looks that counted, the latest first; in a trial, the one that it began with.
    looks: [Option<Look>; 4],
    /// By the number of the P, at the last of them.
    deeds: Vec<Deeds>,
    laid_off: usize,
    /// Polls a second with as many Ps as now; in a trial, as before.
    rate: f64,
    /// Waits in a millisecond; Ps that come and go beside a steady one.
    waits: f64,
    fickle: f64,
    /// How long the next of either is.
    holds: Duration,
    pauses: Duration,
    /// Until when no fewer are tried.
    paused: Duration,
    /// How many were laid off after the last trial that changed or confirmed it, when that was, and the rate then.
    remembered: (usize, Duration, f64),
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Those who are laid off are so until then at least.
    Rest { until: Duration },
    /// Since so many looks; before it, so many were laid off.
    Trial { looks: u32, before: usize },
}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Rest {
                until: Duration::ZERO,
            },
            looks: [None; 4],
            deeds: Vec::new(),
            laid_off: 0,
            rate: 0.0,
            waits: 0.0,
            fickle: 0.0,
            holds: *HOLDS.start(),
            pauses: *PAUSES.start(),
            paused: Duration::ZERO,
            remembered: (0, Duration::ZERO, 0.0),
        }
    }

    /// How many Ps are laid off, as far as it knows.
    pub(crate) fn laid_off(&self) -> usize {
        self.laid_off
    }

    /// Whether an experiment is under way: it is the shorter, the more often it is looked at.
    pub(crate) fn is_trying(&self) -> bool {
        matches!(self.stage, Stage::Trial { .. })
    }

    /// The number of Ps was changed: what was learnt is void.
    pub(crate) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Nothing runs, and nobody is laid off any more.
    pub(crate) fn rest_for_now(&mut self) {
        *self = Self {
            holds: self.holds,
            pauses: self.pauses,
            paused: self.paused,
            remembered: self.remembered,
            ..Self::new()
        };
    }

    /// The first look since nothing ran.
    fn resume(&mut self, sight: Sight) {
        let (count, when, rate) = self.remembered;
        if count > 0 && sight.now < when + REMEMBERED {
            self.laid_off = count.min(sight.procs - 1);
            // Other work makes fewer polls, most likely, and is then seen at the next look.
            self.rate = rate;
            self.stage = Stage::Rest {
                until: sight.now + self.holds,
            };
        }
    }

    /// How many Ps are to be laid off from now on. `deeds` are those of all Ps, by their numbers.
    pub(crate) fn look(&mut self, sight: Sight, deeds: impl Iterator<Item = Deeds>) -> usize {
        let last = self.looks[0];
        if last.is_some_and(|last| last.sight.procs != sight.procs) {
            self.forget();
            return 0;
        }
        if last.is_some_and(|last| sight.now - last.sight.now < WINDOW) {
            return self.laid_off;
        }
        let time = last.map_or(Duration::ZERO, |last| sight.now - last.sight.now);
        let (polls, fickle) = self.compare(time, deeds);
        let look = Look { sight, polls };
        match (last, self.stage) {
            (None, _) => {
                self.resume(sight);
                self.looks[0] = Some(look);
            }
            (Some(last), Stage::Rest { until }) => self.rest(until, last, look, fickle),
            (Some(begin), Stage::Trial { looks, before }) => {
                self.go_on(looks + 1, before, begin, look);
            }
        }
        self.laid_off
    }

    /// The polls of all Ps, and how many Ps came and went in `time` beside a steady one.
    fn compare(&mut self, time: Duration, deeds: impl Iterator<Item = Deeds>) -> (u64, usize) {
        let ms = time.as_secs_f64() * 1e3;
        let (mut polls, mut fickle, mut steady) = (0, 0, false);
        for (at, now) in deeds.enumerate() {
            if at == self.deeds.len() {
                self.deeds.push(now);
            }
            let before = std::mem::replace(&mut self.deeds[at], now);
            let parks = now.parks - before.parks;
            let is_quick = (now.polls - before.polls) as f64 >= STEADY * ms;
            steady |= parks == 0 && is_quick && ms > 0.0;
            fickle += usize::from(parks > 0 && parks as f64 >= COMES_AND_GOES * ms);
            polls += now.polls;
        }
        (polls, if steady { fickle } else { 0 })
    }

    fn rest(&mut self, until: Duration, last: Look, look: Look, fickle: usize) {
        let sight = look.sight;
        let time = sight.now - last.sight.now;
        let waits = (sight.waits - last.sight.waits) as f64 / (time.as_secs_f64() * 1e3);
        self.waits += (waits - self.waits) / INERTIA;
        self.fickle += (fickle as f64 - self.fickle) / INERTIA;
        let rate = polls_a_second(last, look);
        let collapsed = rate < self.rate / 2.0;
        self.rate = rate;
        if self.laid_off > 0 && (collapsed || sight.now >= until) {
            let more = self.laid_off.div_ceil(2);
            return self.begin(self.laid_off - more, look);
        }
        let at_work = sight.procs - self.laid_off;
        let crowded = self.waits >= SUSPICIOUS * at_work as f64;
        let suspicious = crowded || self.fickle >= TOO_MANY;
        let may_try = suspicious && sight.now >= self.paused && at_work > 1;
        let earliest = self.looks[1..].iter().flatten().last();
        if let (true, Some(earliest)) = (may_try, earliest) {
            self.rate = polls_a_second(*earliest, look);
            // As many as wait all the time, and half of those that come and go.
            let waited = sight.waited.saturating_sub(last.sight.waited);
            let waiting = (waited.as_nanos() / time.as_nanos()) as usize;
            let fewer = waiting.max(fickle / 2).max(at_work / STEP);
            let fewer = fewer.clamp(1, at_work - 1);
            return self.begin(self.laid_off + fewer, look);
        }
        self.looks.rotate_right(1);
        self.looks[0] = Some(look);
    }

    fn begin(&mut self, laid_off: usize, look: Look) {
        self.stage = Stage::Trial {
            looks: 0,
            before: self.laid_off,
        };
        self.laid_off = laid_off;
        self.looks = [Some(look), None, None, None];
    }

    /// A look at a trial, number `looks`.
    fn go_on(&mut self, looks: u32, before: usize, begin: Look, look: Look) {
        if looks == 1 {
            self.stage = Stage::Trial { looks, before };
            self.looks[0] = Some(look);
            return;
        }
        let new = polls_a_second(begin, look);
        let gain = new / self.rate.max(1.0) - 1.0;
        if looks < TRIAL_LOOKS && gain.abs() < CLEAR {
            self.stage = Stage::Trial { looks, before };
            return;
        }
        let fewer = self.laid_off > before;
        let keeps = gain >= if fewer { 0.0 } else { -MARGIN };
        let now = look.sight.now;
        let until = match (fewer, keeps) {
            (true, true) => {
                self.pauses = *PAUSES.start();
                now + self.holds
            }
            (true, false) => {
                self.paused = now + longer(&mut self.pauses, *PAUSES.end());
                now + self.holds
            }
            (false, true) => {
                self.holds = *HOLDS.start();
                now
            }
            (false, false) => now + longer(&mut self.holds, *HOLDS.end()),
        };
        if keeps {
            self.rate = new;
        } else {
            self.laid_off = before;
        }
        if keeps || !fewer {
            self.remembered = (self.laid_off, now, self.rate);
        }
        self.waits = 0.0;
        self.fickle = 0.0;
        self.looks = [Some(look), None, None, None];
        self.stage = Stage::Rest { until };
    }
}

fn longer(time: &mut Duration, most: Duration) -> Duration {
    *time = (*time * 2).min(most);
    *time
}

fn polls_a_second(from: Look, to: Look) -> f64 {
    (to.polls - from.polls) as f64 / (to.sight.now - from.sight.now).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A runtime, looked at every millisecond.
    struct Runtime {
        crowd: Crowd,
        sight: Sight,
        deeds: Vec<Deeds>,
    }

    /// What happens in a millisecond: what the first P does, what each other does, and the waits of all.
    #[derive(Clone, Copy, Default)]
    struct Work {
        first: Deeds,
        others: Deeds,
        waits: u64,
    }

    impl Runtime {
        fn new(procs: usize) -> Self {
            Self {
                crowd: Crowd::new(),
                sight: Sight {
                    procs,
                    ..Sight::default()
                },
                deeds: vec![Deeds::default(); procs],
            }
        }

        /// Runs for so many milliseconds, in each of which `work` says what so many Ps do. Gives how many were at
        /// work in each.
        fn run(&mut self, ms: usize, work: impl Fn(usize) -> Work) -> Vec<usize> {
            (0..ms)
                .map(|_| {
                    let laid_off = self.crowd.look(self.sight, self.deeds.iter().copied());
                    let at_work = self.sight.procs - laid_off;
                    let work = work(at_work);
                    for (at, deeds) in self.deeds[..at_work].iter_mut().enumerate() {
                        let done = if at == 0 { work.first } else { work.others };
                        deeds.polls += done.polls;
                        deeds.parks += done.parks;
                    }
                    self.sight.now += WINDOW;
                    self.sight.waits += work.waits;
                    // All but one of them, all the time.
                    let waiting = u32::from(work.waits > 0) * (at_work as u32 - 1);
                    self.sight.waited += WINDOW * waiting;
                    at_work
                })
                .collect()
        }
    }

    /// Tasks that talk through one channel: the more Ps the worse.
    fn crowded(at_work: usize) -> Work {
        let (polls, waits) = match at_work {
            1 => (10_000, 0),
            _ => (6_000, 30 * at_work as u64),
        };
        let work = plain(polls / at_work as u64);
        Work { waits, ..work }
    }

    /// They wait as often, and yet do more by each P.
    fn busy(_: usize) -> Work {
        Work {
            waits: 200,
            ..plain(10_000)
        }
    }

    /// Each P makes so many polls.
    fn plain(polls: u64) -> Work {
        let deeds = Deeds { polls, parks: 0 };
        Work {
            first: deeds,
            others: deeds,
            waits: 0,
        }
    }

    /// The first P does it all, and the more the fewer others are woken.
    fn woken_in_vain(at_work: usize) -> Work {
        let polls = 80_000 / (7 + at_work as u64);
        Work {
            first: Deeds { polls, parks: 0 },
            others: Deeds {
                polls: 0,
                parks: 30,
            },
            waits: 0,
        }
    }

    /// Each P makes so many polls, and parks so often.
    fn with_parks(polls: u64, first: u64, others: u64) -> Work {
        let parks = |parks| Deeds { polls, parks };
        Work {
            first: parks(first),
            others: parks(others),
            waits: 0,
        }
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
        let few = Work {
            waits: 2,
            ..with_parks(10_000, 0, 5)
        };
        let looks = runtime.run(1_000, |_| few);
        assert_eq!(lean(&looks, 2), 0);
    }

    /// Other tasks come, of longer polls, for which more Ps are better.
    #[test]
    fn who_was_laid_off_is_back_when_the_work_is_another() {
        let mut runtime = Runtime::new(2);
        runtime.run(2_000, crowded);
        let looks = runtime.run(10, |_| plain(100));
        assert_eq!(looks[3..], [2; 7]);
    }

    /// That they make as many polls a second as before hides it for a while.
    #[test]
    fn who_was_laid_off_is_back_in_a_quarter_of_a_second() {
        let mut runtime = Runtime::new(2);
        runtime.run(2_000, crowded);
        let looks = runtime.run(260, |_| plain(10_000));
        assert_eq!(looks[255..], [2; 5]);
    }

    #[test]
    fn many_come_back_step_by_step() {
        let mut runtime = Runtime::new(16);
        runtime.run(100, crowded);
        let looks = runtime.run(100, |_| plain(10_000));
        assert_eq!(*looks.last().unwrap(), 16);
        let steps = |looks: &[usize]| looks.windows(2).all(|pair| pair[0] <= pair[1]);
        assert!(steps(&looks), "{looks:?}");
    }

    #[test]
    fn another_number_of_ps_ends_it() {
        let mut runtime = Runtime::new(2);
        runtime.run(10, crowded);
        runtime.sight.procs = 4;
        runtime.deeds.resize(4, Deeds::default());
        assert_eq!(runtime.run(1, crowded), [4]);
    }

    #[test]
    fn who_is_woken_in_vain_is_laid_off() {
        let mut runtime = Runtime::new(2);
        let looks = runtime.run(20, woken_in_vain);
        assert_eq!(looks[5..], [1; 15]);
        let mut runtime = Runtime::new(64);
        let looks = runtime.run(300, woken_in_vain);
        assert_eq!(*looks.last().unwrap(), 1, "{looks:?}");
    }

    /// There is not enough to do: each P is there for what comes next.
    #[test]
    fn where_all_come_and_go_they_stay() {
        let mut runtime = Runtime::new(2);
        let looks = runtime.run(1_000, |_| with_parks(1_000, 1, 30));
        assert_eq!(lean(&looks, 2), 0);
    }

    #[test]
    fn a_crowd_is_remembered_for_a_while() {
        let mut runtime = Runtime::new(2);
        runtime.run(100, crowded);
        runtime.crowd.rest_for_now();
        runtime.sight.now += REMEMBERED / 4;
        assert_eq!(runtime.run(10, crowded), [1; 10]);
        // Short bursts of other work are held up no longer than that.
        for _ in 0..4 {
            runtime.crowd.rest_for_now();
            runtime.sight.now += REMEMBERED / 4;
            runtime.run(5, |_| plain(10_000));
        }
        runtime.crowd.rest_for_now();
        assert_eq!(runtime.run(5, |_| plain(10_000)), [2; 5]);
    }

    #[test]
    fn what_was_remembered_wrongly_is_put_right() {
        let mut runtime = Runtime::new(2);
        runtime.run(100, crowded);
        runtime.crowd.rest_for_now();
        let looks = runtime.run(5, |_| plain(1_000));
        assert_eq!(looks[2..], [2; 3]);
        runtime.crowd.rest_for_now();
        assert_eq!(runtime.run(5, |_| plain(10_000)), [2; 5]);
        // Other work that makes as many polls is found out later, as without a pause.
        runtime.run(1_000, crowded);
        runtime.crowd.rest_for_now();
        let looks = runtime.run(255, |_| plain(10_000));
        assert_eq!(looks[252..], [2; 3]);
    }

    /// Nobody is to wait behind long polls, not even for a trial.
    #[test]
    fn beside_long_polls_nobody_is_laid_off() {
        let mut runtime = Runtime::new(2);
        let looks = runtime.run(1_000, |_| with_parks(90, 0, 30));
        assert_eq!(lean(&looks, 2), 0);
    }

    #[test]
    fn looks_that_come_early_do_not_count() {
        let mut crowd = Crowd::new();
        for look in 0..100 {
            let sight = Sight {
                now: Duration::from_micros(look * 9),
                waits: look * 100,
                waited: Duration::from_micros(look * 9),
                procs: 2,
            };
            assert_eq!(crowd.look(sight, [Deeds::default(); 2].into_iter()), 0);
        }
    }
}
