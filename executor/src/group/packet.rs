//! The packet of a scoped task: where it leaves its output, and the handle that takes it.
//!
//! A packet has two shares: that of the body (`Teller`), which goes before the scope does, and that of the
//! [`ScopedHandle`]. It is told once: by the output, by a panic, or by the body being dropped.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use gopark_net::note::{self, WaitReason};

use super::{
    scope::{Data, lock},
    shared::Payload,
};
use crate::quietly::quietly;

pub(super) enum Progress<T> {
    Running,
    /// `None`: its future was dropped, or its result has been taken.
    Over(Option<Result<T, Payload>>),
}

struct PacketState<T> {
    result: Progress<T>,
    waiter: Option<Waker>,
}

/// Where a task leaves its output.
pub(super) struct Packet<T> {
    state: Mutex<PacketState<T>>,
    data: Arc<Data>,
}

impl<T> Packet<T> {
    pub(super) fn new(data: Arc<Data>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(PacketState {
                result: Progress::Running,
                waiter: None,
            }),
            data,
        })
    }

    /// The first call counts.
    pub(super) fn tell(&self, result: Progress<T>) {
        let mut state = lock(&self.state);
        if !matches!(state.result, Progress::Running) {
            return;
        }
        state.result = result;
        let waiter = state.waiter.take();
        drop(state);
        if let Some(waiter) = waiter {
            quietly(|| waiter.wake());
        }
    }
}

impl<T> Drop for Packet<T> {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if let Progress::Over(Some(Err(_))) = state.result {
            self.data.set_panicked();
        }
    }
}

/// The share of a packet that is in its body.
pub(super) struct Teller<T>(pub(super) Arc<Packet<T>>);

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        self.0.tell(Progress::Over(None));
    }
}

/// Waits for a task of a [`Scope`](super::Scope): by [`join`](Self::join), or as a future, in another task of the scope.
///
/// Dropping it lets the task run on.
pub struct ScopedHandle<'scope, T> {
    packet: Arc<Packet<T>>,
    scope: PhantomData<&'scope mut &'scope ()>,
}

impl<T> ScopedHandle<'_, T> {
    pub(super) fn new(packet: Arc<Packet<T>>) -> Self {
        Self {
            packet,
            scope: PhantomData,
        }
    }

    /// Blocks until the task has ended, and takes its output.
    ///
    /// # Errors
    ///
    /// The payload of its panic, as [`std::thread::ScopedJoinHandle::join`]; a string that says so, if its
    /// runtime has shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// let text = String::from("borrowed");
    /// let length = gopark::group::scope_blocking(|scope| {
    ///     scope.spawn(async { text.len() }).join().unwrap()
    /// });
    /// assert_eq!(length, 8);
    /// ```
    pub fn join(self) -> std::thread::Result<T> {
        crate::block_on(self)
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        !matches!(lock(&self.packet.state).result, Progress::Running)
    }
}

impl<T> Future for ScopedHandle<'_, T> {
    type Output = std::thread::Result<T>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waker = Some(cx.waker().clone());
        let mut state = lock(&self.packet.state);
        if let Progress::Over(result) = &mut state.result {
            let result = result.take();
            drop(state);
            let gone = || Box::new("the runtime of a scoped task has shut down") as Payload;
            return Poll::Ready(result.unwrap_or_else(|| Err(gone())));
        }
        mem::swap(&mut state.waiter, &mut waker);
        drop(state);
        drop(waker);
        note::park(WaitReason::Join);
        Poll::Pending
    }
}

impl<T> Unpin for ScopedHandle<'_, T> {}

impl<T> fmt::Debug for ScopedHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedHandle")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
