//! The judgement on one M: whether its P should be taken from it. Pure: no clock, no thread, no
//! memory of its own but the last looks.
//!
//! ```text
//!            same poll as at the last look?   no: begin anew, nothing to say
//!                        | yes
//!          in the same blocking section -----> BLOCK      from one look on, if the P is needed; but if it
//!                        | no                             computes there, only if tasks wait
//!          its clock stands, it sleeps ------> OFF CPU    from 200 us on, if the P is needed
//!                        | no
//!          it computes ----------------------> COMPUTING  from 1 ms on, if a P is idle and this one holds
//!                                                         what nobody can steal; else from 10 ms on, if
//!                                                         tasks wait; later the more Ms do so already,
//!                                                         earlier if its place is known for that
//! ```
//!
//! The P is *needed* if it holds work or timers, or if none is idle: then what comes next has no
//! other place to go. Otherwise a stuck M may keep it for 10 ms, as in Go (`proc.go`, `retake`).
//!
//! How long it computes is counted by the thread's own clock, so a thread that the kernel keeps from its
//! processor is not taken for one that does not come back: then another would have to wait, too.
//!
//! The thresholds are Go's where it has them (20 us, 10 ms). 200 us: some ten times what a wake-up costs,
//! so a hand-over is never the greater part of the loss. 1 ms: a guess, as long as one tick of a timer.

use std::time::Duration;

/// How long a blocking section may hold a P that is needed: one short nap of the monitor.
pub(crate) const BLOCK_LIMIT: Duration = Duration::from_micros(20);
/// How often the nap for a section doubles at most: 640 us. (Go's monitor backs off to 10 ms.)
const FALSE_ALARMS: u32 = 5;
/// How long a poll may be off CPU with a P that is needed.
pub(crate) const OFF_CPU_LIMIT: Duration = Duration::from_micros(200);
/// How long a poll may compute while a P is idle and cannot steal what this one holds.
const HOARD_LIMIT: Duration = Duration::from_millis(1);
/// The same for a poll whose place is known for polls that sleep: the monitor comes as often, so that both together
/// are the least. (A service with 160,000 requests and 330 sleeps a second: 330 times half as much more for each P, or
/// 10,000 looks of some 4 us.)
pub(crate) const SHORT_OFF_CPU_LIMIT: Duration = Duration::from_micros(100);
/// How long a poll may compute whose place is known for polls that do so for long, while others wait.
pub(crate) const SHORT_SLICE: Duration = Duration::from_millis(1);
/// How long a poll may hold a P in any case; Go's `forcePreemptNS`.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// A thread that used less than this share of the time between two looks was off CPU: 1 / `OFF_SHARE`.
const OFF_SHARE: u32 = 10;

/// Why a P is taken from its M.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// It was in a blocking section.
    Block,
    /// It waited in the kernel without saying so.
    OffCpu,
    /// It computed.
    Computing,
}

/// What the monitor sees of an M that holds a P and runs user code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) now: Duration,
    pub(crate) tick: u32,
    pub(crate) block: u32,
    /// The processor time that its thread has used, if that can be known.
    pub(crate) cpu: Option<Duration>,
    /// How long a poll may be off CPU with a P that is needed: `OFF_CPU_LIMIT`, or less where that is expected.
    pub(crate) off_cpu_limit: Duration,
}

/// What the monitor sees of the P, and of the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scene {
    /// The P holds work that nobody can steal, or somebody waits for this very P.
    pub(crate) hoards: bool,
    /// The P holds tasks, or there are some in the global queue.
    pub(crate) has_tasks: bool,
    /// Jobs wait that an M with a P may run.
    pub(crate) has_jobs: bool,
    /// Timers are armed on the P.
    pub(crate) has_timers: bool,
    /// Some other P is idle.
    pub(crate) any_idle: bool,
    /// How long it may compute while others wait: the longer, the more Ms compute without a P already.
    pub(crate) slice: Duration,
}

impl Scene {
    pub(crate) fn is_needed(&self) -> bool {
        self.has_tasks || self.has_jobs || self.has_timers || self.hoards || !self.any_idle
    }

    /// Whether there is more to do than to compute something else.
    pub(crate) fn keeps_tasks_waiting(&self) -> bool {
        self.has_tasks || self.hoards
    }
}

