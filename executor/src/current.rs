//! What this thread is doing: its M, its runtime, and the task it polls.
//!
//! One thread-local without a destructor, so that reading it is one load, also while the thread
//! ends.

use std::cell::Cell;
use std::ptr;
use std::task::Waker;

use crate::g::{Id, Meta};
use crate::m::M;
use crate::sched::Sched;

struct Current {
    /// The M that this thread is; null outside `block_on` and worker threads. Valid while set:
    /// whoever sets it resets it before the M goes.
    m: Cell<*const M>,
    /// The runtime that was entered last of those that were not left; null outside any. Valid while set:
    /// `runtime/enter.rs` sets it, and holds what it shows.
    sched: Cell<*const Sched>,
    /// The task being polled; null outside a task's poll.
    task: Cell<*const Meta>,
    /// The data of the waker that the poll in progress was given, if it is one of ours and so
    /// cannot panic; null otherwise.
    waker: Cell<*const ()>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            m: Cell::new(ptr::null()),
            sched: Cell::new(ptr::null()),
            task: Cell::new(ptr::null()),
            waker: Cell::new(ptr::null()),
        }
    };
}

/// This thread's M, or null.
#[inline]
pub(crate) fn m() -> *const M {
    CURRENT.with(|c| c.m.get())
}

/// Makes `m` this thread's M and gives back the one before.
pub(crate) fn set_m(m: *const M) -> *const M {
    CURRENT.with(|c| c.m.replace(m))
}

/// The runtime entered last on this thread, or null.
#[inline]
pub(crate) fn sched() -> *const Sched {
    CURRENT.with(|c| c.sched.get())
}

/// For `runtime/enter.rs` alone, which keeps `sched` alive while it is set.
pub(crate) fn set_sched(sched: *const Sched) {
    CURRENT.with(|c| c.sched.set(sched));
}

/// In the child of a fork, where this thread is no M, and polls nothing that will go on.
#[cfg(unix)]
pub(crate) fn begin_anew() {
    CURRENT.with(|c| {
        c.m.set(ptr::null());
        c.sched.set(ptr::null());
        c.task.set(ptr::null());
        c.waker.set(ptr::null());
    });
}

/// Ends a task's poll (or another's that set the same two fields) when dropped.
pub(crate) struct Polling {
    task: *const Meta,
    waker: *const (),
}

impl Drop for Polling {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|c| {
            c.task.set(self.task);
            c.waker.set(self.waker);
        });
    }
}

/// The task of `meta` is being polled with its own `waker`, until the guard is dropped.
#[inline]
pub(crate) fn enter_task(meta: *const Meta, waker: &Waker) -> Polling {
    enter(meta, waker.data())
}

/// A root future is being polled with a waker of ours, until the guard is dropped.
pub(crate) fn enter_root(waker: &Waker) -> Polling {
    enter(ptr::null(), waker.data())
}

#[inline]
fn enter(task: *const Meta, waker: *const ()) -> Polling {
    CURRENT.with(|c| Polling {
        task: c.task.replace(task),
        waker: c.waker.replace(waker),
    })
}

/// Whether `waker` is the one that our own poll loop gave to the poll in progress. Such wakers
/// never panic.
#[inline]
pub(crate) fn is_own_waker(waker: &Waker) -> bool {
    CURRENT.with(|c| !c.waker.get().is_null() && c.waker.get() == waker.data())
}

/// The id of the task being polled.
pub(crate) fn task_id() -> Option<Id> {
    let meta = CURRENT.with(|c| c.task.get());
    // SAFETY: (1) the guard that set it outlives no poll, and the harness being polled keeps its
    // metadata alive.
    (!meta.is_null()).then(|| unsafe { (*meta).id() })
}
