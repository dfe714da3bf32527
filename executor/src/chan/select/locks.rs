//! The locks of all channels of a select, taken at once: by their addresses, so that two selects do not wait
//! for each other, and each once, for several cases may be of one channel.

use std::mem;

use super::super::lock::{Entry, PLACES};
use super::engine::{MAX_CASES, Raw};

/// See the module. What was taken must be given back by `release`.
#[must_use = "locks that were taken must be given back"]
pub(super) struct Locks {
    /// Cases with one lock each, by its address.
    order: [u8; MAX_CASES],
    len: usize,
    /// How the first were taken. The others were all taken the same way.
    entries: [Entry; PLACES],
}

impl Locks {
    #[inline]
    pub(super) fn take(cases: &[Raw]) -> Self {
        let mut order = [0; MAX_CASES];
        let len = if cases.len() <= PLACES {
            sort_few(cases, &mut order)
        } else {
            sort(cases, &mut order)
        };
        let mut entries = [const { Entry::SHARED }; PLACES];
        for (at, &index) in order[..len].iter().enumerate() {
            let entry = cases[usize::from(index)].get().acquire(at);
            if at < PLACES {
                entries[at] = entry;
            }
        }
        Self {
            order,
            len,
            entries,
        }
    }

    /// Gives all back. `cases` must be those of `take`.
    #[inline]
    pub(super) fn release(mut self, cases: &[Raw]) {
        for (at, &index) in self.order[..self.len].iter().enumerate() {
            let entry = self.entries.get_mut(at);
            let entry = entry.map_or(Entry::SHARED, |entry| mem::replace(entry, Entry::SHARED));
            // SAFETY: (1) `take` took it, by this case, and beyond the places so.
            unsafe { cases[usize::from(index)].get().release(entry) };
        }
    }
}

/// Puts cases into order, one for each lock, and says how many. Asks each for its key once, and does without
/// the kilobyte that `sort` fills.
#[inline]
fn sort_few(cases: &[Raw], order: &mut [u8; MAX_CASES]) -> usize {
    let mut keys = [0; PLACES];
    let mut len = 0;
    for (index, case) in cases.iter().enumerate() {
        let key = case.get().key();
        if key == 0 || keys[..len].contains(&key) {
            continue;
        }
        let mut at = len;
        while at > 0 && keys[at - 1] > key {
            keys[at] = keys[at - 1];
            order[at] = order[at - 1];
            at -= 1;
        }
        keys[at] = key;
        order[at] = index as u8;
        len += 1;
    }
    len
}

/// The same for any number.
fn sort(cases: &[Raw], order: &mut [u8; MAX_CASES]) -> usize {
    let mut keyed = [(0, 0); MAX_CASES];
    let mut count = 0;
    for (index, case) in cases.iter().enumerate() {
        let key = case.get().key();
        if key != 0 {
            keyed[count] = (key, index as u8);
            count += 1;
        }
    }
    keyed[..count].sort_unstable();
    let mut len = 0;
    let mut last = 0;
    for &(key, index) in &keyed[..count] {
        if key != last {
            last = key;
            order[len] = index;
            len += 1;
        }
    }
    len
}
