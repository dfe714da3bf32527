//! Ms that wait for a P: those that come back from blocking and may not go on without one.
//!
//! It is what Go does at the end of a system call: there the goroutine goes to the global queue and its
//! M parks. A poll cannot leave its thread, so here the M itself waits, in the order of arrival, and
//! who has a P to spare hands it over as with any other claim (`park.rs`).
//!
//! # The wait-for-P race
//!
//! The M (1) enters the list and counts itself in `wanted`, (2) fences, (3) looks for an idle P once
//! more. Who parks a P (a) makes it idle, (b) fences, (c) looks at `wanted`. If (3) does not see
//! (a), (c) sees (1). Busy Ms look at `wanted` every 61st round, so an M waits no longer than a
//! task in the global queue.

use std::sync::atomic::{Ordering, fence};

use gopark_net::delay;

use crate::m::M;

use super::Sched;

impl Sched {
    /// Whether an M that comes back from blocking waits for a P.
    pub(super) fn waits_for_p(&self) -> bool {
        self.is_strict() && !self.is_closing()
    }

    /// Whether some M waits for a P.
    #[inline]
    pub(crate) fn is_p_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    /// `m`, in scheduler code and without a P, waits for one. It comes back without if the runtime
    /// closes.
    pub(super) fn wait_for_p(&self, m: &M) {
        self.lie_down(m, |ms, me| ms.waiting.push_back(me));
        delay::here("wait_for_p: about to count itself");
        self.wanted.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the one at the end of `Idle::park`.
        self.serve_waiting();
        if self.is_closing() && self.get_up(m, |ms, me| ms.leave_waiting(me)) {
            self.wanted.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        delay::here("wait_for_p: about to sleep");
        self.sleep_until_claimed(m, None);
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        self.after_claim(m);
    }

    /// Gives idle Ps to those that wait for one.
    #[inline]
    pub(super) fn serve_waiting(&self) {
        if self.is_p_wanted() {
            self.serve_waiting_slow();
        }
    }

    #[cold]
    fn serve_waiting_slow(&self) {
        loop {
            let mut ms = self.idle_ms();
            let Some(m) = ms.waiting.pop_front() else {
                return;
            };
            match self.idle.take(0) {
                Some(index) => {
                    let claimed = self.claim_waiting(m, index);
                    drop(ms);
                    claimed.unpark();
                }
                None => {
                    ms.waiting.push_front(m);
                    return;
                }
            }
        }
    }

    /// Gives the P that `m`, in scheduler code, holds to one that waits for it.
    #[cold]
    pub(super) fn give_to_waiting(&self, m: &M) {
        let mut ms = self.idle_ms();
        let Some(waiting) = ms.waiting.pop_front() else {
            return;
        };
        match m.seat.release() {
            Some(p) => {
                // SAFETY: (1) Ps live as long as the `Sched`.
                let claimed = self.claim_waiting(waiting, unsafe { p.as_ref() }.index());
                drop(ms);
                claimed.unpark();
            }
            None => {
                ms.waiting.push_front(waiting);
                drop(ms);
            }
        }
        self.settle_spinning(m);
    }
}
