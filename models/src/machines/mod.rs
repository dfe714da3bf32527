//! The Ms of a runtime, how they park, wait and are claimed, and the Ps that pass between them: a stand-in
//! for `executor/src/sched/{park,waiting,start,jobs,procs,run,blocking}.rs` and the flags of
//! `executor/src/m.rs`.
//!
//! Those files hold threads, reactors and tasks, so they are not included: here are the same steps in the
//! same order under the same names, around the real `Idle`. A parker is loom's `Notify`, and a wake-up
//! that is lost is a deadlock, which loom reports. The models are in `claims.rs`, `waiting.rs`,
//! `jobs.rs` and `resize.rs`.

mod procs;
mod run;

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::sync::{Mutex, MutexGuard, Notify};
use loom::thread;

use crate::idle::protocol::Idle;

const NULL: usize = usize::MAX;

/// What the monitor asks of an M.
pub(crate) const SPEAK: usize = 2;

pub(crate) struct M {
    next_p: AtomicUsize,
    next_spinning: AtomicBool,
    claimed: AtomicBool,
    parked: AtomicBool,
    bound_ready: AtomicBool,
    root_ready: AtomicBool,
    summons: AtomicUsize,
    /// Its keep-alive is over.
    time_is_up: AtomicBool,
    /// The parker, and the reactor for the poller: both keep one token.
    bed: Notify,
    /// Written when the M's thread frees the M.
    freed: UnsafeCell<bool>,
}

#[derive(Default)]
struct IdleMs {
    list: Vec<usize>,
    poller: Option<usize>,
    waiting: VecDeque<usize>,
}

/// What only the owner of a P touches.
#[derive(Default)]
struct P {
    touched: u32,
    /// Tasks in `runnext` and the hand.
    private: u32,
}

/// What differs between the models.
#[derive(Clone, Copy)]
pub(crate) struct Config {
    pub(crate) procs: usize,
    pub(crate) ms: usize,
    /// Ms from this number on are those that `start_thread` starts, on the starter's thread.
    pub(crate) first_spare: usize,
    pub(crate) strict_procs: bool,
    pub(crate) max_jobs: usize,
    /// How many tasks and jobs are to be run; who runs the last says so, and perhaps closes.
    pub(crate) work: usize,
    pub(crate) closes: bool,
}

impl Config {
    pub(crate) fn new(procs: usize, ms: usize) -> Self {
        Self {
            procs,
            ms,
            first_spare: ms,
            strict_procs: false,
            max_jobs: 1,
            work: NULL,
            closes: false,
        }
    }
}

pub(crate) struct Sched {
    config: Config,
    pub(crate) idle: Idle,
    /// The content of each P.
    ps: Vec<UnsafeCell<P>>,
    active: AtomicUsize,
    /// Which Ps are retired.
    resize: Mutex<Vec<bool>>,
    /// The injector: how many tasks are in it.
    pub(crate) globq: AtomicUsize,
    pub(crate) ran: AtomicUsize,
    pub(crate) jobs: AtomicUsize,
    running: AtomicUsize,
    pub(crate) spoken: AtomicUsize,
    idle_ms: Mutex<IdleMs>,
    wanted: AtomicUsize,
    pub(crate) ms: Vec<M>,
    next_spare: AtomicUsize,
    pub(crate) closing: AtomicBool,
    pub(crate) done: Notify,
}

// SAFETY: (1) a P is touched by its owner only, and `freed` is written when nobody may use the M
// any more; loom checks both.
unsafe impl Sync for Sched {}

impl M {
    fn new() -> Self {
        Self {
            next_p: AtomicUsize::new(NULL),
            next_spinning: AtomicBool::new(false),
            claimed: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            bound_ready: AtomicBool::new(false),
            root_ready: AtomicBool::new(false),
            summons: AtomicUsize::new(0),
            time_is_up: AtomicBool::new(false),
            bed: Notify::new(),
            freed: UnsafeCell::new(false),
        }
    }

