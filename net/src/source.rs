//! A registered I/O object and the operations that wait for it.
//!
//! # Model
//! Every operation is the same loop: if the direction is ready, try; "would block" clears the readiness
//! (unless something was reported since) and starts again; not ready means park. On a direction that is
//! ready an operation costs one load and the system call itself.
//!
//! A transfer of fewer bytes than asked for has emptied (or filled) the kernel's buffer, so it clears the
//! readiness without another system call to be told "would block". That holds for edge-triggered epoll and
//! kqueue, see `sys::PARTIAL_MEANS_DRAINED`, and not when the end, an error or urgent data was reported: see
//! `Snapshot::partial_means_drained`. Why no report is lost: the snapshot is older than the transfer, and what
//! arrives after the transfer raises a new edge, whose report moves the tick.
//!
//! # Invariants
//! 1. `io` is `Some` until `drop`, `release` or `into_inner`, and registered exactly as long.
//! 2. The source is in the reactor's table as long as `io` is registered and the reactor is not closed.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mio::{Interest, Token};

use crate::delay;
use crate::fork::left_behind_error;
use crate::note::{self, WaitReason};
use crate::reactor::{Reactor, Shared, shut_down_error};
use crate::readiness::{Direction, Readiness, Ready, Refused, Snapshot, Wait, WaiterId};
use crate::sys;

/// The one allocation of a registration: shared by the object and the reactor's table.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) readiness: Readiness,
    pub(crate) token: Token,
    reactor: Arc<Shared>,
}

impl Source {
    pub(crate) fn new(reactor: Arc<Shared>, token: Token, assumed: Ready) -> Self {
        Self {
            readiness: Readiness::new(assumed),
            token,
            reactor,
        }
    }
}

/// An I/O object that is registered in a reactor as long as it is in here.
pub(crate) struct Evented<E: mio::event::Source> {
    io: Option<E>,
    source: Arc<Source>,
}

impl<E: mio::event::Source> Evented<E> {
    /// Registers a new object, of which both directions are assumed to be ready until the first
    /// "would block": most accepted connections bring their request along.
    pub(crate) fn new(io: E) -> io::Result<Self> {
        Self::with(io, sys::INTEREST, Ready::READABLE | Ready::WRITABLE).map_err(|(_, e)| e)
    }

    /// Registers an object whose connection is being established: nothing is ready yet.
    pub(crate) fn connecting(io: E) -> io::Result<Self> {
        Self::with(io, sys::INTEREST, Ready::EMPTY).map_err(|(_, e)| e)
    }

