//! What an M with a P runs next: Go's `findRunnable`, step by step.

use crate::g::Runnable;
use crate::m::M;
use crate::p::P;
use crate::runq::Steal;

use super::Sched;

/// Every 61st round looks at the injector and the reactor first, so that tasks which wake each other
/// cannot starve what comes from outside. 61: prime, so it does not beat with power-of-two loops;
/// from Go (`proc.go`, `schedtick%61`).
const GLOBAL_INTERVAL: u32 = 61;

/// Every 16th round asks the clock, if timers are armed: 23 ns each time, so 1.5 ns a round. A guess;
/// more rounds make sleeps later under load.
const TIMER_INTERVAL: u32 = 16;

/// At most so many tasks come from the injector at once: `crossbeam-deque`'s own limit is 32.
const GLOBAL_BATCH: usize = 32;

/// Passes over all Ps before stealing is given up. Go makes 4.
const STEAL_PASSES: usize = 4;

/// How often an M that found nothing looks at the queues again before it parks, while others are at
/// work and may have some for it. With two processor pauses between (up to 50 ns each on Intel, 20 on
/// AMD) that makes 3 to 8 us; to park and be woken costs 40. Measured: with a quarter of it
/// `skynet` and `spawn_many` take 1.3 times as long.
const SPIN_LOOKS: u32 = 80;

impl Sched {
    /// The next task for `m` to run on `p`, or None if there is nothing to do. The M is in scheduler
    /// code before and after; it leaves it while wakers run.
    #[inline]
    pub(super) fn find(&self, m: &M, p: &P) -> Option<Runnable> {
        let tick = p.tick.get().wrapping_add(1);
        p.tick.set(tick);
        if tick % TIMER_INTERVAL == 0 && p.remote.timers.next() != u64::MAX {
            self.fire_own_timers(m, p);
        }
        if tick % GLOBAL_INTERVAL == 0 && self.still_holds(m, p) {
            if let Some(task) = self.find_outside_first(m, p) {
                return Some(task);
            }
        }
        if !self.still_holds(m, p) {
            return None;
        }
        match p.runq.pop(|| self.nobody_idle()) {
            Some(task) => Some(task),
            None => self.find_slow(m, p),
        }
    }

    /// Whether all Ps are busy, so that none would steal.
    #[inline]
    fn nobody_idle(&self) -> bool {
        self.idle.view().idle() == 0
    }

    /// Whether the P of the asking M is the only one at work.
    fn others_idle(&self) -> bool {
        self.idle.view().idle() + 1 >= self.ps.active()
    }

    /// A round of one who holds `p` and runs no tasks: its part in timers and events. False if the P is
    /// lost.
    pub(super) fn look_around(&self, m: &M, p: &P) -> bool {
        let tick = p.tick.get().wrapping_add(1);
        p.tick.set(tick);
        if p.remote.timers.next() != u64::MAX {
            self.fire_own_timers(m, p);
        }
        self.still_holds(m, p) && (tick % GLOBAL_INTERVAL != 0 || self.look_outside(m, p))
    }

    /// The 61st round.
    #[cold]
    fn find_outside_first(&self, m: &M, p: &P) -> Option<Runnable> {
        if !self.look_outside(m, p) {
            return None;
        }
        // Go takes one task here. But a backlog in the injector then shrinks by one task in 61 as
        // long as the local queues do not run dry; a share of it costs the others no more than that
        // many polls.
        self.find_global(p)
    }

    /// What the owner of `p` owes to others now and then. False if the P is lost.
    fn look_outside(&self, m: &M, p: &P) -> bool {
        if self.is_surplus(p.index()) {
            self.retire_own(m);
            return false;
        }
        if self.is_p_wanted() {
            self.give_to_waiting(m);
            if !self.still_holds(m, p) {
                return false;
            }
        }
        if !self.idle.view().has_poller() && !self.look_for_poller(m, p) {
            return false;
        }
        for timers in self.unowned_timers() {
            if timers.next() != u64::MAX {
                self.fire(m, p, timers);
                if !self.still_holds(m, p) {
                    return false;
                }
            }
        }
        true
    }

    /// The local queue is empty.
    #[inline(never)]
    fn find_slow(&self, m: &M, p: &P) -> Option<Runnable> {
        if p.remote.timers.next() != u64::MAX {
            self.fire_own_timers(m, p);
            if !self.still_holds(m, p) {
                return None;
            }
            if let Some(task) = p.runq.pop(|| self.nobody_idle()) {
                return Some(task);
            }
        }
        if let Some(task) = self.find_global(p) {
            return Some(task);
        }
        let made = self.ps.made();
        if made == 1 {
            return None;
        }
        if !m.spinning.get() {
            if !self.idle.start_spinning() {
                return None;
            }
            m.spinning.set(true);
        }
        for _ in 0..STEAL_PASSES {
            let mut retry = false;
            let start = p.rng.below(made);
            for i in 0..made {
                let victim = self.ps.get((start + i) % made);
                if victim.index() == p.index() {
                    continue;
                }
                match p.runq.steal_from(&victim.remote.stealer) {
                    Steal::Task(task) => {
                        p.metrics.steals.add(1);
                        p.metrics.stolen.add(1);
                        return Some(task);
                    }
                    Steal::Retry => retry = true,
                    Steal::Empty => {}
                }
            }
            if !retry {
                break;
            }
        }
        self.spin(m);
        self.find_global(p)
    }

    /// Nobody is the poller: its part in the reactor and in the timers of idle Ps. False if the P is lost.
    fn look_for_poller(&self, m: &M, p: &P) -> bool {
        if self.reactor.has_sources() {
            self.look_at_reactor(m, p);
        }
        for other in self.ps.iter() {
            if !self.still_holds(m, p) {
                return false;
            }
            let timers = &other.remote.timers;
            if timers.next() != u64::MAX && self.idle.is_idle(other.index()) {
                self.fire(m, p, timers);
            }
        }
        self.still_holds(m, p)
    }

    /// A fair share of the injector: at most what falls to each P.
    fn find_global(&self, p: &P) -> Option<Runnable> {
        if self.globq.is_empty() {
            return None;
        }
        let share = self.globq.len() / self.ps.active() + 1;
        p.metrics.from_global.add(1);
        let limit = share.min(GLOBAL_BATCH).min(p.runq.room() + 1);
        p.runq.steal_from_global(&self.globq, limit)
    }

    /// Looks on for a moment before the M parks.
    fn spin(&self, m: &M) {
        for _ in 0..SPIN_LOOKS {
            // With all others idle, work can come only by the reactor, which the spinner does not see,
            // or from a foreign thread.
            if self.work_visible() || m.has_bound() || self.others_idle() {
                return;
            }
            std::hint::spin_loop();
            std::hint::spin_loop();
        }
    }

    /// `m` stops spinning, for it has found work: the last-spinner handshake.
    #[inline]
    pub(super) fn stop_spinning(&self, m: &M) -> bool {
        m.spinning.set(false);
        self.idle.stop_spinning() && self.work_visible()
    }
}
