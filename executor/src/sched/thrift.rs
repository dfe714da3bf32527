//! Thrift: how long tasks that another M could run wait for one to be woken for them.
//!
//! Go wakes an M as soon as a second task is ready. Where tasks compute that is right. Where they only pass
//! messages on, the M that is woken comes 20 us later, when they are done, and parks again: that cost 40 us of
//! processor time, a tenth of it in the M that had the tasks. Such a wake-up was *vain*. So each vain one
//! doubles the time that the next is put off by, and each other halves it:
//!
//! ```text
//!   ready: delay = 0: wake ---> the M parks within VAIN?  yes: delay doubles   no: delay halves
//!          delay > 0: P.wake_at = tick + delay polls
//!                       polls go on: at wake_at tasks are left? wake
//!                       a poll is long: the monitor wakes, 1 ms later at most
//! ```
//!
//! Only what tasks make ready on their own P is put off; what comes from outside is not. Without a monitor
//! nothing is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::m::M;
use crate::p::P;

use super::{Sched, StallPolicy};

/// An M that was woken and parks again so soon has done less than its wake-up has cost.
const VAIN: Duration = Duration::from_micros(40);

/// The delay after the first vain wake-up, in polls, and the most.
const DELAYS: std::ops::RangeInclusive<u32> = 16..=1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Thrift {
    /// In polls. A hint: who reads an old value is a little more or less thrifty.
    delay: AtomicU32,
}

impl Thrift {
    fn judge(&self, vain: bool) {
        let delay = self.delay.load(Ordering::Relaxed);
        let next = if vain {
            (delay * 2).clamp(*DELAYS.start(), *DELAYS.end())
        } else if delay > *DELAYS.start() {
            delay / 2
        } else {
            0
        };
        if next != delay {
            self.delay.store(next, Ordering::Relaxed);
        }
    }
}

impl Sched {
    /// A task of `p` has made another ready, that other Ps could run: whether to wake an M for it now.
    #[inline]
    pub(crate) fn wakes_now(&self, p: &P) -> bool {
        let delay = self.thrift.delay.load(Ordering::Relaxed);
        if delay == 0 {
            return self.idle.should_wake();
        }
        if !p.is_wake_due_later() {
            p.metrics.wakes_put_off.add(1);
            p.wake_at.set(p.tick.get().wrapping_add(delay));
        }
        false
    }

    /// Whether the time has come to wake an M for what waits in `p`.
    #[inline]
    pub(super) fn wake_is_due(&self, p: &P) -> bool {
        p.tick.get() == p.wake_at.get() && p.runq.stealable() > 0 && self.idle.should_wake()
    }

    /// Whether tasks wait while an M could be woken for them, and that was put off. For the monitor.
    pub(crate) fn puts_off_wake(&self) -> bool {
        self.thrift.delay.load(Ordering::Relaxed) > 0
            && self.idle.should_wake()
            && self.tasks_visible()
    }

    /// `m` was woken for work.
    pub(super) fn begin_stay(&self, m: &M) {
        if self.config.stall_policy() != StallPolicy::Off {
            m.stays_since.set(Some(Instant::now()));
        }
    }

    /// `m` is about to park.
    pub(super) fn end_stay(&self, m: &M) {
        if let Some(since) = m.stays_since.take() {
            self.thrift.judge(since.elapsed() < VAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vain_wake_doubles_the_delay_and_each_other_halves_it() {
        let thrift = Thrift::default();
        let judge = |vain| {
            thrift.judge(vain);
            thrift.delay.load(Ordering::Relaxed)
        };
        assert_eq!([false, true, true, true].map(judge), [0, 16, 32, 64]);
        assert_eq!([false, false, false, false].map(judge), [32, 16, 0, 0]);
        (0..100).for_each(|_| _ = judge(true));
        assert_eq!(judge(true), 1024);
    }
}
