//! Ms that block in user code, and their way back.
//!
//! A blocking section is two plain stores in the pulse of its M. The P stays where it is; if the
//! section is long, the monitor takes it (`retake.rs`). Who knows that it will be long gives the P up
//! itself ([`Blocked`]).
//!
//! Code in a section has no budget (`net/src/note.rs`): it blocks its thread, so it has nobody to give way to.
//!
//! # The way back
//!
//! An M that comes out of a section without its P (1) takes it back if it is idle, (2) else any
//! idle P, (3) else goes on without, to the end of the poll: what it wakes goes to the global queue.
//! Then it parks. With `strict_procs`, and on the current-thread flavour, it waits for a P instead
//! of (3) (`waiting.rs`), so that no more than `procs` tasks ever compute at a time.

use std::sync::atomic::Ordering;

use gopark_net::{delay, note};

use crate::current;
use crate::m::{M, stalled};
use crate::primitive::Backoff;
use crate::sysmon::bell::Wants;

use super::Sched;

/// Runs `f` on the spot, in a blocking section if this thread is an M.
#[inline]
pub(crate) fn block<R>(f: impl FnOnce() -> R) -> R {
    let _exempt = note::exempt();
    let m = current::m();
    if m.is_null() {
        return f();
    }
    // SAFETY: (1) `current::m` is valid while set, and whoever set it is below us on the stack.
    let m = unsafe { &*m };
    if !m.pulse.begin_block() {
        return f();
    }
    let _section = Section { m };
    let sched = m.sched();
    if sched.sysmon.bell.is_wanted(Wants::BLOCK) {
        sched.ring();
    }
    f()
}

/// Runs `f` on the spot, with the P given up before, if this thread is an M.
pub(crate) fn block_eager<R>(f: impl FnOnce() -> R) -> R {
    let _exempt = note::exempt();
    let m = current::m();
    if m.is_null() {
        return f();
    }
    // SAFETY: as in `block`.
    let m = unsafe { &*m };
    if m.seat.is_vacant() || m.sched().is_full_of_blocked() || !m.pulse.begin_block() {
        // Nothing to give up; or too many have: then the P stays, as in any section.
        return block(f);
    }
    let _section = Section { m };
    let _blocked = Blocked::begin_in(m, false);
    f()
}

/// A blocking section of `m`. Dropped at its end, or by a panic in it.
struct Section<'a> {
    m: &'a M,
}

impl Drop for Section<'_> {
    #[inline]
    fn drop(&mut self) {
        let sched = self.m.sched();
        if sched.is_strict() {
            sched.end_strict_section(self.m);
            return;
        }
        self.m.pulse.end_block();
        if self.m.seat.is_vacant() {
            sched.come_back(self.m);
        }
    }
}

/// An M that blocks in user code and has given up its P.
pub(super) struct Blocked<'a> {
    m: &'a M,
    /// False if the M had no P to give up: a frame below blocks already, and takes one again.
    had_p: bool,
    was_away: bool,
    /// A section of a frame below goes on afterwards, with the P.
    in_section: bool,
}

impl<'a> Blocked<'a> {
    pub(super) fn begin(m: &'a M) -> Self {
        Self::begin_in(m, m.pulse.is_blocking())
    }

    fn begin_in(m: &'a M, in_section: bool) -> Self {
        let sched = m.sched();
        sched.blocked_ms.fetch_add(1, Ordering::Relaxed);
        delay::here("Blocked: about to give up its P");
        sched.counters.handoffs.add_shared(1);
        let had_p = m.seat.enter().is_some();
        let was_away = m.set_away(true);
        sched.handoff(m);
        sched.sweep_if_closing();
        Self {
            m,
            had_p,
            was_away,
            in_section,
        }
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        let (m, sched) = (self.m, self.m.sched());
        delay::here("Blocked: about to come back");
        sched.blocked_ms.fetch_sub(1, Ordering::Relaxed);
        if self.had_p {
            sched.come_back(m);
        }
        m.set_away(self.was_away);
        // A section that goes on with a P is one that begins, for a monitor that fell asleep meanwhile.
        if self.in_section && sched.sysmon.bell.is_wanted(Wants::BLOCK) {
            sched.ring();
        }
    }
}

impl Sched {
    /// How many Ms block, or have lost their P in a poll; without those that run jobs.
    pub(super) fn blocked(&self) -> usize {
        self.blocked_ms.load(Ordering::Relaxed) + self.stalled_ms.load(Ordering::Relaxed)
    }

    /// Whether as many Ms block as may.
    pub(crate) fn is_full_of_blocked(&self) -> bool {
        self.blocked() >= self.config.max_blocked_threads
    }

    /// Whether no task may compute without a P, but for polls that lose it without having blocked.
    #[inline]
    pub(crate) fn is_strict(&self) -> bool {
        self.config.strict_procs || self.is_current_thread()
    }

    /// Ends the section of `m` when it has a P, or cannot have one. Until then it counts as a section: a
    /// clock that is paused does not move.
    fn end_strict_section(&self, m: &M) {
        loop {
            if m.seat.is_vacant() {
                if m.pulse.is_claimed() {
                    m.pulse.renew_block();
                }
                self.come_back(m);
            }
            if m.pulse.end_strict_block() {
                break;
            }
            // The monitor was first, and is about to take the P.
            let mut backoff = Backoff::default();
            while !m.seat.is_vacant() && m.pulse.is_claimed() {
                backoff.wait();
            }
        }
        self.section_ended();
    }

    /// `m` was counted as stalled, if it was, and is so no more: it has come out of its poll or its section.
    pub(super) fn end_stall(&self, m: &M) {
        // Relaxed: the monitor's count goes before its exchange of the seat, whose result we have seen.
        if m.is_stalled() {
            let counter = match m.stalled.swap(stalled::NO, Ordering::Relaxed) {
                stalled::NO => return,
                stalled::IN_JOB => &self.stalled_jobs,
                _ => &self.stalled_ms,
            };
            counter.fetch_sub(1, Ordering::Relaxed);
            self.section_ended();
        }
    }

    /// `m`, in user code and without a P, would like to have one again.
    #[cold]
    fn come_back(&self, m: &M) {
        let p = m.seat.enter();
        debug_assert!(p.is_none(), "a P came to an M that did not take it");
        self.end_stall(m);
        self.settle_spinning(m);
        self.sit_down(m);
        if m.seat.held().is_none() && self.waits_for_p() {
            self.wait_for_p(m);
        }
        m.seat.leave();
    }

    /// `m`, in scheduler code, may have lost its P while it was counted as spinning: now it has
    /// stopped.
    pub(super) fn settle_spinning(&self, m: &M) {
        if m.spinning.get() && self.stop_spinning(m) {
            self.wakep();
        }
    }

    /// What held a clock that is paused holds it no more, perhaps. Whoever waits for that looks again.
    #[inline]
    pub(super) fn section_ended(&self) {
        if self.is_current_thread() && self.clock.is_paused() {
            self.reactor.notify();
        }
    }
}
