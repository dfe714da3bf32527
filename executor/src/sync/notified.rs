//! Waiting for a [`Notify`]: the futures.
//!
//! ```text
//!   NEW(generation) ──▶ QUEUED ──▶ DONE      a permit, or a newer generation: NEW ──▶ DONE
//! ```

use std::{
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use gopark_net::note::WaitReason;
use pin_project_lite::pin_project;

use super::{
    leaf::{Leaf, Wait},
    notify::{Notify, Told},
    waiters::{Home, Waiter},
};

/// How far a listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It has seen this generation.
    New(usize),
    Queued,
    Done,
}

pin_project! {
    #[derive(Debug)]
    struct Listen<H: Home> {
        progress: Progress,
        #[pin]
        waiter: Waiter<H>,
    }
}

impl<H: Home<State = (), Kind = Told> + Deref<Target = Notify>> Listen<H> {
    #[inline]
    fn new(notify: H) -> Self {
        Self {
            progress: Progress::New(notify.generation()),
            waiter: Waiter::new(notify),
        }
    }

    #[inline]
    fn listen(self: Pin<&mut Self>, waker: Option<&Waker>) -> Poll<()> {
        let this = self.project();
        let over = match *this.progress {
            Progress::Done => true,
            Progress::Queued => match waker {
                Some(waker) => this.waiter.poll_granted(waker).is_ready(),
                // The waker that it has stays.
                None => this.waiter.take_granted().is_some(),
            },
            Progress::New(generation) => {
                let notify: &Notify = this.waiter.home();
                notify.generation() != generation
                    || notify.take_permit()
                    || this
                        .waiter
                        .enqueue_at_home(waker, |notify, _| notify.decide(generation))
                        .is_break()
            }
        };
        *this.progress = if over {
            Progress::Done
        } else {
            Progress::Queued
        };
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<H: Home<State = (), Kind = Told> + Deref<Target = Notify>> Wait for Listen<H> {
    type Output = ();

    const REASON: WaitReason = WaitReason::Notify;

    #[inline]
    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.listen(Some(cx.waker()))
    }
}

pin_project! {
    /// The future of [`Notify::notified`].
    ///
    /// Polled again after it was ready it is ready again.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Notified<'a> {
        #[pin]
        leaf: Leaf<Listen<&'a Notify>>,
    }
}

pin_project! {
    /// The future of [`Notify::notified_owned`].
    ///
    /// Polled again after it was ready it is ready again.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct OwnedNotified {
        #[pin]
        leaf: Leaf<Listen<Arc<Notify>>>,
    }
}

impl<'a> Notified<'a> {
    #[inline]
    pub(super) fn new(notify: &'a Notify) -> Self {
        Self {
            leaf: Leaf::new(Listen::new(notify)),
        }
    }

    /// Takes its place in the queue, without a poll; true if it was notified already.
    ///
    /// So it is ahead of all that wait later, and a notification from here on is not missed, while the
    /// caller looks at something else before it awaits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use gopark::sync::Notify;
    ///
    /// gopark::block_on(async {
    ///     let bell = Notify::new();
    ///     let mut notified = pin!(bell.notified());
    ///     assert!(!notified.as_mut().enable());
    ///     bell.notify_one(); // leaves no permit: somebody waits
    ///     notified.await;
    /// });
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().leaf.wait().listen(None).is_ready()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().leaf.poll(cx)
    }
}

impl OwnedNotified {
    pub(super) fn new(notify: Arc<Notify>) -> Self {
        Self {
            leaf: Leaf::new(Listen::new(notify)),
        }
    }

    /// Takes its place in the queue; see [`Notified::enable`].
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().leaf.wait().listen(None).is_ready()
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().leaf.poll(cx)
    }
}
