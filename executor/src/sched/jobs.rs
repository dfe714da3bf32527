//! Jobs: the closures of `spawn_blocking`, and which Ms run them.
//!
//! A job is a task whose only poll runs the closure, inside a blocking section. Jobs have a queue of
//! their own, in the order in which they came, and they come last: an M with a P takes one when it
//! finds no task. If the closure is short that costs no thread a wake-up; if it is long, the
//! monitor takes the P away like that of any blocking section, and the M runs that job to its end
//! without.
//!
//! When all Ps are busy with tasks, or all Ms with jobs that wait, the monitor sends Ms without a P
//! ("runners") after the jobs in the queue, twice as many each time it looks, until `max` jobs run.
//! They take one after the other until none is left.
//!
//! If the system refuses threads, jobs wait for the workers there are, and the monitor tries again. If there is no
//! worker at all the job is given up, and its handle says why.
//!
//! # Invariants
//!
//! 1. `running <= max`: who wants to run a job counts itself first, and steps back at the limit.
//! 2. A thread that has work bound to it (a root, local tasks) runs no job.
//! 3. On the current-thread flavour jobs run without a P only: its one P is the root's.

use std::panic::Location;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gopark_net::offload;

use crate::current;
use crate::g::Runnable;
use crate::globq::GlobalQueue;
use crate::m::M;
use crate::sysmon::bell::Wants;

use super::Sched;
use super::spawn::spawn_blocking;
use super::start::Start;

/// How often a thread is tried to be had for jobs that nobody else can run, with pauses of 1, 2, 4, ... ms.
const RUNNER_TRIES: u32 = 5;

/// See the module.
pub(crate) struct Jobs {
    queue: GlobalQueue<Runnable>,
    running: AtomicUsize,
    begun: AtomicU64,
    max: usize,
}

impl Jobs {
    pub(super) fn new(max: usize) -> Self {
        Self {
            queue: GlobalQueue::new(),
            running: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            max,
        }
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many more may run.
    pub(crate) fn room(&self) -> usize {
        self.max.saturating_sub(self.running())
    }

    /// Takes a job that is not to be run but cancelled.
    pub(super) fn pop(&self) -> Option<Runnable> {
        self.queue.pop()
    }

    /// Takes the oldest job to run it; `end` must follow.
    fn begin(&self) -> Option<Runnable> {
        if self.queue.is_empty() {
            return None;
        }
        // Relaxed: the counter publishes nothing but itself.
        if self.running.fetch_add(1, Ordering::Relaxed) < self.max {
            if let Some(job) = self.queue.pop() {
                self.begun.fetch_add(1, Ordering::Relaxed);
                return Some(job);
            }
        }
        self.end();
        None
    }

    fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has the blocking jobs of `gopark-net`, which are the look-ups of host names, run as jobs of the
/// runtime that the asking thread is in. Not in a blocking section on the spot, as files are: a
/// look-up may take half a minute, and a time-out around it must be able to end the waiting.
pub(super) fn lend_to_net() {
    static LENT: Once = Once::new();
    LENT.call_once(|| {
        offload::install(|job| {
            let sched = current::sched();
            if sched.is_null() {
                return Err(job);
            }
            // SAFETY: (1) `current::sched` is valid while set.
            drop(spawn_blocking(unsafe { &*sched }, job, Location::caller()));
            Ok(())
        });
    });
}

impl Sched {
    /// Whether a job waits that an M with a P may run.
    pub(super) fn jobs_visible(&self) -> bool {
        !self.is_current_thread() && !self.jobs.queue.is_empty() && self.jobs.room() > 0
    }

    /// Queues a job, from any thread.
    pub(super) fn submit_job(&self, job: Runnable) {
        // Asked before the attempts below, which may be refused.
        let may_insist = self.presence.has_workers() || self.may_start_thread();
        self.jobs.queue.push(job);
        if self.is_current_thread() {
            if self.jobs.running() == 0 {
                self.start_runner();
            }
        } else if !self.takes_lone_job() && self.idle.should_wake() {
            self.wakep();
        }
        if self.sysmon.bell.is_wanted(Wants::JOB) {
            self.ring();
        }
        if !self.has_worker_for_certain() {
            self.insist_on_a_runner(may_insist);
        }
    }

    /// A job is queued, and there is no thread that may run it: tries again to have one, for a moment, and gives up the
    /// jobs if that cannot be. A thread inside `block_on` runs none (invariant 2), so they might wait for ever.
    #[cold]
    fn insist_on_a_runner(&self, may_wait: bool) {
        let mut pause = Duration::from_millis(1);
        for left in (0..RUNNER_TRIES).rev() {
            let is_over = || self.jobs.queue.is_empty() || self.is_closing();
            if self.has_worker_for_certain() || is_over() {
                return;
            }
            // The attempt of another may be granted.
            if !self.is_asking_for_thread() {
                match self.start_thread(Start::WithoutP { runner: true }) {
                    Ok(()) => return,
                    Err(error) => self.thread_refused(&error),
                }
                if !may_wait {
                    // Somebody has waited enough just before.
                    break;
                }
            }
            if left > 0 {
                std::thread::sleep(pause);
                pause *= 2;
            }
        }
        while let Some(job) = self.jobs.pop() {
            job.metadata().set_refused();
            job.run();
        }
    }

    /// Whether the calling thread is an M that will come to the only job in the queue itself.
    fn takes_lone_job(&self) -> bool {
        self.jobs.queue.len() == 1
            && self
                .own_m()
                .is_some_and(|m| m.may_block() && !m.seat.is_vacant())
    }

    /// Runs one job on `m`, which is in scheduler code, with its P or without; false if there is none
    /// for it.
    pub(super) fn run_job(&self, m: &M) -> bool {
        let allowed = match m.seat.held() {
            Some(_) => !self.is_current_thread(),
            None => m.runner.get(),
        };
        if !allowed || self.is_closing() || !m.may_block() {
            return false;
        }
        let Some(job) = self.jobs.begin() else {
            return false;
        };
        let wake = m.spinning.get() && self.stop_spinning(m);
        m.seat.leave();
        if wake {
            self.wakep();
        }
        m.runs_job.store(true, Ordering::Relaxed);
        m.pulse.begin_poll(job.metadata().site());
        let begins = m.pulse.begin_block();
        debug_assert!(begins, "an M runs jobs between its polls");
        if self.sysmon.bell.is_wanted(Wants::BLOCK) {
            self.ring();
        }
        job.run();
        m.runs_job.store(false, Ordering::Relaxed);
        m.pulse.end_block();
        self.jobs.end();
        self.section_ended();
        if m.seat.enter().is_none() {
            self.end_stall(m);
        }
        true
    }

    /// Sends an M without a P after the jobs; false if there can be none.
    pub(crate) fn start_runner(&self) -> bool {
        self.wake_runner() || self.start_without_p(true)
    }

    /// Starts an M without a P, to run jobs or else to wait in the reactor; false if that cannot be.
    pub(super) fn start_without_p(&self, runner: bool) -> bool {
        if !self.may_start_thread() {
            return false;
        }
        match self.start_thread(Start::WithoutP { runner }) {
            Ok(()) => true,
            Err(error) => {
                self.thread_refused(&error);
                false
            }
        }
    }
}
