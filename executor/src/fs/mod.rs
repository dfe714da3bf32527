//! Files and directories: [`std::fs`] for tasks.
//!
//! # How it works
//!
//! An operating system has no good way to wait for a file as one waits for a socket, so each operation
//! here is one call of `std`, made where the task stands, in a [`block`](crate::task::block) section. There
//! is no pool of threads, no queue, and no copy of the bytes: paths and buffers may be borrowed, and a
//! read of what the system has in memory costs little more than the read itself.
//!
//! | while an operation takes long | |
//! |---|---|
//! | other tasks | go on: the processor of the blocked thread is given to another thread |
//! | other tasks of a current-thread runtime | go on, too: another thread is started for them |
//! | what is bound to the blocked thread: tasks of [`spawn_local`](crate::spawn_local) | waits |
//! | other futures of the **same task** | wait: siblings in a `join!` or a `select!` are not polled before the operation is done, and a [`timeout`](crate::time::timeout()) around it cannot cut it off |
//!
//! Files that are to be read at the same time therefore belong in tasks of their own: see the example
//! `files`.
//!
//! # Files that make one wait
//!
//! A wait for a disk ends by itself. These waits last until somebody else does something, and **cannot be given up**: not by
//! `select!`, not by a `timeout`, not by an abort, and the end of the runtime waits for them as well.
//!
//! | file | waits | use instead |
//! |---|---|---|
//! | named pipe (FIFO) | its opening, until the other end is opened; a read, until somebody writes; a write, while it is full | [`AsyncFd`](crate::net::AsyncFd) around a `std::fs::File` that is opened with `O_NONBLOCK` |
//! | terminal, `/dev/stdin`, a serial line | a read, until there is input; a write, while output is held | the same; or, for the standard streams, which other processes share and which must not be made non-blocking, the task below |
//! | other devices (`/dev/kmsg`, inotify, ...), `/proc` files that block | a read, until there is something | `AsyncFd` if the device can be polled, else the task below |
//! | a file on a network that has gone | every operation | the task below |
//!
//! Where nothing can be polled, a task of its own takes the wait, and whoever may not wait for ever waits for the task: what is
//! given up then is the waiting, not the read.
//!
//! ```
//! # use std::time::Duration;
//! # use gopark::{chan, time::timeout};
//! # gopark::block_on(async {
//! let (lines, input) = chan::bounded(16);
//! gopark::spawn_blocking(move || {
//!     while let Some(Ok(line)) = std::io::stdin().lines().next() {
//!         if lines.send_blocking(line).is_err() {
//!             break;
//!         }
//!     }
//! });
//! match timeout(Duration::from_millis(10), input.recv()).await {
//!     Ok(line) => println!("{line:?}"),
//!     Err(_) => println!("nothing was typed"),
//! }
//! # });
//! ```
//!
//! Each operation takes one unit of the budget of its task, so a loop over files that are in memory lets
//! other tasks run after every 128 operations. Outside a runtime, and under other executors, everything
//! here works and blocks the thread that polls.
//!
//! # Cancel safety
//!
//! An operation begins and ends within one poll of its future. Dropped before that poll, it has not
//! begun; after it, its outcome is there to be had. So no read or write is ever left half known, and
//! that includes those of many steps, such as [`File::write_all`], [`File::read_to_end`] or
//! [`remove_dir_all`]. What is said of a function's cancel safety below is only what differs from this.
//!
//! # Errors
//!
//! Errors are those of `std`, untouched: kind and [`raw_os_error`](std::io::Error::raw_os_error) are
//! there to be matched on. They do not name the path.
//!
//! # Coming from `tokio::fs`
//!
//! The names are the same. [`File`] reads and writes through `&self`; it has no buffer of its own, so
//! nothing is lost without a [`flush`](File::flush), and an error is that of the operation that returns
//! it, not of an earlier one.
//!
//! # Files
//!
//! | file | is |
//! |---|---|
//! | `section` | the one way in which everything here blocks |
//! | `file`, `bytes`, `positioned`, `traits` | [`File`]: opening it, its cursor, reading beside the cursor, traits |
//! | `options` | [`OpenOptions`] |
//! | `contents`, `names`, `meta` | functions on paths: what is in a file, what it is called, what is known of it |
//! | `dir`, `read_dir` | directories: making and removing, listing |
//! | `lines` | [`Lines`] |

#![forbid(unsafe_code)]

mod bytes;
mod contents;
mod dir;
mod file;
mod lines;
mod meta;
mod names;
mod options;
mod positioned;
mod read_dir;
mod section;
mod traits;

pub use std::fs::{FileTimes, FileType, Metadata, Permissions};

pub use self::contents::{copy, read, read_to_string, write};
pub use self::dir::{DirBuilder, create_dir, create_dir_all, remove_dir, remove_dir_all};
pub use self::file::File;
pub use self::lines::{Lines, lines};
pub use self::meta::{metadata, set_permissions, symlink_metadata, try_exists};
#[cfg(unix)]
pub use self::names::symlink;
pub use self::names::{canonicalize, hard_link, read_link, remove_file, rename};
#[cfg(windows)]
pub use self::names::{symlink_dir, symlink_file};
pub use self::options::OpenOptions;
pub use self::read_dir::{DirEntry, ReadDir, read_dir};
