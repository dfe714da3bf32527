//! What can be wrong with a broadcast channel.

use std::{error::Error, fmt};

/// The value that was not sent, for there is no receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(
    /// The value.
    pub T,
);

/// Why [`lossless::Sender::try_send`](super::lossless::Sender::try_send) has not sent the value, which it
/// gives back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The slowest receiver is as far behind as may be.
    Full(T),
    /// There is no receiver.
    Closed(T),
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvError {
    /// All senders were dropped, and all values were received.
    Closed,
    /// So many values were lost, for this receiver was too slow. The next is the oldest that is left.
    Lagged(u64),
}

/// Why there is no value now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// None was sent yet.
    Empty,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

const CLOSED: &str = "the broadcast channel has no sender any more";
const NO_RECEIVER: &str = "the broadcast channel has no receiver";

fn lagged(f: &mut fmt::Formatter<'_>, count: u64) -> fmt::Result {
    write!(f, "the receiver was too slow: {count} values are lost")
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Closed => f.write_str(CLOSED),
            Self::Lagged(count) => lagged(f, count),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("the broadcast channel is empty"),
            Self::Closed => f.write_str(CLOSED),
            Self::Lagged(count) => lagged(f, count),
        }
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NO_RECEIVER)
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the broadcast channel is full",
            Self::Closed(_) => NO_RECEIVER,
        })
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl Error for RecvError {}

impl Error for TryRecvError {}

impl<T> Error for SendError<T> {}

impl<T> Error for TrySendError<T> {}
