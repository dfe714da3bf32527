//! The duty to look after the reactor, and after the timers that no holder of a P turns.
//!
//! While there is anything to wait for, exactly one of these is so:
//!
//! * an M is the poller: it waits in the reactor, with the earliest timer as its time-out;
//! * nobody is, and some P is held: its holder looks at the reactor and at the timers of idle Ps every
//!   61st round (`find.rs`). If it is stuck, the monitor sends another into the reactor;
//! * an M was just woken, or started, to become the poller.
//!
//! So the duty changes hands where the poller gets up, and where a P becomes idle. Both places give
//! out a [`Duty`], which cannot be dropped: who has it says who has it next.
//!
//! # The duty race
//!
//! The poller gets up as the last P becomes idle: each could take the other for the one that stays. Both
//! change the packed word by a read-modify-write first, and look at it then: the later of the two sees
//! that nobody is left.

use gopark_net::delay;

use super::{Sched, StallPolicy};
use crate::m::M;

/// See the module.
#[must_use = "somebody must look after timers and events: say who"]
pub(super) struct Duty<'a>(&'a Sched);

impl<'a> Duty<'a> {
    /// For one that has made a P idle.
    pub(super) fn of_idle_p(sched: &'a Sched) -> Self {
        Self(sched)
    }

    /// `m` holds a P. It looks after all as it goes on, and has the duty once more as it gives the P up.
    pub(super) fn pass_to_holder(self, m: &M) {
        let sched = self.over();
        debug_assert!(m.seat.held().is_some(), "it holds no P");
        // Nobody notices if it is stuck; and a root that sleeps must not depend on that.
        if sched.config.stall_policy() == StallPolicy::Off && sched.has_sleeping_root() {
            sched.ensure_poller();
        }
    }

    /// Whoever holds a P; if none is held, one that sleeps or is started, if it is needed.
    pub(super) fn pass_to_any_holder(self) {
        if self.0.is_all_idle() {
            self.pass_to_sleeper();
        } else {
            self.over();
        }
    }

    /// One that sleeps or is started, if it is needed, for who holds a P may be busy for long.
    pub(super) fn pass_to_sleeper(self) {
        self.over().ensure_poller();
    }

    /// `m` if it holds a P, which it may have lost; else whoever does.
    pub(super) fn pass_to_holder_or_any(self, m: &M) {
        if m.seat.held().is_some() {
            self.pass_to_holder(m);
        } else {
            self.pass_to_any_holder();
        }
    }

    fn over(self) -> &'a Sched {
        let sched = self.0;
        std::mem::forget(self);
        sched
    }
}

impl Drop for Duty<'_> {
    fn drop(&mut self) {
        debug_assert!(
            std::thread::panicking(),
            "nobody was named to look after timers and events"
        );
        self.0.ensure_poller();
    }
}

/// The duty of the M in the reactor.
#[must_use = "somebody must look after timers and events: say who"]
pub(super) struct PollerDuty<'a>(&'a Sched);

impl<'a> PollerDuty<'a> {
    /// None if somebody else has it.
    pub(super) fn take(sched: &'a Sched) -> Option<Self> {
        // Not `then_some`: what is made in vain would be dropped.
        sched.idle.become_poller().then(|| Self(sched))
    }

    /// That of a P which the poller has made idle before is in this one.
    pub(super) fn takes(&self, duty: Option<Duty<'_>>) {
        if let Some(duty) = duty {
            duty.over();
        }
    }

    /// The M is the poller no more.
    pub(super) fn resign(self) -> Duty<'a> {
        let sched = self.0;
        std::mem::forget(self);
        sched.idle.resign_poller();
        delay::here("resign: nobody polls");
        Duty(sched)
    }
}

impl Drop for PollerDuty<'_> {
    fn drop(&mut self) {
        self.0.idle.resign_poller();
        drop(Duty(self.0));
    }
}
