//! What a caller wants to wait for.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::BitOr;
use std::task::Poll;

use crate::note::{self, WaitReason};
use crate::readiness::{Direction, Ready, Refused, Snapshot};
use crate::source::Evented;

/// Readable, writable, or either of the two.
///
/// ```
/// use gopark_net::Interest;
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest {
    read: bool,
    write: bool,
}

impl Interest {
    /// Wait until a read makes progress.
    pub const READABLE: Self = Self {
        read: true,
        write: false,
    };
    /// Wait until a write makes progress.
    pub const WRITABLE: Self = Self {
        read: false,
        write: true,
    };

    /// Whether readability is wanted.
    pub const fn is_readable(self) -> bool {
        self.read
    }

    /// Whether writability is wanted.
    pub const fn is_writable(self) -> bool {
        self.write
    }

    fn directions(self) -> impl Iterator<Item = Direction> {
        let wanted = [(self.read, Direction::Read), (self.write, Direction::Write)];
        wanted
            .into_iter()
            .filter_map(|(wanted, direction)| wanted.then_some(direction))
    }

    /// Whether `ready` has a hang-up that this interest is about.
    fn is_closed(self, ready: Ready) -> bool {
        (self.read && ready.is_read_closed()) || (self.write && ready.is_write_closed())
    }

    /// The part of `ready` that this interest is about.
    pub(crate) fn of(self, ready: Ready) -> Ready {
        let mut mask = Ready::ERROR;
        if self.read {
            mask |= Ready::READABLE | Ready::READ_CLOSED | Ready::PRIORITY;
        }
        if self.write {
            mask |= Ready::WRITABLE | Ready::WRITE_CLOSED;
        }
        ready & mask
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            read: self.read | other.read,
            write: self.write | other.write,
        }
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.read, self.write) {
            (true, true) => "READABLE | WRITABLE",
            (true, false) => "READABLE",
            _ => "WRITABLE",
        })
    }
}

/// Operations of the caller's own, in either direction or both.
impl<E: mio::event::Source> Evented<E> {
    pub(crate) async fn wait_for(&self, interest: Interest) -> io::Result<Snapshot> {
        self.wait_ready(interest.read, interest.write).await
    }

    pub(crate) fn try_custom<R>(
        &self,
        interest: Interest,
        refused: Refused,
        op: impl FnOnce(&E) -> io::Result<R>,
    ) -> io::Result<R> {
        let seen = self.known()?;
        if !interest
            .directions()
            .any(|direction| seen.ready().intersects(direction))
        {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let outcome = op(self.get());
        if would_block(&outcome) {
            self.clear_all(interest, seen, refused);
        }
        outcome
    }

    pub(crate) async fn custom<R>(
        &self,
        interest: Interest,
        refused: Refused,
        mut op: impl FnMut(&E) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let seen = self.wait_for(interest).await?;
            let outcome = op(self.get());
            if !would_block(&outcome) {
                return outcome;
            }
            self.clear_all(interest, seen, refused);
            if refused == Refused::ByUser && interest.is_closed(seen.ready()) {
                // A hang-up stays, so the operation would be tried again at once: others have their turn
                // first, under executors without a budget too.
                yield_once().await;
            }
        }
    }

    pub(crate) fn clear_all(&self, interest: Interest, seen: Snapshot, refused: Refused) {
        for direction in interest.directions() {
            self.clear(direction, seen, refused);
        }
    }
}

/// Is pending once, and ready at the next poll, for which it wakes its task itself.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        note::park(WaitReason::Yield);
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn would_block<R>(outcome: &io::Result<R>) -> bool {
    matches!(outcome, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
}
