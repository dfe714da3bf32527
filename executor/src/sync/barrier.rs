//! A meeting point: who comes waits until enough have come.
//!
//! # Invariants (under the queue's lock)
//!
//! 1. `arrived < size`, and as many wait in the queue with the ticket `round`.
//! 2. Who makes `arrived == size` begins the next round: `arrived = 0`, `round += 1`, and all that
//!    wait are dismissed.
//!
//! *Cancel against the end of a round*: a waiter that leaves with the ticket of the present round takes
//! its arrival back; with an older one it was counted, and the round is over.

use std::{
    fmt,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;

use super::{
    blocking,
    leaf::{Leaf, Wait},
    waiters::{Home, Locked, Queue, Waiter},
    wakes::Wakes,
};
use crate::primitive::const_fn;

/// Lets tasks go on together once a given number of them has come.
///
/// It can be used again and again, by the same tasks or others.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gopark::sync::Barrier;
///
/// gopark::block_on(async {
///     let barrier = Arc::new(Barrier::new(3));
///     let tasks: Vec<_> = (0..3)
///         .map(|_| {
///             let barrier = barrier.clone();
///             gopark::spawn(async move { barrier.wait().await.is_leader() })
///         })
///         .collect();
///     let mut leaders = 0;
///     for task in tasks {
///         leaders += u32::from(task.await.unwrap());
///     }
///     assert_eq!(leaders, 1);
/// });
/// ```
pub struct Barrier {
    size: usize,
    queue: Queue<Round, u64>,
}

/// Of the lock's state: which round it is, and how many have come.
#[derive(Debug)]
pub(crate) struct Round {
    round: u64,
    arrived: usize,
}

impl Barrier {
    const_fn! {
        /// A barrier for so many; for 0 it is as for 1: nobody waits. It may stand in a `static`.
        pub const fn new(size: usize) -> Self {
            Self {
                size: if size == 0 { 1 } else { size },
                queue: Queue::new(Round {
                    round: 0,
                    arrived: 0,
                }),
            }
        }
    }

    /// Waits until enough have come, this one included. The one that came last is the leader.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it has not come: another must come in its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::Barrier;
    ///
    /// gopark::block_on(async {
    ///     let barrier = Barrier::new(2);
    ///     let (one, other) = futures::join!(barrier.wait(), barrier.wait());
    ///     assert!(!one.is_leader() && other.is_leader());
    /// });
    /// ```
    pub async fn wait(&self) -> BarrierWaitResult {
        Leaf::new(Waiter::new(self)).await
    }

    /// Waits until enough have come, and blocks the thread meanwhile. It may be called anywhere, as
    /// [`Mutex::lock_blocking`](super::Mutex::lock_blocking).
    ///
    /// ```
    /// assert!(gopark::sync::Barrier::new(1).wait_blocking().is_leader());
    /// ```
    pub fn wait_blocking(&self) -> BarrierWaitResult {
        blocking::wait(self.wait())
    }
}

impl Wait for Waiter<&Barrier> {
    type Output = BarrierWaitResult;

    const REASON: WaitReason = WaitReason::Barrier;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BarrierWaitResult> {
        if !self.is_idle() {
            return self
                .poll_granted(cx.waker())
                .map(|_| BarrierWaitResult(false));
        }
        let barrier = *self.home();
        let arrived = self.enqueue(Some(cx.waker()), |locked| {
            let now = &mut locked.state;
            now.arrived += 1;
            if now.arrived < barrier.size {
                return ControlFlow::Continue(now.round);
            }
            now.arrived = 0;
            now.round += 1;
            locked.dismiss_all();
            ControlFlow::Break(())
        });
        if arrived.is_continue() {
            return Poll::Pending;
        }
        barrier.queue.grant_leaving(barrier.queue.lock());
        Poll::Ready(BarrierWaitResult(true))
    }
}

// SAFETY: the queue is a field of the barrier, which the handle borrows.
unsafe impl Home for &Barrier {
    type State = Round;
    type Kind = u64;

    fn queue(&self) -> &Queue<Round, u64> {
        &self.queue
    }

    fn left(&self, locked: &mut Locked<Round, u64>, ticket: &u64, _: &mut Wakes) {
        if *ticket == locked.state.round {
            locked.state.arrived -= 1;
        }
    }

    fn returned(&self, _: u64) {}
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("size", &self.size)
            .field("arrived", &self.queue.lock().state.arrived)
            .finish()
    }
}

/// What [`Barrier::wait`] returns: whether this one leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for exactly one of those that met: the one that came last.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
