//! Runtimes of random shape, and random ends of them.

use std::time::Duration;

use gopark::runtime::{Builder, DeadlockPolicy, Runtime};

use crate::options::Options;
use crate::random::Random;
use crate::watchdog;

/// What a runtime is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// None: the current-thread flavour.
    pub(crate) procs: Option<usize>,
    pub(crate) paused: bool,
    strict: bool,
    /// A reported deadlock ends the process.
    aborts: bool,
    seed: u64,
}

impl Shape {
    /// Any shape; the clock runs.
    pub(crate) fn any(random: &mut Random, options: &Options) -> Self {
        let procs = match (random.below(10), options.procs) {
            (0..3, _) => None,
            (_, Some(procs)) => Some(procs),
            (3..6, None) => Some(1),
            (6..8, None) => Some(2),
            _ => Some(random.within(3..9)),
        };
        Self {
            procs,
            paused: false,
            strict: random.one_in(4),
            aborts: !random.one_in(4),
            seed: random.next(),
        }
    }

    /// The same on a clock that stands still, which the current-thread flavour alone has.
    pub(crate) fn paused(self) -> Self {
        Self {
            procs: None,
            paused: true,
            ..self
        }
    }

    /// The same with worker threads, and with more than one processor unless told otherwise.
    pub(crate) fn multi_thread(self, options: &Options) -> Self {
        Self {
            procs: options.procs.or(Some(2 + self.seed as usize % 4)),
            ..self
        }
    }

    /// The same where a deadlock is at most reported: a plain thread on which all wait may be kept from its core
    /// for longer than the patience of the report.
    pub(crate) fn lenient(self) -> Self {
        Self {
            aborts: false,
            ..self
        }
    }

    /// Builds it, and shows it to the watchdog.
    pub(crate) fn build(self) -> Runtime {
        let builder = match self.procs {
            None => Builder::new_current_thread(),
            Some(procs) => Builder::new_multi_thread()
                .procs(procs)
                .strict_procs(self.strict),
        };
        let policy = if self.aborts {
            DeadlockPolicy::Abort
        } else {
            DeadlockPolicy::default()
        };
        let runtime = builder
            .pause_time(self.paused)
            .deadlock_policy(policy)
            .seed(self.seed)
            .thread_name("chaos-worker")
            .build()
            .expect("descriptors and threads are there");
        watchdog::include(format!("{self:?}"), runtime.handle());
        runtime
    }
}

/// Ends a runtime in one of the ways there are.
pub(crate) fn end(runtime: Runtime, random: &mut Random) -> Result<(), String> {
    watchdog::forget();
    match random.below(3) {
        0 => drop(runtime),
        1 => runtime.shutdown_background(),
        _ => runtime
            .shutdown_timeout(Duration::from_secs(30))
            .map_err(|left| format!("shutdown_timeout: {left}"))?,
    }
    Ok(())
}
