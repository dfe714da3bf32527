//! Idle Ms: how an M parks, and how it is found and woken.
//!
//! An idle M holds no P, and is out of scheduler code (see `seat.rs`: a retake that found it inside
//! completes). It is on the list, asleep on its own parker, or it is the poller, asleep in the
//! reactor (`netpoll.rs`), or it waits for a P (`waiting.rs`). As many as there are Ps sleep
//! without a time-out; more than that (what blocked has brought them) end after a keep-alive.
//!
//! # Claims
//!
//! To wake an M one takes it out of `IdleMs` under the lock (so one waker gets it), gives it a
//! P perhaps, sets `claimed`, and unparks it, without the lock: the M that wakes may run before its waker
//! does again, on the same processor, and would then find the lock taken. An M that wants to leave by
//! itself must find itself still in `IdleMs`, under the lock; if it does not, it has been claimed, and
//! waits for `claimed`.
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
//! An M is in `IdleMs` only while its `parked` is set, and at most once.

use std::collections::VecDeque;
use std::ptr::{self, NonNull};
use std::sync::atomic::{Ordering, fence};
use std::thread::Thread;
use std::time::{Duration, Instant};

use gopark_net::delay;

use crate::m::M;
use crate::p::P;

use super::duty::PollerDuty;
use super::{Sched, StallPolicy};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct IdleMs {
    /// Workers. The one parked last is woken first: its caches are warm.
    list: Vec<MPtr>,
    pub(super) poller: Option<MPtr>,
    /// Those that wait for a P, the first first.
    pub(super) waiting: VecDeque<MPtr>,
    /// The threads inside `block_on`.
    roots: Vec<MPtr>,
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
    /// there may be work again. False if the M, a worker, has slept long enough and is to end.
    #[must_use = "an M that is not needed any more must end"]
    pub(super) fn park(&self, m: &M) -> bool {
        if self.is_current_thread() {
            m.show_due();
        }
        let mut duty = None;
        match m.seat.release() {
            Some(p) => {
                // SAFETY: (1) Ps live as long as the `Sched`.
                let p = unsafe { p.as_ref() };
                p.pace.end(p.metrics.polls.get());
                p.metrics.parks.add(1);
                let index = p.index();
                m.last_p.set(index);
                let idle = self.put_p(index, m.spinning.replace(false));
                delay::here("park: its P is idle");
                if self.look_again(m) {
                    idle.pass_to_holder(m);
                    return true;
                }
                duty = Some(idle);
            }
            // It was taken away, perhaps while this M spun.
            None => self.settle_spinning(m),
        }
        m.set_stands_in(false);
        delay::here("park: nothing found");
        if m.has_bound() || self.work_is_orphaned(m) {
            self.sit_down(m);
            if let Some(duty) = duty {
                duty.pass_to_holder_or_any(m);
            }
            return true;
        }
        self.counters.parks.add_shared(1);
        if !self.is_closing() && self.may_poll(m) {
            if let Some(poller) = PollerDuty::take(self) {
                poller.takes(duty);
                self.wait_in_reactor(m, poller);
                return true;
            }
        }
        if let Some(duty) = duty {
            duty.pass_to_any_holder();
        }
        self.wait_on_parker(m)
    }

    /// "Submit against park", step (c): `m` has given its P up, and looks at the queues once more. True if it
    /// has a P again.
    fn look_again(&self, m: &M) -> bool {
        if m.is_dedicated() {
            // What it finds is for others; if there are none, it must run that itself.
            if self.work_visible() && !self.wakep() {
                self.stand_in(m);
            }
            return m.seat.held().is_some();
        }
        // Whoever takes the P by this spins, and so nobody does it while another spins: that one owes the
        // look.
        if self.tasks_visible() || (m.may_block() && self.jobs_visible()) {
            if let Some(index) = self.idle.take_for_wake() {
                self.install(m, index, true);
                return true;
            }
        } else if self.jobs_visible() {
            // Not for this M, which has work bound to it.
            self.wakep();
        }
        false
    }

    /// Whether `m` is the one to wait in the reactor, if nobody else does. A thread inside `block_on` has to
    /// be woken for what others are to do, so while a P is held it leaves that to its holder.
    fn may_poll(&self, m: &M) -> bool {
        let sent = m.polls_next.replace(false);
        sent || !m.is_root() || self.is_all_idle() || self.config.stall_policy() == StallPolicy::Off
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
        m.seat.install(NonNull::from(self.ps.get(index)));
        // A `block_on` alone on the current-thread flavour starts no thread that was not asked for.
        let is_alone = || self.config.leaves_computing() && self.presence.has_no_workers();
        if !(m.is_root() && is_alone()) && self.sysmon.bell.is_taker_wanted(|| self.is_full()) {
            self.ring();
        }
    }

    fn wait_on_parker(&self, m: &M) -> bool {
        delay::here("wait_on_parker: about to lie down");
        let mut surplus = false;
        self.lie_down(m, |ms, me| {
            surplus = !m.is_root() && ms.list.len() >= self.ps.active();
            let list = if m.is_root() {
                &mut ms.roots
            } else {
                &mut ms.list
            };
            list.push(me);
        });
        if self.may_rise(m) && self.get_up(m, |ms, me| ms.leave_list(me)) {
            self.sit_down(m);
            return true;
        }
        let end = if surplus && m.may_block() {
            Instant::now().checked_add(self.config.keep_alive)
        } else {
            None
        };
        if !self.sleep_until_claimed(m, end) {
            if self.get_up(m, |ms, me| ms.leave_list(me)) {
                self.counters.threads_ended.add_shared(1);
                return false;
            }
            // Claimed at the last moment.
            self.sleep_until_claimed(m, None);
        }
        self.after_claim(m);
        true
    }

    /// Sleeps on the parker, out of scheduler code, until somebody has claimed `m`; false if the
    /// time was up first.
    pub(super) fn sleep_until_claimed(&self, m: &M, end: Option<Instant>) -> bool {
        m.seat.leave();
        // pairs with: the store in `claim`.
        let claimed = loop {
            if m.claimed.swap(false, Ordering::Acquire) {
                break true;
            }
            match end.map(|end| end.saturating_duration_since(Instant::now())) {
                None => std::thread::park(),
                Some(Duration::ZERO) => break false,
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a surplus M ends by itself; no deadline of a user depends on it"
                )]
                Some(left) => std::thread::park_timeout(left),
            }
        };
        let _ = m.seat.enter();
        claimed
    }

    /// Whether `m` is asleep in the reactor, as far as one can see.
    pub(super) fn is_poller(&self, m: &M) -> bool {
        self.idle_ms().poller == Some(MPtr(m))
    }

    /// Enters `IdleMs`.
    pub(super) fn lie_down(&self, m: &M, enter: impl FnOnce(&mut IdleMs, MPtr)) {
        m.parked.store(true, Ordering::Relaxed);
        delay::here("lie_down: about to enter IdleMs");
        enter(&mut self.idle_ms(), MPtr(m));
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the fence in `M::set_bound_ready`.
        delay::here("lie_down: in IdleMs");
    }

    /// Leaves `IdleMs` by itself; false if somebody has claimed the M.
    pub(super) fn get_up(&self, m: &M, leave: impl FnOnce(&mut IdleMs, MPtr) -> bool) -> bool {
        let left = leave(&mut self.idle_ms(), MPtr(m));
        if left {
            m.parked.store(false, Ordering::Relaxed);
            delay::here("get_up: by itself");
        }
        left
    }

    /// Whether a parked `m` has a reason to get up that came before it lay down.
    pub(super) fn may_rise(&self, m: &M) -> bool {
        m.has_bound() || (self.is_closing() && !m.is_root()) || self.work_is_orphaned(m)
    }

    /// Whether there is work for `m`, a P to run it, and nobody who has promised to look: the work came
    /// after the look of every M that parked. "Wake against lie down", step (ii).
    fn work_is_orphaned(&self, m: &M) -> bool {
        // A dedicated M comes to it only if there may be no thread for it.
        (!m.is_dedicated() || self.counters.thread_failures.get() > 0)
            && self.idle.should_wake()
            && (self.tasks_visible() || (m.may_block() && self.jobs_visible()))
    }

    /// Whether some M is idle.
    pub(super) fn has_idle_m(&self) -> bool {
        let ms = self.idle_ms();
        !ms.list.is_empty() || !ms.roots.is_empty() || ms.poller.is_some()
    }

    /// What an M does that was claimed: it takes the P that came with the claim, if one did.
    pub(super) fn after_claim(&self, m: &M) {
        m.parked.store(false, Ordering::Relaxed);
        m.runner.set(m.next_runner.load(Ordering::Relaxed));
        m.next_runner.store(false, Ordering::Relaxed);
        m.polls_next.set(m.next_polls.load(Ordering::Relaxed));
        m.next_polls.store(false, Ordering::Relaxed);
        if let Some(p) = m.take_next_p() {
            // SAFETY: (1) Ps live as long as the `Sched`.
            let index = unsafe { p.as_ref() }.index();
            self.install(m, index, m.next_spinning.load(Ordering::Relaxed));
        }
    }

    /// Wakes one M, with an idle P, if work that was just pushed wants it. False if it does, and there is
    /// none.
    #[cold]
    #[inline(never)]
    pub(crate) fn wakep(&self) -> bool {
        match self.idle.take_for_wake() {
            Some(index) => self.start_m(index, true),
            None => true,
        }
    }

    /// Claims an idle M for the P `index`. False if there is none.
    pub(super) fn wake_with_p(&self, index: usize, spinning: bool) -> bool {
        let mut ms = self.idle_ms();
        let (m, bed) = if let Some(m) = ms.list.pop() {
            (m, Bed::Parker)
        // SAFETY: (1) an M in `IdleMs` is valid.
        } else if let Some(m) = ms.poller.take_if(|m| !unsafe { &*m.0 }.is_root()) {
            (m, Bed::Reactor)
        } else {
            return false;
        };
        let claimed = self.claim(m, bed, Some((self.ps.get(index), spinning)));
        drop(ms);
        claimed.unpark();
        true
    }

    /// Claims, for the P `index`, a thread inside `block_on`, which stands in: there is no other for the tasks.
    /// False if none sleeps.
    pub(super) fn wake_root_with_p(&self, index: usize, spinning: bool) -> bool {
        let mut ms = self.idle_ms();
        let (m, bed) = if let Some(m) = ms.roots.pop() {
            (m, Bed::Parker)
        } else if let Some(m) = ms.poller.take() {
            (m, Bed::Reactor)
        } else {
            return false;
        };
        // SAFETY: (1) an M in `IdleMs` is valid.
        unsafe { &*m.0 }.set_stands_in(true);
        let claimed = self.claim(m, bed, Some((self.ps.get(index), spinning)));
        drop(ms);
        claimed.unpark();
        true
    }

    /// Gives the P `index`, which the caller took, to an M that waited for one and was just taken out
    /// of `IdleMs`, with the lock still held.
    pub(super) fn claim_waiting(&self, m: MPtr, index: usize) -> Claimed {
        self.claim(m, Bed::Parker, Some((self.ps.get(index), false)))
    }

    /// Wakes an idle worker, without a P, to run jobs; false if there is none but the poller.
    pub(super) fn wake_runner(&self) -> bool {
        let mut ms = self.idle_ms();
        let Some(m) = ms.list.pop() else { return false };
        // SAFETY: (1) it was in `IdleMs` until just now, and waits for `claimed`.
        let runner = unsafe { &*m.0 };
        runner.next_runner.store(true, Ordering::Relaxed);
        let claimed = self.claim(m, Bed::Parker, None);
        drop(ms);
        claimed.unpark();
        true
    }

    /// Wakes any idle M but the poller, without a P, to become the poller; false if there is none.
    pub(super) fn wake_without_p(&self) -> bool {
        let mut ms = self.idle_ms();
        let Some(m) = ms.list.pop().or_else(|| ms.roots.pop()) else {
            return false;
        };
        // SAFETY: (1) it was in `IdleMs` until just now, and waits for `claimed`.
        unsafe { &*m.0 }.next_polls.store(true, Ordering::Relaxed);
        let claimed = self.claim(m, Bed::Parker, None);
        drop(ms);
        claimed.unpark();
        true
    }

    /// Whether a thread inside `block_on` sleeps on its parker.
    pub(super) fn has_sleeping_root(&self) -> bool {
        !self.idle_ms().roots.is_empty()
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
            .map(|index| (self.ps.get(index), false));
        let claimed = self.claim(me, bed, p);
        drop(ms);
        claimed.unpark();
    }

    /// Wakes every idle M, without a P: the runtime is closing.
    pub(super) fn wake_all(&self) {
        let mut ms = self.idle_ms();
        let waiting = ms.waiting.drain(..).collect::<Vec<_>>();
        let roots = std::mem::take(&mut ms.roots);
        let list = std::mem::take(&mut ms.list);
        let asleep = list.into_iter().chain(roots).chain(waiting);
        let mut claimed: Vec<_> = asleep.map(|m| self.claim(m, Bed::Parker, None)).collect();
        let poller = ms.poller.take();
        claimed.extend(poller.map(|m| self.claim(m, Bed::Reactor, None)));
        drop(ms);
        claimed.into_iter().for_each(Claimed::unpark);
    }

    /// Claims an M that was just taken out of `IdleMs`, with the lock still held: the M, which may end at once,
    /// could pull away all that we use after its release, but for what we return.
    fn claim(&self, m: MPtr, bed: Bed, p: Option<(&P, bool)>) -> Claimed {
        // SAFETY: (1) the M was in `IdleMs`, so its thread waits for `claimed`; (2) it keeps its M
        // until it has taken the lock that we hold once more, or read `claimed`, after which we do not use it.
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
            Bed::Parker => Claimed(Some(thread)),
            Bed::Reactor => {
                // It lives as long as the `Sched`, which only the lock keeps.
                self.reactor.notify();
                Claimed(None)
            }
        }
    }
}

/// An M that was claimed, and is to be unparked once the lock is free; None if it is up already. It owns all
/// that takes.
#[must_use = "a claimed M sleeps on until it is unparked"]
pub(super) struct Claimed(Option<Thread>);

impl Claimed {
    pub(super) fn unpark(self) {
        if let Some(thread) = self.0 {
            delay::here("unpark: claimed");
            thread.unpark();
        }
    }
}

impl IdleMs {
    pub(super) fn leave_list(&mut self, m: MPtr) -> bool {
        for list in [&mut self.list, &mut self.roots] {
            if let Some(position) = list.iter().position(|&other| other == m) {
                list.remove(position);
                return true;
            }
        }
        false
    }

    pub(super) fn leave_waiting(&mut self, m: MPtr) -> bool {
        let position = self.waiting.iter().position(|&other| other == m);
        position.and_then(|at| self.waiting.remove(at)).is_some()
    }

    pub(super) fn leave_poller(&mut self, m: MPtr) -> bool {
        let is_poller = self.poller == Some(m);
        if is_poller {
            self.poller = None;
        }
        is_poller
    }
}
