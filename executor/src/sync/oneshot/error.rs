//! Why no value came.

use std::{error::Error, fmt};

/// The sender was dropped without having sent, or the receiver was closed before it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError(pub(super) ());

/// Why [`Receiver::try_recv`](super::Receiver::try_recv) has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing was sent yet; it may still be.
    Empty,
    /// As [`RecvError`], or the value was received already.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the oneshot channel was closed without a value")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the oneshot channel is empty"),
            Self::Closed => RecvError(()).fmt(f),
        }
    }
}

impl Error for RecvError {}

impl Error for TryRecvError {}
