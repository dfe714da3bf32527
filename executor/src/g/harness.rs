//! The harness: the future that `async-task` polls, around the future that the user spawned.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use gopark_net::note;

use super::{JoinError, Meta, RawTask};
use crate::current;

/// A spawned future; None once it was dropped, which is in the last poll. By then the task is
/// unregistered, and to drop the harness does nothing more (g rule 1: it is never dropped earlier).
pub(crate) struct Harness<F>(Option<F>);

impl<F> Harness<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(future))
    }
}

impl<F: Future> Future for Harness<F> {
    type Output = Output<Result<F::Output, JoinError>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: (1) `future` is not moved below: it is re-pinned, or dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) only `async-task` polls a harness, with a waker of the task's own.
        let task = unsafe { RawTask::from_waker(cx.waker()) };
        // SAFETY: (1) the `Runnable` that is being run keeps the allocation alive.
        let meta = unsafe { task.meta() };
        let _current = current::enter_task(meta, cx.waker());
        if meta.is_aborted() {
            let error = this.cancel(meta);
            this.finish(meta, cx.waker());
            return Poll::Ready(Output::new(Err(error)));
        }
        note::begin_poll(note::DEFAULT_BUDGET);
        let polled = {
            let future = this
                .0
                .as_mut()
                .expect("a task is not polled after its completion");
            // SAFETY: (1) the harness is pinned and `future` never moves.
            let future = unsafe { Pin::new_unchecked(future) };
            catch_unwind(AssertUnwindSafe(|| future.poll(cx)))
        };
        let result = match polled {
            Ok(Poll::Pending) => {
                hold(meta, cx.waker());
                meta.set_wait_reason(note::wait_reason());
                return Poll::Pending;
            }
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(JoinError::panic(meta.id(), payload)),
        };
        // A panic in the future's Drop does not take the result away: it was reported by the panic
        // hook, and the task had done its work.
        forget_panic(this.drop_future());
        this.finish(meta, cx.waker());
        Poll::Ready(Output::new(result))
    }
}

/// Before a task parks for the first time: makes it hold a reference to itself (g rule 6).
#[inline]
fn hold(meta: &Meta, waker: &Waker) {
    if !meta.has_parked() {
        std::mem::forget(waker.clone());
    }
}

/// The panic hook has reported the panic; its payload may panic in its own Drop.
fn forget_panic(result: std::thread::Result<()>) {
    if let Err(payload) = result {
        std::mem::forget(payload);
    }
}

impl<F> Harness<F> {
    /// Drops the future of an aborted task.
    #[cold]
    fn cancel(&mut self, meta: &Meta) -> JoinError {
        note::begin_poll(note::UNLIMITED);
        match self.drop_future() {
            Ok(()) if meta.is_refused() => {
                // SAFETY: (1) the task is registered still: g rule 4.
                let sched = unsafe { (*meta.site()).sched() };
                // SAFETY: as above.
                JoinError::refused(meta.id(), unsafe { &*sched }.refusal())
            }
            Ok(()) => JoinError::cancelled(meta.id()),
            Err(payload) => JoinError::panic(meta.id(), payload),
        }
    }

    /// Ends the last poll: unregisters the task, and gives back the reference that `hold` made, if
    /// it did.
    #[inline]
    fn finish(&self, meta: &Meta, waker: &Waker) {
        debug_assert!(self.0.is_none(), "the future goes before its registration");
        let has_parked = meta.has_parked();
        meta.set_finished();
        // SAFETY: (1) until `remove` has returned the shard cannot be freed: g rule 4.
        let shard = unsafe { (*meta.site()).shard() };
        // SAFETY: as above.
        let shard = unsafe { &*shard };
        shard.remove(meta.slot());
        if has_parked {
            // SAFETY: (1) `hold` forgot a clone of this task's waker, and this call, which ends the
            // last poll of the task, takes its place.
            drop(unsafe { Waker::new(waker.data(), waker.vtable()) });
        }
    }

    /// Drops the future in place, if it is still there.
    #[inline]
    fn drop_future(&mut self) -> std::thread::Result<()> {
        if std::mem::needs_drop::<F>() {
            // If the drop panics, the option is left `Some` of a half-dropped future: so it is
            // emptied without a drop then.
            let future: *mut Option<F> = &mut self.0;
            let dropped = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: (1) the value is dropped in place, as pinning demands; (2) it is
                // overwritten below before anyone can see it.
                unsafe { std::ptr::drop_in_place(future) }
            }));
            // SAFETY: (1) the old value has just been dropped.
            unsafe { future.write(None) };
            dropped
        } else {
            self.0 = None;
            Ok(())
        }
    }
}

/// A task's output. Whoever drops it (the handle's owner, or `async-task`, which would abort the
/// process), a panic of the value's `Drop` stays inside.
pub(crate) struct Output<T>(ManuallyDrop<T>);

impl<T> Output<T> {
    fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }

    pub(crate) fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: (1) `this` is never dropped, so the value is taken once.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Output<T> {
    fn drop(&mut self) {
        forget_panic(catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: (1) `into_inner` forgets the wrapper, so the value is still here, and it is
            // dropped once, now.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        })));
    }
}
