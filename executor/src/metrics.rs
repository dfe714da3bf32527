//! What a runtime has done: counters per P and for the whole, summed when they are read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that one thread at a time writes (the owner of its P) and any may read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds without a read-modify-write: nobody else writes.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// Adds from any thread.
    pub(crate) fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a P counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) polls: Counter,
    /// Times its M had nothing to do and gave it up.
    pub(crate) parks: Counter,
    pub(crate) steals: Counter,
    pub(crate) stolen: Counter,
    pub(crate) from_global: Counter,
    pub(crate) reactor_looks: Counter,
    pub(crate) timers_fired: Counter,
}

/// What a runtime counts beside its Ps.
#[derive(Debug, Default)]
pub(crate) struct SharedCounters {
    /// Ms that were woken from a park, by futex or through the reactor.
    pub(crate) unparks: Counter,
    /// Ms that parked.
    pub(crate) parks: Counter,
    /// Times an M waited in the reactor.
    pub(crate) reactor_waits: Counter,
    /// Sleeps that the poller fired.
    pub(crate) timers_fired: Counter,
    pub(crate) threads_started: Counter,
    /// Worker threads that ended because nothing was left to do for so many.
    pub(crate) threads_ended: Counter,
    pub(crate) thread_failures: Counter,
    /// Times an M gave its P up because it was about to block.
    pub(crate) handoffs: Counter,
    /// The monitor's looks, and what it decided.
    pub(crate) looks: Counter,
    pub(crate) retakes_block: Counter,
    pub(crate) retakes_off_cpu: Counter,
    pub(crate) retakes_computing: Counter,
    pub(crate) retakes_refused: Counter,
    pub(crate) pollers_recalled: Counter,
    pub(crate) slices_ended: Counter,
    pub(crate) procs_laid_off: Counter,
}

/// A snapshot of a runtime's counters, from [`Handle::metrics`](crate::runtime::Handle::metrics).
///
/// Each number has only grown since the runtime started, except those that are said to be a state.
/// The numbers are read one after the other while the runtime goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Processors; a state.
    pub procs: usize,
    /// Processors that are not used for a while, since without them more was done: they only waited for the locks
    /// of channels, or were woken for what others had done by the time they came; a state.
    pub laid_off_procs: usize,
    /// Processors in use that no M holds; a state.
    pub idle_procs: usize,
    /// Ms that have a processor and look for work; a state.
    pub spinning: usize,
    /// Tasks in the global queue; a state.
    pub global_queue: usize,
    /// Threads that run tasks or wait to, those inside `block_on` included; a state.
    pub threads: usize,
    /// Threads that block inside a poll and have lost or given up their processor; a state.
    pub blocked_threads: usize,
    /// Closures of `spawn_blocking` that have not begun; a state.
    pub jobs_queued: usize,
    /// Closures of `spawn_blocking` that run; a state.
    pub jobs_running: usize,
    /// Polls of tasks.
    pub polls: u64,
    /// Successful steals from another processor's queue.
    pub steals: u64,
    /// Tasks that were polled first by the processor that stole them.
    pub stolen: u64,
    /// Times a processor took work from the global queue.
    pub from_global: u64,
    /// Times a full local queue moved its older half to the global queue.
    pub spills: u64,
    /// Looks at the reactor without waiting.
    pub reactor_looks: u64,
    /// Waits in the reactor.
    pub reactor_waits: u64,
    /// Sleeps that ended because their time had come.
    pub timers_fired: u64,
    /// Threads that parked.
    pub parks: u64,
    /// Parked threads that were woken.
    pub unparks: u64,
    /// Threads that the runtime started.
    pub threads_started: u64,
    /// Threads that ended, after they had waited for `thread_keep_alive` for something to do.
    pub threads_ended: u64,
    /// Threads that the operating system refused to start.
    pub thread_failures: u64,
    /// Processors that were given up by a thread about to block: `block_eager`, a nested `block_on`.
    pub handoffs: u64,
    /// Closures of `spawn_blocking` that have begun.
    pub jobs_begun: u64,
    /// Times the monitor looked at the threads.
    pub looks: u64,
    /// Processors that the monitor took from blocking sections.
    pub retakes_block: u64,
    /// Processors that it took from polls that were off CPU.
    pub retakes_off_cpu: u64,
    /// Processors that it took from polls that computed.
    pub retakes_computing: u64,
    /// Processors that it left where they were, since `max_blocked_threads` threads were blocked.
    pub retakes_refused: u64,
    /// Times it sent a thread into the reactor, for nobody looked at it.
    pub pollers_recalled: u64,
    /// Chains of tasks waking each other that it broke off at the end of their time slice.
    pub slices_ended: u64,
    /// Processors that it laid off, to try or for longer: see `laid_off_procs`.
    pub procs_laid_off: u64,
}
