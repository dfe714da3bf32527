//! How tasks come in.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll};

use async_task::WithInfo;
use gopark_net::{delay, note};

use crate::current;
use crate::g::{Harness, JoinHandle, Meta, RawTask, Runnable, Shard};
use crate::m::M;

use super::{Sched, lock, schedule, schedule_job, schedule_local};

/// Spawns a task that may run on any P of `sched`.
#[inline]
pub(crate) fn spawn<F>(
    sched: &Sched,
    future: F,
    location: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let m = sched.own_m();
    let meta = sched.reserve_on(m, location);
    // SAFETY: (1) the future is Send and 'static, and so is the schedule function, which captures
    // nothing.
    let (runnable, handle) = unsafe { make(future, meta, schedule, location) };
    delay::here("spawn: made");
    if !sched.admit(&runnable, handle.raw()) {
        sched.cancel(runnable);
        return handle;
    }
    match m {
        Some(m) => m.ready(runnable, false),
        None => sched.ready_remote(runnable),
    }
    handle
}

/// Spawns a task that is bound to `m`, the M of this thread.
pub(crate) fn spawn_local<F>(
    m: &M,
    future: F,
    location: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let meta = m.reserve_local(location);
    // SAFETY: (1) the task is polled and dropped by this thread only: its shard names `m`, so
    // `schedule_local` sends it there, and `m` drops its tasks before it ends.
    let (runnable, handle) = unsafe { make(future, meta, schedule_local, location) };
    publish(&runnable, handle.raw());
    m.ready_local(runnable);
    handle
}

/// Spawns a task whose only poll runs `f`, which may block: a job.
pub(crate) fn spawn_blocking<F, R>(
    sched: &Sched,
    f: F,
    location: &'static Location<'static>,
) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let meta = sched.reserve(location);
    // SAFETY: (1) the closure is Send and 'static, and so is the schedule function.
    let (runnable, handle) = unsafe { make(Job(Some(f)), meta, schedule_job, location) };
    if sched.admit(&runnable, handle.raw()) {
        sched.submit_job(runnable);
    } else {
        sched.cancel(runnable);
    }
    handle
}

/// The future of a job.
struct Job<F>(Option<F>);

impl<F> Unpin for Job<F> {}

impl<F: FnOnce() -> R, R> Future for Job<F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
        let f = self.0.take();
        // It blocks its thread, so it has nobody to give way to.
        let _exempt = note::exempt();
        Poll::Ready(f.expect("a job is done after its first poll")())
    }
}

/// Makes a task; `publish` follows, unless it is cancelled.
///
/// # Safety
///
/// If `future` is not Send, `schedule` must bring the task to this thread only.
#[inline]
unsafe fn make<F: Future>(
    future: F,
    meta: Meta,
    schedule: impl Fn(Runnable, async_task::ScheduleInfo) + Send + Sync + 'static,
    location: &'static Location<'static>,
) -> (Runnable, JoinHandle<F::Output>) {
    let builder = async_task::Builder::new()
        .metadata(meta)
        .propagate_panic(false);
    // SAFETY: (1) Send or bound to this thread, says the caller; (2) both callers demand 'static;
    // (3) the schedule function is Send, Sync and 'static.
    let (runnable, task) =
        unsafe { builder.spawn_unchecked(|_| Harness::new(future), WithInfo(schedule)) };
    let raw = runnable.into_raw();
    // SAFETY: (1) straight from `into_raw`.
    let runnable = unsafe { Runnable::from_raw(raw) };
    (runnable, JoinHandle::new(task, RawTask::new(raw), location))
}

/// Registers a task.
#[inline]
fn publish(runnable: &Runnable, raw: RawTask) {
    shard_of(runnable).publish(runnable.metadata(), raw.as_ptr());
}

fn shard_of(runnable: &Runnable) -> &Shard {
    let site = runnable.metadata().site();
    // SAFETY: (1) the future lives, so the site and the shard do: g rule 4.
    let shard = unsafe { (*site).shard() };
    // SAFETY: as above.
    unsafe { &*shard }
}

impl Sched {
    /// The M of the calling thread, if it is one of this runtime.
    #[inline]
    pub(super) fn own_m(&self) -> Option<&M> {
        let m = current::m();
        // SAFETY: (1) `current::m` is valid while set, which it is until this thread leaves the
        // runtime, below us on the stack.
        let m = (!m.is_null()).then(|| unsafe { &*m });
        m.filter(|m| ptr::eq(Arc::as_ptr(m.sched()), self))
    }

    /// The metadata of a task about to be made, in the shard of the P that the calling thread holds,
    /// else in that for threads without one.
    fn reserve(&self, location: &'static Location<'static>) -> Meta {
        self.reserve_on(self.own_m(), location)
    }

    #[inline]
    fn reserve_on(&self, m: Option<&M>, location: &'static Location<'static>) -> Meta {
        let meta = m.and_then(|m| {
            // SAFETY: (1) `with_p`: the P is this M's; (2) `reserve` does not come back.
            m.with_p(|p| unsafe {
                p.with_shard_owner(|shard, owner| shard.reserve(owner, location))
            })
        });
        meta.unwrap_or_else(|| {
            self.outside_shard
                .reserve(&mut lock(&self.outside), location)
        })
    }

    /// Registers a task, unless the runtime is closing: then the caller cancels it.
    ///
    /// *The spawn-against-shutdown race*: the spawner publishes the task's slot, fences, and looks at
    /// `closing`; the closer sets `closing`, fences, and walks the slots. If the spawner does not see that
    /// the runtime is closing, the closer sees the task. If it does, it takes the task out of its slot
    /// before anything else, for whoever is the last there waits for all that is registered.
    #[inline]
    fn admit(&self, runnable: &Runnable, raw: RawTask) -> bool {
        // Asked before as well, so that one who spawns in a loop does not hold up the end.
        if self.is_closing() {
            return false;
        }
        publish(runnable, raw);
        delay::here("admit: published");
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the ones in `close` and `sweep`.
        let closing = self.is_closing();
        if closing {
            shard_of(runnable).withdraw(runnable.metadata());
        }
        !closing
    }

    /// Drops the future of a task that this thread may run, and completes its handle.
    #[cold]
    pub(super) fn cancel(&self, runnable: Runnable) {
        runnable.metadata().set_aborted();
        runnable.run();
    }
}