    fn has_bound(&self, own: &Own) -> bool {
        own.root.get() || self.bound_ready.load(Ordering::Relaxed)
    }

    /// Whether the root is due.
    fn begin_bound(&self, own: &Own) -> bool {
        let own = own.root.replace(false);
        let remote = take(&self.bound_ready) && take(&self.root_ready);
        own || remote
    }

    fn take_summons(&self) -> usize {
        if self.summons.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.summons.swap(0, Ordering::AcqRel)
    }

    fn assert_not_freed(&self) {
        // SAFETY: (1) loom fails if the M is freed meanwhile.
        assert!(!self.freed.with(|freed| unsafe { *freed }));
    }
}

/// `flag.swap(false)`. As a swap it would store also where it finds nothing, and loom, which does
/// not know that nothing comes between a swap's load and its store, would then let that store
/// overwrite a later `true`.
fn take(flag: &AtomicBool) -> bool {
    flag.compare_exchange(true, false, Ordering::AcqRel, Ordering::Relaxed)
        .is_ok()
}

/// `counter.fetch_sub(1)` if it is not 0.
fn pop(counter: &AtomicUsize) -> bool {
    counter
        .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| n.checked_sub(1))
        .is_ok()
}

/// What an M's own thread keeps: its P, whether it spins, and whether it has woken its own root.
#[derive(Default)]
pub(crate) struct Own {
    pub(crate) root: Cell<bool>,
    pub(crate) p: Cell<Option<usize>>,
    pub(crate) spinning: Cell<bool>,
    /// It is inside a `block_on`.
    is_root: Cell<bool>,
}

impl Sched {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            config,
            idle: Idle::new(config.procs),
            ps: (0..config.procs)
                .map(|_| UnsafeCell::new(P::default()))
                .collect(),
            active: AtomicUsize::new(config.procs),
            resize: Mutex::new(vec![false; config.procs]),
            globq: AtomicUsize::new(0),
            ran: AtomicUsize::new(0),
            jobs: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            spoken: AtomicUsize::new(0),
            idle_ms: Mutex::new(IdleMs::default()),
            wanted: AtomicUsize::new(0),
            ms: (0..config.ms).map(|_| M::new()).collect(),
            next_spare: AtomicUsize::new(config.first_spare),
            closing: AtomicBool::new(false),
            done: Notify::new(),
        })
    }

    fn idle_ms(&self) -> MutexGuard<'_, IdleMs> {
        self.idle_ms.lock().expect("no model panics under the lock")
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn with_p<R>(&self, index: usize, f: impl FnOnce(&mut P) -> R) -> R {
        // SAFETY: (1) the P is the caller's; loom fails if it is not.
        self.ps[index].with_mut(|p| f(unsafe { &mut *p }))
    }

    fn work_visible(&self) -> bool {
        self.tasks_visible() || self.jobs_visible()
    }

    fn tasks_visible(&self) -> bool {
        self.globq.load(Ordering::Relaxed) != 0
    }

    fn jobs_visible(&self) -> bool {
        self.jobs.load(Ordering::Relaxed) != 0
            && self.running.load(Ordering::Relaxed) < self.config.max_jobs
    }

    /// From a thread that is no M.
    pub(crate) fn ready_remote(&self) {
        self.globq.fetch_add(1, Ordering::Release);
        if self.idle.should_wake() {
            self.wakep();
        }
    }

    pub(crate) fn submit_job(&self) {
        self.jobs.fetch_add(1, Ordering::Release);
        if self.idle.should_wake() {
            self.wakep();
        }
    }
}

/// `start.rs`.
impl Sched {
    fn wakep(&self) {
        if let Some(index) = self.idle.take_for_wake() {
            self.start_m(index, true);
        }
    }

