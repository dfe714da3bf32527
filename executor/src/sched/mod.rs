//! Sched: all Ps and Ms of one runtime, and the rules by which work finds a thread.
//!
//! A task that is due is in exactly one place: the `runnext` or the FIFO of a P, the global queue,
//! the mailbox of the M it is bound to, or the hand of the M that polls it. The job of this
//! module is that a task in any of those places is polled soon, with as few threads woken as
//! possible: another thread takes some 20 us to wake, and a poll takes 50 ns.
//!
//! # The rules
//!
//! 1. *A task woken by an M goes to that M's `runnext`*: its data is in this core's cache, and its
//!    waker is most likely about to return. What was there goes to the local FIFO.
//! 2. *A push into an empty `runnext` wakes nobody*; only work that this P cannot start next is
//!    worth a wake-up. (tokio tried the opposite: tokio#8065.)
//! 3. *Nobody is woken while somebody spins.* A spinning M finds the work, and the last of them to
//!    stop wakes the next ("the last-spinner handshake", `idle.rs`).
//! 4. *Who parks looks again.* An M gives its P up, says so, and then looks at every queue
//!    once more ("submit against park", `idle.rs`).
//! 5. *One idle M waits in the reactor* with the earliest timer as its time-out, the others on
//!    a futex without one. An idle runtime does not wake up.
//! 6. *No P is held while waiting.*
//!
//! Rejected, as in Go (`proc.go`, "Worker thread parking/unparking"): central state for every
//! decision (does not scale); handing the P and the task to a woken M directly (thrashes: the task
//! was about to run here); waking an M for each ready task (many wake up, find nothing, park).
//!
//! # Files
//!
//! `idle.rs` the packed word · `find.rs` what to run next · `run.rs` the loop of an M ·
//! `park.rs` idle Ms, and how they are woken · `netpoll.rs` the M in the reactor, timers ·
//! `duty.rs` who looks after them ·
//! `start.rs` threads, giving a P to an M · `spawn.rs` tasks come in · `root.rs` threads inside
//! `block_on` · `nested.rs` one within a task · `blocking.rs` Ms that block · `jobs.rs` closures that block · `limits.rs` how many may · `retake.rs` what the
//! monitor does · `deadlock.rs` when nothing can run · `standstill.rs` a clock that is paused · `waiting.rs` Ms that wait for a P · `procs.rs` how many Ps there are ·
//! `shutdown.rs` the end, `presence.rs` who leaves last, `attend.rs` timers and events during it.

mod attend;
mod blocking;
mod deadlock;
mod duty;
mod find;
#[cfg(unix)]
mod fork;
pub(crate) mod idle;
mod jobs;
mod limits;
pub(crate) mod nested;
mod netpoll;
mod park;
mod presence;
mod procs;
mod retake;
mod root;
mod run;
mod shutdown;
mod spawn;
mod standstill;
mod start;
mod state;
mod timers;
mod waiting;

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use gopark_net::{Claim, Reactor, delay};

use crate::current;
use crate::g::{Runnable, Shard, ShardOwner};
use crate::globq::GlobalQueue;
use crate::m::M;
use crate::metrics::{Metrics, SharedCounters};
use crate::p::P;
use crate::sysmon::Sysmon;
use crate::time::clock::Clock;
use crate::time::timers::Timers;
use idle::Idle;
use jobs::Jobs;
use park::IdleMs;
use presence::{Kind, Presence};
use procs::Procs;

pub(crate) use blocking::{block, block_eager};
pub use deadlock::DeadlockPolicy;
use deadlock::Living;
pub(crate) use limits::Limit;
pub(crate) use root::{block_on, run};
pub(crate) use spawn::{spawn, spawn_blocking, spawn_local};
pub(crate) use standstill::{Wait, Woken, wait_in_section};
pub(crate) use timers::{current_clock, timer_home};

