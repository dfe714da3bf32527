//! The loop of an M: find a task, run it, and so on until there is none.

use std::ptr::NonNull;

use crate::g::Runnable;
use crate::m::{Bound, M};
use crate::p::P;

use super::Sched;

/// Polls the root future of a `block_on` once; true when it is done.
pub(super) type Root<'a> = &'a mut dyn FnMut() -> bool;

impl Sched {
    /// Runs tasks on `m`, which is in scheduler code: until the runtime is closing, or until `root`
    /// is done.
    pub(super) fn run(&self, m: &M, mut root: Option<Root<'_>>) {
        // Bound work and the P's take turns, so that neither starves the other.
        let mut bound_turn = true;
        loop {
            if root.is_none() && self.is_closing() {
                return;
            }
            if bound_turn && m.has_bound() {
                bound_turn = false;
                if self.run_bound(m, &mut root) {
                    return;
                }
                continue;
            }
            bound_turn = true;
            if let Some(p) = self.held(m) {
                if let Some(task) = self.find(m, p) {
                    self.run_task(m, p, task);
                    continue;
                }
            }
            if !m.has_bound() {
                self.park(m);
            } else if self.held(m).is_none() {
                self.sit_down(m);
            }
        }
    }

    /// Runs a task on `p`, which `m` holds.
    #[inline]
    fn run_task(&self, m: &M, p: &P, task: Runnable) {
        let wake = m.spinning.get() && self.stop_spinning(m);
        p.metrics.polls.add(1);
        m.seat.leave();
        if wake {
            self.wakep();
        }
        task.run();
        let _ = m.seat.enter();
    }

    /// Runs a piece of bound work; true if it was the root and that is done.
    fn run_bound(&self, m: &M, root: &mut Option<Root<'_>>) -> bool {
        let bound = m.next_bound();
        let wake = m.spinning.get() && self.stop_spinning(m);
        m.seat.leave();
        if wake {
            self.wakep();
        }
        let done = match (bound, root) {
            (Bound::Root, Some(poll)) => poll(),
            (Bound::Task(task), _) => {
                task.run();
                false
            }
            (Bound::Root, None) | (Bound::Nothing, _) => false,
        };
        let _ = m.seat.enter();
        done
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
