//! P: a processor, the right to run tasks and what that needs.
//!
//! # Who may touch what
//!
//! | field | owner (see `seat.rs`, rule 2) | everyone |
//! |---|---|---|
//! | `runq`, `tick`, `rng`, `pace`, `shard_owner` | reads and writes | - |
//! | `stealer`, `shard`, `timers` | as everyone | their own protocols |
//! | `metrics` | writes | reads |

use std::cell::{Cell, UnsafeCell};
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::g::{Runnable, Shard, ShardOwner};
use crate::metrics::Counters;
use crate::pace::Pace;
use crate::rng::Rng;
use crate::runq::{RunQueue, Stealer};
use crate::sched::Sched;
use crate::time::timers::Timers;

/// See the module.
pub(crate) struct P {
    index: usize,
    pub(crate) runq: RunQueue<Runnable>,
    /// Scheduling rounds; decides when to look at the injector and the reactor.
    pub(crate) tick: Cell<u32>,
    pub(crate) rng: Rng,
    shard_owner: UnsafeCell<ShardOwner>,
    pub(crate) metrics: Counters,
    pub(crate) pace: Pace,
    /// On lines of their own: other Ps look at these while the owner runs.
    pub(crate) remote: CachePadded<Remote>,
}

/// The part of a P that others use.
pub(crate) struct Remote {
    pub(crate) stealer: Stealer,
    pub(crate) shard: Shard,
    pub(crate) timers: Arc<Timers>,
}

// SAFETY: (1) the fields that are not Sync are touched by the P's owner only, and ownership passes
// with Acquire/Release (seat rules 2 and 4, the masks of `idle.rs`).
unsafe impl Sync for P {}
// SAFETY: as for Sync.
unsafe impl Send for P {}

impl P {
    /// `sched` may still be under construction.
    pub(crate) fn new(index: usize, sched: *const Sched, seed: u64, timers: Arc<Timers>) -> Self {
        let runq = RunQueue::new();
        Self {
            index,
            tick: Cell::new(0),
            rng: Rng::new(seed, index as u64),
            shard_owner: UnsafeCell::new(ShardOwner::new()),
            metrics: Counters::default(),
            pace: Pace::new(),
            remote: CachePadded::new(Remote {
                stealer: runq.stealer(),
                shard: Shard::new(sched),
                timers,
            }),
            runq,
        }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Runs `f` with the owner's part of the shard.
    ///
    /// # Safety
    ///
    /// The caller must own this P, and `f` must not come back here.
    #[inline]
    pub(crate) unsafe fn with_shard_owner<R>(
        &self,
        f: impl FnOnce(&Shard, &mut ShardOwner) -> R,
    ) -> R {
        // SAFETY: (1) only the owner gets here, which is one thread; (2) and once at a time.
        let owner = unsafe { &mut *self.shard_owner.get() };
        f(&self.remote.shard, owner)
    }
}

impl std::fmt::Debug for P {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("P")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
