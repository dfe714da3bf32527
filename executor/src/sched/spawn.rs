//! How tasks come in.

use std::future::Future;
use std::panic::Location;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use async_task::WithInfo;

use crate::current;
use crate::g::{Harness, JoinHandle, Meta, RawTask, Runnable, Shard};
use crate::m::M;

use super::{Sched, lock, schedule, schedule_local};

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
    let m = current::m();
    // SAFETY: (1) `current::m` is valid while set.
    let m = (!m.is_null()).then(|| unsafe { &*m });
    let m = m.filter(|m| ptr::eq(Arc::as_ptr(m.sched()), sched));
    let meta = m.and_then(|m| {
        // SAFETY: (1) `with_p`: the P is this M's; (2) `reserve` does not come back.
        m.with_p(|p| unsafe { p.with_shard_owner(|shard, owner| shard.reserve(owner, location)) })
    });
    let meta = meta.unwrap_or_else(|| {
        sched
            .outside_shard
            .reserve(&mut lock(&sched.outside), location)
    });

    // SAFETY: (1) the future is Send and 'static, and so is the schedule function, which captures
    // nothing.
    let (runnable, handle) = unsafe { make(future, meta, schedule) };
    if sched.is_closed_for(&runnable) {
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
    let (runnable, handle) = unsafe { make(future, meta, schedule_local) };
    m.ready_local(runnable);
    handle
}

/// Makes a task, and registers it.
///
/// # Safety
///
/// If `future` is not Send, `schedule` must bring the task to this thread only.
#[inline]
unsafe fn make<F: Future>(
    future: F,
    meta: Meta,
    schedule: impl Fn(Runnable, async_task::ScheduleInfo) + Send + Sync + 'static,
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
    let raw = RawTask::new(raw);
    shard_of(&runnable).publish(runnable.metadata(), raw.as_ptr());
    (runnable, JoinHandle::new(task, raw))
}

fn shard_of(runnable: &Runnable) -> &Shard {
    let site = runnable.metadata().site();
    // SAFETY: (1) the future lives, so the site and the shard do: g rule 4.
    let shard = unsafe { (*site).shard() };
    // SAFETY: as above.
    unsafe { &*shard }
}

impl Sched {
    /// *The spawn-against-shutdown race*: the spawner has published the task's slot, fences, and
    /// looks at `closing`; the closer sets `closing`, fences, and walks the slots. If the
    /// spawner does not see that the runtime is closing, the closer sees the task.
    #[inline]
    fn is_closed_for(&self, _published: &Runnable) -> bool {
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the one in `close`.
        self.is_closing()
    }

    /// Drops the future of a task that this thread may run, and completes its handle.
    #[cold]
    pub(super) fn cancel(&self, runnable: Runnable) {
        runnable.metadata().set_aborted();
        runnable.run();
    }
}
