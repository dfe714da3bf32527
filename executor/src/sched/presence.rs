//! Who is in a runtime, and who may be the last to leave it.
//!
//! Whoever may poll a task, or may hold a P in which a task lies, is *present*: a worker, a thread
//! inside `block_on`, the monitor, and who closes the runtime. All are counted in one word, by kind.
//!
//! # The last sweep
//!
//! When a runtime has been closed, every future that was spawned before must be dropped, and somebody must
//! see to that, however the runtime ends. So
//!
//! 1. whoever is present sweeps (`shutdown.rs`) before it leaves, and
//! 2. nobody leaves a task behind unless another stays: [`try_leave`](Presence::try_leave) refuses the last
//!    one, who sweeps again until nothing is registered, and
//! 3. that the runtime has been closed stands in the same word, so that nobody leaves without having swept on whom
//!    the closer relies.
//!
//! So a task that is registered in a closed runtime has somebody present, who keeps the `Sched` alive
//! (g rule 4). What the last one waits for is in the hand of a thread that is not present, between two steps
//! of a wake-up or a spawn: it comes at once.
//!
//! Only who sees no task registered may say that nothing is left, and that is final. A task that is
//! published after the close is withdrawn by its spawner, which sees `closing`: "spawn against
//! shutdown" (`spawn.rs`). So the tasks that count only become fewer, and a walk over the slots that takes
//! its time tells the truth.
//!
//! A thread that is being started is counted as such: it may be refused, and sweeps nothing then. So nobody
//! may rely on it.

use crate::primitive::sync::atomic::{AtomicU64, Ordering};

/// A kind of those who are present: where it is counted in the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Kind {
    /// A worker that was asked for, and has not begun.
    Starting = 1,
    Worker = 1 << 16,
    Root = 1 << 36,
    /// A monitor that was asked for, and has not begun. There is one at a time.
    StartingMonitor = 1 << 56,
    /// The monitor, or who closes the runtime.
    Keeper = 1 << 57,
}

const STARTING: u64 = Kind::Worker as u64 - 1;
const WORKERS: u64 = Kind::Root as u64 - Kind::Worker as u64;
const ROOTS: u64 = Kind::StartingMonitor as u64 - Kind::Root as u64;
const KEEPERS: u64 = CLOSED - Kind::Keeper as u64;

/// The runtime has been closed.
const CLOSED: u64 = 1 << 63;

/// See the module.
#[derive(Debug)]
pub(crate) struct Presence(AtomicU64);

impl Presence {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn enter(&self, kind: Kind) {
        // pairs with: the exchanges below, so that who comes sees what those who went have left.
        self.0.fetch_add(kind as u64, Ordering::AcqRel);
    }

    /// A thread that was asked for as `from` has begun, and is a `to` from now on.
    pub(crate) fn begun(&self, from: Kind, to: Kind) {
        // pairs with: as in `enter`.
        self.0.fetch_add(to as u64 - from as u64, Ordering::AcqRel);
    }

    /// A thread that was asked for was refused.
    pub(crate) fn refused(&self, kind: Kind) {
        // pairs with: as in `enter`.
        self.0.fetch_sub(kind as u64, Ordering::AcqRel);
    }

    /// From now on, nobody leaves who has not swept. The closer is present.
    pub(crate) fn close(&self) {
        // pairs with: the exchange in `leave_open`: who has left before this left what we shall see.
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Leaves, if the runtime has not been closed; false if it has. In one step: a closer that leaves may rely on
    /// whoever is present.
    pub(crate) fn leave_open(&self, kind: Kind) -> bool {
        self.change(kind, |word| word & CLOSED == 0)
    }

    /// Leaves if another stays, who sweeps after us. False if not.
    pub(crate) fn try_leave(&self, kind: Kind) -> bool {
        self.change(kind, |word| {
            (word - kind as u64) & (WORKERS | ROOTS | KEEPERS) != 0
        })
    }

    /// Leaves: nothing is left that somebody would have to come for.
    pub(crate) fn leave(&self, kind: Kind) {
        // pairs with: the loads below.
        self.0.fetch_sub(kind as u64, Ordering::AcqRel);
    }

    fn change(&self, kind: Kind, may_leave: impl Fn(u64) -> bool) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        while may_leave(word) {
            let left = word - kind as u64;
            // pairs with: itself, and `enter`, `close`: who stays or comes sees what was left behind.
            match self
                .0
                .compare_exchange_weak(word, left, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Whether no thread polls tasks, or is about to.
    pub(crate) fn is_nobody(&self) -> bool {
        self.0.load(Ordering::Relaxed) & (STARTING | WORKERS | ROOTS) == 0
    }

    /// Whether a worker is there.
    pub(crate) fn has_workers(&self) -> bool {
        // pairs with: the changes above.
        self.0.load(Ordering::Acquire) & WORKERS != 0
    }

    /// Whether no worker is left, and none is about to be.
    pub(crate) fn has_no_workers(&self) -> bool {
        // pairs with: `leave` and `try_leave`, so that who sees that they have gone sees what they did.
        self.0.load(Ordering::Acquire) & (STARTING | WORKERS) == 0
    }

    /// How many threads are inside `block_on`.
    pub(crate) fn roots(&self) -> usize {
        let roots = self.0.load(Ordering::Relaxed) & ROOTS;
        (roots / Kind::Root as u64) as usize
    }
}
