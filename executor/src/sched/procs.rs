//! The Ps of a runtime, and how their number changes while it runs.
//!
//! Go stops the world for it. Here nothing stops: a P that is made is never unmade, for thieves may
//! look at it and tasks are registered in its shard; it is only in use or retired.
//!
//! ```text
//!             made, n <= active          set_procs lowers `active`           its M, or the one who set it
//!   (none) ------------------> IN USE ---------------------------> RETIRING ------------------> RETIRED
//!                                ^ ^                                   |    queue emptied into the
//!                                | +------- set_procs raises ----------+    global queue
//!                                +--------- `active` again <----------------------------------------+
//! ```
//!
//! # Invariants
//!
//! 1. `1 <= active <= wanted <= made <= MAX_PROCS`; `made` only grows. `wanted` is what the user asked for, and what
//!    it exceeds `active` by has been laid off by the monitor (`sysmon/crowd.rs`). Both are written under `resize`.
//! 2. A retired P is neither idle nor held: nobody can take it. `retired[i]` is written under `resize`.
//! 3. A P of index `active` or above that is idle or held is on its way to retirement: who parks it,
//!    or comes to its 61st round with it, retires it.
//!
//! # Rest
//!
//! On the current-thread flavour nothing runs while no thread is inside `block_on`: then its P is retired
//! likewise, though it is not beyond `active`. Whoever holds it as the last `block_on` ends is asked to give it up.
//!
//! # The resize race
//!
//! `set_procs` (1) lowers `active`, (2) fences, (3) takes all idle Ps and retires those beyond. Who
//! parks a P (a) makes it idle, (b) fences, (c) looks at `active`, and reaps if the P is beyond. If
//! (3) does not see (a), (c) sees (1).

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, OnceLock};

use gopark_net::delay;

use super::duty::Duty;
use super::idle::MAX_PROCS;
use super::{Sched, lock};
use crate::current;
use crate::m::{M, summons};
use crate::p::P;

/// See the module.
pub(crate) struct Procs {
    /// Those that the runtime began with.
    first: Box<[P]>,
    /// Those that were added, by index minus `first.len()`.
    more: OnceLock<Box<[OnceLock<P>]>>,
    active: AtomicUsize,
    wanted: AtomicUsize,
    made: AtomicUsize,
    /// Which Ps are retired.
    resize: Mutex<Vec<bool>>,
    /// How many threads are inside `block_on`; written under `resize`.
    inside: AtomicUsize,
    /// Whether the P is retired while there are none.
    rests: bool,
}

impl Procs {
    pub(super) fn new(first: Box<[P]>, rests: bool) -> Self {
        let procs = first.len();
        Self {
            first,
            more: OnceLock::new(),
            active: AtomicUsize::new(procs),
            wanted: AtomicUsize::new(procs),
            made: AtomicUsize::new(procs),
            resize: Mutex::new(vec![rests; procs]),
            inside: AtomicUsize::new(0),
            rests,
        }
    }

    /// How many are in use.
    #[inline]
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// How many the user asked for.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Relaxed)
    }

    /// How many there are, with the retired ones.
    #[inline]
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Acquire) // pairs with: the store in `make_up_to`.
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> &P {
        match self.first.get(index) {
            Some(p) => p,
            None => self.added(index),
        }
    }

    #[cold]
    fn added(&self, index: usize) -> &P {
        self.more
            .get()
            .and_then(|more| more[index - self.first.len()].get())
            .expect("an index is given out once its P was made")
    }

    /// All that were made, in use or not.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &P> {
        (0..self.made()).map(|index| self.get(index))
    }

    fn make_up_to(&self, procs: usize, make: impl Fn(usize) -> P) {
        let first = self.first.len();
        let more = self
            .more
            .get_or_init(|| (first..MAX_PROCS).map(|_| OnceLock::new()).collect());
        for index in self.made()..procs {
            more[index - first].get_or_init(|| make(index));
            // pairs with: the load in `made`, so that the P is seen.
            self.made.store(index + 1, Ordering::Release);
        }
    }
}

impl Sched {
    /// Changes how many Ps there are, and returns how many there were. None is laid off any more.
    pub(crate) fn set_procs(&self, procs: usize) -> usize {
        debug_assert!((1..=MAX_PROCS).contains(&procs));
        let retired = lock(&self.ps.resize);
        let before = self.ps.wanted.swap(procs, Ordering::Relaxed);
        self.resize(retired, procs);
        before
    }

