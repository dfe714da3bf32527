//! `waiting.rs` and `procs.rs`: how Ps pass to those that wait, come and go.

use loom::sync::atomic::{Ordering, fence};

use super::{Own, Sched};

/// `waiting.rs`, and what leads there.
impl Sched {
    pub(crate) fn is_p_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn come_back(&self, m: usize, own: &Own) {
        self.sit_down(own);
        if own.p.get().is_none() && self.config.strict_procs && !self.is_closing() {
            self.wait_for_p(m, own);
        }
    }

    pub(super) fn wait_for_p(&self, m: usize, own: &Own) {
        let it = &self.ms[m];
        self.lie_down(it, |ms| ms.waiting.push_back(m));
        self.wanted.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.serve_waiting();
        if self.is_closing() && self.get_up(it, |ms| ms.leave_waiting(m)) {
            self.wanted.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.sleep_until_claimed(it, false);
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        self.after_claim(it, own);
    }

    pub(super) fn serve_waiting(&self) {
        if self.is_p_wanted() {
            self.serve_waiting_slow();
        }
    }

    pub(super) fn serve_waiting_slow(&self) {
        loop {
            let mut ms = self.idle_ms();
            let Some(m) = ms.waiting.pop_front() else {
                return;
            };
            match self.idle.take(0) {
                Some(index) => self.claim(m, Some((index, false))),
                None => {
                    ms.waiting.push_front(m);
                    return;
                }
            }
        }
    }

    pub(crate) fn give_to_waiting(&self, own: &Own) {
        let mut ms = self.idle_ms();
        let Some(waiting) = ms.waiting.pop_front() else {
            return;
        };
        match own.p.take() {
            Some(index) => self.claim(waiting, Some((index, false))),
            None => ms.waiting.push_front(waiting),
        }
        drop(ms);
        self.stop_spinning(own);
    }
}

/// `procs.rs`.
impl Sched {
    pub(crate) fn set_procs(&self, procs: usize) {
        let mut retired = self.resize.lock().expect("no model panics under the lock");
        let before = self.active.load(Ordering::Relaxed);
        self.active.store(procs, Ordering::Relaxed);
        self.idle.set_procs(procs);
        for index in before..procs {
            if std::mem::replace(&mut retired[index], false) {
                self.idle.park(index, false);
            }
        }
        drop(retired);
        if procs < before {
            fence(Ordering::SeqCst);
            self.reap();
        } else if self.work_visible() {
            self.wakep();
        }
        self.serve_waiting();
    }

    pub(crate) fn put_p(&self, index: usize, spinning: bool) {
        self.idle.park(index, spinning);
        if self.idle_surplus().is_some() {
            self.reap();
        }
        self.serve_waiting();
    }

    pub(crate) fn is_surplus(&self, index: usize) -> bool {
        index >= self.active.load(Ordering::Relaxed)
    }

    pub(super) fn reap(&self) {
        // A taker gets any idle P: perhaps one that stays, and is put back.
        while let Some(surplus) = self.idle_surplus() {
            let Some(index) = self.idle.take(surplus) else {
                // Its count was taken with the bit of another, who is not counted yet, and looks then.
                break;
            };
            if !self.retire(index) {
                self.idle.park(index, false);
            }
        }
        if self.idle.should_wake() && self.work_visible() {
            self.wakep();
        }
    }

    pub(super) fn idle_surplus(&self) -> Option<usize> {
        let surplus = self.active.load(Ordering::Relaxed)..self.config.procs;
        surplus.into_iter().find(|&index| self.idle.is_idle(index))
    }

    pub(super) fn retire(&self, index: usize) -> bool {
        let mut retired = self.resize.lock().expect("no model panics under the lock");
        if !self.is_surplus(index) {
            return false;
        }
        self.empty(index);
        assert!(!std::mem::replace(&mut retired[index], true));
        true
    }

    pub(crate) fn retire_own(&self, own: &Own) {
        let Some(index) = own.p.take() else { return };
        self.stop_spinning(own);
        if !self.retire(index) {
            self.put_p(index, false);
        }
        if self.idle.should_wake() && self.work_visible() {
            self.wakep();
        }
    }
}
