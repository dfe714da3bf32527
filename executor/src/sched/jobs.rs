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
//! # Invariants
//!
//! 1. `running <= max`: who wants to run a job counts itself first, and steps back at the limit.
//! 2. A thread that has work bound to it (a root, local tasks) runs no job.
//! 3. On the current-thread flavour jobs run without a P only: its one P is the root's.

use std::panic::Location;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gopark_net::offload;

use crate::current;
use crate::g::Runnable;
use crate::globq::GlobalQueue;
use crate::m::M;
use crate::sysmon::bell::Wants;

use super::Sched;
use super::spawn::spawn_blocking;
use super::start::Start;

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
        // With an M that blocks already in each place where one may, a job could only cost a P.
        let allowed = match m.seat.held() {
            Some(_) => !self.is_current_thread() && !self.is_full_of_blocked(),
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
        m.pulse.begin_poll(job.metadata().site());
        let begins = m.pulse.begin_block();
        debug_assert!(begins, "an M runs jobs between its polls");
        if self.sysmon.bell.is_wanted(Wants::BLOCK) {
            self.ring();
        }
        job.run();
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
