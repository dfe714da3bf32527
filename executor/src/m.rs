//! M: a machine, one OS thread that runs tasks: a worker, or a thread inside `block_on`.
//!
//! # Who may touch what
//!
//! | field | the M's thread | others |
//! |---|---|---|
//! | `seat` | enters, leaves, installs, releases | the monitor retakes |
//! | `pulse`, the counts of `place` | writes | the monitor reads |
//! | `spinning`, `last_p`, `runner`, `polls_next`, `yielded`, `batching`, `locals`, `own_due`, `own_root` | reads and writes | - |
//! | `next_p`, `next_spinning`, `next_runner`, `next_polls`, `claimed` | takes | write once, after taking the M from `IdleMs` |
//! | `mailbox`, `bound_ready`, `root_ready` | takes | push, set |
//! | `wait` | writes | read |
//! | `summons`, `verdict`, `stalled` | takes | the monitor sets |
//! | `away`, `nested` | writes | read |
//! | `stands_in` | reads and writes | who claims it for the tasks sets it |
//! | `parked`, `runs_job` | writes | read |
//!
//! # Bound work
//!
//! Some work belongs to one thread: the root future of its `block_on`, and the tasks of
//! `spawn_local`. It never enters a run queue. Whoever wakes it sets `bound_ready`, which the M
//! looks at between any two polls, and wakes the M if that is parked.
//!
//! The monitor uses the same bell: a summons makes bound work due, and the M answers it as it comes to
//! its next turn.
//!
//! # The thread inside `block_on`
//!
//! It is dedicated to its bound work: it runs no task of a queue, for nobody else could poll its root
//! while that task blocks. Only where the system refuses threads it *stands in* for a worker, until it
//! has run out of tasks or a thread can be had.
//!
//! *The bound-wake race* is Dekker's: the waker sets `bound_ready`, fences and reads `parked`; the M
//! sets `parked`, enters `IdleMs` (a lock), fences and reads `bound_ready`. One sees the other.

use std::cell::{Cell, UnsafeCell};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::thread::Thread;
use std::time::Duration;

use concurrent_queue::ConcurrentQueue;
use crossbeam_utils::CachePadded;
use gopark_net::note::WaitReason;

use crate::chan::lock::Place;
use crate::chan::place;
use crate::current;
use crate::elastic::Elastic;
use crate::g::{Meta, Runnable, Shard, ShardOwner, Site};
use crate::p::P;
use crate::pulse::Pulse;
use crate::sched::nested::Parker;
use crate::sched::{Sched, Wait, Woken};
use crate::seat::Seat;
use crate::sys::ThreadProbe;
use crate::sysmon::Verdict;

/// See the module.
pub(crate) struct M {
    pub(crate) seat: CachePadded<Seat<P>>,
    pub(crate) pulse: CachePadded<Pulse<Site>>,
    sched: Arc<Sched>,
    /// Has a P and looks for work; counted in `Idle`.
    pub(crate) spinning: Cell<bool>,
    /// The P held last: taken again if it is still idle, for its warm caches.
    pub(crate) last_p: Cell<usize>,
    /// Was sent to run jobs without a P, and takes one after the other until none is left.
    pub(crate) runner: Cell<bool>,
    /// Was sent to wait in the reactor: it does so when it parks next.
    pub(crate) polls_next: Cell<bool>,
    /// Bound work was due again as its last turn ended.
    pub(crate) yielded: Cell<bool>,
    /// Wakes append to the local queue and wake nobody: a batch of events is being delivered, and
    /// one decision follows for all.
    pub(crate) batching: Cell<bool>,
    locals: UnsafeCell<Locals>,
    /// The M's own thread has made bound work due, or the root in particular: what `bound_ready` and
    /// `root_ready` are for other threads, without their read-modify-writes.
    own_due: Cell<bool>,
    own_root: Cell<bool>,

