//! The registry: the slots in which every living task can be found.
//!
//! Shutdown must drop every future, also of tasks that are parked and whose wakers lie in places we
//! know nothing of; a dump must list them. One list under one lock would put two process-wide
//! read-modify-writes and a cache miss on every spawn and every completion, so each P has a shard
//! of its own: spawning fills a slot of the spawner's shard without any atomic read-modify-write,
//! completion vacates it with one.
//!
//! # A slot
//!
//! ```text
//!             publish (1)           remove (2)
//!   VACANT ---------------> LIVE ---------------> VACANT        VACANT: a link of a free list
//!                           |  ^
//!                 visit (3) |  | visit's end (4)
//!                           v  |
//!                          VISITED      remove waits here for (4)
//! ```
//!
//! (1) the spawner, owner of the slot since `reserve`; (2) whoever drops the future; (3, 4) one
//! walker at a time.
//!
//! # Invariants
//!
//! 1. `slot & VISITED != 0` only between (3) and (4), and then the task it names is alive: `remove`
//!    comes before the death of the allocation and does not return while a visit lasts.
//! 2. A vacant slot is in exactly one of: the owner's free list, the remote free list, the hand
//!    of a spawner (between `reserve` and `publish`), or beyond `used`.
//! 3. `free` and `used` are touched by the owner of the shard only; `remote` by everyone.
//!
//! # Races
//!
//! *remove against visit*: both are compare-exchanges on the slot; the loser sees the winner's bit.
//! *remote free against reserve*: a Treiber stack from which the owner only ever takes everything,
//! so there is no ABA.

use crate::primitive::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::primitive::{Backoff, MODEL, alloc_slots, free_slots};

/// Set in a slot while a walker looks at its task.
const VISITED: usize = 0b10;
/// Set in a slot that is a link of a free list.
const VACANT: usize = 0b01;
/// The end of a free list.
const NIL: u32 = u32::MAX >> 2;

/// Slots in the first chunk; each later chunk is twice as long as the one before it.
const FIRST: u32 = if MODEL { 2 } else { 256 };
/// With `FIRST` 256 these hold more slots than there are indices below `NIL`.
const CHUNKS: usize = 24;

/// The shared part of a shard's registry.
#[derive(Debug)]
pub(crate) struct Registry {
    chunks: [AtomicPtr<AtomicUsize>; CHUNKS],
    /// Slots vacated by others than the owner: the index of the newest.
    remote: AtomicU32,
}

/// The owner's part: free slots that cost nothing to take.
#[derive(Debug)]
pub(crate) struct RegistryOwner {
    free: u32,
    used: u32,
}

