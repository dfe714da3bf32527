//! The reactor and the sockets of gopark.
//!
//! A socket of this crate holds wakers and knows no executor, so it works under any: gopark's, which
//! polls the reactor itself while it looks for work, but also `futures::executor::block_on` or smol,
//! for which one thread polls in the background (it exists only while it is needed).
//!
//! | file | is |
//! |---|---|
//! | `reactor.rs` | [`Reactor`]: the selector, the table of sources, who is current |
//! | `entered.rs` | which reactor a thread is in: guards that leave in any order |
//! | `fork.rs` | what a fork leaves in the child |
//! | `drive.rs` | who polls: [`Reactor::claim`], the background thread, shutdown |
//! | `readiness.rs` | what the kernel reported of one source and who waits: the protocol |
//! | `table.rs` | tokens with generations |
//! | `source.rs` | a registered I/O object: operations that wait |
//! | `interest.rs`, `io.rs` | what the kinds of socket share: custom operations, bytes |
//! | `tcp/` | [`TcpListener`], [`TcpStream`], [`TcpSocket`], halves |
//! | `async_fd.rs` | `AsyncFd`: readiness of any descriptor (Unix) |
//! | `sys.rs` | what differs between operating systems |
//! | `delay.rs` | marks at which a thread may be delayed, with the feature `delays` |
//! | `note.rs` | budget and wait reason: how leaf futures and executors talk |
//! | `resolve.rs` | [`lookup_host`] and [`ToSocketAddrs`] |
//! | `offload.rs` | the hook for blocking jobs |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod alarm;
mod anonymous;
#[cfg(unix)]
mod async_fd;
#[doc(hidden)]
pub mod delay;
mod drive;
pub mod entered;
pub mod fork;
mod interest;
mod io;
pub mod note;
pub mod offload;
mod primitive;
mod reactor;
mod read_buf;
mod readiness;
mod resolve;
mod source;
mod sys;
mod table;
pub mod tcp;

#[cfg(unix)]
pub use async_fd::{AsyncFd, AsyncFdReadyGuard, TryIoError};
pub use drive::Claim;
pub use interest::Interest;
pub use reactor::{Entered, Entry, Reactor};
pub use readiness::Ready;
pub use resolve::{ToSocketAddrs, lookup_host};
pub use tcp::{
    Incoming, OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, TcpListener, TcpSocket,
    TcpStream, WriteHalf,
};
