//! A hierarchical timing wheel: who is due at which tick.
//!
//! The algorithm is scheme 7 of George Varghese and Tony Lauck, "Hashed and Hierarchical Timing
//! Wheels" (SOSP 1987), with the constants that the Linux kernel and tokio found good: [`LEVELS`]
//! levels of 64 slots, so that one word tells which slots of a level are occupied. A slot of level
//! `l` is `64^l` ticks wide, so at a millisecond a tick the wheel spans 2^36 ms, about two years.
//!
//! It knows no clock, no scheduler and no threads: time is what [`Wheel::expire`] is told. Insertion
//! and removal are O(1) and allocate nothing: an entry carries its [`Links`] itself.
//!
//! # Invariants
//!
//! 1. An entry in `lists[l * 64 + s]` with `l < LEVELS - 1`: `when > elapsed`, the 6-bit digits of
//!    `when` and `elapsed` above digit `l` are equal, and digit `l` of `when` is `s`, greater than that
//!    of `elapsed`. So everything in a lower level is due before anything in a higher one, and slots
//!    of one level are due in their order.
//! 2. In the top level `s` is digit `LEVELS - 1` of `when`, but `when` may lie whole rotations ahead.
//!    Such an entry is filed again when its slot comes round.
//! 3. Bit `s` of `occupied[l]` is set exactly if `lists[l * 64 + s]` is not empty.
//! 4. `lists[i].earliest` is at most the least `when` in `lists[i]`; a removal may leave it too small.
//! 5. `lists[PENDING]` holds what has left its slot and waits to be fired or to be filed again; it is
//!    not empty only between two calls of `expire` of which the first ran out of its batch.
//! 6. Lists are circular and keep the order of insertion. A slot is emptied before `elapsed` enters it,
//!    so what is due at one tick fires in the order of insertion, unless it is inserted while
//!    `lists[PENDING]` is not empty.
//! 7. `elapsed` never goes back, and nothing is judged by a tick before it: what is due at `elapsed` is
//!    due.

use std::{fmt, ptr::NonNull};

/// Levels of the wheel.
const LEVELS: usize = 6;

/// Bits of a tick that one level looks at: 64 slots.
const BITS: u32 = 6;

/// The level whose entries may lie beyond the wheel's horizon (invariant 2).
const TOP: usize = LEVELS - 1;

/// The list of what has left its slot (invariant 5).
const PENDING: u16 = (LEVELS << BITS) as u16;

/// In no list.
const NOWHERE: u16 = u16::MAX;

/// What a wheel keeps in each entry.
pub(crate) struct Links<T> {
    /// The tick at which the entry is filed.
    when: u64,
    /// The index of the list that holds the entry, or [`NOWHERE`].
    list: u16,
    prev: NonNull<T>,
    next: NonNull<T>,
}

impl<T> Links<T> {
    pub(crate) const fn new() -> Self {
        Self {
            when: 0,
            list: NOWHERE,
            prev: NonNull::dangling(),
            next: NonNull::dangling(),
        }
    }
}

/// Something that can be filed in a wheel.
///
/// # Safety
///
/// `links` must return the same place each time for one entry, different places for different ones,
/// and it must be valid for reads and writes while the entry is filed.
pub(crate) unsafe trait Linked: Sized {
    /// Where the entry keeps its links. Must not create a reference to them.
    fn links(this: NonNull<Self>) -> NonNull<Links<Self>>;
}

/// What to do with an entry whose tick has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Verdict {
    /// It is over; the wheel must not touch it again.
    Fired,
    /// It was put off to a tick that has not come yet.
    Later(u64),
}

/// Whether [`Wheel::expire`] fired everything that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Progress {
    Done,
    More,
}

struct List<T> {
    head: Option<NonNull<T>>,
    earliest: u64,
}

pub(crate) struct Wheel<T> {
    /// Everything due up to this tick has left its slot.
    elapsed: u64,
    /// How many entries are filed.
    len: usize,
    occupied: [u64; LEVELS],
    lists: Box<[List<T>]>,
}

