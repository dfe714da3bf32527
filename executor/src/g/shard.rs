//! A shard: where one spawner's tasks are registered, and where they are scheduled.
//!
//! There is a shard per P (its tasks go to any run queue), one for threads without a P, and one
//! per thread inside `block_on` for the tasks of `spawn_local` (they go to that thread only).
//!
//! The owner's part, [`ShardOwner`], is touched by whoever owns the shard's P (see `seat.rs`), by
//! the holder of the lock around it (threads without a P), or by the one thread (local tasks).
//! Everything else is shared.

use std::collections::HashMap;
use std::panic::Location;
use std::ptr;
use std::sync::Mutex;
use std::task::Waker;

use super::id::IdBatch;
use super::registry::{Registry, RegistryOwner};
use super::{Meta, RawTask};
use crate::m::M;
use crate::sched::Sched;

/// One place in the program that spawns into one shard. A task names its site instead of its
/// location, its shard and its runtime: one word for three.
#[derive(Debug)]
pub(crate) struct Site {
    location: &'static Location<'static>,
    shard: *const Shard,
    /// The runtime, once more: on the path of every wake, where one load less counts.
    sched: *const Sched,
}

// SAFETY: (1) `shard` and `sched` are Sync and outlive the site's tasks: g rule 4.
unsafe impl Send for Site {}
// SAFETY: as for Send; nothing is written after construction.
unsafe impl Sync for Site {}

impl Site {
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    #[inline]
    pub(crate) fn shard(&self) -> *const Shard {
        self.shard
    }

    #[inline]
    pub(crate) fn sched(&self) -> *const Sched {
        self.sched
    }
}

/// The shared part of a shard. It must not move once a task was registered.
#[derive(Debug)]
pub(crate) struct Shard {
    registry: Registry,
    sched: *const Sched,
    /// The M that alone may poll this shard's tasks; null if any may.
    bound: *const M,
    /// Every site that ever spawned here, by address. Boxed: tasks point to them.
    sites: Mutex<HashMap<usize, Box<Site>>>,
}

// SAFETY: (1) `sched` outlives the shard, which it (or an M of it) owns; (2) `bound` is only
// dereferenced while a local task lives, and the M drops those before it goes.
unsafe impl Send for Shard {}
// SAFETY: as for Send; all else is Sync.
unsafe impl Sync for Shard {}

/// Direct-mapped, so a power of two. A guess: programs have few hot spawn sites per P; a miss costs
/// a lock and a hash look-up.
const SITE_CACHE: usize = 32;

/// The owner's part of a shard.
#[derive(Debug)]
pub(crate) struct ShardOwner {
    registry: RegistryOwner,
    ids: IdBatch,
    sites: [(*const Location<'static>, *const Site); SITE_CACHE],
}

// SAFETY: the pointers are to statics and to sites, which are Sync.
unsafe impl Send for ShardOwner {}

impl ShardOwner {
    pub(crate) fn new() -> Self {
        Self {
            registry: RegistryOwner::new(),
            ids: IdBatch::default(),
            sites: [(ptr::null(), ptr::null()); SITE_CACHE],
        }
    }
}

impl Shard {
    /// A shard whose tasks may run anywhere. `sched` need only be valid once a task is registered.
    pub(crate) fn new(sched: *const Sched) -> Self {
        Self::with_bound(sched, ptr::null())
    }

    /// A shard whose tasks are polled by `bound` only.
    pub(crate) fn with_bound(sched: *const Sched, bound: *const M) -> Self {
        Self {
            registry: Registry::new(),
            sched,
            bound,
            sites: Mutex::new(HashMap::new()),
        }
    }

    #[inline]
    pub(crate) fn bound(&self) -> *const M {
        self.bound
    }

    /// Makes the metadata of a task about to be made; `publish` must follow.
    #[inline]
    pub(crate) fn reserve(
        &self,
        owner: &mut ShardOwner,
        location: &'static Location<'static>,
    ) -> Meta {
        let slot = self.registry.reserve(&mut owner.registry);
        let id = owner.ids.next();
        let address = ptr::from_ref(location) as usize;
        // Locations are 24 bytes apart at least.
        let entry = &mut owner.sites[(address >> 3) % SITE_CACHE];
        if entry.0 != location {
            *entry = (location, self.site_slow(location));
        }
        Meta::new(entry.1, id, slot)
    }

    #[cold]
    fn site_slow(&self, location: &'static Location<'static>) -> *const Site {
        let mut sites = self
            .sites
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let site = sites
            .entry(ptr::from_ref(location) as usize)
            .or_insert_with(|| {
                Box::new(Site {
                    location,
                    shard: self,
                    sched: self.sched,
                })
            });
        &**site
    }

    /// Registers the task of `meta` under its allocation.
    #[inline]
    pub(crate) fn publish(&self, meta: &Meta, task: *const ()) {
        self.registry.publish(meta.slot(), task);
    }

    /// Takes a task out of its slot, which stays its own until `remove`.
    #[cold]
    pub(crate) fn withdraw(&self, meta: &Meta) {
        self.registry.remove(meta.slot());
    }

    /// Unregisters a task whose future is being dropped, and frees its slot.
    #[inline]
    pub(crate) fn remove(&self, slot: u32) {
        self.registry.remove(slot);
        if !crate::m::with_shard_owner(self, |owner| self.registry.free(&mut owner.registry, slot))
        {
            self.registry.free_remote(slot);
        }
    }

    /// Calls `f` with every living task; see `Registry::visit`.
    pub(crate) fn visit(&self, f: impl FnMut(*const ())) {
        self.registry.visit(f);
    }

    /// Asks every living task to stop, as `AbortHandle::abort` does.
    pub(crate) fn abort_all(&self) {
        let mut woken = Vec::new();
        self.visit(|task| {
            // SAFETY: (1) from a slot.
            let task = unsafe { RawTask::from_slot(task) };
            // SAFETY: (1) the visit keeps the task from dying.
            unsafe { task.meta() }.set_aborted();
            // SAFETY: as above.
            woken.push(unsafe { task.waker() });
        });
        // Outside the visit, for a wake may run the task, which then leaves its slot.
        woken.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.registry.is_empty()
    }
}
