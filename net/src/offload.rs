//! Blocking jobs of this crate (name lookups) and the hook by which an executor takes them over.
//!
//! Without a hook, jobs run on a few threads of this module, which start on demand, are reused, and
//! end after 5 seconds without work. An executor with blocking threads of its own calls
//! [`install`] once; from then on every job is offered to it first.
//!
//! # Invariants
//! 1. A job is run at most once. `offload` resolves in any case: with the value, with the panic of
//!    the job, or with `Lost` when the job was dropped without having been run.
//! 2. `queue.is_empty() || threads > 0` whenever the lock of `Pool` is free.
//! 3. No lock is held while a job or a waker runs or is dropped.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::note::{self, WaitReason};

/// A blocking job: run it once, on a thread that may block.
pub type Job = Box<dyn FnOnce() + Send>;

/// How an executor runs a [`Job`]. It must not block, must not panic, and may drop the job unrun
/// (when it is shut down, say): whoever waits for it then gets an error. It gives the job back if the
/// calling thread is none of its own: then a thread of this crate runs it.
pub type Hook = fn(Job) -> Result<(), Job>;

static HOOK: Mutex<Hook> = Mutex::new(Err);

/// Offers all later blocking jobs of this crate to `hook`, in the whole process.
///
/// The last call wins. Jobs that were handed out before stay where they are.
///
/// ```
/// use gopark_net::offload;
///
/// fn on_a_thread(job: offload::Job) -> Result<(), offload::Job> {
///     std::thread::spawn(job);
///     Ok(())
/// }
/// offload::install(on_a_thread);
/// let addrs = futures::executor::block_on(gopark_net::lookup_host("localhost:80"))?;
/// assert!(addrs.count() > 0);
/// # std::io::Result::Ok(())
/// ```
pub fn install(hook: Hook) {
    *lock(&HOOK) = hook;
}

/// Runs `work` on a thread that may block, and resolves to what it returned.
pub(crate) fn offload<T, F>(work: F) -> Offloaded<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let cell = Arc::new(Mutex::new(State::Waiting(None)));
    let promise = Promise(cell.clone());
    let hook = *lock(&HOOK);
    let job = Box::new(move || {
        let outcome = panic::catch_unwind(AssertUnwindSafe(work));
        promise.keep(outcome.map_err(Failure::Panicked));
    });
    if let Err(job) = hook(job) {
        run_on_own_thread(job);
    }
    Offloaded(cell)
}

/// The result of a job that runs elsewhere. Dropping it does not stop the job.
pub(crate) struct Offloaded<T>(Arc<Mutex<State<T>>>);

/// The job was dropped without having been run: its executor was shut down, or no thread could be
/// started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

enum Failure {
    Panicked(Box<dyn Any + Send>),
    Lost,
}

enum State<T> {
    Waiting(Option<Waker>),
    Done(Result<T, Failure>),
    Taken,
}

impl<T> Future for Offloaded<T> {
    type Output = Result<T, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloning runs foreign code, so it is done before the lock is taken.
        let mut waker = Some(cx.waker().clone());
        let mut state = lock(&self.0);
        match &mut *state {
            State::Waiting(slot) => {
                mem::swap(slot, &mut waker);
                drop(state);
                note::park(WaitReason::Resolve);
                Poll::Pending
            }
            State::Done(_) => {
                let State::Done(outcome) = mem::replace(&mut *state, State::Taken) else {
                    unreachable!("the lock is held since `Done` was seen")
                };
                drop(state);
                match outcome {
                    Ok(value) => Poll::Ready(Ok(value)),
                    Err(Failure::Lost) => Poll::Ready(Err(Lost)),
                    Err(Failure::Panicked(payload)) => panic::resume_unwind(payload),
                }
            }
            State::Taken => panic!("an offloaded job was polled after it had completed"),
        }
    }
}

impl<T> fmt::Debug for Offloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offloaded").finish_non_exhaustive()
    }
}

/// The job's side: completes the future, by `Lost` if it is dropped.
struct Promise<T>(Arc<Mutex<State<T>>>);

impl<T> Promise<T> {
    fn keep(self, outcome: Result<T, Failure>) {
        self.complete(outcome);
    }

