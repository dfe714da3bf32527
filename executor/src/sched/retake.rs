//! What the monitor sees of a runtime, and what it does to it. When it does what is decided in
//! `sysmon/`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gopark_net::delay;

use crate::m::{M, stalled, summons};
use crate::p::P;
use crate::sysmon::watch::{Cause, Scene};
use crate::sysmon::{self, Clocks, Verdict};

use super::{Kind, Sched, lock};

impl Sched {
    /// The monitor learns of an M.
    pub(super) fn enlist(&self, m: &M) {
        // SAFETY: (1) every M is made by `M::new`, in an `Arc`, and `m` shows that it lives.
        unsafe { Arc::increment_strong_count(m) };
        // SAFETY: (1) the count that was just added is this one.
        let m = unsafe { Arc::from_raw(m) };
        lock(&self.all_ms).push(m);
        self.ms_version.fetch_add(1, Ordering::Release); // pairs with: `ms_version`.
    }

    /// An M goes.
    pub(super) fn delist(&self, m: &M) {
        let mut ms = lock(&self.all_ms);
        let position = ms.iter().position(|other| std::ptr::eq(&**other, m));
        let gone = position.map(|at| ms.swap_remove(at));
        drop(ms);
        drop(gone);
        self.ms_version.fetch_add(1, Ordering::Release); // pairs with: `ms_version`.
    }

    /// Changes with the list of Ms.
    pub(crate) fn ms_version(&self) -> usize {
        self.ms_version.load(Ordering::Acquire) // pairs with: `enlist`, `delist`.
    }

    /// Every M there is.
    pub(crate) fn ms(&self) -> Vec<Arc<M>> {
        lock(&self.all_ms).clone()
    }

    /// What hangs on `p`, as far as one can see from outside.
    pub(crate) fn scene(&self, p: &P, slice: Duration) -> Scene {
        let wanted = self.is_p_wanted();
        let next_timer = p.remote.timers.next();
        let has_timers = next_timer != u64::MAX;
        Scene {
            hoards: wanted
                || p.runq.has_private()
                || (has_timers && next_timer <= self.clock.now_tick()),
            has_tasks: wanted
                || !p.runq.is_empty()
                || !self.globq.is_empty()
                || self.is_surplus(p.index()),
            has_jobs: self.jobs_visible(),
            has_timers,
            any_idle: self.idle.view().idle() > 0,
            slice,
        }
    }

    /// The monitor owns `p`, which it took from its M: gives it to another.
    pub(crate) fn pass_on(&self, p: &P, cause: Cause) {
        p.pace.end(p.metrics.polls.get());
        delay::here("pass_on: the monitor owns a P");
        if cause == Cause::Computing {
            // What was spawned with a hog is a hog, too, most likely. So its timers, which are overdue, and what waits
            // for all come before what waits in its queue.
            self.empty(p.index());
        }
        self.hand_over(p.index(), false);
        self.sweep_if_closing();
    }

    /// Whether no P is idle, or none that would get a thread, so that what a stuck M keeps from running is everything.
    pub(crate) fn is_full(&self) -> bool {
        self.idle.view().idle() == 0 || self.counters.thread_failures.get() > 0
    }

    /// How long it is until the first timer of `p` is due, if that is less than `limit`.
    pub(crate) fn due_within(&self, p: &P, limit: Duration) -> Option<Duration> {
        let next = p.remote.timers.next();
        if next == u64::MAX {
            return None;
        }
        let due = self.until_tick(next);
        (due < limit).then_some(due)
    }

    /// Counts a P that was taken.
    pub(crate) fn count_retake(&self, cause: Cause) {
        let counters = &self.counters;
        match cause {
            Cause::Block => &counters.retakes_block,
            Cause::OffCpu => &counters.retakes_off_cpu,
            Cause::Computing => &counters.retakes_computing,
        }
        .add_shared(1);
    }

    /// Looks at the reactor so far, by whomever.
    pub(crate) fn reactor_turns(&self) -> u64 {
        let looks: u64 = self.ps.iter().map(|p| p.metrics.reactor_looks.get()).sum();
        looks + self.counters.reactor_waits.get()
    }

    /// Sends an idle M into the reactor, or if none is idle and `urgent`, a new one. Whether it did.
    pub(crate) fn recall_poller(&self, urgent: bool) -> bool {
        let recalled = self.wake_without_p() || (urgent && self.start_without_p(false));
        if recalled {
            self.counters.pollers_recalled.add_shared(1);
        }
        recalled
    }