    fn start_m(&self, mut index: usize, mut spinning: bool) {
        loop {
            if self.wake_with_p(index, spinning) || self.start_thread(Some((index, spinning))) {
                return;
            }
            // What only its owner could find goes where all look.
            self.empty(index);
            self.put_p(index, spinning);
            if !self.has_idle_m() || !self.work_visible() {
                return;
            }
            match self.idle.take_for_wake() {
                Some(taken) => (index, spinning) = (taken, true),
                None => return,
            }
        }
    }

    fn start_thread(&self, p: Option<(usize, bool)>) -> bool {
        let spares = self.config.first_spare..self.config.ms;
        if spares.is_empty() || self.is_closing() {
            return false;
        }
        let spare = self.next_spare.fetch_add(1, Ordering::Relaxed);
        if !spares.contains(&spare) {
            return false;
        }
        let own = Own::default();
        if let Some((index, spinning)) = p {
            self.install(&own, index, spinning);
        }
        self.work(spare, &own);
        true
    }

    /// The life of a thread that was started, up to its first sleep: there it ends.
    pub(crate) fn work(&self, m: usize, own: &Own) {
        loop {
            while self.run_once(m, own) {}
            let Some(index) = own.p.take() else { return };
            self.put_p(index, own.spinning.replace(false));
            if !self.work_visible() {
                return;
            }
            let Some(taken) = self.idle.take_for_wake() else {
                return;
            };
            self.install(own, taken, true);
        }
    }

    pub(crate) fn hand_over(&self, index: usize) {
        let has_work = self.with_p(index, |p| p.private > 0) || self.work_visible();
        // Once, for who is served meanwhile does not come back for what is left in the P.
        let is_reserved = self.is_p_wanted() || self.is_surplus(index);
        if has_work && !self.is_closing() && !is_reserved {
            self.start_m(index, false);
            return;
        }
        if is_reserved {
            self.empty(index);
        }
        self.put_p(index, false);
        if self.work_visible() {
            self.wakep();
        }
    }

    /// Leaves to all what lies in the P `index`, which is the caller's.
    fn empty(&self, index: usize) {
        let private = self.with_p(index, |p| std::mem::take(&mut p.private));
        if private > 0 {
            self.globq.fetch_add(private as usize, Ordering::Release);
        }
    }
}

/// `park.rs`.
impl Sched {
    fn has_idle_m(&self) -> bool {
        let ms = self.idle_ms();
        !ms.list.is_empty() || ms.poller.is_some()
    }

    fn wake_with_p(&self, index: usize, spinning: bool) -> bool {
        let mut ms = self.idle_ms();
        let Some(m) = ms.list.pop().or_else(|| ms.poller.take()) else {
            return false;
        };
        self.claim(m, Some((index, spinning)));
        true
    }

    pub(crate) fn wake_without_p(&self) -> bool {
        let mut ms = self.idle_ms();
        let Some(m) = ms.list.pop() else { return false };
        self.claim(m, None);
        true
    }

    /// `Sched::start_runner`, with `wake_worker`: M 0 is a root where there is one.
    pub(crate) fn start_runner(&self) -> bool {
        self.wake_worker() || self.start_thread(None)
    }

    fn wake_worker(&self) -> bool {
        let mut ms = self.idle_ms();
        let Some(position) = ms.list.iter().rposition(|&m| m != 0) else {
            return false;
        };
        let m = ms.list.remove(position);
        self.claim(m, None);
        true
    }

    fn wake_m(&self, m: usize) {
        let mut ms = self.idle_ms();
        if !ms.leave_list(m) && !ms.leave_poller(m) {
            return;
        }
        let p = self.idle.take(0).map(|index| (index, false));
        self.claim(m, p);
    }

    fn wake_all(&self) {
        let mut ms = self.idle_ms();
        let waiting: Vec<_> = ms.waiting.drain(..).collect();
        let list = std::mem::take(&mut ms.list);
        for m in list.into_iter().chain(waiting).chain(ms.poller.take()) {
            self.claim(m, None);
        }
    }

