//! What the monitor says aloud: one warning for each place that a stalled poll came from.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::watch::Cause;
use super::{Culprit, Verdict};
use crate::warn::{warn, warn_later};

/// The places that were spoken of.
static SPOKEN_OF: Mutex<Option<HashSet<Culprit>>> = Mutex::new(None);

/// The list of them, held while the process forks.
#[cfg(unix)]
pub(crate) struct Reports(#[expect(dead_code, reason = "held")] SpokenOf);

#[cfg(unix)]
type SpokenOf = std::sync::MutexGuard<'static, Option<HashSet<Culprit>>>;

#[cfg(unix)]
pub(crate) fn hold() -> Reports {
    Reports(SPOKEN_OF.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Says that a poll has held or lost its P for `held`, unless its place was spoken of before. The M says it after the
/// poll, where code of the user may run; of one that goes on the monitor says it, which runs none.
pub(crate) fn stall(verdict: &Verdict, held: Duration, goes_on: bool) {
    let first = SPOKEN_OF
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_default()
        .insert(verdict.culprit);
    if first {
        let stall = Stall {
            verdict,
            held,
            goes_on,
        };
        if goes_on {
            warn_later(format_args!("{stall}"));
        } else {
            warn(format_args!("{stall}"));
        }
    }
}

/// The text of a warning.
struct Stall<'a> {
    verdict: &'a Verdict,
    held: Duration,
    goes_on: bool,
}

impl fmt::Display for Stall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (has_held, still) = if self.goes_on {
            ("has held", ", and still does")
        } else {
            ("held", "")
        };
        let cause = match self.verdict.cause {
            Cause::Computing => "computing",
            Cause::OffCpu | Cause::Block => "off CPU",
        };
        let outcome = if self.verdict.handed_over {
            "the P was handed over"
        } else {
            "the P stayed with it"
        };
        write!(
            f,
            "{} {has_held} its P for {} ms ({cause}){still}: {outcome}",
            self.verdict.culprit,
            self.held.as_millis(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::super::Clocks;
    use super::*;

    #[test]
    fn a_stall_is_told_with_its_place_its_length_its_cause_and_its_outcome() {
        let here = Location::caller();
        let mut verdict = Verdict {
            culprit: Culprit::Task(here),
            since: Duration::ZERO,
            cause: Cause::OffCpu,
            handed_over: true,
            computed: Duration::ZERO,
            clocks: Clocks::default(),
            clocks_after: Duration::ZERO,
        };
        let held = Duration::from_millis(212);
        let text = |verdict: &Verdict, goes_on| {
            Stall {
                verdict,
                held,
                goes_on,
            }
            .to_string()
        };
        assert_eq!(
            text(&verdict, false),
            format!(
                "task spawned at {here} held its P for 212 ms (off CPU): the P was handed over"
            )
        );
        verdict.cause = Cause::Computing;
        verdict.handed_over = false;
        verdict.culprit = Culprit::Root(here);
        assert_eq!(
            text(&verdict, true),
            format!(
                "future of the block_on at {here} has held its P for 212 ms (computing), and still \
                 does: the P stayed with it"
            )
        );
    }
}
