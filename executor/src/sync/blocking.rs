//! Waiting for a future on the thread itself, without a runtime: what the `*_blocking` methods do.
//!
//! The first poll is made on the spot; most are ready then. After that the thread parks in a section of
//! [`block_eager`], which inside a task gives its processor to another thread, and elsewhere does
//! nothing. So the task that is waited for can run, on whatever flavour.
//!
//! The future is polled with an unlimited budget, for there is nobody to yield to; what the poll around
//! had left of its own is put back.

use std::{
    cell::Cell,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use gopark_net::note;

use crate::{
    sched::{Woken, wait_in_section},
    task::block_eager,
};

/// Runs `future` to its end on this thread. It may be called anywhere, also within itself.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let _exempt = note::exempt();
    let parker = Lent::take();
    let mut cx = Context::from_waker(&parker.waker);
    if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
        return output;
    }
    block_eager(|| {
        loop {
            parker.signal.park();
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
        }
    })
}

struct Signal {
    thread: Thread,
    woken: AtomicBool,
}

impl Signal {
    /// Waits for a wake that no earlier call has met.
    fn park(self: &Arc<Self>) {
        // pairs with: the store in `wake_by_ref`.
        while !self.woken.swap(false, Ordering::Acquire) {
            wait_in_section(self, thread::park);
        }
    }
}

impl Woken for Signal {
    fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // pairs with: the swap in `Signal::park`.
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

struct Parker {
    signal: Arc<Signal>,
    waker: Waker,
}

thread_local! {
    /// This thread's parker, unless it is lent. A wake that comes late, for an earlier wait, costs one
    /// poll more.
    static PARKER: Cell<Option<Parker>> = const { Cell::new(None) };
}

/// A parker of this thread, which goes back to it when dropped.
struct Lent(Option<Parker>);

impl Lent {
    fn take() -> Self {
        // A thread that is ending, and a wait within a wait, get a new one.
        let parker = PARKER.try_with(Cell::take).ok().flatten();
        Self(Some(parker.unwrap_or_else(|| {
            let signal = Arc::new(Signal {
                thread: thread::current(),
                woken: AtomicBool::new(false),
            });
            Parker {
                waker: Waker::from(signal.clone()),
                signal,
            }
        })))
    }
}

impl std::ops::Deref for Lent {
    type Target = Parker;

    fn deref(&self) -> &Parker {
        self.0.as_ref().expect("it is lent until the Drop")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let parker = self.0.take();
        // An ending thread frees it.
        let _ = PARKER.try_with(|slot| slot.set(parker));
    }
}
