//! What the scheduler knows of a task: 22 bytes beside `async-task`'s header.

use std::sync::atomic::{AtomicU8, Ordering};

use gopark_net::note::WaitReason;

use super::{Id, Site};

/// A value that is content with the alignment of a `u16`. It can be read, but not borrowed.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(2))]
struct Packed<T: Copy>(T);

/// In the place of an abort flag: no thread could be had.
const REFUSED: u8 = 2;
/// In the place of a wait reason: the future is gone.
const FINISHED: u8 = u8::MAX;
/// In the place of a wait reason: no poll has returned `Pending` yet.
const NEVER_PARKED: u8 = u8::MAX - 1;

/// A task's metadata.
///
/// 22 bytes aligned to 2, because it shares the header with one `bool` of `async-task`'s: together
/// they make the header 56 bytes, and a task with a tiny future 72.
///
/// | field | written by | read by |
/// |---|---|---|
/// | `site`, `id`, `slot` | the spawner, once | anyone who holds a reference |
/// | `aborted` | anyone, 0 to 1; who gives up jobs, to 2 | the harness, at each poll |
/// | `wait` | the harness: at first `NEVER_PARKED`, then wait reasons, at last `FINISHED` | anyone |
#[derive(Debug)]
pub(crate) struct Meta {
    site: Packed<*const Site>,
    id: Packed<Id>,
    slot: Packed<u32>,
    aborted: AtomicU8,
    wait: AtomicU8,
}

// SAFETY: (1) `site` points to a `Site`, which is Sync and outlives the future (g rule 4); the
// other fields are plain values or atomics.
unsafe impl Send for Meta {}
// SAFETY: as for Send: no field is written after construction but the two atomics.
unsafe impl Sync for Meta {}

impl Meta {
    pub(crate) fn new(site: *const Site, id: Id, slot: u32) -> Self {
        Self {
            site: Packed(site),
            id: Packed(id),
            slot: Packed(slot),
            aborted: AtomicU8::new(0),
            wait: AtomicU8::new(NEVER_PARKED),
        }
    }

    pub(crate) fn id(&self) -> Id {
        self.id.0
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot.0
    }

    /// The spawn site. Only to be dereferenced while the future lives (g rule 4).
    #[inline]
    pub(crate) fn site(&self) -> *const Site {
        self.site.0
    }

    /// Asks the harness to drop the future at the next poll, which the caller must bring about.
    pub(crate) fn set_aborted(&self) {
        // Relaxed: whoever sets it then wakes the task, and the state word orders the two.
        self.aborted.store(1, Ordering::Relaxed);
    }

    /// The same, for a job that no thread can be had for.
    pub(crate) fn set_refused(&self) {
        // Relaxed: whoever sets it then runs the task.
        self.aborted.store(REFUSED, Ordering::Relaxed);
    }

    /// Whether it is that which ends the task.
    pub(crate) fn is_refused(&self) -> bool {
        self.aborted.load(Ordering::Relaxed) == REFUSED
    }

    #[inline]
    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed) != 0
    }

    /// Why the task is parked; meaningful while it is neither queued nor being polled.
    pub(crate) fn wait_reason(&self) -> WaitReason {
        WaitReason::from_u8(self.wait.load(Ordering::Relaxed))
    }

    /// Whether a poll has returned `Pending`. The harness asks, who alone changes it.
    #[inline]
    pub(crate) fn has_parked(&self) -> bool {
        self.wait.load(Ordering::Relaxed) != NEVER_PARKED
    }

    /// Says that the future has been dropped.
    #[inline]
    pub(crate) fn set_finished(&self) {
        // pairs with: the load in `is_finished`.
        self.wait.store(FINISHED, Ordering::Release);
    }

    /// Whether the future has been dropped.
    pub(crate) fn is_finished(&self) -> bool {
        // pairs with: the store in `set_finished`, so what the future did is seen too.
        self.wait.load(Ordering::Acquire) == FINISHED
    }

    #[inline]
    pub(crate) fn set_wait_reason(&self, reason: WaitReason) {
        self.wait.store(reason as u8, Ordering::Relaxed);
    }
}