/// What to do about an M.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing: look again at leisure.
    Well,
    /// Look again soon: it is in a blocking section, or may be off CPU.
    Suspect(Duration),
    /// Take its P. (Whether it sleeps must be asked for `OffCpu`: the kernel may have preempted it.)
    Stalled(Cause),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    tick: u32,
    block: u32,
    /// The first look at this poll, at this section, and the last look of all.
    since: Duration,
    block_since: Duration,
    at: Duration,
    cpu: Option<Duration>,
    /// The processor time at `since`.
    cpu_since: Option<Duration>,
    seen: bool,
    /// It used (next to) no processor time between the last two looks.
    dozes: bool,
    /// How many sections in a row were seen once and were over at the next look.
    false_alarms: u32,
}

impl Watch {
    /// How long the M has been in the poll that the last look found it in, as far as is known.
    pub(crate) fn duration(&self) -> Duration {
        self.at - self.since
    }

    /// Whether the last look found the poll of the one before.
    pub(crate) fn is_long(&self) -> bool {
        self.at > self.since
    }

    /// When the monitor first saw this poll.
    pub(crate) fn since(&self) -> Duration {
        self.since
    }

    /// What the M seems to do in its poll.
    pub(crate) fn cause(&self) -> Cause {
        if self.dozes {
            Cause::OffCpu
        } else {
            Cause::Computing
        }
    }