    /// Registers an object with the given interest and assumption; gives it back when that fails.
    pub(crate) fn with(
        mut io: E,
        interest: Interest,
        assumed: Ready,
    ) -> Result<Self, (E, io::Error)> {
        let registered = Reactor::current()
            .and_then(|reactor| reactor.shared().register(&mut io, interest, assumed));
        match registered {
            Ok(source) => Ok(Self {
                io: Some(io),
                source,
            }),
            Err(e) => Err((io, e)),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> &E {
        self.io
            .as_ref()
            .expect("invariant 1: only what consumes `self` takes it out")
    }

    #[cfg(unix)]
    pub(crate) fn get_mut(&mut self) -> &mut E {
        self.io
            .as_mut()
            .expect("invariant 1: only what consumes `self` takes it out")
    }

    /// Takes the object out of the reactor, and gives it back even if that fails.
    #[cfg(unix)]
    pub(crate) fn release(mut self) -> E {
        let mut io = self.io.take().expect("invariant 1: `self` is alive");
        // It fails only if the descriptor was closed behind our back; then it is out already.
        let _ = self.source.reactor.deregister(&mut io, &self.source);
        io
    }

    /// Takes the object out of the reactor.
    pub(crate) fn into_inner(mut self) -> io::Result<E> {
        let mut io = self.io.take().expect("invariant 1: `self` is alive");
        self.source.reactor.deregister(&mut io, &self.source)?;
        Ok(io)
    }

    /// Tries once, without waiting: "would block" if the direction is known not to be ready.
    #[inline]
    pub(crate) fn try_io<R>(
        &self,
        direction: Direction,
        op: impl FnOnce(&E) -> io::Result<R>,
    ) -> io::Result<R> {
        self.try_transfer(direction, op, |_| false)
    }

    /// As [`try_io`](Self::try_io); `partial` tells of a success whether it was a partial transfer.
    #[inline]
    pub(crate) fn try_transfer<R>(
        &self,
        direction: Direction,
        op: impl FnOnce(&E) -> io::Result<R>,
        partial: impl FnOnce(&R) -> bool,
    ) -> io::Result<R> {
        let readiness = &self.source.readiness;
        let Some(seen) = readiness.ready(direction) else {
            return Err(if readiness.is_down() {
                shut_down_error()
            } else {
                io::ErrorKind::WouldBlock.into()
            });
        };
        let outcome = op(self.get());
        self.settle(direction, seen, &outcome, partial);
        outcome
    }

    /// Tries until it succeeds or fails. The waker is enlisted without an identity.
    #[inline]
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        reason: WaitReason,
        op: impl FnMut(&E) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_transfer(cx, direction, reason, op, |_| false)
    }

    /// As [`poll_io`](Self::poll_io), for transfers.
    #[inline]
    pub(crate) fn poll_transfer<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        reason: WaitReason,
        op: impl FnMut(&E) -> io::Result<R>,
        partial: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let mut id = WaiterId::ANONYMOUS;
        self.poll_as(cx, &mut id, direction, reason, op, partial)
    }

    /// Tries until it succeeds or fails; dropping the future withdraws its waker.
    #[inline]
    pub(crate) async fn io<R>(
        &self,
        direction: Direction,
        reason: WaitReason,
        op: impl FnMut(&E) -> io::Result<R>,
    ) -> io::Result<R> {
        self.transfer(direction, reason, op, |_| false).await
    }

    /// As [`io`](Self::io), for transfers.
    #[inline]
    pub(crate) async fn transfer<R>(
        &self,
        direction: Direction,
        reason: WaitReason,
        mut op: impl FnMut(&E) -> io::Result<R>,
        partial: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let mut waiter = Waiter::new(&self.source.readiness, direction);
        poll_fn(|cx| self.poll_as(cx, &mut waiter.id, direction, reason, &mut op, &partial)).await
    }

    #[inline]
    fn poll_as<R>(
        &self,
        cx: &mut Context<'_>,
        id: &mut WaiterId,
        direction: Direction,
        reason: WaitReason,
        mut op: impl FnMut(&E) -> io::Result<R>,
        partial: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let unit = ready!(note::poll_proceed(cx));
        loop {
            let seen = match self.source.readiness.ready(direction) {
                Some(seen) => seen,
                None => ready!(self.source.wait(cx, id, direction, reason))?,
            };
            let outcome = op(self.get());
            if self.settle(direction, seen, &outcome, &partial) {
                unit.made_progress();
                return Poll::Ready(outcome);
            }
        }
    }

    /// Draws the conclusions from an operation; `false` if it is to be tried again.
    #[inline]
    fn settle<R>(
        &self,
        direction: Direction,
        seen: Snapshot,
        outcome: &io::Result<R>,
        partial: impl FnOnce(&R) -> bool,
    ) -> bool {
        match outcome {
            Ok(value) => {
                if sys::PARTIAL_MEANS_DRAINED && seen.partial_means_drained() && partial(value) {
                    self.source
                        .readiness
                        .clear(direction, seen, Refused::ByKernel);
                }
                true
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                delay::here("operation: would block");
                self.source
                    .readiness
                    .clear(direction, seen, Refused::ByKernel);
                false
            }
            Err(e) => e.kind() != io::ErrorKind::Interrupted,
        }
    }

