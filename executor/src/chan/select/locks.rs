//! The locks of all channels of a select, taken at once: by their addresses, so that two selects do not wait
//! for each other, and each once, for several cases may be of one channel.

use std::mem;
use std::ptr;

use super::super::lock::{Entry, PLACES, RawLock};
use super::engine::{INLINE, Raw};
use super::order::Numbers;

/// Where the locks of a select are listed.
pub(super) trait Room: AsRef<[*const RawLock]> + AsMut<[*const RawLock]> {
    /// What an order of as many cases is made of.
    type Numbers: Numbers;

    /// Whether it is for so few that each is put in its place as it comes.
    const IS_SMALL: bool;

    /// Room for those of `count` cases.
    fn of(count: usize) -> Self;
}

impl<const N: usize> Room for [*const RawLock; N] {
    type Numbers = [u8; INLINE];

    const IS_SMALL: bool = N <= PLACES;

    #[inline]
    fn of(count: usize) -> Self {
        debug_assert!(count <= N);
        [ptr::null(); N]
    }
}

/// For any number.
impl Room for Vec<*const RawLock> {
    type Numbers = Vec<u32>;

    const IS_SMALL: bool = false;

    fn of(count: usize) -> Self {
        vec![ptr::null(); count]
    }
}

/// The locks of some cases, in their order.
pub(super) struct Locks<R> {
    locks: R,
    len: usize,
    cases: usize,
    /// How the first were taken. The others were all taken the same way.
    entries: [Entry; PLACES],
}

impl<R: Room> Locks<R> {
    /// None yet, of `cases`.
    #[inline]
    pub(super) fn new(cases: usize) -> Self {
        Self {
            locks: R::of(cases),
            len: 0,
            cases,
            entries: [const { Entry::SHARED }; PLACES],
        }
    }

    /// Finds those of the cases. Where they stay: a copy of what was just written waits for the writes.
    #[inline]
    pub(super) fn find(&mut self, cases: &[Raw]) {
        let all = cases.iter().filter_map(|case| case.get().lock());
        if R::IS_SMALL {
            all.for_each(|lock| self.insert(lock));
        } else {
            all.for_each(|lock| self.push(lock));
            self.sort();
        }
    }

    /// Whether a case has no lock, or shares one with another.
    #[inline]
    pub(super) fn are_fewer_than_cases(&self) -> bool {
        self.len < self.cases
    }

    #[inline]
    fn push(&mut self, lock: *const RawLock) {
        self.locks.as_mut()[self.len] = lock;
        self.len += 1;
    }

    /// Puts a lock in its place, unless it is there; for few.
    #[inline]
    fn insert(&mut self, lock: *const RawLock) {
        let locks = self.locks.as_mut();
        if locks[..self.len].contains(&lock) {
            return;
        }
        let mut at = self.len;
        while at > 0 && locks[at - 1] > lock {
            locks[at] = locks[at - 1];
            at -= 1;
        }
        locks[at] = lock;
        self.len += 1;
    }

    /// The same for all that were pushed.
    fn sort(&mut self) {
        let locks = &mut self.locks.as_mut()[..self.len];
        locks.sort_unstable();
        let mut len = 0;
        for at in 0..locks.len() {
            if len == 0 || locks[len - 1] != locks[at] {
                locks[len] = locks[at];
                len += 1;
            }
        }
        self.len = len;
    }

    /// Takes all; `release` must follow.
    ///
    /// # Safety
    ///
    /// The cases must live until then.
    #[inline]
    pub(super) unsafe fn take(&mut self) {
        for (at, &lock) in self.locks.as_ref()[..self.len].iter().enumerate() {
            // SAFETY: (1) it is that of a case, which lives, says the caller.
            let entry = unsafe { &*lock }.acquire(at);
            if at < PLACES {
                self.entries[at] = entry;
            }
        }
    }

    /// Gives all back.
    ///
    /// # Safety
    ///
    /// They must have been taken by `take`.
    #[inline]
    pub(super) unsafe fn release(&mut self) {
        for (at, &lock) in self.locks.as_ref()[..self.len].iter().enumerate() {
            let entry = self.entries.get_mut(at);
            let entry = entry.map_or(Entry::SHARED, |entry| mem::replace(entry, Entry::SHARED));
            // SAFETY: (1) the promise of who called `take`.
            let lock = unsafe { &*lock };
            // SAFETY: (1) `take` took it, and beyond the places so.
            unsafe { lock.release(entry) };
        }
    }
}
