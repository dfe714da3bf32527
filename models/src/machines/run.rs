//! `run.rs`, `find.rs`, `jobs.rs`: what an M does with its P, and without.

use loom::sync::atomic::Ordering;

use super::{NULL, Own, SPEAK, Sched, pop};

/// `run.rs`, `find.rs`, `jobs.rs`.
impl Sched {
    /// `Sched::run`, with `handoff` and the end of the M. `poll` is the root's, if it has one.
    pub(crate) fn run(&self, m: usize, poll: Option<&dyn Fn() -> bool>) {
        let own = Own::default();
        self.sit_down(&own);
        self.run_from(m, &own, poll);
    }

    pub(crate) fn run_from(&self, m: usize, own: &Own, poll: Option<&dyn Fn() -> bool>) {
        let it = &self.ms[m];
        own.is_root.set(poll.is_some());
        loop {
            if poll.is_none() && self.is_closing() {
                break;
            }
            if it.has_bound(own) {
                self.stop_spinning(own);
                // In this order: who asks sets the flag last, so what is seen of the flag comes with
                // what was asked.
                let due = it.begin_bound(own);
                if it.take_summons() & SPEAK != 0 {
                    self.spoken.fetch_add(1, Ordering::Relaxed);
                    // A logger may do so.
                    own.root.set(true);
                }
                if due && poll.is_some_and(|poll| poll()) {
                    break;
                }
            }
            let found = match own.p.get() {
                None if it.has_bound(own) => {
                    self.sit_down(own);
                    true
                }
                _ => self.run_once(m, own) || it.has_bound(own),
            };
            if !found && !self.park(m, own) {
                break;
            }
        }
        if let Some(index) = own.p.take() {
            self.put_p(index, own.spinning.replace(false));
            if self.work_visible() {
                self.wakep();
            }
        }
    }

    /// A task or a job, if there is one for the M.
    pub(crate) fn run_once(&self, m: usize, own: &Own) -> bool {
        if own.p.get().is_some() && self.find(own) {
            self.stop_spinning(own);
            self.has_run(m, own);
            return true;
        }
        self.run_job(m, own)
    }

    pub(super) fn has_run(&self, m: usize, own: &Own) {
        let ran = self.ran.fetch_add(1, Ordering::AcqRel) + 1;
        if ran == self.config.work {
            self.done.notify();
            if self.config.closes {
                self.close();
            }
        }
        // The root of M 0 joins every task and job.
        if m == 0 {
            own.root.set(true);
        } else if self.config.work == NULL {
            self.wake_root(0);
        }
    }

    /// Each round is the 61st.
    pub(super) fn find(&self, own: &Own) -> bool {
        let Some(index) = own.p.get() else {
            return false;
        };
        if self.is_surplus(index) {
            self.retire_own(own);
            return false;
        }
        if self.is_p_wanted() {
            self.give_to_waiting(own);
            if own.p.get().is_none() {
                return false;
            }
        }
        let private = self.with_p(index, |p| {
            let found = p.private > 0;
            p.private -= u32::from(found);
            found
        });
        private || pop(&self.globq)
    }

    pub(super) fn run_job(&self, m: usize, own: &Own) -> bool {
        if self.is_closing() || own.is_root.get() || !self.begin_job() {
            return false;
        }
        self.stop_spinning(own);
        assert!(self.running.load(Ordering::Relaxed) > 0);
        self.has_run(m, own);
        self.running.fetch_sub(1, Ordering::Relaxed);
        true
    }

    pub(super) fn begin_job(&self) -> bool {
        if self.jobs.load(Ordering::Relaxed) == 0 {
            return false;
        }
        if self.running.fetch_add(1, Ordering::Relaxed) < self.config.max_jobs && pop(&self.jobs) {
            return true;
        }
        self.running.fetch_sub(1, Ordering::Relaxed);
        false
    }

    pub(crate) fn stop_spinning(&self, own: &Own) {
        if own.spinning.replace(false) && self.idle.stop_spinning() && self.work_visible() {
            self.wakep();
        }
    }
}
