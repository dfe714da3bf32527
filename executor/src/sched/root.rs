//! Threads inside `block_on`.
//!
//! The thread becomes an M that is dedicated to its root: it takes a P to poll the root and the tasks of
//! `spawn_local` that are bound to it, and runs no other task. For a task may block, and nobody else could
//! poll the root meanwhile. What the root has left in the queue of the P goes with the P to a worker
//! (`run.rs`, `see_to_p`). So each answer that a root gets from a task costs two switches of threads;
//! [`run`] spares them to a future that may be a task: then the root is only the wait for its end.
//!
//! Where a P is idle, the root has one for its turn, and while it sleeps it has none. If all are held it
//! is polled without, but not on the current-thread flavour, where one thing goes on at a time: there
//! the root asks for the P (`ask_for_p`) and gets it after the poll that holds it. If that poll waits in the
//! kernel, the monitor takes the P from it.
//!
//! If the system refuses a thread to a task, the thread inside `block_on` stands in: `run.rs`, `stand_in`.
//!
//! A `block_on` within a task is in `nested.rs`.

use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use gopark_net::{delay, note};

use crate::current;
use crate::m::M;
use crate::runtime::EnteredSched;

use super::attend::Attendant;
use super::blocking::Blocked;
use super::nested::block_on_nested;
use super::spawn::spawn;
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

/// Runs `future` as a task of `sched`, and waits for its end on this thread.
#[track_caller]
pub(crate) fn run<F>(sched: &Arc<Sched>, future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let task = spawn(sched, future, Location::caller());
    match block_on(sched, task) {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => resume_unwind(payload),
            Err(_) => panic!("run(): the runtime was shut down before the future was done"),
        },
    }
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
        m.sched().root_begins();
        m.sched().enlist(m);
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
        sched.root_ends();
        let _ = m.seat.enter();
        sched.handoff(m);
        current::set_m(self.outer);
        sched.delist(m);
        sched.leave(Kind::Root);
    }
}
