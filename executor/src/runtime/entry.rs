//! How the attributes run a body: as a task if it may be one, else on the calling thread.
//!
//! The type decides, by which of two methods of one name is found first: `(&body).way()` finds that of
//! [`AsTask`], if its bounds hold, and else, one reference further, that of [`OnThread`]. Each gives out a
//! marker that knows how to go on.

use std::future::Future;

use super::Runtime;

/// For a body that may be a task.
pub trait AsTask {
    /// The body is run by [`Runtime::run`].
    fn way(&self) -> RunTask {
        RunTask
    }
}

impl<F> AsTask for F
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
}

/// For any other body.
pub trait OnThread {
    /// The body is run by [`Runtime::block_on`].
    fn way(&self) -> RunHere {
        RunHere
    }
}

impl<F: Future> OnThread for &F {}

/// See [`AsTask`].
#[derive(Debug)]
pub struct RunTask;

impl RunTask {
    /// Runs the body.
    #[track_caller]
    pub fn enter<F>(self, runtime: &Runtime, body: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        runtime.run(body)
    }
}

/// See [`OnThread`].
#[derive(Debug)]
pub struct RunHere;

impl RunHere {
    /// Runs the body.
    #[track_caller]
    pub fn enter<F: Future>(self, runtime: &Runtime, body: F) -> F::Output {
        runtime.block_on(body)
    }
}
