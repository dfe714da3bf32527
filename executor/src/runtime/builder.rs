//! Building a runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fmt, io};

use super::{Runtime, env};
use crate::sched::idle::MAX_PROCS;
use crate::sched::{Config, DeadlockPolicy, Flavor, Sched, StallPolicy};

/// How many jobs may run at the same time unless [`Builder::max_blocking`] says otherwise; tokio's figure.
const DEFAULT_MAX_BLOCKING: usize = 512;

/// How many Ms may be blocked in tasks unless [`Builder::max_blocked_threads`] says otherwise; Go's limit of threads.
const DEFAULT_MAX_BLOCKED_THREADS: usize = 10_000;

/// How long an idle thread beyond the number of processors waits for work; tokio's figure.
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What crosses the loopback interface comes at once, but for a timer of the kernel's now and then, and a
/// thread that the kernel keeps waiting.
const DEFAULT_PAUSE_GRACE: Duration = Duration::from_millis(5);

/// Builds a [`Runtime`].
///
/// # Examples
///
/// ```
/// let runtime = gopark::runtime::Builder::new_multi_thread()
///     .procs(2)
///     .thread_name("worker")
///     .build()?;
/// assert_eq!(runtime.handle().metrics().procs, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub struct Builder {
    flavor: Flavor,
    procs: Option<usize>,
    seed: Option<u64>,
    thread_name: Arc<dyn Fn() -> String + Send + Sync>,
    stack_size: Option<usize>,
    on_thread_start: Option<Arc<dyn Fn() + Send + Sync>>,
    on_thread_stop: Option<Arc<dyn Fn() + Send + Sync>>,
    pause_time: bool,
    pause_grace: Duration,
    stall_policy: Option<StallPolicy>,
    max_blocking: usize,
    max_blocked_threads: usize,
    keep_alive: Duration,
    strict_procs: bool,
    deadlock_policy: DeadlockPolicy,
}

impl Builder {
    /// Several processors; threads are started when there is work for them.
    pub fn new_multi_thread() -> Self {
        Self::new(Flavor::MultiThread)
    }

    /// One processor: one task, or one future of a `block_on`, is polled at a time. Tasks run on a thread that is
    /// started for them, and on others if that one blocks; the future of a `block_on` and its local tasks
    /// run on the calling thread. While no thread is inside `block_on` or `run`, nothing runs.
    pub fn new_current_thread() -> Self {
        Self::new(Flavor::CurrentThread)
    }

    fn new(flavor: Flavor) -> Self {
        Self {
            flavor,
            procs: None,
            seed: None,
            thread_name: Arc::new(|| "gopark-worker".into()),
            stack_size: None,
            on_thread_start: None,
            on_thread_stop: None,
            pause_time: false,
            pause_grace: DEFAULT_PAUSE_GRACE,
            stall_policy: None,
            max_blocking: DEFAULT_MAX_BLOCKING,
            max_blocked_threads: DEFAULT_MAX_BLOCKED_THREADS,
            keep_alive: DEFAULT_KEEP_ALIVE,
            strict_procs: false,
            deadlock_policy: DeadlockPolicy::default(),
        }
    }

    /// How many processors, that is how many tasks may be polled at the same time: Go's
    /// `GOMAXPROCS`. Without this call it is the environment's `GOPARK_PROCS`, else its
    /// `GOMAXPROCS`, else the parallelism available to the process.
    ///
    /// # Panics
    ///
    /// Panics if `procs` is 0 or more than 1,024, and if it is not 1 on the current-thread flavour.
    #[track_caller]
    pub fn procs(mut self, procs: usize) -> Self {
        assert!(
            env::check(Some(procs)).is_some(),
            "procs({procs}): expected a number of processors from 1 to {MAX_PROCS}"
        );
        assert!(
            self.flavor == Flavor::MultiThread || procs == 1,
            "procs({procs}) on the current-thread flavour, which has exactly 1 processor"
        );
        self.procs = Some(procs);
        self
    }

