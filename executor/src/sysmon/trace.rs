//! `GOPARK_DEBUG=schedtrace=1000`: a line a second on the state of the runtime, in the manner of Go's.

use std::fmt::Write;
use std::time::Duration;

use crate::sched::Sched;
use crate::warn::print;

/// When the next line is due.
#[derive(Debug)]
pub(super) struct Trace {
    period: Duration,
    next: Duration,
}

impl Trace {
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            next: Duration::ZERO,
        }
    }

    /// Prints a line if one is due, and says how long it is until the next.
    pub(super) fn print(&mut self, sched: &Sched, now: Duration) -> Duration {
        if now >= self.next {
            print(format_args!("{}", line(sched, now)));
            self.next = now + self.period;
        }
        self.next - now
    }
}

/// Go's line, with its names where it has them: Ps that are laid off, threads that are blocked, jobs and
/// retakes are ours.
fn line(sched: &Sched, now: Duration) -> String {
    let metrics = sched.metrics();
    let in_use = metrics.procs.saturating_sub(metrics.laid_off_procs);
    let busy = in_use.saturating_sub(metrics.idle_procs);
    let awake = busy + metrics.blocked_threads;
    let mut line = format!(
        "SCHED {}ms: gomaxprocs={} idleprocs={} laidoffprocs={} threads={} spinningthreads={} idlethreads={} \
         blockedthreads={} jobs={}+{} retakes={} runqueue={} [",
        now.as_millis(),
        metrics.procs,
        metrics.idle_procs,
        metrics.laid_off_procs,
        metrics.threads,
        metrics.spinning,
        metrics.threads.saturating_sub(awake),
        metrics.blocked_threads,
        metrics.jobs_running,
        metrics.jobs_queued,
        metrics.retakes_block + metrics.retakes_off_cpu + metrics.retakes_computing,
        metrics.global_queue,
    );
    for index in 0..metrics.procs {
        let queued = sched.ps.get(index).runq.len();
        let space = if index == 0 { "" } else { " " };
        // To a String; it cannot fail.
        let _ = write!(line, "{space}{queued}");
    }
    line.push_str("] schedticks=[");
    for index in 0..metrics.procs {
        let ticks = sched.ps.get(index).runq.slices();
        let space = if index == 0 { "" } else { " " };
        let _ = write!(line, "{space}{ticks}");
    }
    line.push(']');
    line
}