/// What a runtime is built from.
pub(crate) struct Config {
    pub(crate) flavor: Flavor,
    pub(crate) procs: usize,
    pub(crate) seed: u64,
    pub(crate) thread_name: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) on_thread_start: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(crate) on_thread_stop: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(crate) pause_time: bool,
    /// For how long, without any event, a socket operation that waits holds a paused clock.
    pub(crate) pause_grace: Duration,
    /// None: the flavour's own.
    pub(crate) stall_policy: Option<StallPolicy>,
    pub(crate) max_blocking: usize,
    pub(crate) max_blocked_threads: usize,
    pub(crate) keep_alive: Duration,
    pub(crate) strict_procs: bool,
    pub(crate) deadlock_policy: DeadlockPolicy,
}

impl Config {
    /// What is done about polls that hold their P without saying so.
    pub(crate) fn stall_policy(&self) -> StallPolicy {
        match (self.stall_policy, self.flavor) {
            (Some(policy), _) => policy,
            (None, Flavor::CurrentThread) => StallPolicy::HandOff,
            (None, Flavor::MultiThread) => {
                let asked = crate::debug::settings().stalls;
                asked.unwrap_or(StallPolicy::HandOff)
            }
        }
    }

    /// Whether a poll that computes keeps its P whatever the policy. On the current-thread flavour one
    /// thing goes on at a time, unless something else was asked for; but what waits in the kernel does not
    /// go on.
    pub(crate) fn leaves_computing(&self) -> bool {
        self.flavor == Flavor::CurrentThread && self.stall_policy.is_none()
    }
}

/// The flavour of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flavor {
    /// Several processors on threads of their own.
    MultiThread,
    /// One processor, and threads inside `block_on` while it is used.
    CurrentThread,
}

/// What a runtime does about a poll that holds its processor for long without saying so: one that waits
/// in the kernel (`std::thread::sleep`, a file, a lock of `std`), or that computes.
///
/// A blocking section ([`block`](crate::block)) is no such poll: whatever the policy, its processor is
/// handed over when it is long.
///
/// # Examples
///
/// ```
/// use gopark::runtime::{Builder, StallPolicy};
///
/// let runtime = Builder::new_multi_thread().stall_policy(StallPolicy::Warn).build()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StallPolicy {
    /// Nothing. On the current-thread flavour the future of a `block_on` then waits, too, for a poll that blocks.
    Off,
    /// Warns of it if it held the processor for 10 ms or more, once for each place that spawned such a
    /// task.
    Warn,
    /// Hands the processor over to another thread, and warns likewise. An off-CPU poll loses a
    /// processor that is needed after 0.2 ms, one that computes after 10 ms, or after 1 ms if another
    /// processor is idle and could do what waits. While a processor is idle, little waits for a poll that stalls, and
    /// it may take 10 ms longer until the first such poll is found. The next polls of tasks that were spawned at the
    /// same place are given half and a tenth of these times, until none has stalled for a second. With this policy processors that only wait for the locks
    /// of channels, or are woken in vain, are laid off, too, while no fewer polls are made without them.
    HandOff,
}