    /// The seed of every random choice that the scheduler makes, such as whom to steal from. Without
    /// it each runtime has another.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The name of the worker threads; `gopark-worker` without this call.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.thread_name = Arc::new(move || name.clone());
        self
    }

    /// A function that names each worker thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static COUNT: AtomicUsize = AtomicUsize::new(0);
    /// let runtime = gopark::runtime::Builder::new_multi_thread()
    ///     .thread_name_fn(|| format!("worker-{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    ///     .build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn thread_name_fn(mut self, name: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.thread_name = Arc::new(name);
        self
    }

    /// The stack size of the worker threads, in bytes; std's default without this call.
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Runs a function on each worker thread before it runs its first task. If the function panics,
    /// the thread goes on.
    pub fn on_thread_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_start = Some(Arc::new(f));
        self
    }

    /// Runs a function on each worker thread before it ends.
    pub fn on_thread_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_thread_stop = Some(Arc::new(f));
        self
    }

    /// Whether the runtime's clock begins paused: time then stands still while tasks run, and jumps
    /// to the next timer when all of them wait; see [`time::pause`](crate::time::pause).
    ///
    /// # Panics
    ///
    /// Panics on the multi-thread flavour, where "all of them wait" cannot be told from "one is
    /// about to wake another".
    #[track_caller]
    pub fn pause_time(mut self, pause: bool) -> Self {
        assert!(
            !pause || self.flavor == Flavor::CurrentThread,
            "pause_time(true) on the multi-thread flavour: expected Builder::new_current_thread()"
        );
        self.pause_time = pause;
        self
    }

    /// For how long, in real time, a socket operation that waits holds a paused clock: the clock jumps to the next
    /// timer after `grace` without any event. Without this call it is 5 ms.
    ///
    /// Bytes on their way through the kernel are nothing that a runtime could see, so a test in which
    /// data comes late, from another process for example, may want more. Zero: sockets do not hold the clock. While no
    /// socket operation waits nothing of this costs time. See [paused time](crate::time#paused-time).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gopark::runtime::Builder;
    ///
    /// let runtime = Builder::new_current_thread()
    ///     .pause_time(true)
    ///     .pause_grace(Duration::from_millis(50))
    ///     .build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn pause_grace(mut self, grace: Duration) -> Self {
        self.pause_grace = grace;
        self
    }

    /// What is done about polls that block or compute for long without saying so.
    ///
    /// Without this call it is [`HandOff`](StallPolicy::HandOff) on the multi-thread flavour, unless the
    /// environment says `GOPARK_DEBUG=stalls=off` or `=warn`. On the current-thread flavour it is `HandOff` for polls
    /// that wait in the kernel while others are due, and nothing for those that compute.
    pub fn stall_policy(mut self, policy: StallPolicy) -> Self {
        self.stall_policy = Some(policy);
        self
    }

    /// What is done when nothing can run any more, as far as the runtime can see: nothing is runnable, no
    /// timer is armed, no socket is open, nothing blocks, and all that live wait for channels, locks, tasks and
    /// the like. Without this call it is said, a second later and once. Where another runtime lives in the process, or
    /// a thread outside has woken a task before, it is said that nobody can know whether one will be woken, and the
    /// process goes on whatever the policy. On the multi-thread flavour nothing is done.
    pub fn deadlock_policy(mut self, policy: DeadlockPolicy) -> Self {
        self.deadlock_policy = policy;
        self
    }

    /// Whether a task that comes back from a blocking section without its processor waits for one.
    /// Without this call it goes on at once to the end of its poll, so that for a moment more than
    /// `procs` tasks may compute. The current-thread flavour always waits.
    pub fn strict_procs(mut self, strict: bool) -> Self {
        self.strict_procs = strict;
        self
    }

    /// How many closures of [`spawn_blocking`](crate::spawn_blocking) run at the same time; 512 without this
    /// call. Others wait in the order in which they came. The first time that this happens it is said, with the
    /// places that spawned most of those that run.
    ///
    /// # Panics
    ///
    /// Panics if `threads` is 0.
    #[track_caller]
    pub fn max_blocking(mut self, threads: usize) -> Self {
        assert!(threads > 0, "max_blocking(0): expected at least 1 thread");
        self.max_blocking = threads;
        self
    }

    /// How many threads may be blocked in tasks at the same time; 10,000 without this call. A blocked thread costs
    /// some 10 kB.
    ///
    /// Those threads count that are in a blocking section or an unmarked poll and have lost their processor for it;
    /// not those of [`max_blocking`](Self::max_blocking), and not those that run tasks. Beyond that, whatever blocks
    /// keeps its processor, so that in the end all tasks may stand still; the first time it is said, with the places
    /// that spawned most of those that block.
    ///
    /// # Panics
    ///
    /// Panics if `threads` is 0.
    #[track_caller]
    pub fn max_blocked_threads(mut self, threads: usize) -> Self {
        assert!(
            threads > 0,
            "max_blocked_threads(0): expected at least 1 thread"
        );
        self.max_blocked_threads = threads;
        self
    }

    /// How long an idle thread that is more than the processors need is kept; 10 seconds without this
    /// call.
    pub fn thread_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Builds the runtime. It starts no thread yet.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `GOPARK_PROCS` or `GOMAXPROCS` was asked and is not a number from 1 to
    /// 1,024; the operating system's error if the reactor cannot be made.
    pub fn build(self) -> io::Result<Runtime> {
        let procs = match (self.flavor, self.procs) {
            (Flavor::CurrentThread, _) => 1,
            (Flavor::MultiThread, Some(procs)) => procs,
            (Flavor::MultiThread, None) => env::procs()?,
        };
        let sched = Sched::new(Config {
            flavor: self.flavor,
            procs,
            seed: self.seed.unwrap_or_else(random_seed),
            thread_name: self.thread_name,
            stack_size: self.stack_size,
            on_thread_start: self.on_thread_start,
            on_thread_stop: self.on_thread_stop,
            pause_time: self.pause_time,
            pause_grace: self.pause_grace,
            stall_policy: self.stall_policy,
            max_blocking: self.max_blocking,
            max_blocked_threads: self.max_blocked_threads,
            keep_alive: self.keep_alive,
            strict_procs: self.strict_procs,
            deadlock_policy: self.deadlock_policy,
        })?;
        Ok(Runtime::from_sched(sched))
    }
}

/// A seed that differs between runtimes and between processes.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};

    static RUNTIMES: AtomicUsize = AtomicUsize::new(0);
    RandomState::new().hash_one(RUNTIMES.fetch_add(1, Ordering::Relaxed))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("flavor", &self.flavor)
            .field("procs", &self.procs)
            .field("seed", &self.seed)
            .field("stack_size", &self.stack_size)
            .field("pause_time", &self.pause_time)
            .finish_non_exhaustive()
    }
}