    /// Does with `count` Ps less than the user asked for, which was `wanted`; no more if that has changed.
    pub(crate) fn lay_off(&self, wanted: usize, count: usize) {
        let retired = lock(&self.ps.resize);
        if self.ps.wanted() == wanted {
            self.resize(retired, wanted - count);
        }
    }

    fn resize(&self, mut retired: MutexGuard<'_, Vec<bool>>, procs: usize) {
        let before = self.ps.active();
        if procs > self.ps.made() {
            self.ps.make_up_to(procs, |index| self.make_p(index));
            retired.resize(procs, true);
        }
        self.ps.active.store(procs, Ordering::Relaxed);
        self.idle.set_procs(procs);
        for index in before..procs {
            // One that had no time to retire is held by an M, and goes on.
            if std::mem::replace(&mut retired[index], false) {
                self.make_idle(index, false);
            }
        }
        drop(retired);
        if procs < before {
            fence(Ordering::SeqCst); // StoreLoad; pairs with: the one at the end of `Idle::park`.
            self.reap();
        } else if self.work_visible() {
            self.wakep();
        }
        self.serve_waiting();
    }

    /// Puts back a P that the caller owns and has no use for: it is idle from now on, and an M that was
    /// `spinning` with it has stopped. As with `Idle::park`, the caller looks at the queues afterwards.
    pub(super) fn put_p(&self, index: usize, spinning: bool) -> Duty<'_> {
        self.make_idle(index, spinning);
        delay::here("put_p: idle");
        // The resize race, step (c): any P, for the count may stand for another than the bit.
        if self.idle_surplus().is_some() {
            self.reap();
        }
        self.serve_waiting();
        Duty::of_idle_p(self)
    }

    /// The P `index`, which the caller owns, is idle from now on, and the poller knows of its timers. Every
    /// P that becomes idle does so here.
    pub(super) fn make_idle(&self, index: usize, spinning: bool) {
        self.idle.park(index, spinning);
        delay::here("make_idle: idle");
        self.publish_timers(index);
        // A clock that is paused may move now, for any timer: the hold-against-poller race, step (b).
        if self.is_current_thread() && self.idle.view().has_poller() {
            self.section_ended();
        }
    }

    /// The poller, which goes on as such, puts back a P that it has had in hand for a moment.
    pub(super) fn give_back(&self, index: usize) {
        self.idle.park(index, false);
        if self.idle_surplus().is_some() {
            self.reap();
        }
        self.serve_waiting();
        if self.work_visible() {
            self.wakep();
        }
    }

    /// Whether the P `index` is to be retired.
    #[inline]
    pub(super) fn is_surplus(&self, index: usize) -> bool {
        index >= self.ps.active() || self.is_at_rest()
    }

    /// Whether nothing is to run: the current-thread flavour, while no thread is inside `block_on`.
    #[inline]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.ps.rests && self.ps.inside.load(Ordering::Relaxed) == 0
    }

    /// Whether no P is held.
    pub(crate) fn is_all_idle(&self) -> bool {
        self.idle.view().idle()
            >= if self.is_at_rest() {
                0
            } else {
                self.ps.active()
            }
    }

    /// A thread begins a `block_on`. With the first one the P of the current-thread flavour can be had.
    pub(super) fn root_begins(&self) {
        let mut retired = lock(&self.ps.resize);
        if self.ps.inside.fetch_add(1, Ordering::Relaxed) > 0 || !self.ps.rests {
            return;
        }
        // If it had no time to retire, it is held by an M, which the root asks for it.
        if std::mem::replace(&mut retired[0], false) {
            self.make_idle(0, false);
        }
        drop(retired);
        self.serve_waiting();
    }

    /// A thread ends its `block_on`. After the last one the P of the current-thread flavour retires.
    pub(super) fn root_ends(&self) {
        let retired = lock(&self.ps.resize);
        if self.ps.inside.fetch_sub(1, Ordering::Relaxed) > 1 || !self.ps.rests {
            return;
        }
        drop(retired);
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the one at the end of `Idle::park`.
        self.reap();
        self.ask_for_p();
    }

    /// Has the M that holds a P give it up after its poll.
    pub(super) fn ask_for_p(&self) {
        let own = current::m();
        for m in self.ms() {
            if m.seat.glance().0.is_some() && !std::ptr::eq(&*m, own) {
                m.summon(summons::GIVE_P);
            }
        }
    }

    /// Retires the idle Ps that are surplus.
    #[cold]
    fn reap(&self) {
        // A taker gets any idle P: perhaps one that stays, and is put back.
        while let Some(surplus) = self.idle_surplus() {
            let Some(index) = self.idle.take(surplus) else {
                // Its count went with the bit of another, whose parker has yet to count it, and then
                // comes here.
                break;
            };
            if !self.retire(index) {
                self.make_idle(index, false);
            }
        }
        if self.idle.should_wake() && self.work_visible() {
            self.wakep();
        }
    }

    fn idle_surplus(&self) -> Option<usize> {
        let first = if self.is_at_rest() {
            0
        } else {
            self.ps.active()
        };
        (first..self.ps.made()).find(|&index| self.idle.is_idle(index))
    }

    /// Retires the P `index`, which the caller owns; false if it is in use again.
    fn retire(&self, index: usize) -> bool {
        let mut retired = lock(&self.ps.resize);
        if !self.is_surplus(index) {
            return false;
        }
        self.empty(index);
        retired[index] = true;
        drop(retired);
        // Its timers stay where they are, in the care of whoever looks after those of idle Ps.
        self.publish_timers(index);
        true
    }

    /// `m`, in scheduler code, gives up the surplus P that it holds.
    #[cold]
    pub(super) fn retire_own(&self, m: &M) {
        let Some(p) = m.seat.release() else { return };
        // SAFETY: (1) Ps live as long as the `Sched`.
        let index = unsafe { p.as_ref() }.index();
        self.settle_spinning(m);
        let duty = if self.retire(index) {
            Duty::of_idle_p(self)
        } else {
            self.put_p(index, false)
        };
        if self.idle.should_wake() && self.work_visible() {
            self.wakep();
        }
        duty.pass_to_any_holder();
    }
}

