//! Threads: how a P gets an M to run it, and how a P is passed on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::m::M;
use crate::p::P;
use crate::runtime::enter_sched;

use super::{Sched, lock};

/// How often, and how long after the first failure, a thread is tried again that the operating
/// system refused. The pause doubles each time: 1, 2, 4, ... ms.
const THREAD_TRIES: u32 = 8;

/// For how many milliseconds after a refusal no thread is asked for: a failing `clone` costs more
/// than most tasks.
const REFUSED_PAUSE: u64 = 10;

impl Sched {
    /// Gives the P `index`, which the caller took, to an M: an idle one, else a new one.
    pub(super) fn start_m(&self, index: usize, spinning: bool) {
        let (mut index, mut spinning) = (index, spinning);
        loop {
            if self.wake_with_p(index, spinning) {
                return;
            }
            if self.may_start_thread() {
                match self.start_thread(index, spinning) {
                    Ok(()) => return,
                    Err(error) => self.thread_refused(&error),
                }
            }
            // Nobody can run it now. The work is in a queue, where whoever holds a P next, or the
            // next submitter's wake-up, finds it; or an M that is about to park: "wake against lie
            // down", steps (1) and (2).
            self.idle.park(index, spinning);
            if !self.has_idle_m() || !self.work_visible() {
                return;
            }
            match self.idle.take_for_wake() {
                Some(taken) => (index, spinning) = (taken, true),
                None => return,
            }
        }
    }

    /// The current-thread flavour starts threads only to replace one that blocks.
    fn may_start_thread(&self) -> bool {
        !self.is_closing()
            && (!self.is_current_thread() || self.blocked_ms.load(Ordering::Relaxed) > 0)
            && self.started.elapsed().as_millis() as u64
                >= self.refused_until.load(Ordering::Relaxed)
    }

    fn start_thread(&self, index: usize, spinning: bool) -> io::Result<()> {
        // While no M lives there is nobody to come back to the queues later, so then we insist.
        let alone = self.workers.load(Ordering::Relaxed) + self.roots.load(Ordering::Relaxed) == 0;
        let mut tries = if alone { THREAD_TRIES } else { 1 };
        let mut pause = Duration::from_millis(1);
        loop {
            match self.try_start_thread(index, spinning) {
                Err(_) if tries > 1 => {
                    self.counters.thread_failures.add_shared(1);
                    std::thread::sleep(pause);
                    pause *= 2;
                    tries -= 1;
                }
                result => return result,
            }
        }
    }

    fn try_start_thread(&self, index: usize, spinning: bool) -> io::Result<()> {
        let mut builder = std::thread::Builder::new().name((self.config.thread_name)());
        if let Some(size) = self.config.stack_size {
            builder = builder.stack_size(size);
        }
        let sched = self.arc();
        self.workers.fetch_add(1, Ordering::Relaxed);
        let started = builder.spawn(move || work(sched, index, spinning));
        match started {
            Ok(handle) => {
                self.counters.threads_started.add_shared(1);
                lock(&self.threads).push(handle);
                Ok(())
            }
            Err(error) => {
                self.worker_ended();
                Err(error)
            }
        }
    }

    #[cold]
    fn thread_refused(&self, error: &io::Error) {
        self.counters.thread_failures.add_shared(1);
        let now = self.started.elapsed().as_millis() as u64;
        self.refused_until
            .store(now + REFUSED_PAUSE, Ordering::Relaxed);
        if self.counters.thread_failures.get() == 1 {
            eprintln!("gopark: a worker thread could not be started ({error}); going on without");
        }
    }

    /// Passes on the P that `m`, in scheduler code, holds and is about to do without. Returns with
    /// the M out of scheduler code.
    pub(super) fn handoff(&self, m: &M) {
        let released = m.seat.release();
        let spinning = m.spinning.replace(false);
        m.seat.leave();
        let Some(p) = released else { return };
        // SAFETY: (1) Ps live as long as the `Sched`; (2) it is ours since the release.
        let p = unsafe { p.as_ref() };
        m.last_p.set(p.index());
        if self.has_work(p) && !self.is_closing() {
            // Go's handoffp: whatever `find` could find is a reason to start an M.
            self.start_m(p.index(), spinning);
            return;
        }
        self.idle.park(p.index(), spinning);
        if self.work_visible() {
            self.wakep();
        }
        self.publish_timers_of(m);
    }

    fn has_work(&self, p: &P) -> bool {
        !p.runq.is_empty() || !self.globq.is_empty()
    }

    /// The `Arc` that this `Sched` lives in.
    pub(super) fn arc(&self) -> Arc<Self> {
        // SAFETY: (1) every `Sched` is made by `Sched::new`, in an `Arc`, and `&self` shows that it
        // has not been freed.
        unsafe { Arc::increment_strong_count(self) };
        // SAFETY: (1) the count that was just added is this one.
        unsafe { Arc::from_raw(self) }
    }
}

/// The life of a worker thread, which begins with the P `index`.
fn work(sched: Arc<Sched>, index: usize, spinning: bool) {
    let entered = enter_sched(&sched);
    // A panicking hook must not take the P away; the panic hook has reported it.
    let call = |hook: &Option<Arc<dyn Fn() + Send + Sync>>| {
        if let Some(hook) = hook {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook()));
        }
    };
    call(&sched.config.on_thread_start);
    let m = M::new(sched.clone(), false);
    let outer = crate::current::set_m(&*m);
    sched.install(&m, index, spinning);
    sched.run(&m, None);
    m.seat.leave();
    sched.drop_locals(&m);
    let _ = m.seat.enter();
    sched.handoff(&m);
    crate::current::set_m(outer);
    drop(m);
    call(&sched.config.on_thread_stop);
    drop(entered);
    sched.help_closing();
    sched.worker_ended();
}
