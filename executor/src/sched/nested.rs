//! A `block_on` within a task, or within the future of another.
//!
//! A task (or a root) that calls `block_on` blocks its M in the middle of a poll. To run other tasks
//! on top of that frame would deadlock as soon as one of them waits for the task below it. So
//! the M polls the inner root alone; and whenever that is not ready it passes its P on, waits, and
//! takes a P again. An inner root that is ready at once costs nothing else. On the current-thread
//! flavour waiting starts a thread, and `spawn_local` tasks, which are bound to this one, wait until
//! the inner call returns. Blocking on *another* runtime hands the P on first, and then makes the
//! thread an M of the other runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use gopark_net::{delay, note};

use crate::current;
use crate::m::M;

use super::blocking::Blocked;
use super::standstill::{Wait, Woken};

/// Runs the inner root of a task or root that `m` polls.
pub(super) fn block_on_nested<F: Future>(m: &M, mut future: Pin<&mut F>) -> F::Output {
    let parker = Arc::new(Parker {
        thread: std::thread::current(),
        woken: AtomicBool::new(false),
    });
    let _outer = m.enter_nested(parker.clone());
    let waker = Waker::from(parker.clone());
    let _polling = current::enter_root(&waker);
    loop {
        // It was woken until here, also while it waited for a P: a clock that is paused did not move.
        // pairs with: the store in `wake_by_ref`.
        parker.woken.swap(false, Ordering::Acquire);
        note::begin_poll(note::DEFAULT_BUDGET);
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        if parker.is_woken() {
            continue;
        }
        delay::here("nested root: about to block");
        // In a section, too, it holds the clock only once it is woken.
        m.begin_wait(parker.clone());
        let blocked = Blocked::begin(m);
        m.sched().section_ended();
        while !parker.is_woken() {
            std::thread::park();
        }
        drop(blocked);
        m.set_wait(Wait::None);
    }
}

/// Wakes one that waits in a nested `block_on`.
#[derive(Debug)]
pub(crate) struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Woken for Parker {
    /// Whether it was woken and has not gone on yet.
    fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }
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