    /// Under the lock, which the caller holds.
    fn claim(&self, m: usize, p: Option<(usize, bool)>) {
        let m = &self.ms[m];
        m.assert_not_freed();
        if let Some((index, spinning)) = p {
            m.next_p.store(index, Ordering::Relaxed);
            m.next_spinning.store(spinning, Ordering::Relaxed);
        }
        m.claimed.store(true, Ordering::Release);
        m.bed.notify();
    }

    /// `M::wake_root` from another thread.
    pub(crate) fn wake_root(&self, m: usize) {
        self.ms[m].root_ready.swap(true, Ordering::AcqRel);
        self.set_bound_ready(m);
    }

    /// `M::summon`.
    pub(crate) fn summon(&self, m: usize, what: usize) {
        self.ms[m].summons.fetch_or(what, Ordering::AcqRel);
        self.set_bound_ready(m);
    }

    fn set_bound_ready(&self, m: usize) {
        self.ms[m].bound_ready.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        if self.ms[m].parked.load(Ordering::Relaxed) {
            self.wake_m(m);
        }
    }

    /// `Sched::close`, up to its walk.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.wake_all();
    }

    fn may_rise(&self, m: &M, own: &Own) -> bool {
        m.has_bound(own) || (self.is_closing() && !own.is_root.get()) || self.work_is_orphaned(own)
    }

    fn work_is_orphaned(&self, own: &Own) -> bool {
        self.idle.should_wake()
            && (self.tasks_visible() || (!own.is_root.get() && self.jobs_visible()))
    }

    pub(crate) fn sit_down(&self, own: &Own) {
        if let Some(index) = self.idle.take(0) {
            self.install(own, index, false);
        }
    }

    pub(crate) fn install(&self, own: &Own, index: usize, spinning: bool) {
        assert_eq!(own.p.replace(Some(index)), None, "an M holds one P at most");
        own.spinning.set(spinning);
        self.with_p(index, |p| p.touched += 1);
    }

    /// False if the M has slept long enough.
    fn park(&self, m: usize, own: &Own) -> bool {
        let it = &self.ms[m];
        if let Some(index) = own.p.take() {
            self.put_p(index, own.spinning.replace(false));
            let may_block = !own.is_root.get();
            if self.tasks_visible() || (may_block && self.jobs_visible()) {
                if let Some(index) = self.idle.take_for_wake() {
                    self.install(own, index, true);
                    return true;
                }
            } else if self.jobs_visible() {
                self.wakep();
            }
        }
        if it.has_bound(own) {
            self.sit_down(own);
            return true;
        }
        if !self.is_closing() && self.idle.become_poller() {
            self.wait_in_reactor(m, own);
            return true;
        }
        self.wait_on_parker(m, own)
    }

    fn wait_on_parker(&self, m: usize, own: &Own) -> bool {
        let it = &self.ms[m];
        self.lie_down(it, |ms| ms.list.push(m));
        if self.may_rise(it, own) && self.get_up(it, |ms| ms.leave_list(m)) {
            self.sit_down(own);
            return true;
        }
        if !self.sleep_until_claimed(it, !own.is_root.get()) {
            if self.get_up(it, |ms| ms.leave_list(m)) {
                return false;
            }
            self.sleep_until_claimed(it, false);
        }
        self.after_claim(it, own);
        true
    }

    fn sleep_until_claimed(&self, m: &M, may_end: bool) -> bool {
        loop {
            if take(&m.claimed) {
                return true;
            }
            if may_end && m.time_is_up.load(Ordering::Relaxed) {
                return false;
            }
            m.bed.wait();
        }
    }

    /// The keep-alive of `m` is over.
    pub(crate) fn end_keep_alive(&self, m: usize) {
        self.ms[m].time_is_up.store(true, Ordering::Relaxed);
        self.ms[m].bed.notify();
    }

    fn wait_in_reactor(&self, m: usize, own: &Own) {
        let it = &self.ms[m];
        self.lie_down(it, |ms| ms.poller = Some(m));
        loop {
            if !self.may_rise(it, own) && !it.claimed.load(Ordering::Relaxed) {
                it.bed.wait();
            }
            if !self.get_up(it, |ms| ms.leave_poller(m)) {
                while !take(&it.claimed) {
                    thread::yield_now();
                }
                self.idle.resign_poller();
                self.after_claim(it, own);
                return;
            }
            if self.may_rise(it, own) {
                self.sit_down(own);
                if own.p.get().is_some() || self.may_rise(it, own) {
                    self.idle.resign_poller();
                    return;
                }
            }
            self.lie_down(it, |ms| ms.poller = Some(m));
        }
    }

    fn lie_down(&self, m: &M, enter: impl FnOnce(&mut IdleMs)) {
        m.parked.store(true, Ordering::Relaxed);
        enter(&mut self.idle_ms());
        fence(Ordering::SeqCst);
    }

    fn get_up(&self, m: &M, leave: impl FnOnce(&mut IdleMs) -> bool) -> bool {
        let left = leave(&mut self.idle_ms());
        if left {
            m.parked.store(false, Ordering::Relaxed);
        }
        left
    }

    fn after_claim(&self, m: &M, own: &Own) {
        m.parked.store(false, Ordering::Relaxed);
        let index = m.next_p.swap(NULL, Ordering::Relaxed);
        if index != NULL {
            self.install(own, index, m.next_spinning.load(Ordering::Relaxed));
        }
    }
}

