//! Sysmon: the thread that watches over the others, and takes the P from an M that does not come back.
//!
//! It holds no P, runs no user code (but for what it drops as its runtime ends), and nobody waits for it. Each look goes over all Ms (`watch.rs`
//! judges them) and then chooses when to look again:
//!
//! ```text
//!   something may be stuck, or a retake is pending ............ 20 to 200 us
//!   jobs wait ................................................. 200 us
//!   all Ps are held, and places are known whose polls block ... 100 us
//!   all Ps are held, or a poll has stalled in the last second .. 1 ms
//!   some P is held, or was until 30 ms ago .................... 10 ms, or until the last P is taken
//!   a thread that lost its P has not been spoken of yet ........ until then
//!   nothing of all that ....................................... until the bell rings (`bell.rs`)
//! ```
//!
//! An idle runtime so costs no wake-up, one with a P to spare a hundred a second, and a full one a thousand.
//!
//! # While a P is idle
//!
//! Then most of what a stuck M holds is none of its own: it can be done elsewhere, by an M that somebody wakes anyway.
//! So it is looked at every 10 ms only. What it may keep waiting so long, beside the tasks and the root that are bound to
//! its thread, which no retake helps:
//!
//! | held back | until |
//! |---|---|
//! | `runnext` and the hand of its P; tasks in its ring for which nobody was woken, since they seemed to be no work (`pace.rs`) | a look finds it in a poll, and the look 1 ms after finds the same: then the P is taken as ever |
//! | timers of its P | the poller fires them 10 ms late; if a look sees that one is due soon, the next look is 1 ms after that |
//! | the reactor, if the M was the poller, and the others are asleep | two looks 200 us apart find it unattended |
//! | a job that it was to come to itself | the bell rings for jobs |
//! | what comes next | an idle P takes it: the poller, a submitter's wake-up. If that is the last one the bell rings |
//!
//! So nothing waits for more than some 11 ms more than on a runtime that is full. Who stalls once is expected to do so
//! again: from the first stall on the monitor looks every millisecond, until a second has passed without one.
//!
//! # What it decides
//!
//! | finding | action | counter |
//! |---|---|---|
//! | an M is stuck with a P that is needed | the P is taken, and given to another M | `retakes_*` |
//! | the same, and `max_blocked_threads` Ms are blocked | none, but the first time it is said | `retakes_refused` |
//! | nobody has looked at the reactor for two looks | an idle M is sent there; if none is, a new one: at once while a P is idle, else after 10 ms | `pollers_recalled` |
//! | tasks that wake each other have run for 10 ms, others wait | the chain is broken off | `slices_ended` |
//! | Ps wait for locks, or are woken in vain, and without them as many polls are made | they are laid off for a while (`crowd.rs`) | `procs_laid_off` |
//! | jobs wait, and none has begun since the last look | as many more runners as run | |
//!
//! # A retake that is pending
//!
//! The M that loses its P may be in scheduler code at that very moment. Then the P is the monitor's
//! only when the M has come out (`seat.rs`), and the monitor looks again in 50 us.

pub(crate) mod bell;
mod crowd;
mod look;
mod patient;
pub(crate) mod report;
mod repute;
mod trace;
pub(crate) mod watch;

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use crate::sched::Sched;
use crate::sys::ThreadProbe;
use bell::{Bell, Wants};
use look::Monitor;
use watch::Cause;

/// What a runtime keeps of its monitor.
pub(crate) struct Sysmon {
    pub(crate) bell: Bell,
    /// What the bell wants before the monitor has started, and while it sleeps for good.
    wants: Wants,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: AtomicBool,
    /// Until when, in milliseconds of the runtime, the monitor is not tried to be started after a refusal.
    /// Not the pause of the workers: if they are all blocked, nobody asks again after theirs.
    refused_until: AtomicU64,
}