/// All state of a runtime.
///
/// Three groups: what hot paths read and nobody writes; the two words that are contended, each on
/// a line of its own; what is touched when a thread parks, wakes, starts or ends.
pub(crate) struct Sched {
    pub(crate) ps: Procs,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) reactor: Reactor,

    pub(crate) idle: CachePadded<Idle>,
    pub(crate) globq: CachePadded<GlobalQueue<Runnable>>,
    pub(crate) jobs: CachePadded<Jobs>,
    pub(crate) sysmon: Sysmon,

    /// Spawns by threads without a P.
    outside: CachePadded<Mutex<ShardOwner>>,
    outside_shard: Shard,
    /// Sleeps armed by threads without a P.
    pub(crate) outside_timers: Arc<Timers>,
    idle_ms: CachePadded<Mutex<IdleMs>>,
    /// Ms in `idle_ms` that wait for a P: `waiting.rs`.
    wanted: AtomicUsize,
    /// Every M, for the monitor; and how often that has changed.
    all_ms: Mutex<Vec<Arc<M>>>,
    ms_version: AtomicUsize,
    /// The tick until which the M in the reactor means to wait; 0 while nobody waits.
    poll_until: AtomicU64,
    closing: AtomicBool,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
    /// Who is in the runtime: workers, threads inside `block_on`, the monitor, who closes it.
    presence: Presence,
    /// Ms that gave up their P to block, in a section known to be long or in a nested `block_on`.
    blocked_ms: AtomicUsize,
    /// Ms whose P was taken in the poll that they are in still: those that are `stalled`; and those of them that run
    /// jobs, which have a limit of their own.
    stalled_ms: AtomicUsize,
    stalled_jobs: AtomicUsize,
    /// What was said of limits that were reached.
    said_full: limits::Said,
    /// The operating system's error when it last refused a thread; 0 for none.
    refusal: AtomicI32,
    asked: start::Asked,
    started: std::time::Instant,
    /// Until when, in milliseconds since `started`, no thread is asked for after a refusal.
    refused_until: AtomicU64,
    /// A deadlock was reported.
    deadlock_said: AtomicBool,
    /// It was said who holds a paused clock.
    held_time_said: AtomicBool,
    /// A thread that is no M of this runtime has woken a task of it.
    woken_outside: AtomicBool,
    /// Until the runtime has been closed.
    living: Mutex<Option<Living>>,
    /// The closer has closed the timers and shut the reactor down.
    silent: AtomicBool,
    ended: (Mutex<()>, Condvar),
    counters: SharedCounters,
    /// A promise to the reactor that we poll it.
    _claim: Claim,
}

// Panics of tasks are caught in the harness, and nothing of a scheduler is half changed when code of a user runs.
impl std::panic::RefUnwindSafe for Sched {}

impl Sched {
    pub(crate) fn new(config: Config) -> io::Result<Arc<Self>> {
        let reactor = Reactor::new()?;
        let claim = reactor.claim();
        let clock = if config.pause_time {
            Clock::new_paused()
        } else {
            Clock::new(config.flavor == Flavor::CurrentThread)
        };
        let origin = clock.origin();
        let procs = config.procs;
        crate::primitive::prepare_fences();
        jobs::lend_to_net();
        let watches = config.stall_policy() != StallPolicy::Off;
        let idle = Idle::new(procs);
        if config.flavor == Flavor::CurrentThread {
            // It is retired as long as no thread is inside `block_on`.
            let taken = idle.take(0);
            debug_assert_eq!(taken, Some(0));
        }
        let sched = Arc::new_cyclic(|this: &std::sync::Weak<Self>| {
            let sched = this.as_ptr();
            let hook = this.clone();
            clock.on_change(Box::new(move || {
                if let Some(sched) = hook.upgrade() {
                    sched.reactor.notify();
                }
            }));
            let hook = this.clone();
            let outside_timers = Timers::new(
                origin,
                Some(Box::new(move |tick| {
                    if let Some(sched) = hook.upgrade() {
                        sched.timer_armed_outside(tick);
                    }
                })),
            );
            Self {
                ps: Procs::new(
                    (0..procs)
                        .map(|i| P::new(i, sched, config.seed, Arc::new(Timers::new(origin, None))))
                        .collect(),
                    config.flavor == Flavor::CurrentThread,
                ),
                jobs: CachePadded::new(Jobs::new(config.max_blocking)),
                sysmon: Sysmon::new(watches),
                config,
                clock,
                reactor,
                idle: CachePadded::new(idle),
                globq: CachePadded::new(GlobalQueue::new()),
                outside: CachePadded::new(Mutex::new(ShardOwner::new())),
                outside_shard: Shard::new(sched),
                outside_timers: Arc::new(outside_timers),
                idle_ms: CachePadded::new(Mutex::new(IdleMs::default())),
                wanted: AtomicUsize::new(0),
                all_ms: Mutex::new(Vec::new()),
                ms_version: AtomicUsize::new(0),
                poll_until: AtomicU64::new(0),
                closing: AtomicBool::new(false),
                threads: Mutex::new(Vec::new()),
                presence: Presence::new(),
                blocked_ms: AtomicUsize::new(0),
                stalled_ms: AtomicUsize::new(0),
                stalled_jobs: AtomicUsize::new(0),
                said_full: limits::Said::default(),
                refusal: AtomicI32::new(0),
                asked: start::Asked::default(),
                started: std::time::Instant::now(),
                refused_until: AtomicU64::new(0),
                deadlock_said: AtomicBool::new(false),
                held_time_said: AtomicBool::new(false),
                woken_outside: AtomicBool::new(false),
                living: Mutex::new(Some(Living::begin())),
                silent: AtomicBool::new(false),
                ended: (Mutex::new(()), Condvar::new()),
                counters: SharedCounters::default(),
                _claim: claim,
            }
        });
        #[cfg(unix)]
        fork::enlist(&sched);
        Ok(sched)
    }

