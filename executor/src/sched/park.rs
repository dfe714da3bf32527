//! Idle Ms: how an M parks, and how it is found and woken.
//!
//! An idle M holds no P. It is either on the list, asleep on its own parker without a time-out, or
//! it is the poller, asleep in the reactor (`netpoll.rs`).
//!
//! # Claims
//!
//! To wake an M one takes it out of `IdleMs` under the lock (so one waker gets it), gives it a
//! P perhaps, sets `claimed`, and unparks it. An M that wants to leave by itself must find itself
//! still in `IdleMs`, under the lock; if it does not, it has been claimed, and waits for `claimed`.
//!
//! # Wake against lie down
//!
//! Between its last look at the queues and its entry into `IdleMs` an M cannot be found. A waker that
//! finds no M then, and can start no thread, (1) parks the P it took, (2) looks into `IdleMs` once
//! more and begins anew if an M is there. The M (i) enters `IdleMs`, (ii) looks for work and
//! an idle P once more. Both entry and look are under the lock: if (2) does not see (i), (ii) sees (1).
//!
//! # Invariant
//!
//! An M is in `IdleMs` (list or poller) only while its `parked` is set, and at most once.

use std::ptr::{self, NonNull};
use std::sync::atomic::{Ordering, fence};

use crate::m::M;
use crate::p::P;

use super::Sched;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct IdleMs {
    /// The M parked last is woken first: its caches are warm.
    list: Vec<MPtr>,
    pub(super) poller: Option<MPtr>,
}

/// An M in `IdleMs`; valid as long as it is there, since its thread does not go on before it has
/// been taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MPtr(*const M);

// SAFETY: M is Sync.
unsafe impl Send for MPtr {}

/// Where a claimed M was asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bed {
    Parker,
    Reactor,
}

impl Sched {
    /// `m`, in scheduler code, has found nothing. Gives up its P if it has one, and sleeps until
    /// there may be work again.
    pub(super) fn park(&self, m: &M) {
        if let Some(p) = m.seat.release() {
            // SAFETY: (1) Ps live as long as the `Sched`.
            let p = unsafe { p.as_ref() };
            p.pace.end(p.metrics.polls.get());
            let index = p.index();
            m.last_p.set(index);
            self.idle.park(index, m.spinning.replace(false));
            // "Submit against park", step (c). Whoever takes the P by this spins, and so nobody
            // does it while another spins: that one owes the look.
            if self.work_visible() {
                if let Some(index) = self.idle.take_for_wake() {
                    self.install(m, index, true);
                    return;
                }
            }
        }
        if m.has_bound() {
            self.sit_down(m);
            return;
        }
        self.counters.parks.add_shared(1);
        if !self.is_closing() && self.idle.become_poller() {
            self.wait_in_reactor(m);
        } else {
            self.wait_on_parker(m);
        }
    }

    /// Takes an idle P for `m`, which has work of its own, if there is one.
    pub(super) fn sit_down(&self, m: &M) {
        if let Some(index) = self.idle.take(m.last_p.get()) {
            self.install(m, index, false);
        }
    }

    /// Gives `m`, in scheduler code on this thread, the P that the caller took.
    pub(super) fn install(&self, m: &M, index: usize, spinning: bool) {
        m.last_p.set(index);
        m.spinning.set(spinning);
        m.seat.install(NonNull::from(&self.ps[index]));
    }

    fn wait_on_parker(&self, m: &M) {
        self.publish_timers_of(m);
        self.lie_down(m, |ms, me| ms.list.push(me));
        if self.may_rise(m) && self.get_up(m, |ms, me| ms.leave_list(me)) {
            self.sit_down(m);
            return;
        }
        // pairs with: the store in `claim`.
        while !m.claimed.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
        self.after_claim(m);
    }

    /// Enters `IdleMs`.
    pub(super) fn lie_down(&self, m: &M, enter: impl FnOnce(&mut IdleMs, MPtr)) {
        m.parked.store(true, Ordering::Relaxed);
        enter(&mut self.idle_ms(), MPtr(m));
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the fence in `M::set_bound_ready`.
    }

    /// Leaves `IdleMs` by itself; false if somebody has claimed the M.
    pub(super) fn get_up(&self, m: &M, leave: impl FnOnce(&mut IdleMs, MPtr) -> bool) -> bool {
        let left = leave(&mut self.idle_ms(), MPtr(m));
        if left {
            m.parked.store(false, Ordering::Relaxed);
        }
        left
    }

