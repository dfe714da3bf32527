//! What is said when as many threads block as may: a program that stands still for that reason would
//! otherwise do so without a word.
//!
//! There are two limits. Jobs (`jobs.rs`) queue beyond theirs. Sections and polls that lost their P
//! (`blocking.rs`, `retake.rs`) keep the P beyond theirs, so that in the end all Ps may be kept.

use std::collections::HashMap;
use std::fmt::Write;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::m::M;
use crate::warn::warn_later;

use super::Sched;

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Jobs,
    Blocked,
}

/// Which limits were spoken of: once in the life of a runtime.
#[derive(Debug, Default)]
pub(super) struct Said {
    jobs: AtomicBool,
    blocked: AtomicBool,
}

/// How many spawn sites are named.
const NAMED: usize = 3;

impl Sched {
    /// The monitor has found that nobody else may block. Says so, the first time.
    #[cold]
    pub(crate) fn say_full(&self, limit: Limit) {
        let said = match limit {
            Limit::Jobs => &self.said_full.jobs,
            Limit::Blocked => &self.said_full.blocked,
        };
        if said.swap(true, Ordering::Relaxed) {
            return;
        }
        let queued = || self.ps.iter().map(|p| p.runq.len()).sum::<usize>() + self.globq.len();
        let mut text = match limit {
            Limit::Jobs => format!(
                "as many blocking jobs run as may ({}, Builder::max_blocking): {} more wait",
                self.config.max_blocking,
                self.jobs.queued()
            ),
            Limit::Blocked => format!(
                "as many tasks block as may ({}, Builder::max_blocked_threads): others keep their \
                 processor as they block, {} tasks wait for one",
                self.config.max_blocked_threads,
                queued()
            ),
        };
        for (index, (location, count)) in self.hogs(limit).into_iter().take(NAMED).enumerate() {
            let lead = if index == 0 { "; spawned at" } else { "," };
            // To a String; it cannot fail.
            let _ = write!(text, "{lead} {location} ({count})");
        }
        // The monitor, who calls this, must not wait for a reader.
        warn_later(format_args!("{text}"));
    }

    /// Where those were spawned that hold the threads, and how many at each place; the most first.
    fn hogs(&self, limit: Limit) -> Vec<(&'static Location<'static>, usize)> {
        let holds = |m: &M| match limit {
            Limit::Jobs => m.runs_job.load(Ordering::Relaxed),
            Limit::Blocked => {
                let has_no_p = m.seat.glance().0.is_none();
                has_no_p && !m.parked.load(Ordering::Relaxed) && !m.runs_job.load(Ordering::Relaxed)
            }
        };
        let mut counts = HashMap::new();
        for m in self.ms().iter().filter(|m| holds(m)) {
            let site = m.pulse.look().site;
            // SAFETY: (1) a site lives as long as its shard, and that as long as the `Sched` or the M, both of
            // which we keep; (2) the pulse has published it.
            if let Some(site) = unsafe { site.as_ref() } {
                *counts.entry(site.location()).or_insert(0) += 1;
            }
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(location, count)| {
            (std::cmp::Reverse(count), location.file(), location.line())
        });
        counts
    }
}
