//! The M that waits in the reactor, and looks at it by the others.
//!
//! One idle M at a time is the poller (the bit in `idle.rs`): it sleeps in the reactor, with the
//! earliest timer as its time-out, and holds no P meanwhile. When it returns it takes a P, readies
//! what the events woke, and runs it. If all Ps are busy it readies the tasks into the injector,
//! where the busy find them within 61 rounds, and goes back to sleep.
//!
//! # The timer-against-poller race
//!
//! The poller (1) publishes `poll_until`, (2) fences, (3) computes the earliest timer again and
//! starts over if it is earlier. Whoever leaves a timer behind that nobody else will fire (an M that
//! parks, a thread without a P) (a) publishes the timer, (b) fences, (c) compares it with
//! `poll_until` and notifies the reactor if it is earlier. If (c) does not see (1), (3) sees (a).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{Ordering, fence};
use std::task::Waker;
use std::time::Duration;

use gopark_net::delay;

use crate::m::M;
use crate::p::P;
use crate::primitive::Backoff;
use crate::warn::warn_later;

use super::duty::PollerDuty;
use super::standstill::Calm;
use super::{Sched, Timeout};

impl Sched {
    /// `m` has become the poller. Sleeps in the reactor until there is something to do.
    pub(super) fn wait_in_reactor(&self, m: &M, duty: PollerDuty<'_>) {
        self.lie_down(m, |ms, me| ms.poller = Some(me));
        let mut ready = Vec::new();
        let mut calm = Calm::default();
        loop {
            if !self.may_rise(m) && !m.claimed.load(Ordering::Relaxed) {
                let (timeout, vigil) = self.with_patience(self.publish_poll_until(&mut calm));
                self.counters.reactor_waits.add_shared(1);
                m.seat.leave();
                self.poll_reactor(timeout, &mut ready);
                delay::here("wait_in_reactor: out of the reactor");
                let _ = m.seat.enter();
                // Relaxed: a stale value costs a notification.
                self.poll_until.store(0, Ordering::Relaxed);
                self.collect_due_timers(&mut ready);
                if ready.is_empty() {
                    self.auto_advance(m, &mut ready, &mut calm);
                }
                if let Some(vigil) = vigil.filter(|_| ready.is_empty() && !self.may_rise(m)) {
                    // To a logger perhaps, which is code of the user.
                    m.seat.leave();
                    self.say_deadlock(vigil);
                    let _ = m.seat.enter();
                }
            }
            delay::here("wait_in_reactor: about to get up");
            let claimed = !self.get_up(m, |ms, me| ms.leave_poller(me));
            if claimed {
                // pairs with: the store in `claim`, which is imminent.
                let mut backoff = Backoff::default();
                while !m.claimed.swap(false, Ordering::Acquire) {
                    backoff.wait();
                }
                let duty = duty.resign();
                self.after_claim(m);
                self.wake_batch(m, &mut ready);
                return duty.pass_to_holder_or_any(m);
            }
            if !ready.is_empty() || self.may_rise(m) {
                delay::here("wait_in_reactor: got up");
                if let Some(index) = self.idle.take(m.last_p.get()) {
                    let duty = duty.resign();
                    self.install(m, index, false);
                    self.wake_batch(m, &mut ready);
                    return duty.pass_to_holder_or_any(m);
                }
                calm.end();
                self.wake_batch(m, &mut ready);
                if self.may_rise(m) {
                    return duty.resign().pass_to_any_holder();
                }
            }
            self.lie_down(m, |ms, me| ms.poller = Some(me));
        }
    }

    /// One wait. An error of the reactor would repeat itself at once, so it is said aloud and ends
    /// in a pause rather than in a busy loop.
    fn poll_reactor(&self, timeout: Timeout, ready: &mut Vec<Waker>) {
        if let Err(error) = self.reactor.poll(timeout, ready) {
            self.reactor_failed(&error);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Says so, unless it was shut down with its runtime: a thread that was in it then comes out of it, no more.
    fn reactor_failed(&self, error: &std::io::Error) {
        if !self.is_closing() {
            warn_later(format_args!("the reactor failed: {error}"));
        }
    }

    /// Steps (1) to (3) of the timer-against-poller race; returns how long to wait.
    fn publish_poll_until(&self, calm: &mut Calm) -> Timeout {
        if self.clock.is_paused() {
            return self.publish_standstill(calm);
        }
        loop {
            let until = self.next_timer(false);
            self.poll_until.store(until, Ordering::Relaxed);
            delay::here("publish_poll_until: published");
            fence(Ordering::SeqCst); // StoreLoad; pairs with: the one in `timer_left_behind`.
            if self.next_timer(false) >= until {
                return (until != u64::MAX).then(|| self.until_tick(until));
            }
        }
    }

    /// A thread that will not fire it leaves a timer that is due at `tick`: step (b) and (c).
    pub(super) fn timer_left_behind(&self, tick: u64) {
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the one in `publish_poll_until`.
        delay::here("timer_left_behind: timer published");
        if tick < self.poll_until.load(Ordering::Relaxed) {
            self.reactor.notify();
        }
    }

    /// A look at the reactor by a busy M, without waiting.
    pub(super) fn look_at_reactor(&self, m: &M, p: &P) {
        p.metrics.reactor_looks.add(1);
        let mut ready = Vec::new();
        match self.reactor.try_poll(Some(Duration::ZERO), &mut ready) {
            Ok(_) => self.wake_batch(m, &mut ready),
            Err(error) => self.reactor_failed(&error),
        }
    }

    /// Wakes what events or timers made ready: onto the local queue in their order, with one
    /// decision about waking another M for all. `m` is in scheduler code before and after.
    pub(super) fn wake_batch(&self, m: &M, ready: &mut Vec<Waker>) {
        if ready.is_empty() {
            return;
        }
        if let Some(p) = self.held(m) {
            p.pace.begin(p.metrics.polls.get());
        }
        m.seat.leave();
        delay::here("wake_batch: about to wake");
        m.batching.set(true);
        wake_each(ready.drain(..));
        m.batching.set(false);
        let surplus = m
            .with_p(|p| p.pace.worth_a_wake(p.runq.stealable()))
            .unwrap_or(false);
        if surplus && self.idle.should_wake() {
            self.wakep();
        }
        let _ = m.seat.enter();
    }

    /// Whether somebody should wait in the reactor, and nobody does.
    pub(crate) fn lacks_poller(&self) -> bool {
        !self.idle.view().has_poller() && (self.reactor.has_sources() || self.has_timers())
    }

    /// Sees to it that somebody waits in the reactor, for a P was given up by an M that does not come to
    /// it itself.
    pub(super) fn ensure_poller(&self) {
        delay::here("ensure_poller: about to ask");
        if self.lacks_poller() && !self.wake_without_p() {
            self.start_without_p(false);
        }
    }
}

/// Wakes them all. One may be foreign and panic; the hook has reported it, the others go on.
pub(super) fn wake_each(ready: impl IntoIterator<Item = Waker>) {
    let mut wakers = ready.into_iter();
    while let Err(payload) =
        catch_unwind(AssertUnwindSafe(|| wakers.by_ref().for_each(Waker::wake)))
    {
        std::mem::forget(payload);
    }
}
