//! The loop of an M: find a task, run it, and so on until there is none.

use std::ptr::NonNull;
use std::sync::Once;

use crate::g::Runnable;
use crate::m::{M, summons};
use crate::p::P;
use crate::warn::warn_later;

use super::Sched;

/// How many tasks of a P run between two turns of bound work that yields, and how many local tasks
/// in one turn: the interval at which `find` looks beyond the local queue, too.
const TURNS: u32 = 61;

/// Polls the root future of a `block_on` once; true when it is done.
pub(super) type Root<'a> = &'a mut dyn FnMut() -> bool;

impl Sched {
    /// Runs tasks on `m`, which is in scheduler code: until the runtime is closing, or until `root`
    /// is done, or until there is too little to do for as many workers.
    pub(super) fn run(&self, m: &M, mut root: Option<Root<'_>>) {
        loop {
            if root.is_none() && self.is_closing() {
                return;
            }
            if m.has_bound() {
                if self.held(m).is_none() {
                    self.seek_p(m);
                }
                if self.run_bound(m, &mut root) {
                    return;
                }
                if m.stands_in() && self.may_start_thread() {
                    m.set_stands_in(false);
                }
            }
            let found = match self.held(m) {
                Some(p) if m.is_dedicated() => self.see_to_p(m, p),
                // Bound work and the P's take turns, so that neither starves the other.
                Some(p) => self.run_p(m, p) || m.has_bound() || self.run_job(m),
                None => {
                    self.end_stall(m);
                    m.has_bound() || self.run_job(m)
                }
            };
            if !found && !self.park(m) {
                return;
            }
        }
    }

    /// `m`, without a P, has bound work to do: with a P if it can have one. On the current-thread flavour
    /// nothing is polled without.
    fn seek_p(&self, m: &M) {
        self.end_stall(m);
        self.settle_spinning(m);
        self.sit_down(m);
        if self.held(m).is_some() || !m.bound_needs_p() {
            return;
        }
        if !self.is_current_thread() {
            if m.yielded.get() {
                // To those that hold the Ps, which may share a processor with this thread.
                std::thread::yield_now();
            }
        } else if self.waits_for_p() {
            if !m.yielded.get() {
                self.ask_for_p();
            }
            self.wait_for_p(m);
        }
    }

    /// `m`, the thread inside a `block_on`, holds `p` between two turns of its own work: it looks after the
    /// P as its owner must, and leaves it with the tasks in it to others. True if its own work is due.
    fn see_to_p(&self, m: &M, p: &P) -> bool {
        let holds = self.look_around(m, p);
        if holds && (!p.runq.is_empty() || !self.globq.is_empty() || self.jobs_visible()) {
            self.step_aside(m);
        }
        m.has_bound() || m.stands_in()
    }

    /// `m`, the thread inside a `block_on`, leaves its P to others, if there are others. Else it does their
    /// work.
    #[cold]
    fn step_aside(&self, m: &M) {
        let passed_on = self.handoff(m);
        let _ = m.seat.enter();
        if !passed_on && self.work_visible() {
            self.stand_in(m);
        }
    }

    /// There is no thread for the tasks: `m`, inside `block_on`, runs them.
    #[cold]
    pub(super) fn stand_in(&self, m: &M) {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            warn_later(format_args!(
                "no thread can be started: the thread inside block_on runs tasks, and one that blocks \
                 keeps its future from being polled"
            ));
        });
        m.set_stands_in(true);
        self.sit_down(m);
    }

    /// Runs what `m` finds for `p`. Returns after a task if bound work has become due, or if the P is
    /// lost; returns false if there was nothing to run.
    #[inline]
    fn run_p(&self, m: &M, p: &P) -> bool {
        // Bound work that has just had its turn and is due again has yielded: now it goes to the
        // back, as a task would.
        let mut turns = if m.has_bound() { TURNS } else { 1 };
        while let Some(task) = self.find(m, p) {
            self.run_task(m, p, task);
            if m.has_bound() {
                turns -= 1;
                if turns == 0 {
                    return true;
                }
            }
            if !self.still_holds(m, p) {
                return true;
            }
        }
        false
    }

    /// Runs a task on `p`, which `m` holds.
    #[inline]
    fn run_task(&self, m: &M, p: &P, task: Runnable) {
        let wake = m.spinning.get() && self.stop_spinning(m);
        p.metrics.polls.add(1);
        m.pulse.begin_poll(task.metadata().site());
        m.seat.leave();
        if wake {
            self.wakep();
        }
        task.run();
        let _ = m.seat.enter();
    }

    /// Runs the bound work that is due, once; true if the root was due and is done.
    fn run_bound(&self, m: &M, root: &mut Option<Root<'_>>) -> bool {
        let wake = m.spinning.get() && self.stop_spinning(m);
        // In this order: who asks sets `bound_ready` last, so what comes after this take of it makes bound
        // work due once more ("the summons race").
        let due = m.begin_bound();
        let asked = m.take_summons();
        if asked & summons::END_SLICE != 0 {
            if let Some(p) = self.held(m) {
                p.runq.end_slice();
            }
        }
        m.seat.leave();
        if wake {
            self.wakep();
        }
        if asked & summons::SPEAK != 0 {
            self.speak(m);
        }
        m.pulse.begin_poll(std::ptr::null());
        let done = due && root.as_mut().is_some_and(|poll| poll());
        for _ in 0..TURNS {
            match m.next_local() {
                Some(task) if !done => {
                    m.pulse.begin_poll(task.metadata().site());
                    _ = task.run();
                }
                Some(task) => self.cancel(task),
                None => break,
            }
        }
        let _ = m.seat.enter();
        m.yielded.set(m.has_yielded());
        if self.is_current_thread() {
            m.show_due();
        }
        if asked & summons::GIVE_P != 0 && !done {
            self.give_p(m);
        }
        done
    }

    /// `m` was asked to give its P up.
    #[cold]
    fn give_p(&self, m: &M) {
        match self.held(m) {
            Some(p) if self.is_surplus(p.index()) => self.retire_own(m),
            Some(_) if self.is_p_wanted() => self.give_to_waiting(m),
            _ => {}
        }
    }

    /// The P that `m`, in scheduler code, holds.
    #[inline]
    pub(super) fn held(&self, m: &M) -> Option<&P> {
        // SAFETY: (1) Ps live as long as the `Sched`; (2) the M is in scheduler code, so what it
        // holds is its own: seat rule 2.
        m.seat.held().map(|p| unsafe { p.as_ref() })
    }

    /// Whether `m` holds `p` still, after it left scheduler code and came back.
    #[inline]
    pub(super) fn still_holds(&self, m: &M, p: &P) -> bool {
        m.seat.held() == Some(NonNull::from(p))
    }
}
