//! M: a machine, one OS thread that runs tasks: a worker, or a thread inside `block_on`.
//!
//! # Who may touch what
//!
//! | field | the M's thread | others |
//! |---|---|---|
//! | `seat` | enters, leaves, installs, releases | the monitor retakes |
//! | `pulse`, the counts of `place` | writes | the monitor reads |
//! | `spinning`, `last_p`, `runner`, `batching`, `locals`, `own_due`, `own_root` | reads and writes | - |
//! | `next_p`, `next_spinning`, `next_runner`, `claimed` | takes | write once, after taking the M from `IdleMs` |
//! | `mailbox`, `bound_ready`, `root_ready` | takes | push, set |
//! | `summons`, `verdict`, `stalled` | takes | the monitor sets |
//! | `aloof` | reads, clears | the monitor sets |
//! | `parked` | writes | read |
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
//! *The bound-wake race* is Dekker's: the waker sets `bound_ready`, fences and reads `parked`; the M
//! sets `parked`, enters `IdleMs` (a lock), fences and reads `bound_ready`. One sees the other.

use std::cell::{Cell, UnsafeCell};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering, fence};
use std::sync::{Arc, Mutex};
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
use crate::sched::Sched;
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
    pub(crate) claimed: AtomicBool,
    pub(crate) parked: AtomicBool,
    bound_ready: AtomicBool,
    root_ready: AtomicBool,
    /// Its P was taken in the poll that it is in: it is counted in `Sched::stalled_ms`.
    pub(crate) stalled: AtomicBool,
    summons: AtomicU8,
    pub(crate) verdict: Mutex<Option<Verdict>>,
    /// A root whose thread was once stuck in the poll of a task: it runs its own work alone from then on.
    aloof: AtomicBool,
    /// Why the root of this `block_on` waits: the number of a `WaitReason`, written by its thread.
    root_wait: AtomicU8,
    mailbox: ConcurrentQueue<Runnable>,
    local_shard: Shard,
}

/// What the monitor asks of an M.
pub(crate) mod summons {
    /// End the slice of the `runnext` chain that runs.
    pub(crate) const END_SLICE: u8 = 1;
    /// Say aloud what the verdict says.
    pub(crate) const SPEAK: u8 = 2;
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
            claimed: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            bound_ready: AtomicBool::new(false),
            root_ready: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            summons: AtomicU8::new(0),
            verdict: Mutex::new(None),
            aloof: AtomicBool::new(false),
            root_wait: AtomicU8::new(WaitReason::Other as u8),
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

    /// Whether this thread may be lent to what blocks: nothing that is bound to it would wait.
    pub(crate) fn may_block(&self) -> bool {
        self.root.is_none() && self.local_shard.is_empty()
    }

    /// Whether this thread keeps to its own work.
    #[inline]
    pub(crate) fn is_aloof(&self) -> bool {
        self.aloof.load(Ordering::Relaxed)
    }

    /// Has this thread, in which a root waits that nobody else can poll, keep to its own work: its
    /// tasks block.
    pub(crate) fn keep_aloof(&self) {
        self.aloof.store(true, Ordering::Relaxed);
    }

    /// Nobody else can do what this thread leaves undone.
    pub(crate) fn keep_aloof_no_more(&self) {
        self.aloof.store(false, Ordering::Relaxed);
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
