//! Threads inside `block_on`.
//!
//! The thread becomes an M: it takes a P, polls its root future, and runs other tasks while the root
//! waits. So a root that spawns a task and awaits it costs no thread a wake-up.
//!
//! # Nested `block_on`
//!
//! A task (or a root) that calls `block_on` blocks its M in the middle of a poll. To run other tasks
//! on top of that frame would deadlock as soon as one of them waits for the task below it. So
//! the M polls the inner root alone; and whenever that is not ready it passes its P on, waits, and
//! takes a P again. An inner root that is ready at once costs nothing else. On the current-thread
//! flavour waiting starts a thread, and `spawn_local` tasks, which are bound to this one, wait until
//! the inner call returns. Blocking on *another* runtime hands the P on first, and then makes the
//! thread an M of the other runtime.

use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use gopark_net::{delay, note};

use crate::current;
use crate::m::M;
use crate::runtime::EnteredSched;

use super::attend::Attendant;
use super::blocking::Blocked;
use super::{Kind, Sched};

/// Runs `future` to completion on this thread, as an M of `sched`.
#[track_caller]
pub(crate) fn block_on<F: Future>(sched: &Arc<Sched>, future: F) -> F::Output {
    sched.refuse_if_left_behind();
    let location = Location::caller();
    let future = pin!(future);
    let _attendant = Attendant::start_if_closing(sched);
    let _note = OuterNote(note::save());
    let outer = current::m();
    // SAFETY: (1) `current::m` is valid while set.
    let Some(outer) = (!outer.is_null()).then(|| unsafe { &*outer }) else {
        return block_on_as_m(sched, future, location);
    };
    if Arc::ptr_eq(outer.sched(), sched) {
        return block_on_nested(outer, future);
    }
    let _blocked = Blocked::begin(outer);
    block_on_as_m(sched, future, location)
}

/// What the poll around a `block_on` had left of its budget, or that there is no such poll: a foreign
/// executor gives no budgets, and would spin for ever on what ours left behind on its thread.
struct OuterNote(note::Saved);

impl Drop for OuterNote {
    fn drop(&mut self) {
        note::restore(self.0);
    }
}

fn block_on_as_m<F: Future>(
    sched: &Arc<Sched>,
    mut future: Pin<&mut F>,
    location: &'static Location<'static>,
) -> F::Output {
    let entered = pin!(EnteredSched::new(sched));
    entered.as_ref().enter();
    let m = M::new(sched.clone(), Some(location));
    let seat = Seated::begin(&m);
    let waker = Waker::from(m.clone());
    let mut output = None;
    m.wake_by_ref();
    let mut poll = || {
        let _polling = current::enter_root(&waker);
        note::begin_poll(note::DEFAULT_BUDGET);
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => {
                output = Some(value);
                true
            }
            Poll::Pending => {
                m.set_root_wait(note::wait_reason());
                false
            }
        }
    };
    sched.run(&m, Some(&mut poll));
    drop(seat);
    output.expect("the loop of a root ends when the root is done")
}

/// This thread's stay in the scheduler as an M. Dropped at the end of `block_on`, or by the panic of
/// the root, which passes through the loop while the M is out of scheduler code.
struct Seated<'a> {
    m: &'a Arc<M>,
    outer: *const M,
}

impl<'a> Seated<'a> {
    fn begin(m: &'a Arc<M>) -> Self {
        let outer = current::set_m(Arc::as_ptr(m));
        m.sched().presence.enter(Kind::Root);
        m.sched().enlist(m);
        m.sched().sit_down(m);
        Self { m, outer }
    }
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        let (m, sched) = (self.m, self.m.sched());
        delay::here("root: done");
        if m.seat.is_inside() {
            m.seat.leave();
        }
        sched.speak(m);
        sched.drop_locals(m);
        let _ = m.seat.enter();
        sched.handoff(m);
        current::set_m(self.outer);
        sched.delist(m);
        sched.leave(Kind::Root);
    }
}

/// Runs the inner root of a task or root that `m` polls.
fn block_on_nested<F: Future>(m: &M, mut future: Pin<&mut F>) -> F::Output {
    let parker = Arc::new(Parker {
        thread: std::thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(parker.clone());
    let _polling = current::enter_root(&waker);
    loop {
        note::begin_poll(note::DEFAULT_BUDGET);
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        // pairs with: the store in `wake_by_ref`.
        if parker.woken.swap(false, Ordering::Acquire) {
            continue;
        }
        delay::here("nested root: about to block");
        let _blocked = Blocked::begin(m);
        m.sched().ensure_poller();
        while !parker.woken.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
    }
}

struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // pairs with: the swap in `block_on_nested`.
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