    /// Where the `block_on` is that this thread is inside; None for a worker.
    root: Option<&'static Location<'static>>,
    thread: Thread,
    pub(crate) probe: ThreadProbe,
    /// The thread's, where it counts its waits for locks; None while it ends.
    place: Option<&'static Place>,
    pub(crate) next_p: AtomicPtr<P>,
    /// Whether the M that takes `next_p` spins from then on.
    pub(crate) next_spinning: AtomicBool,
    /// Whether the M, which gets no P, is sent to run jobs.
    pub(crate) next_runner: AtomicBool,
    /// Whether it is sent to wait in the reactor.
    pub(crate) next_polls: AtomicBool,
    pub(crate) claimed: AtomicBool,
    pub(crate) parked: AtomicBool,
    bound_ready: AtomicBool,
    root_ready: AtomicBool,
    /// Its P was taken in the poll that it is in: whether, and where, it is counted for that.
    pub(crate) stalled: AtomicU8,
    /// It runs the closure of a `spawn_blocking`.
    pub(crate) runs_job: AtomicBool,
    summons: AtomicU8,
    pub(crate) verdict: Mutex<Option<Verdict>>,
    /// A thread inside `block_on` that runs tasks, for there is no thread for them.
    stands_in: AtomicBool,
    /// It has given its P up in the middle of a poll, and comes back to its other work later.
    away: AtomicBool,
    /// What wakes the nested `block_on` that it is in, the innermost one.
    nested: Mutex<Option<Arc<Parker>>>,
    /// Why the root of this `block_on` waits: the number of a `WaitReason`, written by its thread.
    root_wait: AtomicU8,
    /// What the thread waits for in user code, if it says so; for a clock that stands still.
    wait: Mutex<Wait>,
    mailbox: ConcurrentQueue<Runnable>,
    local_shard: Shard,
}

/// What the monitor asks of an M.
pub(crate) mod summons {
    /// End the slice of the `runnext` chain that runs.
    pub(crate) const END_SLICE: u8 = 1;
    /// Say aloud what the verdict says.
    pub(crate) const SPEAK: u8 = 2;
    /// Give the P to one that waits for it, or up if nothing is to run any more.
    pub(crate) const GIVE_P: u8 = 4;
}

/// An M's stay in a nested `block_on`.
pub(crate) struct Nested<'a> {
    m: &'a M,
    outer: Option<Arc<Parker>>,
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        let mut slot = self.m.nested.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = self.outer.take();
    }
}

/// Where an M is counted that lost its P in its poll.
pub(crate) mod stalled {
    pub(crate) const NO: u8 = 0;
    /// In `Sched::stalled_ms`.
    pub(crate) const IN_POLL: u8 = 1;
    /// In `Sched::stalled_jobs`.
    pub(crate) const IN_JOB: u8 = 2;
}

/// Tasks that only this thread may poll.
struct Locals {
    queue: Elastic<Runnable>,
    owner: ShardOwner,
}

// SAFETY: (1) `Cell`s and `locals` are touched by the M's own thread only, see the table; (2) the
// tasks in `mailbox` may be !Send, and are polled and dropped by that thread only.
unsafe impl Sync for M {}
// SAFETY: an `Arc<M>` that is dropped elsewhere last drops an M whose queues its thread has emptied
// (`block_on` and the worker's end see to it).
unsafe impl Send for M {}