    /// The P `index`, for `set_procs`.
    fn make_p(&self, index: usize) -> P {
        let timers = Arc::new(Timers::new(self.clock.origin(), None));
        P::new(index, self, self.config.seed, timers)
    }

    /// The shards of all tasks but the local ones.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.ps
            .iter()
            .map(|p| &p.remote.shard)
            .chain([&self.outside_shard])
    }

    pub(crate) fn is_current_thread(&self) -> bool {
        self.config.flavor == Flavor::CurrentThread
    }

    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Whether nobody waits for timers and sockets of this runtime any more: its end is complete.
    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    fn idle_ms(&self) -> MutexGuard<'_, IdleMs> {
        lock(&self.idle_ms)
    }

    /// Whether some queue holds work for an M with a P: a task, or a job that may begin.
    pub(crate) fn work_visible(&self) -> bool {
        self.tasks_visible() || self.jobs_visible()
    }

    /// Whether some queue holds a task that any M with a P could take.
    fn tasks_visible(&self) -> bool {
        !self.globq.is_empty() || self.ps.iter().any(|p| !p.remote.stealer.is_empty())
    }

    /// Readies a task from a thread that is no M of this runtime.
    fn ready_remote(&self, task: Runnable) {
        self.globq.push(task);
        delay::here("ready_remote: pushed");
        if self.idle.should_wake() {
            self.wakep();
        }
    }

    /// Milliseconds and less since the runtime began.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let view = self.idle.view();
        let sum = |f: fn(&crate::metrics::Counters) -> u64| {
            self.ps.iter().map(|p| f(&p.metrics)).sum::<u64>()
        };
        let shared = &self.counters;
        Metrics {
            procs: self.ps.wanted(),
            laid_off_procs: self.ps.wanted().saturating_sub(self.ps.active()),
            idle_procs: view.idle(),
            spinning: view.spinning(),
            global_queue: self.globq.len(),
            threads: if self.is_left_behind() {
                0
            } else {
                lock(&self.all_ms).len()
            },
            blocked_threads: self.blocked() + self.stalled_jobs.load(Ordering::Relaxed),
            jobs_queued: self.jobs.queued(),
            jobs_running: self.jobs.running(),
            polls: sum(|c| c.polls.get()),
            steals: sum(|c| c.steals.get()),
            stolen: sum(|c| c.stolen.get()),
            from_global: sum(|c| c.from_global.get()),
            spills: self.globq.spills(),
            reactor_looks: sum(|c| c.reactor_looks.get()),
            reactor_waits: shared.reactor_waits.get(),
            timers_fired: sum(|c| c.timers_fired.get()) + shared.timers_fired.get(),
            parks: shared.parks.get(),
            unparks: shared.unparks.get(),
            threads_started: shared.threads_started.get(),
            threads_ended: shared.threads_ended.get(),
            thread_failures: shared.thread_failures.get(),
            handoffs: shared.handoffs.get(),
            jobs_begun: self.jobs.begun(),
            looks: shared.looks.get(),
            retakes_block: shared.retakes_block.get(),
            retakes_off_cpu: shared.retakes_off_cpu.get(),
            retakes_computing: shared.retakes_computing.get(),
            retakes_refused: shared.retakes_refused.get(),
            pollers_recalled: shared.pollers_recalled.get(),
            slices_ended: shared.slices_ended.get(),
            procs_laid_off: shared.procs_laid_off.get(),
        }
    }

    pub(crate) fn counters(&self) -> &SharedCounters {
        &self.counters
    }
}

