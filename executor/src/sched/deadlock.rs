//! "All goroutines are asleep - deadlock!": what Go says when nothing can ever run again.
//!
//! Go can be sure of it. Here a thread of the user's may hold a waker, or the other end of a channel, and
//! nobody can tell. So on the current-thread flavour, when nothing is runnable, no timer is armed, no
//! socket is registered, nobody blocks, and every M is asleep without a P, the M in the reactor waits for
//! `PATIENCE` once; and if nobody was up in all that time, and all
//! that live wait for each other as far as one can see (for channels, locks, tasks and the like), it says
//! who waits for what, or ends the process if it was told to. A wait that ends early begins anew.
//!
//! Where another runtime lives in the process, or a thread outside has woken a task before, it says that it cannot
//! know, and ends nothing.
//!
//! Likewise it says who blocks for that long while timers wait for a clock that is paused (`standstill.rs`).
//!
//! On the multi-thread flavour nobody says it: a service that is idle there looks the same.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gopark_net::note::WaitReason;

use crate::m::M;
use crate::warn::warn;

use super::{Sched, Timeout, lock};

/// How long it may look so before it is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is done when nothing can run any more, as far as the runtime can see.
///
/// # Examples
///
/// ```
/// use gopark::runtime::{Builder, DeadlockPolicy};
///
/// let runtime = Builder::new_current_thread().deadlock_policy(DeadlockPolicy::Abort).build()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadlockPolicy {
    /// Nothing.
    Ignore,
    /// Says which tasks wait, for what, and where they were spawned, once. Likewise, which of them block so long
    /// that a [paused](crate::time#paused-time) time, and the timers that wait for it, stand still.
    #[default]
    Report,
    /// Says so, and aborts the process. For programs in which no thread outside the runtime wakes a task: where one has
    /// done so before, or another runtime lives, it is only said that nobody can know.
    Abort,
}

/// A wait in the reactor that is to find out about a deadlock: since when everybody has been asleep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vigil {
    since: Instant,
    /// What would be different if somebody had been up meanwhile: Ms that were claimed, Ms that came and went.
    claims: u64,
    ms_version: usize,
}

impl Sched {
    /// How long the M in the reactor waits, which would wait for `timeout`; and whether that is to find
    /// out about a deadlock.
    pub(super) fn with_patience(&self, timeout: Timeout) -> (Timeout, Option<Vigil>) {
        if timeout.is_some() || self.config.deadlock_policy == DeadlockPolicy::Ignore {
            return (timeout, None);
        }
        // Before the look at the others, so that what they do meanwhile is seen.
        let vigil = Vigil {
            since: Instant::now(),
            claims: self.counters.unparks.get(),
            ms_version: self.ms_version(),
        };
        let is_dead = !self.deadlock_said.load(Ordering::Relaxed) && self.nothing_can_run();
        if is_dead || self.is_held_time_unsaid() {
            (Some(PATIENCE), Some(vigil))
        } else {
            (timeout, None)
        }
    }

    /// Whether nothing is runnable, nobody is up who could change that, and nothing that the runtime knows of
    /// will.
    fn nothing_can_run(&self) -> bool {
        self.is_current_thread()
            && self.presence.roots() > 0
            && !self.is_closing()
            && !self.has_timers()
            && !self.reactor.has_sources()
            && !self.tasks_visible()
            && self.idle.view().idle() >= self.ps.active()
            && !self.is_p_wanted()
            && self.blocked_ms.load(Ordering::Relaxed) == 0
            && self.stalled_ms.load(Ordering::Relaxed) == 0
            && !self.somebody_blocks()
            && lock(&self.all_ms).iter().all(|m| sleeps_for_a_task(m))
    }

    /// Whether it has been so ever since `vigil` began, and for as long as it takes.
    fn nothing_has_run(&self, vigil: Vigil) -> bool {
        self.nothing_can_run() && self.nobody_was_up(vigil)
    }

    /// Whether everybody has slept ever since `vigil` began, and for as long as it takes.
    fn nobody_was_up(&self, vigil: Vigil) -> bool {
        // The wait may end a little early, and would then begin anew each time.
        vigil.since.elapsed() + PATIENCE / 50 >= PATIENCE
            && self.counters.unparks.get() == vigil.claims
            && self.ms_version() == vigil.ms_version
    }

    /// The wait is over, and nobody was woken: perhaps nobody ever will be.
    #[cold]
    pub(super) fn say_deadlock(&self, vigil: Vigil) {
        if self.is_held_time_unsaid() && self.nobody_was_up(vigil) {
            self.say_time_is_held();
            return;
        }
        if self.deadlock_said.load(Ordering::Relaxed) || !self.nothing_has_run(vigil) {
            return;
        }
        let tasks = crate::runtime::tasks_of(self);
        if !tasks.iter().all(|task| is_known(task.wait_reason)) {
            // It waits for something of which only it knows who will end that.
            return;
        }
        // The tasks of another runtime, or a thread that has woken tasks before, may do so at any time.
        let cannot_know =
            RUNTIMES.load(Ordering::Relaxed) > 1 || self.woken_outside.load(Ordering::Relaxed);
        let mut text = String::from(if cannot_know {
            "all tasks are asleep; whether another runtime or thread of this process will wake one cannot be known:"
        } else {
            "all tasks are asleep - deadlock, unless a thread outside of the runtime wakes one:"
        });
        for m in lock(&self.all_ms).iter() {
            if let Some(location) = m.root() {
                // To a String; it cannot fail.
                let _ = write!(
                    text,
                    "\n  future of the block_on at {location} [{}]",
                    m.root_wait()
                );
            }
        }
        for task in tasks {
            let _ = write!(text, "\n  {task}");
        }
        // The list took its time.
        if !self.nothing_has_run(vigil) {
            return;
        }
        self.deadlock_said.store(true, Ordering::Relaxed);
        warn(format_args!("{text}"));
        if self.config.deadlock_policy == DeadlockPolicy::Abort && !cannot_know {
            std::process::abort();
        }
    }

    /// A thread that is no M of this runtime wakes one of its tasks.
    pub(crate) fn note_outsider(&self) {
        // Asked first, for all who read it share the line.
        if !self.woken_outside.load(Ordering::Relaxed) {
            self.woken_outside.store(true, Ordering::Relaxed);
        }
    }
}

/// How many runtimes there are in this process that have not been closed.
static RUNTIMES: AtomicUsize = AtomicUsize::new(0);

/// A runtime that has not been closed.
#[derive(Debug)]
pub(super) struct Living;

impl Living {
    pub(super) fn begin() -> Self {
        RUNTIMES.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        RUNTIMES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether `m` is in its bed, nobody is about to fetch it, and its root waits for a task.
fn sleeps_for_a_task(m: &M) -> bool {
    m.parked.load(Ordering::Relaxed)
        && !m.claimed.load(Ordering::Relaxed)
        && !m.has_bound()
        && is_known(m.root_wait())
}

/// Whether what is waited for is brought about by tasks, so that it never comes if none can run.
fn is_known(reason: WaitReason) -> bool {
    matches!(
        reason,
        WaitReason::Join
            | WaitReason::ChanSend
            | WaitReason::ChanRecv
            | WaitReason::ChanRecvOwed
            | WaitReason::Select
            | WaitReason::Lock
            | WaitReason::Semaphore
            | WaitReason::Notify
            | WaitReason::Cond
            | WaitReason::WaitGroup
            | WaitReason::Barrier
            | WaitReason::Once
            | WaitReason::Oneshot
            | WaitReason::Watch
            | WaitReason::Broadcast
            | WaitReason::Context
    )
}
