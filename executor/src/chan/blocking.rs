//! Waiting for a future of a channel on a plain thread.
//!
//! The thread is a waiter like any other: its waker unparks it. Inside a task it gives its P up
//! meanwhile.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use gopark_net::note;

use super::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError};
use super::recv::Recv;
use super::send::Send;
use super::timed;
use crate::sched::{Woken, current_clock, wait_in_section};
use crate::task::block_eager;
use crate::time::sleep;

/// How often a thread lets others run before it parks: the peer may be about to answer, and to park and
/// be unparked costs 40 us. A guess.
const YIELDS: u32 = 16;

/// A yield that takes longer has given a time slice to somebody who computes, where a thread that was parked
/// would have been woken before that one.
const SLICE: Duration = Duration::from_micros(50);

/// After that no thread of the process yields here for so many times as long as it took: what yields cost on a
/// busy machine is a hundredth of the time.
const REPAID: u64 = 100;

/// Until when nobody yields, in nanoseconds after the first look. It publishes nothing but itself.
static NO_YIELD_BEFORE: AtomicU64 = AtomicU64::new(0);

/// The yields of one wait.
struct Yields {
    left: u32,
    now: u64,
}

impl Yields {
    fn begin() -> Self {
        let now = nanoseconds();
        let left = if now < NO_YIELD_BEFORE.load(Ordering::Relaxed) {
            0
        } else {
            YIELDS
        };
        Self { left, now }
    }

    /// Lets others run; false if it is time to park.
    fn yield_once(&mut self) -> bool {
        let Some(left) = self.left.checked_sub(1) else {
            return false;
        };
        self.left = left;
        thread::yield_now();
        let before = std::mem::replace(&mut self.now, nanoseconds());
        let took = self.now.saturating_sub(before);
        if u128::from(took) > SLICE.as_nanos() {
            self.left = 0;
            NO_YIELD_BEFORE.store(self.now + REPAID * took, Ordering::Relaxed);
        }
        true
    }
}

fn nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Woken for Parker {
    fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // pairs with: the swap in `take`. Who found it set need not unpark: the other does.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

impl Parker {
    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel) // pairs with: `wake_by_ref`.
    }
}

thread_local! {
    /// This thread's parker, while nobody waits by it.
    static PARKER: Cell<Option<Arc<Parker>>> = const { Cell::new(None) };
}

/// Runs a future to its end on this thread.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    wait_until(pin!(future), None).expect("without a deadline it is waited for")
}

/// Runs a future to its end, or until `deadline`.
pub(crate) fn wait_until<F: Future>(
    mut future: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Option<F::Output> {
    // A thread that is ending, and a wait within a wait, get a new one.
    let cached = PARKER.try_with(Cell::take).ok().flatten();
    let parker = cached.unwrap_or_else(|| {
        Arc::new(Parker {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        })
    });
    let waker = Waker::from(parker.clone());
    let mut cx = Context::from_waker(&waker);
    let exempt = note::exempt();
    let mut polled = future.as_mut().poll(&mut cx);
    if polled.is_pending() {
        let mut yields = Yields::begin();
        while polled.is_pending() && yields.yield_once() {
            if parker.take() {
                polled = future.as_mut().poll(&mut cx);
            }
        }
    }
    let result = match polled {
        Poll::Ready(value) => Some(value),
        Poll::Pending => block_eager(|| park_for(&parker, future, &mut cx, deadline)),
    };
    drop(exempt);
    // An ending thread frees it.
    let _ = PARKER.try_with(|slot| slot.set(Some(parker)));
    result
}

fn park_for<F: Future>(
    parker: &Arc<Parker>,
    mut future: Pin<&mut F>,
    cx: &mut Context<'_>,
    deadline: Option<Instant>,
) -> Option<F::Output> {
    loop {
        while !parker.take() {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => wait_in_section(parker, thread::park),
                Some(Duration::ZERO) => return None,
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a thread that its user has blocked, for a time; its P is given up"
                )]
                Some(left) => thread::park_timeout(left),
            }
        }
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Some(value);
        }
    }
}

/// Whether the time of this thread's runtime is paused: what is limited here is limited by that, then.
fn is_time_paused() -> bool {
    current_clock(|clock| clock.is_some_and(|clock| clock.is_paused()))
}

pub(super) fn recv_for<T>(recv: Recv<'_, T>, duration: Duration) -> Result<T, RecvTimeoutError> {
    if is_time_paused() {
        return wait(timed::recv(recv, sleep(duration)));
    }
    let deadline = Instant::now().checked_add(duration);
    match wait_until(pin!(recv), deadline) {
        Some(received) => received.map_err(|RecvError| RecvTimeoutError::Disconnected),
        None => Err(RecvTimeoutError::Timeout),
    }
}

pub(super) fn send_for<T>(
    send: Send<'_, T>,
    duration: Duration,
) -> Result<(), SendTimeoutError<T>> {
    if is_time_paused() {
        return wait(timed::send(send, sleep(duration)));
    }
    let deadline = Instant::now().checked_add(duration);
    let mut send = pin!(send);
    match wait_until(send.as_mut(), deadline) {
        Some(sent) => sent.map_err(|SendError(value)| SendTimeoutError::Disconnected(value)),
        None => match send.cancel() {
            Some(value) => Err(SendTimeoutError::Timeout(value)),
            // A receiver was faster.
            None => Ok(()),
        },
    }
}
