//! The roll: who is to be told when something ends, once, by whoever ends it.
//!
//! ```text
//!                          add, remove, exchange
//!                                 │  ▲
//!                                 ▼  │
//!    first: one list ────── a lock was found taken ──────▶ first, and wide: SHARDS lists
//!         │                       (widen)                            │
//!         └───────────────┬──────────────────────────────────────────┘
//!                    end: `ended` is set, then each list is emptied
//!                         ▼
//!                       ended: nothing is filed any more, all lists are or become empty
//! ```
//!
//! # Invariants
//!
//! 1. `ended` is set once, before its setter takes any lock of a list.
//! 2. A list is added to only under its lock, by one who sees under that lock that `ended` is not set.
//! 3. `wide` is set once, under the lock of `first`. `end` looks at it under that lock.
//! 4. A [`Place`] names the same item until its owner removes it or the roll has ended; after the end
//!    it names nothing, for no key is given out again (2).
//! 5. Nothing but list operations runs under a lock: items are dropped, and told, outside.
//!
//! # Races
//!
//! *Add against end*: both take the lock of the list. If `end` comes second it finds the item; if it
//! comes first, `add` sees `ended` (1, and the order of the lock) and gives the item back. *Widen
//! against end*: by the lock of `first`: either `end` finds the lists of `wide` (3), or who made them, and
//! with it all who find them, sees `ended`. *Remove against end*: of the two who take an item out one gets it.
//!
//! Most rolls have few items and one thread at a time, and stay at one list of a few words. The wide one
//! costs two kilobytes, and is made at the first sign that threads wait for each other.

use std::sync::{PoisonError, TryLockError};

use crossbeam_utils::CachePadded;
use slab::Slab;

use crate::elastic;
use crate::primitive::{
    MODEL,
    sync::{Mutex, MutexGuard, OnceLock},
};

/// Enough that a few dozen threads seldom meet.
const SHARDS: usize = if MODEL { 2 } else { 16 };

type List<T> = Mutex<Slab<T>>;

/// See the module. `R` is why it ended, `T` an item.
pub(crate) struct Roll<R, T> {
    ended: OnceLock<R>,
    first: List<T>,
    wide: OnceLock<Box<[CachePadded<List<T>>]>>,
}

/// Where an item is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 is `first`, and n the one before n of `wide`.
    list: usize,
    key: usize,
}

fn lock<T>(list: &List<T>) -> MutexGuard<'_, Slab<T>> {
    // Nothing that panics runs under the lock, so a poisoned one is as good as any.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(list: &List<T>) -> Option<MutexGuard<'_, Slab<T>>> {
    match list.try_lock() {
        Ok(locked) => Some(locked),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl<R, T> Roll<R, T> {
    pub(crate) fn new() -> Self {
        Self {
            ended: OnceLock::new(),
            first: Mutex::new(Slab::new()),
            wide: OnceLock::new(),
        }
    }

    /// Why it ended, if it has: one Acquire load.
    #[inline]
    pub(crate) fn ended(&self) -> Option<&R> {
        self.ended.get()
    }

    /// Files an item; gives it back if the roll has ended. `lane` is any number that differs between
    /// callers who run at the same time.
    pub(crate) fn add(&self, lane: usize, item: T) -> Result<Place, T> {
        if self.ended().is_some() {
            return Err(item);
        }
        if self.wide.get().is_none() {
            if let Some(first) = try_lock(&self.first) {
                return self.file(first, 0, item);
            }
            self.widen();
        }
        let list = 1 + lane % SHARDS;
        match self.list(list) {
            Some(shard) => self.file(lock(shard), list, item),
            None => unreachable!("it was widened above"),
        }
    }

    fn file(&self, mut locked: MutexGuard<'_, Slab<T>>, list: usize, item: T) -> Result<Place, T> {
        if self.ended().is_some() {
            return Err(item);
        }
        let key = locked.insert(item);
        Ok(Place { list, key })
    }

    #[cold]
    fn widen(&self) {
        let lists = (0..SHARDS).map(|_| CachePadded::new(Mutex::new(Slab::new())));
        let lists = lists.collect();
        let first = lock(&self.first);
        let outdone = self.wide.set(lists);
        drop(first);
        drop(outdone); // another was faster, and these lists have no item
    }

    fn list(&self, list: usize) -> Option<&List<T>> {
        match list.checked_sub(1) {
            None => Some(&self.first),
            Some(index) => self.wide.get().map(|wide| &*wide[index]),
        }
    }

    /// Takes an item out; `None` if the end has, or will have in a moment.
    ///
    /// Only for the owner of the place, who must not use it again.
    pub(crate) fn remove(&self, place: Place) -> Option<T> {
        let mut locked = lock(self.list(place.list)?);
        let item = locked.try_remove(place.key);
        elastic::give_back_empty(&mut locked);
        item
    }

    /// Puts another item in the place of one, and returns the old one; gives the new one back if the
    /// end has taken the old one.
    pub(crate) fn exchange(&self, place: Place, item: T) -> Result<T, T> {
        let Some(list) = self.list(place.list) else {
            return Err(item);
        };
        match lock(list).get_mut(place.key) {
            Some(filed) => Ok(std::mem::replace(filed, item)),
            None => Err(item),
        }
    }

    /// Ends the roll, unless it has ended, and tells all that were filed. True if this call did.
    ///
    /// When it returns, the roll has ended in any case; but if another call is the one that tells, that
    /// may not be over yet. `tell` must not panic.
    pub(crate) fn end(&self, reason: R, mut tell: impl FnMut(T)) -> bool {
        if self.ended.set(reason).is_err() {
            return false;
        }
        let (first, wide) = {
            let mut first = lock(&self.first);
            (std::mem::take(&mut *first), self.wide.get())
        };
        first.into_iter().for_each(|(_, item)| tell(item));
        for list in wide.into_iter().flatten() {
            let items = std::mem::take(&mut *lock(list));
            items.into_iter().for_each(|(_, item)| tell(item));
        }
        true
    }

    /// How many items are filed.
    pub(crate) fn len(&self) -> usize {
        let wide = self.wide.get().into_iter().flatten();
        let wide: usize = wide.map(|list| lock(list).len()).sum();
        lock(&self.first).len() + wide
    }
}
