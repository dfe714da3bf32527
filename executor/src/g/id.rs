//! Task identity.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies a task, uniquely within the process.
///
/// Ids are handed to the processors in batches, so they are unique but neither dense nor in the
/// order of spawning.
///
/// # Examples
///
/// ```
/// gopark::block_on(async {
///     let handle = gopark::spawn(async { gopark::task::id() });
///     let id = handle.id();
///     assert_eq!(handle.await.unwrap(), id);
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub(crate) NonZeroU64);

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many ids a shard takes from the process-wide counter at once. Go takes 16 (`proc.go`,
/// `_GoidCacheBatch`); a longer batch costs nothing with 64-bit ids.
const BATCH: u64 = 256;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// In the child of a fork: the ids below this were given out in the parent.
static FIRST_OWN: AtomicU64 = AtomicU64::new(0);

/// In the child of a fork.
#[cfg(unix)]
pub(crate) fn leave_ids_behind() {
    // Relaxed: there is one thread.
    FIRST_OWN.store(NEXT.load(Ordering::Relaxed), Ordering::Relaxed);
}

impl Id {
    /// Whether this is a task of the parent's, and we are in the child of a fork: nobody will run it here.
    #[inline]
    pub(crate) fn is_left_behind(self) -> bool {
        self.0.get() < FIRST_OWN.load(Ordering::Relaxed)
    }
}

/// A shard's current batch of ids.
#[derive(Debug, Default)]
pub(crate) struct IdBatch {
    next: u64,
    end: u64,
}

impl IdBatch {
    #[inline]
    pub(crate) fn next(&mut self) -> Id {
        if self.next == self.end {
            // Relaxed: the counter publishes nothing but itself.
            self.next = NEXT.fetch_add(BATCH, Ordering::Relaxed);
            self.end = self.next + BATCH;
        }
        let id = self.next;
        self.next += 1;
        Id(NonZeroU64::new(id).expect("2^64 task ids have been used up"))
    }
}
