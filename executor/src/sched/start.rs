//! Threads: how a P gets an M to run it, and how a P is passed on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gopark_net::delay;

use crate::m::M;
use crate::runtime::EnteredSched;
use crate::warn::warn_later;

use super::{Kind, Sched, lock};

/// How often, and how long after the first failure, a thread is tried again that the operating
/// system refused. The pause doubles each time: 1, 2, 4, ... ms.
const THREAD_TRIES: u32 = 8;

/// For how many milliseconds after a refusal no thread is asked for: a failing `clone` costs more
/// than most tasks.
const REFUSED_PAUSE: u64 = 10;

/// In the place of an error's code that has none.
const NO_CODE: i32 = i32::MAX;

impl Sched {
    /// Gives the P `index`, which the caller took, to an M: an idle one, else a new one. False if there is
    /// none, and the P is idle again.
    pub(super) fn start_m(&self, index: usize, spinning: bool) -> bool {
        let (mut index, mut spinning) = (index, spinning);
        delay::here("start_m: P taken");
        loop {
            if self.wake_with_p(index, spinning) {
                return true;
            }
            if self.may_start_thread() {
                match self.start_thread(Start::WithP { index, spinning }) {
                    Ok(()) => return true,
                    Err(error) => self.thread_refused(&error),
                }
            }
            // No thread can be had: then one inside `block_on` stands in.
            if self.wake_root_with_p(index, spinning) {
                return true;
            }
            // Nobody can run it now. The work is in a queue, where whoever holds a P next, or the
            // next submitter's wake-up, finds it; or an M that is about to park: "wake against lie
            // down", steps (1) and (2). What nobody can steal from this P goes to where all look.
            self.empty(index);
            let duty = self.put_p(index, spinning);
            delay::here("start_m: its P is idle");
            let again = self.has_idle_m() && self.work_visible();
            let taken = again.then(|| self.idle.take_for_wake()).flatten();
            // The P that was taken counts as held.
            duty.pass_to_any_holder();
            match taken {
                Some(taken) => (index, spinning) = (taken, true),
                None => return false,
            }
        }
    }

    /// Whether a thread may be asked for.
    pub(super) fn may_start_thread(&self) -> bool {
        !self.is_closing()
            && self.uptime().as_millis() as u64 >= self.refused_until.load(Ordering::Relaxed)
    }

