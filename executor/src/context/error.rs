//! Why a context is done.

use std::{error::Error, fmt, io, sync::Arc};

/// What ended a context, in the words of whoever ended it: any error, shared by all that descend
/// from it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// The two ways in which a [`Context`](super::Context) ends.
///
/// It converts into an [`io::Error`], of kind [`Interrupted`](io::ErrorKind::Interrupted) or
/// [`TimedOut`](io::ErrorKind::TimedOut).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContextError {
    /// It, or one that it descends from, was cancelled.
    Cancelled,
    /// Its deadline has passed.
    DeadlineExceeded,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "context cancelled",
            Self::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for ContextError {}

impl From<ContextError> for io::Error {
    fn from(error: ContextError) -> Self {
        let kind = match error {
            ContextError::Cancelled => io::ErrorKind::Interrupted,
            ContextError::DeadlineExceeded => io::ErrorKind::TimedOut,
        };
        Self::new(kind, error)
    }
}

/// What a node keeps of its end, and hands down to its children.
#[derive(Clone)]
pub(super) struct Reason {
    pub(super) error: ContextError,
    /// `None`: the error says all.
    pub(super) cause: Option<Cause>,
}

impl Reason {
    pub(super) fn cause(&self) -> Cause {
        match &self.cause {
            Some(cause) => cause.clone(),
            None => Arc::new(self.error),
        }
    }
}
