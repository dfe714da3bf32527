//! An M under observation: what the monitor remembers of it from one look to the next.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::look::{BUSY_NAP, Round};
use super::watch::{Cause, SLICE, Watch};
use super::{Clocks, Culprit, Verdict};
use crate::g::Site;
use crate::m::M;
use crate::p::P;
use crate::pulse::Beat;
use crate::sched::Sched;

/// Where a task was spawned.
pub(super) type Place = &'static Location<'static>;

/// The loss of a P.
#[derive(Clone, Copy)]
pub(super) struct Loss {
    pub(super) tick: u32,
    pub(super) cause: Cause,
    pub(super) place: Option<Place>,
    pub(super) at: Duration,
}

/// An M under observation.
pub(super) struct Patient {
    pub(super) m: Arc<M>,
    pub(super) watch: Watch,
    /// The poll in which it lost its P, and why, while it is stalled for that.
    pub(super) lost: Option<Loss>,
    /// The poll for which a verdict was left, and that for which a retake was refused.
    pub(super) judged: Option<u32>,
    pub(super) refused: Option<u32>,
    /// The poll in which its thread was seen to do nothing, how long it had computed then, and its clocks.
    pub(super) dozed: Option<(u32, Duration, Clocks, Duration)>,
    /// Pulse and thread clock at the last look.
    pub(super) beat: Option<(u32, u32)>,
    pub(super) cpu: Option<Duration>,
    pub(super) at: Duration,
    /// Its thread's waits for locks until then.
    pub(super) waits: (u64, Duration),
    /// The P it held at the last look, the time slice in which, and since when.
    pub(super) slice: (*const P, usize, Duration),
}

impl Patient {
    pub(super) fn new(m: Arc<M>) -> Self {
        let waits = m.waits();
        Self {
            m,
            watch: Watch::default(),
            lost: None,
            judged: None,
            refused: None,
            dozed: None,
            beat: None,
            cpu: None,
            at: Duration::ZERO,
            waits,
            slice: (std::ptr::null(), 0, Duration::ZERO),
        }
    }

    /// What has changed since the last look.
    pub(super) fn compare(
        &mut self,
        beat: &Beat<Site>,
        holds_p: bool,
        now: Duration,
        round: &mut Round,
    ) {
        let before = self.beat.replace((beat.tick, beat.block));
        let moved = before.is_some_and(|before| before != (beat.tick, beat.block));
        round.alive |= moved;
        let in_section = beat.block % 2 == 1;
        round.blocks |=
            (in_section && holds_p) || before.is_some_and(|(_, block)| block != beat.block);
        if !self.m.is_stalled() {
            self.lost = None;
        }
        // Of threads that wait nobody asks, and there may be many.
        let cpu = if holds_p || in_section {
            self.m.probe.cpu_time()
        } else {
            None
        };
        if let (Some(was), Some(is)) = (std::mem::replace(&mut self.cpu, cpu), cpu) {
            let computes = (is.saturating_sub(was)) * 2 >= now - self.at;
            round.computing += usize::from(in_section && computes);
        }
        self.at = now;
    }

    /// Where the task was spawned in whose poll the M lost its P, and why, if that has gone on for so long since that it
    /// was no moment's weakness: a poll that computed for a slice, one that slept for longer than the kernel would keep
    /// from its processor a thread that wakes up.
    pub(super) fn goes_on(&self, now: Duration) -> Option<(Place, Cause)> {
        let loss = self.lost?;
        let enough = if loss.cause == Cause::Computing {
            SLICE
        } else {
            BUSY_NAP
        };
        let place = loss.place.filter(|_| now >= loss.at + enough);
        place.map(|place| (place, loss.cause))
    }

    /// What the thread had done when it was first seen to do nothing in its poll: what the kernel keeps it from its
    /// processor since then is known.
    pub(super) fn note_doze(&mut self, tick: u32) {
        let dozes = self.watch.is_long() && self.watch.cause() == Cause::OffCpu;
        if dozes && self.dozed.is_none_or(|(at, ..)| at != tick) {
            let clocks = Clocks::of(&self.m.probe);
            self.dozed = Some((tick, self.watch.computed(), clocks, self.watch.duration()));
        }
    }

    /// Whether the M is in the same time slice on `p` since 10 ms, and others wait.
    pub(super) fn outstays_slice(&mut self, p: &P, now: Duration) -> bool {
        let slices = p.runq.slices();
        let (same_p, same_slice, since) = self.slice;
        if !std::ptr::eq(same_p, p) || same_slice != slices {
            self.slice = (p, slices, now);
            return false;
        }
        let outstays = now - since >= SLICE && p.runq.stealable() > 0 && p.runq.has_private();
        if outstays {
            self.slice.2 = now;
        }
        outstays
    }

    /// Leaves a verdict on the poll, if it was long enough or cost the M its P.
    pub(super) fn judge(&mut self, sched: &Sched, beat: &Beat<Site>, lost: Option<Cause>) {
        if beat.block % 2 == 1 || !self.watch.is_poll(beat.tick) {
            return;
        }
        let is_new = self.judged != Some(beat.tick);
        if lost.is_none() && (!is_new || self.watch.duration() < SLICE) {
            return;
        }
        let culprit = if beat.site.is_null() {
            self.m.root().map_or(Culprit::Unknown, Culprit::Root)
        } else {
            Culprit::Task(location(beat.site))
        };
        let cause = lost.unwrap_or_else(|| match self.watch.cause() {
            Cause::OffCpu if self.m.probe.is_runnable() == Some(true) => Cause::Computing,
            cause => cause,
        });
        if cause == Cause::Computing && self.watch.computed() < SLICE && lost.is_none() {
            // The kernel kept it from its processor: that is nobody's fault here. A later look may find more.
            return;
        }
        self.judged = Some(beat.tick);
        let (computed, clocks, clocks_after) = match self.dozed {
            Some((tick, computed, clocks, after)) if tick == beat.tick => (computed, clocks, after),
            _ => (
                self.watch.computed(),
                Clocks::of(&self.m.probe),
                self.watch.duration(),
            ),
        };
        let verdict = Verdict {
            culprit,
            since: self.watch.since(),
            cause,
            handed_over: lost.is_some(),
            computed,
            clocks,
            clocks_after,
        };
        sched.leave_verdict(&self.m, verdict);
    }

    pub(super) fn has_unspoken_verdict(&self) -> bool {
        let verdict = self.m.verdict.lock();
        verdict.is_ok_and(|verdict| verdict.is_some())
    }
}

/// Where the task was spawned that is being polled.
pub(super) fn place(beat: &Beat<Site>) -> Option<Place> {
    (!beat.site.is_null()).then(|| location(beat.site))
}

pub(super) fn holds_p_in_section(m: &M) -> bool {
    m.pulse.is_blocking() && m.seat.glance().0.is_some()
}

fn location(site: *const Site) -> &'static Location<'static> {
    // SAFETY: (1) a site lives as long as its shard, and that as long as the `Sched` or the M, both of
    // which the monitor keeps; (2) the pulse has published it.
    unsafe { &*site }.location()
}