    /// How long the M has computed in the poll that the last look found it in: not longer than that lasts.
    pub(crate) fn computed(&self) -> Duration {
        match (self.cpu_since, self.cpu) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => self.duration(),
        }
    }

    /// Nothing is known of the M any more: it holds no P.
    pub(crate) fn forget(&mut self) {
        self.seen = false;
    }

    /// Whether `tick` is that of the poll in which the last look found the M.
    pub(crate) fn is_poll(&self, tick: u32) -> bool {
        self.tick == tick
    }

    /// Looks at the M once more. `scene` is asked only if that matters.
    pub(crate) fn look(&mut self, sight: Sight, scene: impl FnOnce() -> Scene) -> Finding {
        let window = sight.now - self.at;
        let used = match (self.cpu, sight.cpu) {
            (Some(before), Some(now)) => Some(now.saturating_sub(before)),
            _ => None,
        };
        let same_poll = self.seen && sight.tick == self.tick;
        let same_block = same_poll && sight.block == self.block;
        let known = self.seen;
        self.dozes = used.is_some_and(|used| used * OFF_SHARE < window);
        self.seen = true;
        self.at = sight.now;
        self.cpu = sight.cpu;
        if !same_poll {
            self.tick = sight.tick;
            self.since = sight.now;
            self.cpu_since = sight.cpu;
        }
        if !same_block {
            self.block = sight.block;
            self.block_since = sight.now;
        }
        let blocks = sight.block % 2 == 1;
        if !same_poll {
            if blocks {
                return self.suspect_section();
            }
            // It may have been in this poll, and asleep, for most of the time since the last look.
            let dozed = known && used.is_some_and(|used| used * 5 < window * 4);
            return if dozed {
                Finding::Suspect(sight.off_cpu_limit)
            } else {
                Finding::Well
            };
        }
        if blocks {
            let held = sight.now - self.block_since;
            if !same_block {
                return self.suspect_section();
            }
            if held < BLOCK_LIMIT {
                return Finding::Suspect(BLOCK_LIMIT);
            }
            self.false_alarms = 0;
            let computes = used.is_some_and(|used| used * 2 > window);
            return if computes {
                self.judge_computing_section(scene)
            } else if held >= SLICE || scene().is_needed() {
                Finding::Stalled(Cause::Block)
            } else {
                Finding::Well
            };
        }
        if self.dozes {
            let held = sight.now - self.since;
            if held < sight.off_cpu_limit {
                return Finding::Suspect(sight.off_cpu_limit - held);
            }
            return if held >= SLICE || scene().is_needed() {
                Finding::Stalled(Cause::OffCpu)
            } else {
                Finding::Well
            };
        }
        self.judge_computing(scene)
    }

    /// A section is seen for the first time. Where one short section follows another, the monitor would
    /// come back after each 20 us, for nothing, and take a good part of a processor: so it backs off.
    fn suspect_section(&mut self) -> Finding {
        let nap = BLOCK_LIMIT * (1 << self.false_alarms.min(FALSE_ALARMS));
        self.false_alarms = self.false_alarms.saturating_add(1);
        Finding::Suspect(nap)
    }

    /// The judgement on an M that computes in a blocking section, or is kept from it by the kernel
    /// alone: to take its P makes one thread more compute.
    pub(crate) fn judge_computing_section(&self, scene: impl FnOnce() -> Scene) -> Finding {
        if scene().keeps_tasks_waiting() {
            Finding::Stalled(Cause::Block)
        } else {
            Finding::Suspect(OFF_CPU_LIMIT)
        }
    }

    /// The judgement on an M that computes, or is kept from it by the kernel alone.
    pub(crate) fn judge_computing(&self, scene: impl FnOnce() -> Scene) -> Finding {
        let held = self.computed();
        if held < HOARD_LIMIT {
            return Finding::Well;
        }
        let scene = scene();
        let hoards = scene.any_idle && scene.hoards;
        let hogs = held >= scene.slice && (scene.keeps_tasks_waiting() || scene.has_jobs);
        if hoards || hogs {
            Finding::Stalled(Cause::Computing)
        } else {
            Finding::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);
    const MS: Duration = Duration::from_millis(1);

    /// An M that is looked at from time to time.
    #[derive(Default)]
    struct Patient {
        watch: Watch,
        now: Duration,
        cpu: Duration,
        tick: u32,
        block: u32,
        scene: Scene,
        /// Its place is known for polls that sleep.
        blocks: bool,
    }

    impl Patient {
        fn busy() -> Self {
            let mut patient = Self {
                now: 100 * MS,
                ..Self::default()
            };
            patient.scene.slice = SLICE;
            assert_eq!(patient.after(MS, MS), Finding::Well);
            patient
        }

        /// Looks again after `time`, in which the thread has computed for `cpu`.
        fn after(&mut self, time: Duration, cpu: Duration) -> Finding {
            self.now += time;
            self.cpu += cpu;
            let sight = Sight {
                now: self.now,
                tick: self.tick,
                block: self.block,
                cpu: Some(self.cpu),
                off_cpu_limit: if self.blocks {
                    SHORT_OFF_CPU_LIMIT
                } else {
                    OFF_CPU_LIMIT
                },
            };
            let scene = self.scene;
            self.watch.look(sight, || scene)
        }

        fn next_poll(&mut self) {
            self.tick += 1;
        }
    }

    #[test]
    fn an_m_that_goes_from_poll_to_poll_is_well() {
        let mut m = Patient::busy();
        for _ in 0..100 {
            m.next_poll();
            assert_eq!(m.after(MS, MS), Finding::Well);
        }
    }

    #[test]
    fn a_section_is_looked_at_twice_and_then_ended_if_the_p_is_needed() {
        let mut m = Patient::busy();
        m.block = 1;
        assert_eq!(m.after(MS, MS), Finding::Suspect(BLOCK_LIMIT));
        assert_eq!(m.after(20 * US, US), Finding::Stalled(Cause::Block));
    }

    #[test]
    fn sections_that_follow_each_other_are_no_stall_and_looked_at_ever_less_often() {
        let mut m = Patient::busy();
        let mut naps = Vec::new();
        for _ in 0..100 {
            m.block += 2;
            m.block |= 1;
            match m.after(20 * US, US) {
                Finding::Suspect(nap) => naps.push(nap),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(naps[..3], [BLOCK_LIMIT, BLOCK_LIMIT * 2, BLOCK_LIMIT * 4]);
        assert_eq!(naps[99], 640 * US);
        assert_eq!(m.after(MS, US), Finding::Stalled(Cause::Block));
        m.block += 2;
        assert_eq!(m.after(MS, US), Finding::Suspect(BLOCK_LIMIT));
    }

    #[test]
    fn nobody_waits_for_an_empty_p_while_another_is_idle() {
        let mut m = Patient::busy();
        m.scene.any_idle = true;
        m.block = 1;
        assert_eq!(m.after(MS, MS), Finding::Suspect(BLOCK_LIMIT));
        assert_eq!(m.after(MS, US), Finding::Well);
        for wanted in [
            |scene: &mut Scene| scene.has_tasks = true,
            |scene: &mut Scene| scene.has_jobs = true,
            |scene: &mut Scene| scene.has_timers = true,
            |scene: &mut Scene| scene.hoards = true,
            |scene: &mut Scene| scene.any_idle = false,
        ] {
            let mut m = Patient::busy();
            m.scene.any_idle = true;
            wanted(&mut m.scene);
            m.block = 1;
            assert_eq!(m.after(MS, MS), Finding::Suspect(BLOCK_LIMIT));
            assert_eq!(m.after(MS, US), Finding::Stalled(Cause::Block));
        }
        assert_eq!(m.after(9 * MS, US), Finding::Stalled(Cause::Block));
    }

    #[test]
    fn a_section_that_computes_keeps_its_p_while_no_task_waits() {
        let mut m = Patient::busy();
        m.scene.has_jobs = true;
        m.block = 1;
        assert_eq!(m.after(MS, MS), Finding::Suspect(BLOCK_LIMIT));
        for _ in 0..100 {
            assert_eq!(m.after(MS, MS), Finding::Suspect(OFF_CPU_LIMIT));
        }
        m.scene.has_tasks = true;
        assert_eq!(m.after(MS, MS), Finding::Stalled(Cause::Block));
    }

    #[test]
    fn a_poll_that_sleeps_is_found_at_the_second_look() {
        let mut m = Patient::busy();
        m.next_poll();
        // It began to sleep half-way between two looks.
        assert_eq!(m.after(MS, MS / 2), Finding::Suspect(OFF_CPU_LIMIT));
        assert_eq!(
            m.after(OFF_CPU_LIMIT, Duration::ZERO),
            Finding::Stalled(Cause::OffCpu)
        );
    }

    #[test]
    fn a_poll_of_which_that_is_expected_loses_its_p_sooner() {
        let mut m = Patient::busy();
        m.next_poll();
        assert_eq!(m.after(MS, MS), Finding::Well);
        let sleeps = |m: &mut Patient| m.after(SHORT_OFF_CPU_LIMIT, Duration::ZERO);
        assert_eq!(
            sleeps(&mut m),
            Finding::Suspect(OFF_CPU_LIMIT - SHORT_OFF_CPU_LIMIT)
        );
        let mut m = Patient::busy();
        m.blocks = true;
        m.next_poll();
        assert_eq!(m.after(MS, MS), Finding::Well);
        assert_eq!(sleeps(&mut m), Finding::Stalled(Cause::OffCpu));
    }

    #[test]
    fn a_poll_that_computes_and_then_sleeps_is_off_cpu() {
        let mut m = Patient::busy();
        assert_eq!(m.after(MS, MS), Finding::Well);
        assert_eq!(m.after(MS, MS / 20), Finding::Stalled(Cause::OffCpu));
    }

    #[test]
    fn a_poll_that_computes_keeps_its_p_for_a_slice() {
        let mut m = Patient::busy();
        m.scene.has_tasks = true;
        for _ in 0..9 {
            assert_eq!(m.after(MS, MS), Finding::Well);
        }
        assert_eq!(m.after(MS, MS), Finding::Stalled(Cause::Computing));
    }

    #[test]
    fn a_poll_that_computes_on_a_hoard_beside_an_idle_p_loses_it_soon() {
        let mut m = Patient::busy();
        m.scene.any_idle = true;
        m.scene.hoards = true;
        assert_eq!(m.after(MS, MS), Finding::Stalled(Cause::Computing));
        // Without an idle P there is nobody to run the hoard, so it waits for the slice's end.
        let mut m = Patient::busy();
        m.scene.hoards = true;
        assert_eq!(m.after(MS, MS), Finding::Well);
    }

    #[test]
    fn where_many_compute_already_one_more_takes_longer() {
        let mut m = Patient::busy();
        m.scene.has_tasks = true;
        m.scene.slice = 3 * SLICE;
        for _ in 0..29 {
            assert_eq!(m.after(MS, MS), Finding::Well);
        }
        assert_eq!(m.after(MS, MS), Finding::Stalled(Cause::Computing));
    }

    #[test]
    fn without_a_clock_of_the_thread_a_sleeper_is_taken_to_compute() {
        let mut watch = Watch::default();
        let scene = Scene {
            has_tasks: true,
            slice: SLICE,
            ..Scene::default()
        };
        let mut found = Vec::new();
        for ms in 0..12 {
            let sight = Sight {
                now: ms * MS,
                tick: 1,
                block: 0,
                cpu: None,
                off_cpu_limit: OFF_CPU_LIMIT,
            };
            found.push(watch.look(sight, || scene));
        }
        assert_eq!(found[9], Finding::Well);
        assert_eq!(found[10], Finding::Stalled(Cause::Computing));
    }
}
