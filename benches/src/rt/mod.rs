//! What a workload needs of a runtime, so that each workload is written once.
//!
//! The abstraction must cost nothing: everything is monomorphised, no future is boxed, and the
//! types are the runtime's own. Functions without `self` act on the runtime that the calling task
//! runs on, as `tokio::spawn` does.

mod gopark;
pub mod read;
mod smol;
mod tokio;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use self::gopark::Gopark;
pub use self::smol::Smol;
pub use self::tokio::Tokio;

/// A running runtime of [`PROCS`](crate::peer::PROCS) processors. Dropping it stops its threads.
pub trait Rt: Sized + Send + Sync + 'static {
    /// The handle of a spawned task.
    type Join<T: Send + 'static>: Send + 'static;
    /// A TCP listener.
    type Listener: Send + Sync + 'static;
    /// A TCP connection.
    type Stream: Send + 'static;

    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// Fails where the runtime's threads or its reactor cannot be had.
    fn start() -> io::Result<Self>;

    /// Runs `root` to its end, the way that is fastest on this runtime: each file says which.
    fn run<F>(&self, root: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns a task from a thread that is none of the runtime's.
    fn spawn_from_outside<F>(&self, future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns a task from a task.
    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Waits for a task and returns its output.
    ///
    /// # Panics
    ///
    /// Panics if the task did.
    fn join<T: Send + 'static>(task: Self::Join<T>) -> impl Future<Output = T> + Send;

    /// Lets a task run on unattended.
    fn detach<T: Send + 'static>(task: Self::Join<T>);

    /// Lets the other tasks run.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Sleeps.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    /// Awaits `future` for `duration` at most; `None` tells that the time was up.
    fn timeout<F: Future + Send>(
        duration: Duration,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + Send
    where
        F::Output: Send;

    /// Runs a closure that blocks on a thread that may, beside the tasks.
    fn spawn_blocking<F, T>(f: F) -> Self::Join<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;

    /// Listens on a free port of the loopback interface.
    fn listen() -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;

    /// Accepts a connection and sets `TCP_NODELAY` on it.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Reads what is there, or waits for something; 0 is the end.
    fn read(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes all of `bytes`.
    fn write_all(
        stream: &mut Self::Stream,
        bytes: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;
}

/// A runtime whose tasks may block where they stand, if they say so. smol has no word for it.
pub trait Blocks: Rt {
    /// Runs `f`, which may block, inside the calling task.
    fn block<T>(f: impl FnOnce() -> T) -> T;
}

/// Evaluates `$body` with `$R` naming the runtime type of `$peer`; `None` for a peer that is no
/// Rust runtime.
macro_rules! with_runtime {
    ($peer:expr, $R:ident => $body:expr) => {
        match $peer {
            $crate::peer::Peer::Gopark => {
                type $R = $crate::rt::Gopark;
                Some($body)
            }
            $crate::peer::Peer::GoparkOff => {
                type $R = $crate::rt::Gopark<false>;
                Some($body)
            }
            $crate::peer::Peer::Tokio => {
                type $R = $crate::rt::Tokio;
                Some($body)
            }
            $crate::peer::Peer::Smol => {
                type $R = $crate::rt::Smol;
                Some($body)
            }
            _ => None,
        }
    };
}
pub(crate) use with_runtime;

/// Like [`with_runtime`], for the peers that are [`Blocks`].
macro_rules! with_blocks {
    ($peer:expr, $R:ident => $body:expr) => {
        match $peer {
            $crate::peer::Peer::Gopark => {
                type $R = $crate::rt::Gopark;
                Some($body)
            }
            $crate::peer::Peer::GoparkOff => {
                type $R = $crate::rt::Gopark<false>;
                Some($body)
            }
            $crate::peer::Peer::Tokio => {
                type $R = $crate::rt::Tokio;
                Some($body)
            }
            _ => None,
        }
    };
}
pub(crate) use with_blocks;
