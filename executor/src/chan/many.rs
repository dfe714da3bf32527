//! Many messages at once: what is there is moved under one lock.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::vec;

use super::core::{Chan, Waiter, wake_all};
use super::error::{SendError, SendManyError};
use super::receiver::Receiver;
use super::recv;
use super::send::Send;
use super::state::NotSent;

/// How many messages are moved under one lock, which others may wait for.
const BATCH: usize = 64;

/// The future of [`Receiver::recv_many`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RecvMany<'a, T> {
    chan: &'a Chan<T>,
    waiter: Waiter,
    buffer: &'a mut Vec<T>,
    limit: usize,
    _pin: PhantomPinned,
}

impl<'a, T> RecvMany<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, buffer: &'a mut Vec<T>, limit: usize) -> Self {
        Self {
            chan,
            waiter: Waiter::new(),
            buffer,
            limit,
            _pin: PhantomPinned,
        }
    }
}

impl<T> Future for RecvMany<'_, T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        // SAFETY: (1) the waiter, which is pinned, is not moved.
        let this = unsafe { self.get_unchecked_mut() };
        if this.limit == 0 {
            return Poll::Ready(0);
        }
        // SAFETY: (1) the future is pinned, and its drop withdraws.
        let first = ready!(unsafe { recv::poll_recv(this.chan, &this.waiter, cx) });
        let Ok(first) = first else {
            return Poll::Ready(0);
        };
        this.buffer.push(first);
        let more = take_available(this.chan, this.buffer, this.limit - 1);
        Poll::Ready(1 + more)
    }
}

impl<T> Drop for RecvMany<'_, T> {
    fn drop(&mut self) {
        recv::withdraw(self.chan, &self.waiter);
    }
}

/// Takes up to `limit` messages that are there, and returns how many.
fn take_available<T>(chan: &Chan<T>, buffer: &mut Vec<T>, limit: usize) -> usize {
    let mut taken = 0;
    while taken < limit {
        let batch = (limit - taken).min(BATCH);
        // Allocated outside the lock.
        buffer.reserve(batch);
        let mut wakers: Vec<Waker> = Vec::new();
        let before = taken;
        let mut state = chan.lock();
        while taken - before < batch {
            let Ok((value, waker)) = state.try_recv() else {
                break;
            };
            buffer.push(value);
            wakers.extend(waker);
            taken += 1;
        }
        drop(state);
        wake_all(wakers);
        if taken - before < batch {
            break;
        }
    }
    taken
}

/// The iterator of [`Receiver::drain`].
pub struct Drain<'a, T> {
    receiver: &'a Receiver<T>,
    taken: vec::IntoIter<T>,
    /// How many of those that were there at the beginning are still to be taken.
    left: usize,
}

impl<'a, T> Drain<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> Self {
        let left = receiver.chan().lock().available();
        Self {
            receiver,
            taken: Vec::new().into_iter(),
            left,
        }
    }
}

impl<T> Iterator for Drain<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Some(value) = self.taken.next() {
            return Some(value);
        }
        let mut buffer = Vec::new();
        let taken = take_available(self.receiver.chan(), &mut buffer, self.left.min(BATCH));
        self.left -= taken;
        if taken == 0 {
            self.left = 0;
        }
        self.taken = buffer.into_iter();
        self.taken.next()
    }
}

impl<T> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl<T> fmt::Debug for Drain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Sends all messages, and waits where it must; see `Sender::send_many`.
pub(super) async fn send_many<T, I: Iterator<Item = T>>(
    chan: &Chan<T>,
    mut messages: I,
) -> Result<usize, SendManyError<I>> {
    let mut sent = 0;
    loop {
        // The iterator is anybody's code and runs outside the lock; so it is asked for as many as there
        // may be room for.
        let room = chan.lock().room();
        let mut batch: VecDeque<T> = messages.by_ref().take(room.clamp(1, BATCH)).collect();
        if batch.is_empty() {
            return Ok(sent);
        }
        sent += send_available(chan, &mut batch);
        while let Some(value) = batch.pop_front() {
            if let Err(SendError(back)) = Send::new(chan, value).await {
                batch.push_front(back);
                return Err(SendManyError::new(sent, batch, messages));
            }
            sent += 1;
            sent += send_available(chan, &mut batch);
        }
    }
}

/// Sends what finds room, and returns how many.
fn send_available<T>(chan: &Chan<T>, batch: &mut VecDeque<T>) -> usize {
    let before = batch.len();
    let mut wakers = Vec::with_capacity(before);
    let mut state = chan.lock();
    while let Some(value) = batch.pop_front() {
        match state.try_send(value) {
            Ok(waker) => wakers.extend(waker),
            Err(NotSent::Full(back) | NotSent::Closed(back)) => {
                // Room was made by the pop, so this allocates nothing.
                batch.push_front(back);
                break;
            }
        }
    }
    drop(state);
    wake_all(wakers);
    before - batch.len()
}
