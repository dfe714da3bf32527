//! [`Done`] and [`DoneOwned`]: waiting for the end of a context.
//!
//! ```text
//!            poll: filed with the waker              end: taken off, and woken
//!   IDLE ──────────────────────────────▶ FILED ─────────────────────────────────▶ over
//!    ▲  └─ poll: the context is done ──▶ over │ ▲
//!    │                                        │ └─ poll with another waker: exchanged
//!    └────────────── leave: taken off ────────┘
//! ```
//!
//! *Poll against end*: a waker is filed, or exchanged, under the lock of its list; so either the end finds
//! it, or the poll learns of the end and is ready. *A poll with the same waker* loads `ended` and nothing
//! else: if the load is stale, the end has yet to take the waker off the roll, and wakes it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{self, Poll, Waker, ready},
};

use gopark_net::note::{self, WaitReason};

use super::{
    Context, ContextError,
    node::{Member, Node},
    roll::Place,
};

/// A place on the roll of a node for the waker of one future. The caller names the same node in all
/// calls, and calls `leave` in the end.
#[derive(Debug, Default)]
pub(super) struct Wait {
    filed: Option<(Place, Identity)>,
}

/// The two words of a waker, to compare with others: while it is filed, no other waker has them.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    data: usize,
    vtable: usize,
}

impl Identity {
    fn of(waker: &Waker) -> Self {
        Self {
            data: waker.data() as usize,
            vtable: std::ptr::from_ref(waker.vtable()) as usize,
        }
    }
}

impl Wait {
    /// Ready once the node has ended. Without a node that is never.
    #[inline]
    pub(super) fn poll(&mut self, node: Option<&Node>, cx: &task::Context<'_>) -> Poll<()> {
        let Some(node) = node else {
            return Poll::Pending;
        };
        if node.reason().is_some() {
            return Poll::Ready(());
        }
        let identity = Identity::of(cx.waker());
        match &self.filed {
            Some((_, filed)) if *filed == identity => Poll::Pending,
            Some((place, _)) => self.refile(node, *place, cx.waker().clone(), identity),
            None => match node.add(Member::Waiter(cx.waker().clone())) {
                Ok(place) => {
                    self.filed = Some((place, identity));
                    Poll::Pending
                }
                Err(_) => Poll::Ready(()),
            },
        }
    }

    #[cold]
    fn refile(&mut self, node: &Node, place: Place, waker: Waker, new: Identity) -> Poll<()> {
        match node.exchange(place, Member::Waiter(waker)) {
            Ok(old) => {
                self.filed = Some((place, new));
                drop(old);
                Poll::Pending
            }
            Err(_) => {
                self.filed = None;
                Poll::Ready(())
            }
        }
    }

    #[inline]
    pub(super) fn leave(&mut self, node: Option<&Node>) {
        if let (Some((place, _)), Some(node)) = (self.filed.take(), node) {
            drop(node.remove(place));
        }
    }

    /// [`Wait::poll`] as a leaf future does it.
    fn poll_leaf(&mut self, context: &Context, cx: &mut task::Context<'_>) -> Poll<ContextError> {
        let unit = ready!(note::poll_proceed(cx));
        if self.poll(context.node(), cx).is_ready() {
            unit.made_progress();
            let error = context.err();
            return Poll::Ready(error.expect("a context that is done says why"));
        }
        note::park(WaitReason::Context);
        Poll::Pending
    }
}

/// The future of [`Context::done`].
///
/// It is [`Unpin`], and once it was ready it remains so. To wait in a loop keep one and poll
/// `&mut done`: a poll that finds the context as it was is two loads, and takes no lock.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Done<'a> {
    context: &'a Context,
    wait: Wait,
}

impl<'a> Done<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        let wait = Wait::default();
        Self { context, wait }
    }
}

impl Future for Done<'_> {
    type Output = ContextError;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<ContextError> {
        let Self { context, wait } = &mut *self;
        wait.poll_leaf(context, cx)
    }
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.wait.leave(self.context.node());
    }
}

impl fmt::Debug for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Done").field(&self.context).finish()
    }
}

/// The future of [`Context::done_owned`]; see [`Done`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct DoneOwned {
    context: Context,
    wait: Wait,
}

impl DoneOwned {
    pub(super) fn new(context: Context) -> Self {
        let wait = Wait::default();
        Self { context, wait }
    }
}

impl Future for DoneOwned {
    type Output = ContextError;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<ContextError> {
        let Self { context, wait } = &mut *self;
        wait.poll_leaf(context, cx)
    }
}

impl Drop for DoneOwned {
    fn drop(&mut self) {
        self.wait.leave(self.context.node());
    }
}

impl fmt::Debug for DoneOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DoneOwned").field(&self.context).finish()
    }
}
