//! `{:#?}` of a runtime, or of a handle: the state of every P and of every M, for who looks into one that stands
//! still. `{:?}` gives the counters alone.
//!
//! All is read without stopping anybody, so parts of it may contradict each other while the runtime works.

use std::fmt;
use std::sync::atomic::Ordering;

use crate::m::M;
use crate::p::P;

use super::{Sched, lock};

impl fmt::Debug for Sched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = f.alternate();
        let mut out = f.debug_struct("Sched");
        out.field("metrics", &self.metrics());
        if full {
            let ps: Vec<_> = self.ps.iter().map(|p| PState(self, p)).collect();
            let all_ms = lock(&self.all_ms).clone();
            let ms: Vec<_> = all_ms.iter().map(|m| MState(self, m)).collect();
            out.field("ticks", &Tick(self.clock.now_tick()))
                .field("clock_is_paused", &self.clock.is_paused())
                .field("has_poller", &self.idle.view().has_poller())
                .field(
                    "poller_until",
                    &Tick(self.poll_until.load(Ordering::Relaxed)),
                )
                .field(
                    "waiting_for_a_p",
                    &format_args!("{}", self.wanted.load(Ordering::Relaxed)),
                )
                .field("timers_outside", &Tick(self.outside_timers.next()))
                .field("closing", &self.is_closing())
                .field("ps", &ps)
                .field("ms", &ms);
        }
        out.finish_non_exhaustive()
    }
}

/// A tick of the clock, which may be "never".
struct Tick(u64);

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u64::MAX => f.write_str("never"),
            tick => write!(f, "{tick}"),
        }
    }
}

struct PState<'a>(&'a Sched, &'a P);

impl fmt::Debug for PState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(sched, p) = self;
        let state = match (sched.idle.is_idle(p.index()), sched.is_surplus(p.index())) {
            (true, _) => "idle",
            (false, true) => "held or retired",
            (false, false) => "held",
        };
        write!(
            f,
            "P {}: {state}, {} tasks, next timer {:?}, {} polls",
            p.index(),
            p.runq.len(),
            Tick(p.remote.timers.next()),
            p.metrics.polls.get()
        )
    }
}

struct MState<'a>(&'a Sched, &'a M);

impl fmt::Debug for MState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(sched, m) = self;
        let thread = m.thread();
        write!(f, "M {:?} {:?}: ", thread.id(), thread.name().unwrap_or(""))?;
        match m.seat.glance().0 {
            // SAFETY: (1) Ps live as long as the `Sched`.
            Some(p) => write!(f, "holds P {}", unsafe { p.as_ref() }.index())?,
            None => f.write_str("holds no P")?,
        }
        let parked = m.parked.load(Ordering::Relaxed);
        let marks = [
            (parked, ", parked"),
            (m.claimed.load(Ordering::Relaxed), ", claimed"),
            (m.pulse.is_blocking(), ", in a section"),
            (m.is_stalled(), ", stalled"),
            (m.stands_in(), ", stands in for a worker"),
        ];
        for (_, mark) in marks.into_iter().filter(|(holds, _)| *holds) {
            f.write_str(mark)?;
        }
        if parked && sched.is_poller(m) {
            f.write_str(", the poller")?;
        }
        if let Some(location) = m.root() {
            write!(f, ", root at {location} [{}]", m.root_wait())?;
        }
        Ok(())
    }
}
