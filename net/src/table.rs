//! Which source a report of the selector belongs to: slots with generations.
//!
//! A token is `generation << INDEX_BITS | index`. The selector may still hold reports of a source that
//! has been closed; when its slot has been given to a successor, their generation no longer fits and
//! [`Table::get`] finds nothing. So a stale report can never make a successor look ready.
//!
//! # Invariants
//! 1. `entries[index(t)].generation == generation(t)` for every token `t` in use.
//! 2. No token equals [`RESERVED`] or [`RESERVED_TOO`], because no index reaches `MAX_SOURCES`.

use slab::Slab;

/// Half of a `usize`: four billion sources and as many generations where pointers have 64 bits.
const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
/// The index of all ones stays free for [`RESERVED`].
const MAX_SOURCES: usize = INDEX_MASK;

/// A number that is never a token, for the reactor's own wake-ups.
pub(crate) const RESERVED: usize = usize::MAX;
/// Another.
pub(crate) const RESERVED_TOO: usize = INDEX_MASK;

/// A table for so many keeps its memory when it is empty.
const KEPT: usize = 256;

/// A map from tokens to `T`.
#[derive(Debug)]
pub(crate) struct Table<T> {
    entries: Slab<Entry<T>>,
    last_generation: usize,
}

#[derive(Debug)]
struct Entry<T> {
    generation: usize,
    value: T,
}

impl<T> Table<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Slab::new(),
            last_generation: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Stores what `make` returns for its token, or `None` when there are [`MAX_SOURCES`] already.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(usize) -> T) -> Option<&T> {
        let index = self.entries.vacant_key();
        if index >= MAX_SOURCES {
            return None;
        }
        let generation = self.last_generation.wrapping_add(1) & INDEX_MASK;
        self.last_generation = generation;
        let value = make(generation << INDEX_BITS | index);
        self.entries.insert(Entry { generation, value });
        self.entries.get(index).map(|entry| &entry.value)
    }

    /// What was stored under exactly this token.
    #[inline]
    pub(crate) fn get(&self, token: usize) -> Option<&T> {
        let entry = self.entries.get(token & INDEX_MASK)?;
        (entry.generation == token >> INDEX_BITS).then_some(&entry.value)
    }

    /// Takes out what was stored under exactly this token.
    pub(crate) fn remove(&mut self, token: usize) -> Option<T> {
        self.get(token)?;
        let value = self.entries.remove(token & INDEX_MASK).value;
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            // What many sources took is given back. Generations go on, so tokens stay different.
            self.entries = Slab::new();
        }
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, entry)| &entry.value)
    }

    /// Takes out everything.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.entries.drain().map(|entry| entry.value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &mut Table<&'static str>, value: &'static str) -> usize {
        let mut token = RESERVED;
        table.insert_with(|t| {
            token = t;
            value
        });
        token
    }

    #[test]
    fn a_stale_token_does_not_reach_the_successor_in_its_slot() {
        let mut table = Table::new();
        let first = insert(&mut table, "first");
        assert_eq!(table.remove(first), Some("first"));
        let second = insert(&mut table, "second");
        assert_eq!(
            first & INDEX_MASK,
            second & INDEX_MASK,
            "the slot is used again"
        );
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"second"));
    }

    #[test]
    fn the_reserved_number_is_never_found() {
        let mut table = Table::new();
        insert(&mut table, "only");
        assert_eq!(table.get(RESERVED), None);
        assert_eq!(table.get(RESERVED_TOO), None);
        assert_eq!(table.len(), 1);
        assert_eq!(table.drain(), ["only"]);
        assert_eq!(table.len(), 0);
    }
}