impl RegistryOwner {
    pub(crate) fn new() -> Self {
        Self { free: NIL, used: 0 }
    }
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            chunks: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            remote: AtomicU32::new(NIL),
        }
    }

    /// Takes a vacant slot for a task about to be made.
    #[inline]
    pub(crate) fn reserve(&self, owner: &mut RegistryOwner) -> u32 {
        if owner.free == NIL {
            return self.reserve_slow(owner);
        }
        let index = owner.free;
        // Relaxed: the link was written by this owner, or acquired with the remote list.
        owner.free = link(self.slot(index).load(Ordering::Relaxed));
        index
    }

    #[cold]
    fn reserve_slow(&self, owner: &mut RegistryOwner) -> u32 {
        if self.remote.load(Ordering::Relaxed) != NIL {
            // pairs with: the Release push in `free_remote`, which published the links.
            let index = self.remote.swap(NIL, Ordering::Acquire);
            owner.free = link(self.slot(index).load(Ordering::Relaxed));
            return index;
        }
        let index = owner.used;
        assert!(
            index < NIL,
            "a processor's {NIL} task slots have been used up"
        );
        let (chunk, offset) = locate(index);
        if offset == 0 {
            let slots = alloc_slots(chunk_len(chunk));
            // pairs with: the Acquire load in `slot_checked`, by walkers.
            self.chunks[chunk].store(slots, Ordering::Release);
        }
        owner.used += 1;
        index
    }

    /// Makes the task at `ptr` findable in the slot that was reserved for it.
    #[inline]
    pub(crate) fn publish(&self, index: u32, ptr: *const ()) {
        let word = ptr as usize;
        debug_assert_eq!(word & (VISITED | VACANT), 0, "tasks are aligned to 8 bytes");
        // pairs with: the Acquire exchange in `visit`.
        self.slot(index).store(word, Ordering::Release);
    }

    /// Makes the task in the slot unfindable; waits for the end of a visit. The slot is then the
    /// caller's to free.
    #[inline]
    pub(crate) fn remove(&self, index: u32) {
        let slot = self.slot(index);
        let live = slot.load(Ordering::Relaxed) & !VISITED;
        // pairs with: the Release store at the end of `visit`, so that the walker's use of the task
        // comes before its death.
        if slot
            .compare_exchange(live, VACANT, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            Self::remove_slow(slot, live);
        }
    }

    #[cold]
    fn remove_slow(slot: &AtomicUsize, live: usize) {
        let mut backoff = Backoff::default();
        // A visit is a few instructions long, but its thread may be off CPU.
        while slot
            .compare_exchange_weak(live, VACANT, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            backoff.wait();
        }
    }

    /// Gives a removed slot back, as the owner of the shard.
    #[inline]
    pub(crate) fn free(&self, owner: &mut RegistryOwner, index: u32) {
        // Release, to go on with the release sequence of `remove`; pairs with: the load in `is_empty`.
        self.slot(index)
            .store(vacant(owner.free), Ordering::Release);
        owner.free = index;
    }

    /// Gives a removed slot back from anywhere.
    pub(crate) fn free_remote(&self, index: u32) {
        let slot = self.slot(index);
        let mut head = self.remote.load(Ordering::Relaxed);
        loop {
            // Release, as in `free`.
            slot.store(vacant(head), Ordering::Release);
            // pairs with: the Acquire swap in `reserve_slow`.
            match self.remote.compare_exchange_weak(
                head,
                index,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Calls `f` with every task that is in its slot when the walk passes it. While `f` runs, the
    /// task at the pointer cannot die; `f` must be short and must not drop the task's future.
    pub(crate) fn visit(&self, mut f: impl FnMut(*const ())) {
        let mut index = 0;
        while let Some(slot) = self.slot_checked(index) {
            index += 1;
            let word = slot.load(Ordering::Relaxed);
            if word == 0 || word & (VACANT | VISITED) != 0 {
                continue;
            }
            // pairs with: `publish`, whose task we are about to use.
            if slot
                .compare_exchange(word, word | VISITED, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
            {
                continue;
            }
            f(word as *const ());
            // pairs with: the exchange in `remove`.
            slot.store(word, Ordering::Release);
        }
    }

    /// Whether no task is in any slot at the moment the walk passes it.
    pub(crate) fn is_empty(&self) -> bool {
        let mut index = 0;
        while let Some(slot) = self.slot_checked(index) {
            index += 1;
            // pairs with: the exchange in `remove` and the stores in `free` and `free_remote` after it:
            // who sees the slots empty sees the futures dropped.
            let word = slot.load(Ordering::Acquire);
            if word != 0 && word & VACANT == 0 {
                return false;
            }
        }
        true
    }

    /// The slot `index`, which the caller knows to exist.
    #[inline]
    fn slot(&self, index: u32) -> &AtomicUsize {
        let (chunk, offset) = locate(index);
        // Relaxed: the index came from the owner, and so did the chunk, by whatever handed the
        // index over.
        let slots = self.chunks[chunk].load(Ordering::Relaxed);
        debug_assert!(!slots.is_null());
        // SAFETY: (1) the owner made the chunk before it gave the index out; (2) offset <
        // chunk_len(chunk).
        let slot = unsafe { slots.add(offset as usize) };
        // SAFETY: (1) as above; (2) chunks are freed with the registry only.
        unsafe { &*slot }
    }

    /// The slot `index`, if its chunk exists.
    fn slot_checked(&self, index: u32) -> Option<&AtomicUsize> {
        let (chunk, offset) = locate(index);
        // pairs with: the Release store in `reserve_slow`.
        let slots = self.chunks.get(chunk)?.load(Ordering::Acquire);
        if slots.is_null() {
            return None;
        }
        // SAFETY: as in `slot`, with the chunk seen to exist.
        let slot = unsafe { slots.add(offset as usize) };
        // SAFETY: as in `slot`.
        Some(unsafe { &*slot })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for (chunk, slots) in self.chunks.iter().enumerate() {
            let slots = slots.load(Ordering::Relaxed);
            if !slots.is_null() {
                // SAFETY: (1) made by `alloc_slots` with this length; (2) nobody else is left.
                unsafe { free_slots(slots, chunk_len(chunk)) };
            }
        }
    }
}

/// The chunk of an index and the offset in it: chunk k begins at FIRST * (2^k - 1).
#[inline]
fn locate(index: u32) -> (usize, u32) {
    let shifted = index as u64 + FIRST as u64;
    let chunk = (63 - shifted.leading_zeros()) - FIRST.trailing_zeros();
    (chunk as usize, (shifted - ((FIRST as u64) << chunk)) as u32)
}

fn chunk_len(chunk: usize) -> usize {
    (FIRST as usize) << chunk
}

#[inline]
fn vacant(next: u32) -> usize {
    ((next as u64) << 2) as usize | VACANT
}

#[inline]
fn link(word: usize) -> u32 {
    (word >> 2) as u32
}