/// What the models ask.
impl Sched {
    /// The thread of an M that was in no list when it ended frees it.
    pub(crate) fn free(&self, m: usize) {
        // SAFETY: (1) see the field.
        self.ms[m].freed.with_mut(|freed| unsafe { *freed = true });
    }

    /// A task lies in the P `index`, which is the caller's, where only the owner finds it.
    pub(crate) fn push_private(&self, index: usize) {
        self.with_p(index, |p| p.private += 1);
    }

    /// After all have ended: no P was lost on the way, no claim is left over.
    pub(crate) fn assert_at_rest(&self) {
        let active = self.active.load(Ordering::Relaxed);
        let view = self.idle.view();
        assert_eq!((view.idle(), view.spinning()), (active, 0));
        assert!(!view.has_poller());
        let retired = self.resize.lock().expect("no model panics under the lock");
        for index in 0..self.config.procs {
            let is_surplus = index >= active;
            assert_eq!(self.idle.is_idle(index), !is_surplus);
            assert_eq!(retired[index], is_surplus);
            let private = self.with_p(index, |p| p.private);
            assert_eq!(private, 0, "a task lies where nobody looks");
        }
        assert_eq!(self.wanted.load(Ordering::Relaxed), 0);
        assert_eq!(self.running.load(Ordering::Relaxed), 0);
        let ms = self.idle_ms();
        assert!(ms.list.is_empty() && ms.poller.is_none() && ms.waiting.is_empty());
        for m in &self.ms {
            assert!(!m.claimed.load(Ordering::Relaxed) && !m.parked.load(Ordering::Relaxed));
            assert_eq!(m.next_p.load(Ordering::Relaxed), NULL);
        }
    }
}

impl IdleMs {
    fn leave_list(&mut self, m: usize) -> bool {
        let position = self.list.iter().position(|&other| other == m);
        position.map(|index| self.list.remove(index)).is_some()
    }

    fn leave_poller(&mut self, m: usize) -> bool {
        self.poller.take_if(|poller| *poller == m).is_some()
    }

    fn leave_waiting(&mut self, m: usize) -> bool {
        let position = self.waiting.iter().position(|&other| other == m);
        position.and_then(|at| self.waiting.remove(at)).is_some()
    }
}

pub(crate) fn spawn(
    sched: &Arc<Sched>,
    f: impl FnOnce(&Sched) + 'static,
) -> thread::JoinHandle<()> {
    let sched = sched.clone();
    thread::spawn(move || f(&sched))
}