impl<T: Linked> Wheel<T> {
    pub(crate) fn new() -> Self {
        Self {
            elapsed: 0,
            len: 0,
            occupied: [0; LEVELS],
            lists: (0..=PENDING)
                .map(|_| List {
                    head: None,
                    earliest: u64::MAX,
                })
                .collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Files `entry` at tick `when`; returns whether it did: what is due already is not filed.
    ///
    /// # Safety
    ///
    /// `entry` must be valid, in no wheel, and stay where it is until it is fired or removed.
    #[inline]
    pub(crate) unsafe fn insert(&mut self, entry: NonNull<T>, when: u64) -> bool {
        if when <= self.elapsed {
            return false;
        }
        // SAFETY: the caller's promise.
        unsafe { self.file(entry, when) };
        self.len += 1;
        true
    }

    /// Takes `entry` out; returns whether that may have changed [`Wheel::next_expiration`].
    ///
    /// # Safety
    ///
    /// `entry` must be filed in this wheel.
    #[inline]
    pub(crate) unsafe fn remove(&mut self, entry: NonNull<T>) -> bool {
        // SAFETY: the caller's promise.
        let emptied = unsafe { self.unlink(entry) };
        self.len -= 1;
        emptied
    }

    /// The tick at which [`Wheel::expire`] will next have something to do, as far as the wheel knows:
    /// it may be too early after a removal, but never too late.
    #[inline]
    pub(crate) fn next_expiration(&self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        if self.lists[usize::from(PENDING)].head.is_some() {
            return Some(self.elapsed);
        }
        let level = self.occupied[..TOP]
            .iter()
            .position(|occupied| *occupied != 0);
        match level {
            Some(level) => {
                let (list, _) = self.next_slot_of(level);
                Some(self.lists[list].earliest)
            }
            None => self.next_of_top(),
        }
    }

    /// Moves the wheel on to `now`, calling `fire` for what is due, in order of its ticks.
    ///
    /// `fire` gets entries that are out of the wheel, and the tick by which it is to judge them. At most
    /// `batch` entries are touched; if that did not suffice, the wheel stands still at the tick it reached
    /// and the next call goes on from there.
    ///
    /// Several may turn one wheel, by turns, and the next to come may have read its clock first. Its
    /// `now` counts as the wheel's own tick then (invariant 7): to it, what the other left over would seem
    /// to lie ahead, and would be filed in a slot that the wheel has passed.
    pub(crate) fn expire(
        &mut self,
        now: u64,
        batch: usize,
        fire: &mut impl FnMut(NonNull<T>, u64) -> Verdict,
    ) -> Progress {
        let now = now.max(self.elapsed);
        for _ in 0..batch {
            let Some(entry) = self.pop_pending(now) else {
                self.elapsed = now;
                return Progress::Done;
            };
            // SAFETY: the entry was filed until `pop_pending`, so `Linked` vouches for its links.
            let when = unsafe { (*T::links(entry).as_ptr()).when };
            let later = if when > self.elapsed {
                when
            } else {
                match fire(entry, now) {
                    Verdict::Fired => {
                        self.len -= 1;
                        continue;
                    }
                    Verdict::Later(when) => when,
                }
            };
            debug_assert!(
                later > self.elapsed,
                "put off to {later}, before {}",
                self.elapsed
            );
            // SAFETY: the entry is valid, since it was not fired, and in no list.
            unsafe { self.file(entry, later) };
        }
        Progress::More
    }

    /// Sets an empty wheel back to tick 0.
    pub(crate) fn restart(&mut self) {
        debug_assert_eq!(self.len, 0);
        self.elapsed = 0;
    }

    /// Takes out any entry, in no order.
    pub(crate) fn pop_any(&mut self) -> Option<NonNull<T>> {
        let entry = self.lists.iter().find_map(|list| list.head)?;
        // SAFETY: it is the head of one of our lists.
        unsafe { self.remove(entry) };
        Some(entry)
    }

    /// The next entry that has left its slot, emptying slots up to `now` to find one.
    fn pop_pending(&mut self, now: u64) -> Option<NonNull<T>> {
        while self.lists[usize::from(PENDING)].head.is_none() {
            let level = self.occupied.iter().position(|occupied| *occupied != 0)?;
            let (list, start) = match level {
                TOP => self.next_slot_of_top(),
                _ => self.next_slot_of(level),
            };
            if start > now {
                return None;
            }
            self.elapsed = start;
            self.empty_slot(level, list);
        }
        let entry = self.lists[usize::from(PENDING)].head?;
        // SAFETY: it is the head of one of our lists.
        unsafe { self.unlink(entry) };
        Some(entry)
    }

    /// Moves a slot's list to `PENDING`, which is empty.
    fn empty_slot(&mut self, level: usize, list: usize) {
        let head = std::mem::replace(
            &mut self.lists[list],
            List {
                head: None,
                earliest: u64::MAX,
            },
        );
        self.occupied[level] &= !(1 << (list & 63));
        let Some(first) = head.head else { return };
        let mut entry = first;
        loop {
            let links = T::links(entry).as_ptr();
            // SAFETY: everything in a list is valid, and only the holder of `&mut self` touches links.
            unsafe { (*links).list = PENDING };
            // SAFETY: as above.
            entry = unsafe { (*links).next };
            if entry == first {
                break;
            }
        }
        self.lists[usize::from(PENDING)].head = Some(first);
    }

    /// The first occupied slot of an occupied level after the one where `elapsed` stands, which comes
    /// last: (index of its list, tick at which it starts).
    #[inline]
    fn next_slot_of(&self, level: usize) -> (usize, u64) {
        let shift = BITS * level as u32;
        let here = self.elapsed >> shift;
        let ahead = self.occupied[level]
            .rotate_right((here as u32 + 1) & 63)
            .trailing_zeros();
        let slot = here + 1 + u64::from(ahead);
        (level << BITS | (slot & 63) as usize, slot << shift)
    }

    /// As [`next_slot_of`](Self::next_slot_of), for the top level while all others are empty: a slot
    /// need not be emptied before the rotation in which something in it may be due, be that millions
    /// of years ahead.
    #[cold]
    fn next_slot_of_top(&self) -> (usize, u64) {
        let shift = BITS * TOP as u32;
        let next = self.elapsed / (1 << shift) + 1;
        (0..1 << BITS)
            .filter(|digit| self.occupied[TOP] & 1 << digit != 0)
            .map(|digit: usize| {
                let list = TOP << BITS | digit;
                let first = next + ((digit as u64).wrapping_sub(next) & 63);
                let slot = first.max(self.lists[list].earliest >> shift);
                (list, slot << shift)
            })
            .min_by_key(|&(_, start)| start)
            .expect("the level is occupied")
    }

    /// In the top level the first slot may hold what is due rotations later (invariant 2), so all
    /// are asked.
    #[cold]
    fn next_of_top(&self) -> Option<u64> {
        self.lists[TOP << BITS..usize::from(PENDING)]
            .iter()
            .map(|list| list.earliest)
            .min()
    }

    /// Appends `entry` to the list that invariants 1 and 2 say. `when > elapsed`.
    #[inline]
    unsafe fn file(&mut self, entry: NonNull<T>, when: u64) {
        let differing = (self.elapsed ^ when) | 63;
        let level = ((differing.ilog2() / BITS) as usize).min(TOP);
        let slot = (when >> (BITS * level as u32)) & 63;
        self.occupied[level] |= 1 << slot;
        let index = level << BITS | slot as usize;
        let list = &mut self.lists[index];
        list.earliest = list.earliest.min(when);
        let (prev, next) = match list.head {
            None => {
                list.head = Some(entry);
                (entry, entry)
            }
            Some(head) => {
                let head_links = T::links(head).as_ptr();
                // SAFETY: everything in a list is valid, and only the holder of `&mut self` touches
                // links.
                let tail = unsafe { std::mem::replace(&mut (*head_links).prev, entry) };
                // SAFETY: as above.
                unsafe { (*T::links(tail).as_ptr()).next = entry };
                (tail, head)
            }
        };
        // SAFETY: the caller vouches for `entry`, and nobody else has its links.
        unsafe {
            T::links(entry).as_ptr().write(Links {
                when,
                list: index as u16,
                prev,
                next,
            })
        };
    }

    /// Takes `entry`, which is in one of our lists, out of it; returns whether it is empty now.
    #[inline]
    unsafe fn unlink(&mut self, entry: NonNull<T>) -> bool {
        let links = T::links(entry).as_ptr();
        // SAFETY: everything in a list is valid, and only the holder of `&mut self` touches links.
        let Links {
            list: index,
            prev,
            next,
            ..
        } = unsafe { &mut *links };
        let (prev, next, list) = (*prev, *next, usize::from(*index));
        *index = NOWHERE;
        if next == entry {
            self.lists[list] = List {
                head: None,
                earliest: u64::MAX,
            };
            if list < usize::from(PENDING) {
                self.occupied[list >> BITS] &= !(1 << (list & 63));
            }
            return true;
        }
        if self.lists[list].head == Some(entry) {
            self.lists[list].head = Some(next);
        }
        // SAFETY: as above; `prev` is another entry of the list.
        unsafe { (*T::links(prev).as_ptr()).next = next };
        // SAFETY: as above.
        unsafe { (*T::links(next).as_ptr()).prev = prev };
        false
    }
}

impl<T> fmt::Debug for Wheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("elapsed", &self.elapsed)
            .field("len", &self.len)
            .finish()
    }
}

#[cfg(test)]
#[path = "wheel_tests.rs"]
mod tests;
