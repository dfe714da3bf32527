//! The pace of a P: how long its polls take on average, to tell whether a backlog is worth a wake-up.
//!
//! A batch of events or timers makes several tasks ready at once. To wake another M for them costs
//! some 40 us of processor time (the futex, the switch, cold caches, parking again), and the other
//! M comes 20 us later. A hundred sleepers that end in the same millisecond are done by then.
//! So somebody is woken only for a backlog of at least `WORTH_A_WAKE` by the P's own pace, so that
//! the wake-up costs no more than a fifth of the work.
//!
//! The pace is measured once per batch, not per poll: from the time the batch is taken to the time
//! the queue runs dry or the next batch comes. Only the owner of the P touches it.

use std::cell::Cell;
use std::time::{Duration, Instant};

const WORTH_A_WAKE: Duration = Duration::from_micros(200);

/// What a P believes that has measured nothing yet: long enough that two tasks are worth a wake-up.
const UNKNOWN: Duration = Duration::from_micros(100);

/// The share of a new measurement in the average is 1 / `INERTIA`.
const INERTIA: u32 = 4;

/// See the module.
#[derive(Debug)]
pub(crate) struct Pace {
    average: Cell<Duration>,
    /// When the batch that is being worked off was taken, and the P's count of polls then.
    batch: Cell<Option<(Instant, u64)>>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            average: Cell::new(UNKNOWN),
            batch: Cell::new(None),
        }
    }

    /// A batch has been taken, at the P's poll number `polls`.
    pub(crate) fn begin(&self, polls: u64) {
        let now = Instant::now();
        self.measure(now, polls);
        self.batch.set(Some((now, polls)));
    }

    /// The queue has run dry.
    #[inline]
    pub(crate) fn end(&self, polls: u64) {
        if self.batch.get().is_some() {
            self.measure(Instant::now(), polls);
            self.batch.set(None);
        }
    }

    fn measure(&self, now: Instant, polls: u64) {
        let Some((start, before)) = self.batch.get() else {
            return;
        };
        let Ok(count @ 1..) = u32::try_from(polls - before) else {
            return;
        };
        let average = self.average.get();
        self.average
            .set(average - average / INERTIA + (now - start) / count / INERTIA);
    }

    /// Whether `tasks` that wait here are worth another M's wake-up.
    pub(crate) fn worth_a_wake(&self, tasks: usize) -> bool {
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        self.average.get().saturating_mul(tasks) >= WORTH_A_WAKE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tasks_of_unknown_pace_are_worth_a_wake() {
        assert!(!Pace::new().worth_a_wake(1));
        assert!(Pace::new().worth_a_wake(2));
    }

    #[test]
    fn the_pace_follows_what_is_measured() {
        let pace = Pace::new();
        let start = Instant::now();
        for _ in 0..40 {
            pace.batch.set(Some((start, 0)));
            pace.measure(start + Duration::from_micros(100), 100);
        }
        assert!(!pace.worth_a_wake(190), "{pace:?}");
        assert!(pace.worth_a_wake(210), "{pace:?}");
        for _ in 0..40 {
            pace.batch.set(Some((start, 0)));
            pace.measure(start + Duration::from_millis(1), 1);
        }
        assert!(pace.worth_a_wake(1), "{pace:?}");
    }

    #[test]
    fn a_batch_without_polls_measures_nothing() {
        let pace = Pace::new();
        pace.begin(7);
        pace.begin(7);
        pace.end(7);
        assert_eq!(pace.average.get(), UNKNOWN);
    }
}
