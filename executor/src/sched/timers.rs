//! Who fires which timers.
//!
//! Each P has timers of its own, armed by the tasks it runs; threads without a P arm theirs in one
//! more set. The M that holds a P looks at that P's timers as it schedules. The poller looks after
//! the timers of idle Ps and of threads without a P; and, with some slack, after those of busy Ps,
//! whose M may be stuck in a long poll.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use gopark_net::delay;

use crate::current;
use crate::m::M;
use crate::p::P;
use crate::time::clock::Clock;
use crate::time::timers::Timers;

use super::Sched;

/// How long the poller leaves the timers of a busy P to its M, in ticks (milliseconds). Go's sysmon
/// gives a P 10 ms before it steps in.
const SLACK: u64 = 10;

impl Sched {
    /// Fires what is due of `p`'s timers, from scheduler code.
    pub(super) fn fire_own_timers(&self, m: &M, p: &P) {
        self.fire(m, p, &p.remote.timers);
    }

    /// The timers that no P's owner looks after: those armed by threads without a P, and those of
    /// retired Ps.
    pub(super) fn unowned_timers(&self) -> impl Iterator<Item = &Arc<Timers>> {
        let retired = self.ps.active()..self.ps.made();
        retired
            .map(|index| &self.ps.get(index).remote.timers)
            .chain([&self.outside_timers])
    }

    /// Fires what is due of `timers`, from scheduler code.
    pub(super) fn fire(&self, m: &M, p: &P, timers: &Timers) {
        let now = self.clock.now_tick();
        delay::here("fire: the time was read");
        if timers.next() > now {
            return;
        }
        let mut ready = Vec::new();
        timers.fire(now, &mut ready);
        p.metrics.timers_fired.add(ready.len() as u64);
        self.wake_batch(m, &mut ready);
    }

    /// How long it is until `tick`.
    pub(super) fn until_tick(&self, tick: u64) -> Duration {
        let now = self.clock.now().into_std();
        self.clock
            .origin()
            .checked_add(Duration::from_millis(tick))
            .map_or(Duration::MAX, |at| at.saturating_duration_since(now))
    }

    pub(super) fn all_timers(&self) -> impl Iterator<Item = &Arc<Timers>> {
        self.ps
            .iter()
            .map(|p| &p.remote.timers)
            .chain([&self.outside_timers])
    }

    /// The poller takes every timer that is due.
    pub(super) fn collect_due_timers(&self, ready: &mut Vec<Waker>) {
        if self.all_timers().all(|timers| timers.next() == u64::MAX) {
            return;
        }
        let now = self.clock.now_tick();
        delay::here("collect_due_timers: the time was read");
        for timers in self.all_timers() {
            if timers.next() <= now {
                let before = ready.len();
                timers.fire(now, ready);
                self.counters
                    .timers_fired
                    .add_shared((ready.len() - before) as u64);
            }
        }
    }

    /// The tick at which the poller must look: the earliest timer, that of a busy P with slack
    /// unless told otherwise.
    pub(super) fn next_timer(&self, exact: bool) -> u64 {
        let busy = self.ps.iter().enumerate().map(|(i, p)| {
            let next = p.remote.timers.next();
            let slack = if exact || self.idle.is_idle(i) || self.is_surplus(i) {
                0
            } else {
                SLACK
            };
            next.saturating_add(slack)
        });
        busy.chain([self.outside_timers.next()])
            .min()
            .unwrap_or(u64::MAX)
    }

    /// The P `index` was just given up, and its timers are left to the poller.
    pub(super) fn publish_timers(&self, index: usize) {
        let next = self.ps.get(index).remote.timers.next();
        if next != u64::MAX {
            self.timer_left_behind(next);
        }
    }

    /// Whether a timer is armed.
    pub(crate) fn has_timers(&self) -> bool {
        self.all_timers().any(|timers| timers.next() != u64::MAX)
    }

    /// A thread without a P has armed a timer that is earlier than all of its kind.
    pub(super) fn timer_armed_outside(&self, tick: u64) {
        if self.idle.view().has_poller() {
            self.timer_left_behind(tick);
        } else {
            self.ensure_poller();
        }
    }
}

/// Runs `f` with the clock and the timers that a sleep armed on this thread belongs to: those of the
/// P, else those for threads without one, of the current runtime, else of the default runtime. `f`
/// must not run user code.
pub(crate) fn timer_home<R>(f: impl FnOnce(&Clock, &Arc<Timers>) -> R) -> R {
    let sched = current::sched();
    let m = current::m();
    if sched.is_null() {
        let runtime = crate::runtime::default_runtime();
        let sched = runtime.sched();
        return f(&sched.clock, &sched.outside_timers);
    }
    // SAFETY: (1) `current::sched` is valid while set.
    let sched = unsafe { &*sched };
    if !m.is_null() {
        // SAFETY: (1) `current::m` is valid while set.
        let m = unsafe { &*m };
        if std::ptr::eq(Arc::as_ptr(m.sched()), sched) {
            // Inside `with_p`, so that the P cannot pass to one who has looked at its timers before
            // `f` arms another.
            let mut f = Some(f);
            let result = m.with_p(|p| f.take().map(|f| f(&sched.clock, &p.remote.timers)));
            return match (result.flatten(), f) {
                (Some(result), _) => result,
                (None, Some(f)) => f(&sched.clock, &sched.outside_timers),
                (None, None) => unreachable!("f is taken by the call that gives a result"),
            };
        }
    }
    f(&sched.clock, &sched.outside_timers)
}

/// Runs `f` with the clock of the current runtime, if this thread is in one.
pub(crate) fn current_clock<R>(f: impl FnOnce(Option<&Clock>) -> R) -> R {
    let sched = current::sched();
    // SAFETY: (1) `current::sched` is valid while set.
    f((!sched.is_null()).then(|| unsafe { &(*sched).clock }))
}
