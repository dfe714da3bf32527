//! What the monitor remembers of the places that spawn tasks: whose polls have blocked, and whose have computed for
//! long. The next poll of such a place is expected to do the same, and is given less time. Who behaves for a while is
//! forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// For how long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(1);

/// With so many places in it those that are forgotten are taken out.
const MANY: usize = 64;

/// See the module. `P` is what a place is known by.
#[derive(Debug)]
pub(super) struct Repute<P> {
    places: HashMap<P, Deeds>,
    /// When a poll of any place has blocked last.
    blocked: Option<Duration>,
}

/// When a poll of a place was last seen to do so.
#[derive(Clone, Copy, Debug, Default)]
struct Deeds {
    blocked: Option<Duration>,
    computed: Option<Duration>,
}

fn is_fresh(deed: Option<Duration>, now: Duration) -> bool {
    deed.is_some_and(|at| now < at + REMEMBERED)
}

impl<P: Eq + Hash> Repute<P> {
    pub(super) fn new() -> Self {
        Self {
            places: HashMap::new(),
            blocked: None,
        }
    }

    /// A poll of `place` has blocked its thread.
    pub(super) fn has_blocked(&mut self, place: P, now: Duration) {
        self.blocked = Some(now);
        self.deeds(place, now).blocked = Some(now);
    }

    /// A poll of `place` has computed for a time slice.
    pub(super) fn has_computed(&mut self, place: P, now: Duration) {
        self.deeds(place, now).computed = Some(now);
    }

    fn deeds(&mut self, place: P, now: Duration) -> &mut Deeds {
        if self.places.len() >= MANY {
            self.places
                .retain(|_, deeds| is_fresh(deeds.blocked, now) || is_fresh(deeds.computed, now));
        }
        self.places.entry(place).or_default()
    }

    /// Whether polls of `place` block.
    pub(super) fn blocks(&self, place: &P, now: Duration) -> bool {
        is_fresh(self.blocked, now)
            && self
                .places
                .get(place)
                .is_some_and(|deeds| is_fresh(deeds.blocked, now))
    }

    /// Whether polls of any place do.
    pub(super) fn any_blocks(&self, now: Duration) -> bool {
        is_fresh(self.blocked, now)
    }

    /// Whether polls of `place` compute for long.
    pub(super) fn computes(&self, place: &P, now: Duration) -> bool {
        self.places
            .get(place)
            .is_some_and(|deeds| is_fresh(deeds.computed, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_a_place_did_is_expected_of_it_alone_and_forgotten_when_it_behaves() {
        let mut repute = Repute::new();
        repute.has_blocked("a", MS);
        repute.has_computed("b", 500 * MS);
        assert!(repute.blocks(&"a", 2 * MS) && repute.any_blocks(2 * MS));
        assert!(!repute.computes(&"a", 2 * MS));
        assert!(repute.computes(&"b", 501 * MS) && !repute.blocks(&"b", 501 * MS));
        let later = MS + REMEMBERED;
        assert!(!repute.blocks(&"a", later) && !repute.any_blocks(later));
        assert!(repute.computes(&"b", later));
        repute.has_blocked("a", later);
        assert!(repute.blocks(&"a", later + MS));
    }

    #[test]
    fn places_that_are_forgotten_take_no_memory_for_ever() {
        let mut repute = Repute::new();
        for place in 0..10_000_u32 {
            repute.has_blocked(place, place * 20 * MS);
        }
        assert!(repute.places.len() <= MANY + 1);
    }
}
