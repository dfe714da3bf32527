//! What can be wrong with a watch channel.

use std::{error::Error, fmt};

/// The value that was not sent, for there is no receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(
    /// The value.
    pub T,
);

/// All senders were dropped, and the last value was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError(pub(super) ());

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the watch channel has no receiver")
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the watch channel has no sender any more")
    }
}

impl<T> Error for SendError<T> {}

impl Error for RecvError {}