    /// Waits until `direction` is ready, without an operation and without an identity.
    pub(crate) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Snapshot>> {
        let unit = ready!(note::poll_proceed(cx));
        let seen = match self.source.readiness.ready(direction) {
            Some(seen) => seen,
            None => {
                let mut id = WaiterId::ANONYMOUS;
                ready!(
                    self.source
                        .wait(cx, &mut id, direction, reason_of(direction))
                )?
            }
        };
        unit.made_progress();
        Poll::Ready(Ok(seen))
    }

    /// Waits until one of the wanted directions is ready.
    pub(crate) async fn wait_ready(&self, read: bool, write: bool) -> io::Result<Snapshot> {
        let readiness = &self.source.readiness;
        let mut reader = Waiter::new(readiness, Direction::Read);
        let mut writer = Waiter::new(readiness, Direction::Write);
        poll_fn(|cx| {
            let unit = ready!(note::poll_proceed(cx));
            for (wanted, waiter) in [(read, &mut reader), (write, &mut writer)] {
                if !wanted {
                    continue;
                }
                let direction = waiter.direction;
                let seen = match readiness.ready(direction) {
                    Some(seen) => Poll::Ready(Ok(seen)),
                    None => self
                        .source
                        .wait(cx, &mut waiter.id, direction, reason_of(direction)),
                };
                if let Poll::Ready(seen) = seen {
                    unit.made_progress();
                    return Poll::Ready(seen);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// All that is known now, or the error of a reactor that is gone.
    pub(crate) fn known(&self) -> io::Result<Snapshot> {
        let readiness = &self.source.readiness;
        if readiness.is_down() {
            Err(shut_down_error())
        } else {
            Ok(readiness.snapshot())
        }
    }

    pub(crate) fn clear(&self, direction: Direction, seen: Snapshot, refused: Refused) {
        self.source.readiness.clear(direction, seen, refused);
    }
}

impl Source {
    /// Parks the task, unless the direction is ready after all.
    #[cold]
    fn wait(
        &self,
        cx: &mut Context<'_>,
        id: &mut WaiterId,
        direction: Direction,
        reason: WaitReason,
    ) -> Poll<io::Result<Snapshot>> {
        if self.reactor.is_left_behind() {
            return Poll::Ready(Err(left_behind_error()));
        }
        match self.readiness.wait(direction, id, cx.waker()) {
            Wait::Ready(seen) => Poll::Ready(Ok(seen)),
            Wait::Down => Poll::Ready(Err(shut_down_error())),
            Wait::Parked => {
                note::park(reason);
                Poll::Pending
            }
        }
    }
}

const fn reason_of(direction: Direction) -> WaitReason {
    match direction {
        Direction::Read => WaitReason::IoRead,
        Direction::Write => WaitReason::IoWrite,
    }
}

impl<E: mio::event::Source> Drop for Evented<E> {
    fn drop(&mut self) {
        if let Some(mut io) = self.io.take() {
            // It fails only if the descriptor was closed behind our back; then it is out already.
            let _ = self.source.reactor.deregister(&mut io, &self.source);
        }
    }
}

impl<E: mio::event::Source + fmt::Debug> fmt::Debug for Evented<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evented")
            .field("io", &self.io)
            .field("readiness", &self.source.readiness)
            .finish()
    }
}

/// The place of a future among the waiters; dropping it gives the place up.
struct Waiter<'a> {
    readiness: &'a Readiness,
    direction: Direction,
    id: WaiterId,
}

impl<'a> Waiter<'a> {
    const fn new(readiness: &'a Readiness, direction: Direction) -> Self {
        Self {
            readiness,
            direction,
            id: WaiterId::NEW,
        }
    }
}

impl Drop for Waiter<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.id != WaiterId::NEW {
            self.readiness.cancel(self.direction, self.id);
        }
    }
}