impl Drop for Sched {
    fn drop(&mut self) {
        #[cfg(unix)]
        fork::delist(self);
        // What is still queued points to shards of any P, so it goes before all of them.
        while let Some(task) = self.globq.pop() {
            self.cancel(task);
        }
        while let Some(task) = self.jobs.pop() {
            self.cancel(task);
        }
        for p in self.ps.iter() {
            while let Some(task) = p.runq.pop(|| true) {
                self.cancel(task);
            }
        }
    }
}

/// The schedule function of every task that may run on any P.
#[inline]
fn schedule(task: Runnable, info: async_task::ScheduleInfo) {
    let site = task.metadata().site();
    // SAFETY: (1) a task that is scheduled has its future still, so its site lives (g rule 4).
    let sched = unsafe { (*site).sched() };
    let m = current::m();
    if !m.is_null() {
        // SAFETY: (1) `current::m` is valid while set.
        let m = unsafe { &*m };
        if ptr::eq(Arc::as_ptr(m.sched()), sched) {
            m.ready(task, info.woken_while_running);
            return;
        }
    }
    schedule_remote(task, sched);
}

/// The schedule function of jobs.
fn schedule_job(task: Runnable, _: async_task::ScheduleInfo) {
    if task.metadata().id().is_left_behind() {
        std::mem::forget(task); // As in `schedule_remote`.
        return;
    }
    let site = task.metadata().site();
    // SAFETY: as in `schedule`.
    let sched = unsafe { (*site).sched() };
    // SAFETY: as in `schedule_remote`.
    unsafe { Arc::increment_strong_count(sched) };
    // SAFETY: (1) the count that was just added is this one.
    let sched = unsafe { Arc::from_raw(sched) };
    sched.submit_job(task);
}

#[cold]
#[inline(never)]
fn schedule_remote(task: Runnable, sched: *const Sched) {
    if task.metadata().id().is_left_behind() {
        // Nobody will run it; and to drop it is not ours (g rule 1).
        std::mem::forget(task);
        return;
    }
    // Once the task is pushed, another thread may run it, end the runtime and free the `Sched`.
    // SAFETY: (1) the `Sched` was made by `Arc::new_cyclic`; (2) the task in our hand keeps its
    // registry from being empty, and so the `Sched` alive (g rule 4).
    unsafe { Arc::increment_strong_count(sched) };
    // SAFETY: (1) the count that was just added is this one.
    let sched = unsafe { Arc::from_raw(sched) };
    sched.note_outsider();
    sched.ready_remote(task);
}

/// The schedule function of tasks bound to one M.
fn schedule_local(task: Runnable, _: async_task::ScheduleInfo) {
    let site = task.metadata().site();
    // SAFETY: as in `schedule`.
    let shard = unsafe { (*site).shard() };
    // SAFETY: as in `schedule`; the shard is the M's.
    let m = unsafe { (*shard).bound() };
    // After the push the M may run the task, end, and be dropped by its thread.
    // SAFETY: (1) the M was made by `Arc::new_cyclic`, and does not go before its local tasks.
    unsafe { Arc::increment_strong_count(m) };
    // SAFETY: (1) the count that was just added is this one.
    let m = unsafe { Arc::<M>::from_raw(m) };
    m.ready_local(task);
}

/// Locks, whatever happened to an earlier holder: no lock here guards what a panic could leave
/// half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A wait that never ends by itself is no time-out.
type Timeout = Option<Duration>;