impl M {
    /// The M of the calling thread, inside the `block_on` at `root`, or else a worker.
    pub(crate) fn new(sched: Arc<Sched>, root: Option<&'static Location<'static>>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            seat: CachePadded::new(Seat::new()),
            pulse: CachePadded::new(Pulse::new()),
            spinning: Cell::new(false),
            last_p: Cell::new(0),
            runner: Cell::new(false),
            polls_next: Cell::new(false),
            yielded: Cell::new(false),
            batching: Cell::new(false),
            own_due: Cell::new(false),
            own_root: Cell::new(false),
            locals: UnsafeCell::new(Locals {
                queue: Elastic::default(),
                owner: ShardOwner::new(),
            }),
            root,
            thread: std::thread::current(),
            probe: ThreadProbe::of_this_thread(),
            // SAFETY: (1) places live for ever.
            place: unsafe { place::settle().as_ref() },
            next_p: AtomicPtr::new(std::ptr::null_mut()),
            next_spinning: AtomicBool::new(false),
            next_runner: AtomicBool::new(false),
            next_polls: AtomicBool::new(false),
            claimed: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            bound_ready: AtomicBool::new(false),
            root_ready: AtomicBool::new(false),
            stalled: AtomicU8::new(stalled::NO),
            runs_job: AtomicBool::new(false),
            summons: AtomicU8::new(0),
            verdict: Mutex::new(None),
            stands_in: AtomicBool::new(false),
            away: AtomicBool::new(false),
            nested: Mutex::new(None),
            root_wait: AtomicU8::new(WaitReason::Other as u8),
            wait: Mutex::new(Wait::None),
            mailbox: ConcurrentQueue::unbounded(),
            local_shard: Shard::with_bound(Arc::as_ptr(&sched), this.as_ptr()),
            sched,
        })
    }

    #[inline]
    pub(crate) fn sched(&self) -> &Arc<Sched> {
        &self.sched
    }

    pub(crate) fn is_root(&self) -> bool {
        self.root.is_some()
    }

    /// Where the `block_on` is that this thread is inside.
    pub(crate) fn root(&self) -> Option<&'static Location<'static>> {
        self.root
    }

    /// How often this thread has waited for the locks of channels, and how long in all.
    pub(crate) fn waits(&self) -> (u64, Duration) {
        self.place.map_or((0, Duration::ZERO), Place::waits)
    }

    /// Why the root waits. What waits for nothing, for there is no root, waits for tasks.
    pub(crate) fn root_wait(&self) -> WaitReason {
        if self.root.is_none() {
            return WaitReason::Join;
        }
        WaitReason::from_u8(self.root_wait.load(Ordering::Relaxed))
    }

    pub(crate) fn set_root_wait(&self, reason: WaitReason) {
        self.root_wait.store(reason as u8, Ordering::Relaxed);
    }

    /// The thread is about to block until `woken`. For the M.
    pub(crate) fn begin_wait(&self, woken: Arc<dyn Woken>) {
        self.set_wait(Wait::Until(woken, self.runner.get()));
    }

    /// What becomes of that wait. For the M.
    pub(crate) fn set_wait(&self, wait: Wait) {
        *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = wait;
    }

    /// Whether a clock that stands still must wait for what this thread does without a P: see
    /// `sched/standstill.rs`.
    pub(crate) fn holds_time(&self) -> bool {
        match &*self.wait.lock().unwrap_or_else(PoisonError::into_inner) {
            Wait::None => self.pulse.is_blocking(),
            Wait::Until(woken, _) => woken.is_woken(),
        }
    }

    /// Whether this thread runs a job, and waits in it for what tasks bring about.
    pub(crate) fn waits_in_job(&self) -> bool {
        let wait = self.wait.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(&*wait, Wait::Until(woken, true) if !woken.is_woken())
    }

    /// Where the task was spawned that the thread polls, or polled last; None if that was a root.
    pub(crate) fn site_of_poll(&self) -> Option<&'static Location<'static>> {
        let site = self.pulse.look().site;
        // SAFETY: (1) a site lives as long as its shard, and that as long as the `Sched` or this M; (2) the pulse
        // has published it.
        (!site.is_null()).then(|| unsafe { &*site }.location())
    }

    /// Whether this thread may be lent to what blocks: nothing that is bound to it would wait.
    pub(crate) fn may_block(&self) -> bool {
        self.root.is_none() && self.local_shard.is_empty()
    }

    /// Whether its P was taken in the poll that it is in.
    #[inline]
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed) != stalled::NO
    }

    /// Whether this thread, inside `block_on`, runs its own work alone.
    #[inline]
    pub(crate) fn is_dedicated(&self) -> bool {
        self.is_root() && !self.stands_in()
    }

    /// Whether this thread, inside `block_on`, runs tasks for want of others.
    pub(crate) fn stands_in(&self) -> bool {
        self.stands_in.load(Ordering::Relaxed)
    }

    pub(crate) fn set_stands_in(&self, stands_in: bool) {
        self.stands_in.store(stands_in, Ordering::Relaxed);
    }

    /// The thread, for one who unparks it after the M may have gone.
    pub(crate) fn thread(&self) -> Thread {
        self.thread.clone()
    }

    /// The shard of the tasks bound to this M.
    pub(crate) fn local_shard(&self) -> &Shard {
        &self.local_shard
    }

    /// From user code on this M's thread: runs `f` with the P, if there still is one. `f` must not
    /// run user code.
    #[inline]
    pub(crate) fn with_p<R>(&self, f: impl FnOnce(&P) -> R) -> Option<R> {
        // SAFETY: (1) between `enter` and `leave` the P is this M's: seat rule 2; (2) the Ps live as
        // long as the `Sched`, which this M keeps.
        let result = self.seat.enter().map(|p| f(unsafe { p.as_ref() }));
        self.seat.leave();
        result
    }

    /// Readies a task, from user code on this M's thread. A `yielded` task goes to the back.
    // Always inline: it is the body of every task's schedule function, and a call costs as much again.
    #[inline(always)]
    pub(crate) fn ready(&self, task: Runnable, yielded: bool) {
        let sched = &*self.sched;
        let wake = match self.seat.enter() {
            Some(p) => {
                // SAFETY: as in `with_p`.
                let p = unsafe { p.as_ref() };
                if yielded || self.batching.get() {
                    p.runq.push_back(task, &sched.globq);
                    false
                } else {
                    p.runq.push_next(task, &sched.globq) && sched.idle.should_wake()
                }
            }
            None => {
                sched.globq.push(task);
                sched.idle.should_wake()
            }
        };
        self.seat.leave();
        if wake {
            sched.wakep();
        }
    }

    /// Whether bound work may be due.
    #[inline]
    pub(crate) fn has_bound(&self) -> bool {
        self.own_due.get() || self.bound_ready.load(Ordering::Relaxed)
    }

    /// It gives its P up in the middle of a poll, or has one again; gives back what was so before.
    pub(crate) fn set_away(&self, away: bool) -> bool {
        self.away.swap(away, Ordering::Relaxed)
    }

    /// It begins a nested `block_on`, until the guard is dropped.
    pub(crate) fn enter_nested(&self, parker: Arc<Parker>) -> Nested<'_> {
        let mut slot = self.nested.lock().unwrap_or_else(PoisonError::into_inner);
        let outer = slot.replace(parker);
        Nested { m: self, outer }
    }

    /// Whether something was woken that this thread polls as soon as it has a P. For one who holds the only P: what is
    /// due stays so meanwhile.
    pub(crate) fn is_due(&self) -> bool {
        if !self.away.load(Ordering::Relaxed) {
            return self.bound_ready.load(Ordering::Relaxed);
        }
        let nested = self.nested.lock().unwrap_or_else(PoisonError::into_inner);
        nested.as_ref().is_some_and(|parker| parker.is_woken())
    }

    /// This thread gives its P up with bound work due that it has made due itself: from now on others see it.
    pub(crate) fn show_due(&self) {
        if self.own_due.get() {
            // A swap, as in `wake_root`.
            self.bound_ready.swap(true, Ordering::AcqRel);
        }
    }

    /// Whether bound work is due that this thread itself has made due.
    pub(crate) fn has_yielded(&self) -> bool {
        self.own_due.get()
    }

    /// Whether bound work is due that is more than a summons. True stays true until the next turn.
    pub(crate) fn bound_needs_p(&self) -> bool {
        // SAFETY: (1) the M's own thread; (2) nothing here runs user code, so no second borrow.
        let has_local = || !unsafe { &*self.locals.get() }.queue.is_empty();
        self.own_root.get()
            || self.root_ready.load(Ordering::Relaxed)
            || !self.mailbox.is_empty()
            || has_local()
    }

    /// Begins a turn of bound work on the M's own thread, and says whether the root is due.
    pub(crate) fn begin_bound(&self) -> bool {
        self.own_due.set(false);
        let own = self.own_root.replace(false);
        // Relaxed: if it is set the swap below acquires; if it is not yet, it will be seen set later.
        let remote = self.bound_ready.load(Ordering::Relaxed)
            // pairs with: the swap in `set_bound_ready`.
            && self.bound_ready.swap(false, Ordering::AcqRel)
            // pairs with: the swap in `wake_root`, which comes before the one above.
            && self.root_ready.swap(false, Ordering::AcqRel);
        own || remote
    }

    /// Takes a local task that is due; if there are more, bound work is due still.
    pub(crate) fn next_local(&self) -> Option<Runnable> {
        // SAFETY: (1) the M's own thread; (2) nothing below runs user code, so no second borrow.
        let locals = unsafe { &mut *self.locals.get() };
        if !self.mailbox.is_empty() {
            let Locals { queue, .. } = locals;
            self.mailbox
                .try_iter()
                .for_each(|task| queue.push_back(task));
        }
        let task = locals.queue.pop_front();
        if !locals.queue.is_empty() {
            self.own_due.set(true);
        }
        task
    }

    /// Readies a task bound to this M, from any thread.
    pub(crate) fn ready_local(&self, task: Runnable) {
        if std::ptr::eq(current::m(), self) {
            // SAFETY: (1) the M's own thread; (2) no borrow lives while user code runs, and this is
            // called from user code.
            unsafe { &mut *self.locals.get() }.queue.push_back(task);
            self.own_due.set(true);
        } else {
            assert!(
                self.mailbox.push(task).is_ok(),
                "the mailbox is unbounded and never closed"
            );
            self.woken_by_another();
        }
    }

    /// Wakes the root future of this M's `block_on`.
    fn wake_root(&self) {
        if std::ptr::eq(current::m(), self) {
            self.own_root.set(true);
            self.own_due.set(true);
            return;
        }
        // A swap: a store would end the release sequence of another waker's, whose wake the M would then
        // take without seeing what it was for.
        // pairs with: the swap in `begin_bound`.
        self.root_ready.swap(true, Ordering::AcqRel);
        self.woken_by_another();
    }

    /// Another thread, of this runtime or not, has woken what is bound to this one.
    fn woken_by_another(&self) {
        let m = current::m();
        // SAFETY: (1) `current::m` is valid while set.
        if m.is_null() || !Arc::ptr_eq(unsafe { (*m).sched() }, &self.sched) {
            self.sched.note_outsider();
        }
        self.set_bound_ready();
    }

    /// Asks the M, from another thread, to do `what` at its next turn.
    pub(crate) fn summon(&self, what: u8) {
        self.summons.fetch_or(what, Ordering::AcqRel); // pairs with: the swap in `take_summons`.
        self.set_bound_ready();
    }

    /// What the monitor has asked for.
    pub(crate) fn take_summons(&self) -> u8 {
        if self.summons.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.summons.swap(0, Ordering::AcqRel) // pairs with: `summon`.
    }

    /// Another thread made bound work due: the bound-wake race.
    fn set_bound_ready(&self) {
        // A swap, as in `wake_root`.
        // pairs with: the swap in `begin_bound`.
        self.bound_ready.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the fence in `IdleMs`' parkers.
        if self.parked.load(Ordering::Relaxed) {
            self.sched.wake_m(self);
        }
    }

    /// Takes the P that came with a claim.
    pub(crate) fn take_next_p(&self) -> Option<NonNull<P>> {
        // pairs with: the claimer's Release store of `claimed`, which we have acquired.
        NonNull::new(self.next_p.swap(std::ptr::null_mut(), Ordering::Relaxed))
    }

    /// Prepares the metadata of a local task.
    pub(crate) fn reserve_local(&self, location: &'static std::panic::Location<'static>) -> Meta {
        debug_assert!(std::ptr::eq(current::m(), self));
        // SAFETY: (1) the M's own thread; (2) `reserve` runs no user code.
        let locals = unsafe { &mut *self.locals.get() };
        self.local_shard.reserve(&mut locals.owner, location)
    }
}

impl Wake for M {
    fn wake(self: Arc<Self>) {
        self.wake_root();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_root();
    }
}

/// Runs `f` with the owner's part of `shard` if this thread owns it; false if it does not.
#[inline]
pub(crate) fn with_shard_owner(shard: &Shard, f: impl FnOnce(&mut ShardOwner)) -> bool {
    let m = current::m();
    if m.is_null() {
        return false;
    }
    // SAFETY: (1) `current::m` is valid while set.
    let m = unsafe { &*m };
    if std::ptr::eq(shard.bound(), m) {
        // SAFETY: (1) the M's own thread; (2) the registry's code runs no user code.
        f(unsafe { &mut (*m.locals.get()).owner });
        return true;
    }
    m.with_p(|p| {
        let own = std::ptr::eq(&p.remote.shard, shard);
        if own {
            // SAFETY: (1) `with_p`: the P is ours; (2) the registry's code does not come back.
            unsafe { p.with_shard_owner(|_, owner| f(owner)) };
        }
        own
    })
    .unwrap_or(false)
}

impl std::fmt::Debug for M {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("M")
            .field("thread", &self.thread.id())
            .finish_non_exhaustive()
    }
}
