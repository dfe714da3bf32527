//! Ticks: the unit in which the wheels count.
//!
//! A tick is a millisecond since the origin of a runtime's clock. A timer must never fire early, so
//! a deadline is rounded up and "now" is rounded down: if `floor(now) >= ceil(deadline)` then
//! `now >= deadline`.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The tick that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// The last tick that a clock shows, nearly 300 million years after its origin. It is half of what fits
/// in a word, so that a wheel can look ahead of it.
const LAST: u64 = NEVER >> 1;

/// Ticks up to this one, a year after the origin, come on every system.
const NEAR: u64 = 365 * 24 * 60 * 60 * 1000;

/// The first tick that is not before `at`, or [`NEVER`].
#[inline]
pub(crate) fn ceil(origin: Instant, at: Instant) -> u64 {
    let since = at.saturating_duration_since(origin);
    let tick = since
        .as_secs()
        .saturating_mul(1000)
        .saturating_add(u64::from(since.subsec_nanos().div_ceil(1_000_000)));
    if tick < NEAR { tick } else { far(origin, tick) }
}

/// `tick`, unless no clock shows it. The [`latest`] instant is itself beyond, because it stands for all
/// that the system cannot express.
#[cold]
fn far(origin: Instant, tick: u64) -> u64 {
    if tick < floor(origin, latest()) {
        tick
    } else {
        NEVER
    }
}

/// The last tick that is not after `now`, [`LAST`] at most.
#[inline]
pub(crate) fn floor(origin: Instant, now: Instant) -> u64 {
    let since = now.saturating_duration_since(origin);
    since
        .as_secs()
        .saturating_mul(1000)
        .saturating_add(u64::from(since.subsec_millis()))
        .min(LAST)
}

/// The latest instant that the system can express.
#[cold]
pub(crate) fn latest() -> Instant {
    static LATEST: OnceLock<Instant> = OnceLock::new();
    *LATEST.get_or_init(|| farthest(|from, step| from.checked_add(step)))
}

/// The earliest instant that the system can express.
#[cold]
pub(crate) fn earliest() -> Instant {
    static EARLIEST: OnceLock<Instant> = OnceLock::new();
    *EARLIEST.get_or_init(|| farthest(|from, step| from.checked_sub(step)))
}

/// How far from now `go` leads, in steps of half a step each.
fn farthest(go: impl Fn(Instant, Duration) -> Option<Instant>) -> Instant {
    let seconds = (0..u64::BITS)
        .rev()
        .map(|bit| Duration::from_secs(1 << bit));
    let nanos = (0..30).rev().map(|bit| Duration::from_nanos(1 << bit));
    seconds
        .chain(nanos)
        .fold(Instant::now(), |at, step| go(at, step).unwrap_or(at))
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
    fn far_deadlines_come_and_the_end_of_time_does_not() {
        let origin = Instant::now();
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        for years in [1, 24, 25, 30, 40, 200] {
            let far = origin
                .checked_add(year * years)
                .expect("the system counts so far");
            let tick = u64::from(years) * NEAR;
            assert_eq!((ceil(origin, far), floor(origin, far)), (tick, tick));
        }
        assert_eq!(ceil(origin, latest()), NEVER);
        assert!(floor(origin, latest()) < NEVER);
    }

    #[test]
    fn nothing_lies_beyond_the_ends_of_time() {
        let nano = Duration::from_nanos(1);
        assert_eq!(latest().checked_add(nano), None);
        assert_eq!(earliest().checked_sub(nano), None);
        assert_eq!(floor(latest(), earliest()), 0);
    }
}