    fn complete(&self, outcome: Result<T, Failure>) {
        let waker = {
            let mut state = lock(&self.0);
            let State::Waiting(waker) = &mut *state else {
                return;
            };
            let waker = waker.take();
            *state = State::Done(outcome);
            waker
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.complete(Err(Failure::Lost));
    }
}

/// How long a thread of this module waits for its next job. A guess: long enough to serve a burst of
/// connects, short enough that a quiet process has no such thread.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// At most so many jobs run at once; more wait in order. A guess: lookups that hang in the system's
/// resolver take 5 to 30 seconds each, and must not hold up the others too soon.
const MAX_THREADS: usize = 16;

/// An empty queue for so many jobs keeps its memory.
const KEPT: usize = 256;

struct Pool {
    state: Mutex<PoolState>,
    work: Condvar,
}

struct PoolState {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static POOL: Pool = Pool {
    state: Mutex::new(PoolState {
        queue: VecDeque::new(),
        threads: 0,
        idle: 0,
    }),
    work: Condvar::new(),
};

/// The locks of this module, while the process forks.
#[cfg(unix)]
pub(crate) struct Guards {
    _hook: MutexGuard<'static, Hook>,
    pool: MutexGuard<'static, PoolState>,
}

#[cfg(unix)]
pub(crate) fn hold() -> Guards {
    Guards {
        _hook: lock(&HOOK),
        pool: lock(&POOL.state),
    }
}

#[cfg(unix)]
impl Guards {
    /// In the child, where the pool has no threads. The parent's jobs run in the parent.
    pub(crate) fn begin_anew(mut self) {
        mem::forget(mem::take(&mut self.pool.queue));
        (self.pool.threads, self.pool.idle) = (0, 0);
    }
}

fn run_on_own_thread(job: Job) {
    let mut pool = lock(&POOL.state);
    pool.queue.push_back(job);
    if pool.idle >= pool.queue.len() || pool.threads >= MAX_THREADS {
        drop(pool);
        POOL.work.notify_one();
        return;
    }
    pool.threads += 1;
    drop(pool);

    let started = thread::Builder::new()
        .name("gopark-offload".into())
        .spawn(serve);
    if started.is_ok() {
        return;
    }
    let mut pool = lock(&POOL.state);
    pool.threads -= 1;
    // Invariant 2: with no thread to run them the jobs are given up, and say so to their futures.
    let lost = if pool.threads == 0 {
        mem::take(&mut pool.queue)
    } else {
        VecDeque::new()
    };
    drop(pool);
    drop(lost);
}

fn serve() {
    let mut pool = lock(&POOL.state);
    loop {
        if let Some(job) = pool.queue.pop_front() {
            drop(pool);
            // The job itself catches panics of the work; this is for a waker that panics.
            let _ = panic::catch_unwind(AssertUnwindSafe(job));
            pool = lock(&POOL.state);
            continue;
        }
        if pool.queue.capacity() > KEPT {
            // What a burst took is given back.
            pool.queue = VecDeque::new();
        }
        pool.idle += 1;
        let (guard, waited) = POOL
            .work
            .wait_timeout_while(pool, KEEP_ALIVE, |pool| pool.queue.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        pool = guard;
        pool.idle -= 1;
        if waited.timed_out() {
            pool.threads -= 1;
            return;
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks panics, and all of it stays consistent if it did.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_job_runs_on_another_thread_and_gives_its_value_back() {
        let here = thread::current().id();
        let there = block_on(offload(|| thread::current().id())).expect("the job ran");
        assert_ne!(here, there);
    }

    #[test]
    fn many_jobs_at_once_all_complete_once() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let jobs: Vec<_> = (0..200)
            .map(|i| {
                offload(move || {
                    RUNS.fetch_add(1, Ordering::Relaxed);
                    i
                })
            })
            .collect();
        let values: Vec<_> = block_on(futures::future::join_all(jobs));
        assert_eq!(values, (0..200).map(Ok).collect::<Vec<_>>());
        assert_eq!(RUNS.load(Ordering::Relaxed), 200);
        assert!(lock(&POOL.state).threads <= MAX_THREADS);
    }

    #[test]
    fn a_panic_of_the_job_reaches_the_one_who_waits() {
        let outcome =
            panic::catch_unwind(|| block_on(offload(|| -> u8 { panic!("out of patience") })));
        let payload = outcome.expect_err("the panic is passed on");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"out of patience"));
    }

    #[test]
    fn a_job_that_is_dropped_unrun_is_reported_as_lost() {
        let cell = Arc::new(Mutex::new(State::<u8>::Waiting(None)));
        drop(Promise(cell.clone()));
        assert_eq!(block_on(Offloaded(cell)), Err(Lost));
    }
}
