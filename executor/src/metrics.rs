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
    pub(crate) thread_failures: Counter,
    /// Times an M gave its P up because it was about to block.
    pub(crate) handoffs: Counter,
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
    /// Processors that no M holds; a state.
    pub idle_procs: usize,
    /// Ms that have a processor and look for work; a state.
    pub spinning: usize,
    /// Tasks in the global queue; a state.
    pub global_queue: usize,
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
    /// Threads that the operating system refused to start.
    pub thread_failures: u64,
    /// Processors that were given up by a thread about to block.
    pub handoffs: u64,
}
