//! The timer of a node: an alarm in the runtime's wheel, and no task.
//!
//! ```text
//!   Node ─ timer ─ sleep ─ alarm ── filed in ──▶ wheel
//!    ▲                       └─ waker: Bell           │ fires, or is closed
//!    └───────────────── weak ────────┘ ◀──────────────┘
//! ```
//!
//! # Invariants
//!
//! 1. `sleep` is polled only under its lock, only with a waker that is a [`Bell`] of this node, and
//!    only by one who sees under the lock that the node has not ended. So nothing is armed after
//!    [`Timer::stop`], which comes after the end.
//! 2. The bell holds the node weakly: a node that is gone has taken its alarm out of the wheel.
//!
//! *Arm against fire*: the alarm may fire before `arm` has given the lock back; the bell then waits for
//! the lock, and finds it fired.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{self, Poll, Wake, Waker},
};

use super::{
    error::{Cause, ContextError, Reason},
    node::Node,
};
use crate::time::{End, FirstPoll, Instant, Sleep, sleep_until};

pub(super) struct Timer {
    sleep: Mutex<Option<Pin<Box<Sleep>>>>,
    /// The cause if it fires.
    cause: Option<Cause>,
}

impl Timer {
    pub(super) fn new(deadline: Instant, cause: Option<Cause>) -> Self {
        Self {
            sleep: Mutex::new(Some(Box::pin(sleep_until(deadline)))),
            cause,
        }
    }

    /// Starts the timer of `node`, in the runtime of this thread, or the default one.
    pub(super) fn arm(node: &Arc<Node>) {
        let bell = Arc::new(Bell(Arc::downgrade(node)));
        Self::look(node, &Waker::from(bell));
    }

    /// Ends the node if its timer is over; waits with `bell` otherwise.
    fn look(node: &Arc<Node>, bell: &Waker) {
        let Some(timer) = &node.timer else { return };
        let polled = {
            let mut sleep = timer.lock();
            match &mut *sleep {
                Some(sleep) if node.reason().is_none() => sleep
                    .as_mut()
                    .poll_end(&mut task::Context::from_waker(bell), FirstPoll::AsksClock),
                _ => Poll::Pending,
            }
        };
        match polled {
            Poll::Pending => {}
            Poll::Ready(End::Fired) => node.end(Reason {
                error: ContextError::DeadlineExceeded,
                cause: timer.cause.clone(),
            }),
            Poll::Ready(End::Closed) => node.end(Reason {
                error: ContextError::Cancelled,
                cause: Some(Arc::new(ClockGone)),
            }),
        }
    }

    /// For a node that has ended.
    pub(super) fn stop(&self) {
        let sleep = self.lock().take();
        drop(sleep);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Pin<Box<Sleep>>>> {
        self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker in the alarm.
struct Bell(Weak<Node>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let Some(node) = self.0.upgrade() {
            Timer::look(&node, &Waker::from(self));
        }
    }
}

/// Nobody would end the context at its deadline any more.
#[derive(Debug)]
struct ClockGone;

impl fmt::Display for ClockGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runtime that kept the context's deadline has shut down")
    }
}

impl Error for ClockGone {}