#[cfg(test)]
mod tests {
    use crate::runtime::{Builder, Runtime, StallPolicy};

    /// Without a monitor that asks for Ps by itself.
    fn runtime(procs: usize) -> Runtime {
        Builder::new_multi_thread()
            .procs(procs)
            .stall_policy(StallPolicy::Off)
            .build()
            .unwrap()
    }

    /// Two tasks that need each other a few thousand times.
    fn work(runtime: &Runtime) {
        let (to_a, a) = crate::chan::rendezvous();
        let (to_b, b) = crate::chan::rendezvous();
        let first = runtime.spawn(async move {
            for n in 0..2_000 {
                to_b.send(n).await.unwrap();
                assert_eq!(a.recv().await, Ok(n));
            }
        });
        let second = runtime.spawn(async move {
            while let Ok(n) = b.recv().await {
                to_a.send(n).await.unwrap();
            }
        });
        runtime.block_on(async {
            first.await.unwrap();
            second.await.unwrap();
        });
    }

    fn laid_off(runtime: &Runtime) -> (usize, usize) {
        let metrics = runtime.handle().metrics();
        (metrics.procs, metrics.laid_off_procs)
    }

    #[test]
    fn who_is_laid_off_is_wanted_still_and_comes_back() {
        let runtime = runtime(4);
        let sched = runtime.handle().sched();
        for count in [3, 1, 2, 0] {
            sched.lay_off(4, count);
            assert_eq!(laid_off(&runtime), (4, count));
            work(&runtime);
        }
    }

    #[test]
    fn what_the_user_wants_goes_before() {
        let runtime = runtime(2);
        let sched = runtime.handle().sched();
        sched.lay_off(2, 1);
        assert_eq!(runtime.handle().set_procs(2).unwrap(), 2);
        assert_eq!(laid_off(&runtime), (2, 0));
        sched.lay_off(2, 1);
        assert_eq!(runtime.handle().set_procs(3).unwrap(), 2);
        assert_eq!(laid_off(&runtime), (3, 0));
        // This one comes too late.
        sched.lay_off(2, 1);
        assert_eq!(laid_off(&runtime), (3, 0));
        work(&runtime);
    }

    #[test]
    fn a_runtime_ends_with_ps_laid_off() {
        let runtime = runtime(2);
        runtime.handle().sched().lay_off(2, 1);
        let task = runtime.spawn(std::future::pending::<()>());
        work(&runtime);
        drop(runtime);
        assert!(crate::block_on(task).unwrap_err().is_cancelled());
    }
}