    /// Starts a worker.
    pub(super) fn start_thread(&self, start: Start) -> io::Result<()> {
        // While no M lives there is nobody to come back to the queues later, so then we insist.
        let alone = self.presence.is_nobody();
        let mut tries = if alone { THREAD_TRIES } else { 1 };
        let mut pause = Duration::from_millis(1);
        loop {
            match self.try_start_thread(start) {
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

    fn try_start_thread(&self, start: Start) -> io::Result<()> {
        let mut builder = std::thread::Builder::new().name((self.config.thread_name)());
        if let Some(size) = self.config.stack_size {
            builder = builder.stack_size(size);
        }
        let sched = self.arc();
        self.asked.begun.fetch_add(1, Ordering::SeqCst);
        self.presence.enter(Kind::Starting);
        let started = builder.spawn(move || work(sched, start));
        if started.is_err() {
            self.presence.refused(Kind::Starting);
        }
        self.asked.ended.fetch_add(1, Ordering::SeqCst);
        match started {
            Ok(handle) => {
                self.counters.threads_started.add_shared(1);
                let mut threads = lock(&self.threads);
                // Those that ended after their keep-alive are forgotten now and then.
                if threads.len() == threads.capacity() {
                    threads.retain(|thread| !thread.is_finished());
                }
                threads.push(handle);
                Ok(())
            }
            Err(error) => {
                self.tell_closer();
                Err(error)
            }
        }
    }

    /// Whether a worker is there, or a thread was granted that will be one. False also while that is open.
    pub(super) fn has_worker_for_certain(&self) -> bool {
        if self.presence.has_workers() {
            return true;
        }
        // In this order: if no attempt has begun by the second load that had not ended by the first, then none was open
        // between them, and who was counted there was granted.
        let ended = self.asked.ended.load(Ordering::SeqCst);
        let is_counted = !self.presence.has_no_workers();
        is_counted && self.asked.begun.load(Ordering::SeqCst) == ended
    }

    /// Whether somebody is asking for a thread at this moment.
    pub(super) fn is_asking_for_thread(&self) -> bool {
        let ended = self.asked.ended.load(Ordering::SeqCst);
        self.asked.begun.load(Ordering::SeqCst) != ended
    }

    /// Why a thread was refused last.
    pub(crate) fn refusal(&self) -> io::Error {
        match self.refusal.load(Ordering::Relaxed) {
            0 | NO_CODE => io::ErrorKind::WouldBlock.into(),
            code => io::Error::from_raw_os_error(code),
        }
    }

    #[cold]
    pub(super) fn thread_refused(&self, error: &io::Error) {
        self.counters.thread_failures.add_shared(1);
        let now = self.uptime().as_millis() as u64;
        self.refused_until
            .store(now + REFUSED_PAUSE, Ordering::Relaxed);
        let code = error.raw_os_error().unwrap_or(NO_CODE);
        if self.refusal.swap(code, Ordering::Relaxed) == 0 {
            warn_later(format_args!(
                "a worker thread could not be started ({error}); going on without"
            ));
        }
    }

    /// Passes on the P that `m`, in scheduler code, holds and is about to do without. Returns with
    /// the M out of scheduler code. False if nobody was found for the work that it holds.
    pub(super) fn handoff(&self, m: &M) -> bool {
        let released = m.seat.release();
        if released.is_none() {
            self.end_stall(m);
            self.settle_spinning(m);
        }
        let spinning = m.spinning.replace(false);
        m.seat.leave();
        let Some(p) = released else { return true };
        // SAFETY: (1) Ps live as long as the `Sched`.
        let index = unsafe { p.as_ref() }.index();
        m.last_p.set(index);
        self.hand_over(index, spinning)
    }

    /// Passes on the P `index`, which the caller owns: Go's `handoffp`. False if nobody was found for the
    /// work that it holds.
    pub(super) fn hand_over(&self, index: usize, spinning: bool) -> bool {
        let p = self.ps.get(index);
        delay::here("hand_over: owns the P");
        // Whatever `find` could find is a reason to start an M.
        let has_work = !p.runq.is_empty() || !self.globq.is_empty() || self.jobs_visible();
        // Asked once: who is served meanwhile does not come back for what is left in the P.
        let is_reserved = self.is_p_wanted() || self.is_surplus(index);
        if has_work && !self.is_closing() && !is_reserved {
            return self.start_m(index, spinning);
        }
        if is_reserved {
            // Who gets it, or nobody, is no reason to keep the tasks from others.
            self.empty(index);
        }
        let duty = self.put_p(index, spinning);
        delay::here("hand_over: its P is idle");
        if self.work_visible() {
            self.wakep();
        }
        delay::here("hand_over: nobody may poll");
        duty.pass_to_sleeper();
        true
    }

    /// Leaves to all what lies in the queue of the P `index`, which the caller owns.
    pub(super) fn empty(&self, index: usize) {
        while let Some(task) = self.ps.get(index).runq.pop(|| true) {
            self.globq.push(task);
        }
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

/// How often a thread was asked for, and how often there was an answer.
#[derive(Debug, Default)]
pub(super) struct Asked {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// What a worker begins with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// The P that the caller took for it, and whether it looks for work.
    WithP { index: usize, spinning: bool },
    /// No P; and whether it is to run jobs.
    WithoutP { runner: bool },
}

/// The life of a worker thread.
fn work(sched: Arc<Sched>, start: Start) {
    sched.presence.begun(Kind::Starting, Kind::Worker);
    delay::here("work: a thread has begun");
    let entered = Box::pin(EnteredSched::new(&sched));
    entered.as_ref().enter();
    // A panicking hook must not take the P away; the panic hook has reported it.
    let call = |hook: &Option<Arc<dyn Fn() + Send + Sync>>| {
        if let Some(hook) = hook {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hook()));
        }
    };
    call(&sched.config.on_thread_start);
    let m = M::new(sched.clone(), None);
    sched.enlist(&m);
    let outer = crate::current::set_m(&*m);
    match start {
        Start::WithP { index, spinning } => sched.install(&m, index, spinning),
        Start::WithoutP { runner } => m.runner.set(runner),
    }
    sched.run(&m, None);
    m.seat.leave();
    sched.speak(&m);
    sched.drop_locals(&m);
    let _ = m.seat.enter();
    delay::here("work: about to give up its P");
    sched.handoff(&m);
    crate::current::set_m(outer);
    sched.delist(&m);
    drop(m);
    call(&sched.config.on_thread_stop);
    drop(entered);
    sched.leave(Kind::Worker);
    sched.tell_closer();
}
