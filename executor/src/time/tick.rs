//! Ticks: the unit in which the wheels count.
//!
//! A tick is a millisecond since the origin of a runtime's clock. A timer must never fire early, so
//! a deadline is rounded up and "now" is rounded down: if `floor(now) >= ceil(deadline)` then
//! `now >= deadline`.

use std::time::{Duration, Instant};

/// The tick that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// Deadlines from here on mean "never": about 25 years after the origin.
///
/// [`FAR`] lies beyond it wherever the clock stands, so a saturated deadline is always "never", and
/// no entry has to be filed again in the wheel's top level more than a dozen times.
const END: u64 = 25 * YEAR.as_secs() * 1000;

/// How far ahead of "now" a deadline is put that an `Instant` cannot express. Some systems cannot
/// add 100 years to an `Instant`; 30 fit everywhere.
pub(crate) const FAR: Duration = Duration::from_secs(30 * YEAR.as_secs());

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The first tick that is not before `at`, or [`NEVER`].
#[inline]
pub(crate) fn ceil(origin: Instant, at: Instant) -> u64 {
    let since = at.saturating_duration_since(origin);
    let tick = since
        .as_secs()
        .saturating_mul(1000)
        .saturating_add(u64::from(since.subsec_nanos().div_ceil(1_000_000)));
    if tick < END { tick } else { NEVER }
}

/// The last tick that is not after `now`; always less than [`NEVER`].
#[inline]
pub(crate) fn floor(origin: Instant, now: Instant) -> u64 {
    let since = now.saturating_duration_since(origin);
    since
        .as_secs()
        .saturating_mul(1000)
        .saturating_add(u64::from(since.subsec_millis()))
        .min(NEVER >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_round_up_and_now_rounds_down() {
        let origin = Instant::now();
        let at = |nanos| origin + Duration::from_nanos(nanos);
        assert_eq!(
            [0, 1, 1, 2],
            [0, 1, 1_000_000, 1_000_001].map(|n| ceil(origin, at(n)))
        );
        assert_eq!(
            [0, 0, 1, 1],
            [0, 999_999, 1_000_000, 1_999_999].map(|n| floor(origin, at(n)))
        );
    }

    #[test]
    fn what_lies_before_the_origin_is_tick_zero() {
        let before = Instant::now();
        let origin = before + Duration::from_secs(1);
        assert_eq!(ceil(origin, before), 0);
        assert_eq!(floor(origin, before), 0);
    }

    #[test]
    fn the_far_future_never_comes() {
        let origin = Instant::now();
        assert_eq!(ceil(origin, origin + FAR), NEVER);
        assert!(floor(origin, origin + FAR) < NEVER);
        assert!(ceil(origin, origin + 20 * YEAR) < NEVER);
    }
}
