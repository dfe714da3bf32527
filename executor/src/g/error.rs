//! Why a task has no output.

use std::any::Any;
use std::fmt;
use std::io;

use super::Id;

/// The error of a [`JoinHandle`](super::JoinHandle) whose task was cancelled or panicked, or could not be run.
pub struct JoinError(Box<Inner>);

struct Inner {
    id: Id,
    repr: Repr,
}

enum Repr {
    Cancelled,
    /// No thread could be had for a job: what the system said.
    Refused(io::Error),
    Panic(Box<dyn Any + Send + 'static>),
}

impl JoinError {
    #[cold]
    pub(crate) fn cancelled(id: Id) -> Self {
        Self(Box::new(Inner {
            id,
            repr: Repr::Cancelled,
        }))
    }

    #[cold]
    pub(crate) fn panic(id: Id, payload: Box<dyn Any + Send + 'static>) -> Self {
        Self(Box::new(Inner {
            id,
            repr: Repr::Panic(payload),
        }))
    }

    #[cold]
    pub(crate) fn refused(id: Id, error: io::Error) -> Self {
        Self(Box::new(Inner {
            id,
            repr: Repr::Refused(error),
        }))
    }

    /// Whether the task was dropped before its end: it was aborted, or its runtime was shut down, or left behind by a fork, or it
    /// was a closure of `spawn_blocking` for which [no thread could be had](Self::is_refused).
    pub fn is_cancelled(&self) -> bool {
        !self.is_panic()
    }

    /// Whether the task was a closure of [`spawn_blocking`](crate::spawn_blocking) that was not run, because its runtime
    /// had no thread for it and the operating system refused to start one. The message says why.
    pub fn is_refused(&self) -> bool {
        matches!(self.0.repr, Repr::Refused(_))
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.repr, Repr::Panic(_))
    }

    /// The payload of the task's panic, to be passed to [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// Panics if the task did not panic; see [`try_into_panic`](Self::try_into_panic).
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("JoinError::into_panic on a task that did not panic: {error}"),
        }
    }

    /// The payload of the task's panic.
    ///
    /// # Errors
    ///
    /// Gives the error back if the task was cancelled instead.
    ///
    /// # Examples
    ///
    /// ```
    /// gopark::block_on(async {
    ///     let error = gopark::spawn(async { panic!("no luck") }).await.unwrap_err();
    ///     let payload = error.try_into_panic().unwrap();
    ///     assert_eq!(*payload.downcast::<&str>().unwrap(), "no luck");
    /// });
    /// ```
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, Self> {
        let Inner { id, repr } = *self.0;
        match repr {
            Repr::Panic(payload) => Ok(payload),
            repr => Err(Self(Box::new(Inner { id, repr }))),
        }
    }

    /// The id of the task that failed.
    pub fn id(&self) -> Id {
        self.0.id
    }

    /// What the panic said, if it said a string.
    fn panic_message(&self) -> Option<&str> {
        let Repr::Panic(payload) = &self.0.repr else {
            return None;
        };
        let payload: &(dyn Any + Send) = &**payload;
        payload
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

// A payload is Send but not Sync; like tokio and std::thread::Result we only ever hand it out whole,
// so sharing the error shares no reference into the payload but the message's, which is a string.
// SAFETY: (1) `&JoinError` gives access to the payload only as `&str` or `&String`, both Sync.
unsafe impl Sync for JoinError {}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0.id;
        match (&self.0.repr, self.panic_message()) {
            (Repr::Cancelled, _) if id.is_left_behind() => write!(
                f,
                "task {id} was cancelled: its runtime was left behind in the parent process by a fork"
            ),
            (Repr::Cancelled, _) => write!(f, "task {id} was cancelled"),
            (Repr::Refused(error), _) => write!(
                f,
                "task {id} was not run, for no thread could be started for it: {error}"
            ),
            (Repr::Panic(_), Some(message)) => {
                write!(f, "task {id} panicked with message {message:?}")
            }
            (Repr::Panic(_), None) => write!(f, "task {id} panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0.id;
        match (&self.0.repr, self.panic_message()) {
            (Repr::Cancelled, _) => write!(f, "JoinError::Cancelled({id:?})"),
            (Repr::Refused(error), _) => write!(f, "JoinError::Refused({id:?}, {error:?})"),
            (Repr::Panic(_), Some(message)) => write!(f, "JoinError::Panic({id:?}, {message:?})"),
            (Repr::Panic(_), None) => write!(f, "JoinError::Panic({id:?}, ...)"),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        let kind = match &error.0.repr {
            Repr::Refused(refusal) => refusal.kind(),
            Repr::Cancelled | Repr::Panic(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