    /// Whether a parked `m` has a reason to get up that came before it lay down.
    pub(super) fn may_rise(&self, m: &M) -> bool {
        m.has_bound() || (self.is_closing() && !m.is_root()) || self.work_is_orphaned()
    }

    /// Whether there is work, a P to run it, and nobody who has promised to look: the work came after
    /// the look of every M that parked. "Wake against lie down", step (ii).
    fn work_is_orphaned(&self) -> bool {
        self.idle.should_wake() && self.work_visible()
    }

    /// Whether some M is idle.
    pub(super) fn has_idle_m(&self) -> bool {
        let ms = self.idle_ms();
        !ms.list.is_empty() || ms.poller.is_some()
    }

    /// What an M does that was claimed: it takes the P that came with the claim, if one did.
    pub(super) fn after_claim(&self, m: &M) {
        m.parked.store(false, Ordering::Relaxed);
        if let Some(p) = m.take_next_p() {
            // SAFETY: (1) Ps live as long as the `Sched`.
            let index = unsafe { p.as_ref() }.index();
            self.install(m, index, m.next_spinning.load(Ordering::Relaxed));
        }
    }

    /// Wakes one M, with an idle P, if work that was just pushed wants it.
    #[cold]
    #[inline(never)]
    pub(crate) fn wakep(&self) {
        if let Some(index) = self.idle.take_for_wake() {
            self.start_m(index, true);
        }
    }

    /// Claims an idle M for the P `index`. False if there is none.
    pub(super) fn wake_with_p(&self, index: usize, spinning: bool) -> bool {
        let mut ms = self.idle_ms();
        let (m, bed) = if let Some(m) = ms.list.pop() {
            (m, Bed::Parker)
        } else if let Some(m) = ms.poller.take() {
            (m, Bed::Reactor)
        } else {
            return false;
        };
        self.claim(m, bed, Some((&self.ps[index], spinning)));
        true
    }

    /// Wakes `m`, for which there is bound work, with a P if one is idle.
    pub(crate) fn wake_m(&self, m: &M) {
        let mut ms = self.idle_ms();
        let me = MPtr(m);
        let bed = if ms.leave_list(me) {
            Bed::Parker
        } else if ms.leave_poller(me) {
            Bed::Reactor
        } else {
            // Claimed by another, or up already: it will look at its bound work itself.
            return;
        };
        let p = self
            .idle
            .take(m.last_p.get())
            .map(|index| (&self.ps[index], false));
        self.claim(me, bed, p);
    }

    /// Wakes every idle M, without a P: the runtime is closing.
    pub(super) fn wake_all(&self) {
        let mut ms = self.idle_ms();
        while let Some(m) = ms.list.pop() {
            self.claim(m, Bed::Parker, None);
        }
        if let Some(m) = ms.poller.take() {
            self.claim(m, Bed::Reactor, None);
        }
    }

    /// Wakes an M that was just taken out of `IdleMs`, with the lock still held: after its release
    /// nothing is left of us that the M, which may end at once, could pull away.
    fn claim(&self, m: MPtr, bed: Bed, p: Option<(&P, bool)>) {
        // SAFETY: (1) the M was in `IdleMs`, so its thread waits for `claimed`; (2) it keeps its M
        // until it has taken the lock that we hold once more, or read `claimed`, after which we use
        // only what `unpark` and `notify` keep alive by themselves.
        let m = unsafe { &*m.0 };
        self.counters.unparks.add_shared(1);
        if let Some((p, spinning)) = p {
            m.next_p
                .store(ptr::from_ref(p).cast_mut(), Ordering::Relaxed);
            m.next_spinning.store(spinning, Ordering::Relaxed);
        }
        let thread = m.thread();
        // pairs with: the swaps in `wait_on_parker` and `wait_in_reactor`.
        m.claimed.store(true, Ordering::Release);
        match bed {
            Bed::Parker => thread.unpark(),
            Bed::Reactor => self.reactor.notify(),
        }
    }
}

impl IdleMs {
    pub(super) fn leave_list(&mut self, m: MPtr) -> bool {
        match self.list.iter().position(|&other| other == m) {
            Some(index) => {
                self.list.remove(index);
                true
            }
            None => false,
        }
    }

    pub(super) fn leave_poller(&mut self, m: MPtr) -> bool {
        let is_poller = self.poller == Some(m);
        if is_poller {
            self.poller = None;
        }
        is_poller
    }
}