/// In milliseconds: sections begin often, each asks, and a failing `clone` costs more than most of them.
const REFUSED_PAUSE: u64 = 10;

impl Sysmon {
    /// `watches` says whether polls are watched, and not only blocking sections.
    pub(crate) fn new(watches: bool) -> Self {
        let wants = Wants::BLOCK.and(Wants::JOB);
        let wants = if watches || crate::debug::settings().schedtrace.is_some() {
            wants.and(Wants::BUSY)
        } else {
            wants
        };
        Self {
            bell: Bell::new(wants),
            wants,
            thread: Mutex::new(None),
            stop: AtomicBool::new(false),
            refused_until: AtomicU64::new(0),
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the monitor; false if it has not started.
    pub(crate) fn wake(&self) -> bool {
        let thread = self.thread();
        if let Some(thread) = &*thread {
            thread.thread().unpark();
        }
        thread.is_some() || self.is_stopped()
    }

    /// Starts the monitor, or, if it cannot be, has whoever needs it next try again.
    pub(crate) fn start(&self, sched: Arc<Sched>) -> io::Result<()> {
        let mut slot = self.thread();
        if slot.is_some() || self.is_stopped() {
            return Ok(());
        }
        let now = sched.uptime().as_millis() as u64;
        // Relaxed: it decides how often we try, no more.
        if now < self.refused_until.load(Ordering::Relaxed) {
            self.bell.nap(self.wants);
            return Ok(());
        }
        sched.monitor_is_asked_for();
        let asker = sched.clone();
        let started = thread::Builder::new()
            .name("gopark-sysmon".into())
            .spawn(move || run(sched));
        match started {
            Ok(thread) => {
                *slot = Some(thread);
                Ok(())
            }
            Err(error) => {
                asker.monitor_was_refused();
                self.refused_until
                    .store(now + REFUSED_PAUSE, Ordering::Relaxed);
                self.bell.nap(self.wants);
                Err(error)
            }
        }
    }

    /// The monitor is to end. Gives its thread out, to be waited for.
    pub(crate) fn stop(&self) -> Option<JoinHandle<()>> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread().take();
        if let Some(thread) = &thread {
            thread.thread().unpark();
        }
        thread
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What was found of a poll, for the M to say when it comes back.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) culprit: Culprit,
    /// When the monitor first saw the poll, since the runtime's start.
    pub(crate) since: Duration,
    pub(crate) cause: Cause,
    /// Whether the P was taken.
    pub(crate) handed_over: bool,
    /// The clocks of its thread at some time in the poll, when that was since it was first seen, and how long it had
    /// computed until then. What else it did before is not known.
    pub(crate) clocks: Clocks,
    pub(crate) clocks_after: Duration,
    pub(crate) computed: Duration,
}

/// How long a thread has computed and how long it has waited for a processor, as far as the system says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clocks {
    cpu: Option<Duration>,
    waited: Option<Duration>,
}

impl Clocks {
    pub(crate) fn of(thread: &ThreadProbe) -> Self {
        Self {
            cpu: thread.cpu_time(),
            waited: thread.waited(),
        }
    }

    /// How long it has computed and has waited since `before`.
    fn since(self, before: Self) -> (Duration, Duration) {
        let between = |before: Option<Duration>, now: Option<Duration>| match (before, now) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => Duration::ZERO,
        };
        (
            between(before.cpu, self.cpu),
            between(before.waited, self.waited),
        )
    }
}

impl Verdict {
    /// What the poll, of which that was left, mostly did, if it held its P for a time slice by what it did. It has lasted
    /// for `held`, and the clocks of its thread are at `now`. Otherwise it was starved: the kernel kept it from its
    /// processor, which is nobody's fault here.
    pub(crate) fn cause_after(&self, held: Duration, now: Clocks) -> Option<Cause> {
        let (computed, starved) = now.since(self.clocks);
        let known = held.saturating_sub(self.clocks_after);
        let asleep = known.saturating_sub(computed + starved);
        let computed = self.computed + computed;
        let cause = match now.cpu {
            None => self.cause,
            Some(_) if asleep > computed => Cause::OffCpu,
            Some(_) => Cause::Computing,
        };
        let own = match now.cpu {
            None => held,
            Some(_) => asleep + computed,
        };
        (own >= watch::SLICE).then_some(cause)
    }
}

