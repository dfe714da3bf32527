//! Waiting for the end of a channel.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use gopark_net::note::{self, WaitReason};

use super::core::Chan;

/// The future of [`Sender::closed`](super::Sender::closed).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Closed<'a, T> {
    chan: &'a Chan<T>,
    /// Its place among those that wait for the end.
    key: Option<usize>,
}

impl<'a, T> Closed<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>) -> Self {
        Self { chan, key: None }
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Cloned outside the lock, for it may be anybody's code.
        let waker = cx.waker().clone();
        let mut state = self.chan.lock();
        if state.is_closed() {
            self.key = None;
            return Poll::Ready(());
        }
        let before = match self.key {
            Some(key) => Some(std::mem::replace(state.mourner(key), waker)),
            None => {
                self.key = Some(state.mourn(waker));
                None
            }
        };
        drop(state);
        drop(before);
        note::park(WaitReason::ChanSend);
        Poll::Pending
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        let waker = self.chan.lock().stop_mourning(key);
        drop(waker);
    }
}
