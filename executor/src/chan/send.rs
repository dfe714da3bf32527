//! Sending: the future, whose value a receiver may take while it waits.

use std::cell::UnsafeCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use gopark_net::note::{self, WaitReason};

use super::core::{Chan, Waiter, wake, waker_under_lock};
use super::error::SendError;
use super::op::Fired;
use super::state::NotSent;

/// Where the value of a send is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In the slot; no receiver can see it.
    Fresh,
    /// In the slot, or with the receiver that took it there: the operation tells.
    Waiting,
    /// Gone.
    Done,
}

/// The future of [`Sender::send`](super::Sender::send).
#[must_use = "futures do nothing unless awaited"]
pub struct Send<'a, T> {
    chan: &'a Chan<T>,
    waiter: Waiter,
    /// `stage` says whether there is a value in it. Touched by the owner of the future, and, between the
    /// linking of the node and its firing, by who fires it with `Sent`.
    slot: UnsafeCell<MaybeUninit<T>>,
    stage: Stage,
    _pin: PhantomPinned,
}

// SAFETY: (1) the slot holds a T, which goes to another thread as it would by the channel; (2) see there
// for who touches it.
unsafe impl<T: std::marker::Send> std::marker::Send for Send<'_, T> {}
// SAFETY: (1) `&Send` gives access to nothing.
unsafe impl<T: std::marker::Send> Sync for Send<'_, T> {}

impl<'a, T> Send<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, value: T) -> Self {
        Self {
            chan,
            waiter: Waiter::new(),
            slot: UnsafeCell::new(MaybeUninit::new(value)),
            stage: Stage::Fresh,
            _pin: PhantomPinned,
        }
    }

    /// Gives the send up, and says whether it had happened: the value if it had not, None if the value
    /// was sent (or given out before).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// gopark::block_on(async {
    ///     let (tx, rx) = gopark::chan::rendezvous();
    ///     let mut send = pin!(tx.send(1));
    ///     assert!(futures::poll!(&mut send).is_pending());
    ///     assert_eq!(send.cancel(), Some(1));
    ///     drop(rx);
    /// });
    /// ```
    pub fn cancel(self: Pin<&mut Self>) -> Option<T> {
        // SAFETY: (1) nothing is moved out but the value, which is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        this.take_back()
    }

    /// Withdraws the value, if that can still be done.
    fn take_back(&mut self) -> Option<T> {
        match self.stage {
            Stage::Done => return None,
            Stage::Fresh => {}
            Stage::Waiting => {
                let sent = self.waiter.withdraw(self.chan, |state, node, fired| {
                    state.senders.unlink(node);
                    fired == Some(Fired::Sent)
                });
                if sent {
                    self.stage = Stage::Done;
                    return None;
                }
            }
        }
        self.stage = Stage::Done;
        // SAFETY: (1) Fresh, or withdrawn without having been sent: the value is in the slot.
        Some(unsafe { self.slot.get_mut().assume_init_read() })
    }

    pub(super) fn reach(&self) -> &'a Chan<T> {
        self.chan
    }

    /// Takes the value, if no poll has.
    pub(super) fn take_fresh(&mut self) -> Option<T> {
        if self.stage != Stage::Fresh {
            return None;
        }
        self.stage = Stage::Done;
        // SAFETY: (1) Fresh: the value is in the slot, and `stage` says from now on that it is not.
        Some(unsafe { self.slot.get_mut().assume_init_read() })
    }

    /// What came of a send that was fired.
    pub(super) fn outcome(&mut self, what: Fired) -> Result<(), SendError<T>> {
        debug_assert_eq!(self.stage, Stage::Waiting);
        self.stage = Stage::Done;
        if what == Fired::Sent {
            Ok(())
        } else {
            // SAFETY: (1) fired by the close of the channel: nobody took the value.
            Err(SendError(unsafe { self.slot.get_mut().assume_init_read() }))
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let mut foreign: Option<Waker> = None;
        let mut value = self
            .take_fresh()
            .expect("a send is polled no more once it is done");
        loop {
            let mut state = self.chan.lock();
            match state.try_send(value) {
                Ok(waker) => {
                    drop(state);
                    wake(waker);
                    return Poll::Ready(Ok(()));
                }
                Err(NotSent::Closed(back)) => {
                    drop(state);
                    return Poll::Ready(Err(SendError(back)));
                }
                Err(NotSent::Full(back)) => value = back,
            }
            let Some(waker) = foreign.take().or_else(|| waker_under_lock(cx)) else {
                drop(state);
                foreign = Some(cx.waker().clone());
                continue;
            };
            self.slot.get_mut().write(value);
            self.stage = Stage::Waiting;
            let node = self.waiter.begin(waker, self.slot.get().cast());
            // SAFETY: (1) the future is pinned, and its drop withdraws.
            unsafe { state.senders.push(node) };
            drop(state);
            note::park(WaitReason::ChanSend);
            return Poll::Pending;
        }
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: (1) nothing is moved out but the value, which is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let budget = ready!(note::poll_proceed(cx));
        let result = if this.waiter.is_idle() {
            ready!(this.begin(cx))
        } else {
            let Some(what) = this.waiter.rewake(this.chan, cx) else {
                note::park(WaitReason::ChanSend);
                return Poll::Pending;
            };
            this.waiter.conclude();
            this.outcome(what)
        };
        budget.made_progress();
        Poll::Ready(result)
    }
}

impl<T> Drop for Send<'_, T> {
    fn drop(&mut self) {
        drop(self.take_back());
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// The future of [`Sender::send_opt`](super::Sender::send_opt).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendOpt<'a, T> {
    chan: &'a Chan<T>,
    /// None while the value is in `send`, that is from the first poll to the end.
    source: &'a mut Option<T>,
    send: Option<Send<'a, T>>,
}

impl<'a, T> SendOpt<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, source: &'a mut Option<T>) -> Self {
        Self {
            chan,
            source,
            send: None,
        }
    }

    /// The channel and the place of the value, if no poll has taken that.
    pub(super) fn into_parts(self) -> Option<(&'a Chan<T>, &'a mut Option<T>)> {
        let this = ManuallyDrop::new(self);
        if this.send.is_some() {
            drop(ManuallyDrop::into_inner(this));
            return None;
        }
        // SAFETY: (1) `this` is not dropped, so the borrow is not used twice; nothing else in it needs a
        // drop.
        let source = unsafe { std::ptr::read(&raw const this.source) };
        Some((this.chan, source))
    }

    /// The send, which is made when it is first asked for.
    fn send(self: Pin<&mut Self>) -> Pin<&mut Send<'a, T>> {
        // SAFETY: (1) `send` is pinned with us: it is made in place, and never moved.
        let this = unsafe { self.get_unchecked_mut() };
        let chan = this.chan;
        let source = &mut this.source;
        let send = this.send.get_or_insert_with(|| {
            let value = source.take();
            Send::new(
                chan,
                value.expect("send_opt needs a value to send; the slot was None"),
            )
        });
        // SAFETY: (1) as above.
        unsafe { Pin::new_unchecked(send) }
    }
}

impl<T> Future for SendOpt<'_, T> {
    type Output = Result<(), SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.as_mut().send().poll(cx));
        Poll::Ready(result.map_err(|SendError(value)| {
            // SAFETY: (1) nothing that is pinned is touched.
            *unsafe { self.get_unchecked_mut() }.source = Some(value);
            SendError(())
        }))
    }
}

impl<T> Drop for SendOpt<'_, T> {
    fn drop(&mut self) {
        if let Some(back) = self.send.as_mut().and_then(Send::take_back) {
            *self.source = Some(back);
        }
    }
}