/// Whose poll it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Culprit {
    /// A task, by where it was spawned.
    Task(&'static Location<'static>),
    /// The root future of a `block_on`, by where that is.
    Root(&'static Location<'static>),
    /// Work bound to a thread that is inside no `block_on`.
    Unknown,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(location) => write!(f, "task spawned at {location}"),
            Self::Root(location) => write!(f, "future of the block_on at {location}"),
            Self::Unknown => f.write_str("a local task"),
        }
    }
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nap {
    /// After that time, or earlier if one of these steps is taken.
    For(Duration, Wants),
    /// When the bell rings.
    Deep,
}

/// How often one looks whether a worker has ended that was left in its poll when its runtime was ended, if nothing is to be
/// seen of it.
const LEFTOVER_NAP: Duration = Duration::from_millis(20);

/// The monitor's life.
fn run(sched: Arc<Sched>) {
    crate::sys::nap_exactly();
    sched.monitor_begins();
    let mut monitor = Monitor::new(&sched);
    let sysmon = &sched.sysmon;
    loop {
        sysmon.bell.rise();
        let mut nap = monitor.look();
        if sysmon.is_stopped() {
            if monitor.has_nothing_pending() && sched.may_monitor_end() {
                drop(monitor);
                sched.monitor_ends();
                return;
            }
            if nap == Nap::Deep {
                // Nobody rings for the end of the last one.
                nap = Nap::For(LEFTOVER_NAP, Wants::NOTHING);
            }
        }
        if nap == Nap::Deep {
            sysmon.bell.lie_down(sysmon.wants);
            if monitor.may_sleep() {
                thread::park();
                continue;
            }
            // Something is on its way: a P to an M that has not woken up yet, for instance.
            nap = look::BUSY;
        }
        if let Nap::For(time, wants) = nap {
            sysmon.bell.nap(wants);
            if monitor.has_missed(wants) {
                continue;
            }
            #[expect(clippy::disallowed_methods, reason = "the monitor is no M")]
            thread::park_timeout(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn clocks(cpu: u32, waited: u32) -> Clocks {
        Clocks {
            cpu: Some(cpu * MS),
            waited: Some(waited * MS),
        }
    }

    #[test]
    fn a_poll_that_the_kernel_kept_from_its_processor_is_not_spoken_of() {
        let verdict = Verdict {
            culprit: Culprit::Unknown,
            since: Duration::ZERO,
            cause: Cause::OffCpu,
            handed_over: true,
            computed: MS,
            clocks: clocks(100, 1_000),
            clocks_after: MS,
        };
        let after = |held: u32, now| verdict.cause_after(held * MS, now);
        // It slept for 13 ms; waited for 12 of 14; computed for 11 of 14, whatever it seemed at first; did some of each.
        assert_eq!(after(14, clocks(100, 1_000)), Some(Cause::OffCpu));
        assert_eq!(after(14, clocks(100, 1_012)), None);
        assert_eq!(after(14, clocks(110, 1_001)), Some(Cause::Computing));
        assert_eq!(after(30, clocks(105, 1_015)), Some(Cause::OffCpu));
        assert_eq!(after(30, clocks(105, 1_022)), None);
        // Where the system does not say, what was found stands.
        assert_eq!(after(14, Clocks::default()), Some(Cause::OffCpu));
        let unknown = Clocks {
            waited: None,
            ..clocks(100, 0)
        };
        assert_eq!(after(14, unknown), Some(Cause::OffCpu));
    }
}