    /// Asks `m` to let others than the two tasks that wake each other run.
    pub(crate) fn end_slice(&self, m: &M) {
        self.counters.slices_ended.add_shared(1);
        m.summon(summons::END_SLICE);
    }

    /// `m`, out of scheduler code, was asked to say what the monitor found.
    #[cold]
    pub(super) fn speak(&self, m: &M) {
        let Some(mut verdict) = lock(&m.verdict).take() else {
            return;
        };
        let held = self.uptime() - verdict.since;
        if let Some(cause) = verdict.cause_after(held, Clocks::of(&m.probe)) {
            verdict.cause = cause;
            sysmon::report::stall(&verdict, held, false);
        }
    }

    /// Leaves a verdict for `m` to be spoken as soon as its poll has ended.
    pub(crate) fn leave_verdict(&self, m: &M, verdict: Verdict) {
        *lock(&m.verdict) = Some(verdict);
        m.summon(summons::SPEAK);
    }

    /// A verdict that was left for `m` and that it has not come to speak in all of `patience`.
    pub(crate) fn take_stale_verdict(&self, m: &M, patience: Duration) -> Option<Verdict> {
        let mut verdict = lock(&m.verdict);
        let stale = verdict.as_ref()?.since + patience <= self.uptime();
        if stale { verdict.take() } else { None }
    }

    /// Whether somebody blocks, or has jobs that do.
    pub(super) fn somebody_blocks(&self) -> bool {
        self.jobs.queued() > 0
            || self.jobs.running() > 0
            || lock(&self.all_ms).iter().any(|m| m.pulse.is_blocking())
    }

    /// Whether some M has been woken for work of its own and waits for a P.
    pub(super) fn is_anything_due(&self) -> bool {
        self.is_p_wanted() || lock(&self.all_ms).iter().any(|m| m.is_due())
    }

    /// The monitor is about to take the P of `m`: the M is counted as stalled. False if it is already.
    pub(crate) fn begin_stall(&self, m: &M) {
        // Relaxed: the exchange of the seat that follows publishes both.
        if !m.is_stalled() {
            let (state, counter) = if m.runs_job.load(Ordering::Relaxed) {
                (stalled::IN_JOB, &self.stalled_jobs)
            } else {
                (stalled::IN_POLL, &self.stalled_ms)
            };
            m.stalled.store(state, Ordering::Relaxed);
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The P of `m` was not taken after all.
    pub(crate) fn undo_stall(&self, m: &M) {
        self.end_stall(m);
    }

    /// Whether work waits that nobody was found for: a thread was refused, and no M will come back to
    /// it.
    pub(crate) fn work_is_left(&self) -> bool {
        self.counters.thread_failures.get() > 0 && self.idle.should_wake() && self.work_visible()
    }

    /// Stops the monitor, and waits for its end.
    pub(super) fn stop_sysmon(&self) {
        if let Some(thread) = self.sysmon.stop() {
            if thread.thread().id() != std::thread::current().id() {
                // Its own code does not panic; if it did, its message was printed.
                let _ = thread.join();
            }
        }
    }

    /// Wakes the monitor, or starts it.
    #[cold]
    #[inline(never)]
    pub(crate) fn ring(&self) {
        if self.sysmon.wake() || self.is_closing() {
            return;
        }
        if let Err(error) = self.sysmon.start(self.arc()) {
            self.thread_refused(&error);
        }
    }

    /// A thread is about to be asked for, which is to be the monitor; it was refused, or has begun.
    pub(crate) fn monitor_is_asked_for(&self) {
        self.presence.enter(Kind::StartingMonitor);
    }

    pub(crate) fn monitor_was_refused(&self) {
        self.presence.refused(Kind::StartingMonitor);
    }

    pub(crate) fn monitor_begins(&self) {
        self.presence.begun(Kind::StartingMonitor, Kind::Keeper);
    }

    /// Whether the monitor, which was told to end, has nobody to watch any more.
    pub(crate) fn may_monitor_end(&self) -> bool {
        self.presence.has_no_workers()
    }

    /// The monitor ends: a P that it has put back may hold tasks, and there may be no other left to drop them.
    pub(crate) fn monitor_ends(self: &Arc<Self>) {
        self.leave(Kind::Keeper);
    }
}
