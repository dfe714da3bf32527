//! How the library says something that nobody asked for: a stall, a thread that was refused, a deadlock.
//!
//! # Invariants
//!
//! 1. To say something never panics and never blocks the caller, whatever the standard error is: a pipe that nobody
//!    reads, one whose reader has gone, a full disk. What the standard error refuses is lost.
//! 2. A line goes out at once if the standard error has room for it. If not, it waits in the backlog, for which one
//!    thread writes, and may block. The backlog is bounded; what is beyond that is lost, and counted.
//! 3. With the feature `log` or `tracing` a warning goes to that facade instead. A logger is the user's code:
//!    [`warn`] calls it and survives its panics, and [`warn_later`] leaves the call to the thread of the backlog.
//!
//! Lines are written past `std`'s lock of the standard error: whoever holds that lock may be blocked in a write.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::sys;

/// How many lines wait at the most. Warnings are rare; a trace is not, and old lines of one are of little use.
const LIMIT: usize = 256;

/// The lines that wait.
struct Backlog {
    lines: VecDeque<Line>,
    lost: usize,
    /// Whether a thread writes them.
    is_written: bool,
}

/// What is to be said, and where.
enum Line {
    Stderr(String),
    #[cfg(any(feature = "log", feature = "tracing"))]
    Facade(String),
}

static BACKLOG: Mutex<Backlog> = Mutex::new(Backlog {
    lines: VecDeque::new(),
    lost: 0,
    is_written: false,
});

/// Warns, from where code of the user may run.
pub(crate) fn warn(message: fmt::Arguments<'_>) {
    #[cfg(any(feature = "log", feature = "tracing"))]
    facade(message);
    #[cfg(not(any(feature = "log", feature = "tracing")))]
    print(format_args!("gopark: {message}"));
}

/// Warns, from where no code of the user may run: in scheduler code, with a lock held.
pub(crate) fn warn_later(message: fmt::Arguments<'_>) {
    #[cfg(any(feature = "log", feature = "tracing"))]
    push(Line::Facade(message.to_string()));
    #[cfg(not(any(feature = "log", feature = "tracing")))]
    print(format_args!("gopark: {message}"));
}

/// Writes a line to the standard error, whatever the features.
pub(crate) fn print(line: fmt::Arguments<'_>) {
    let line = format!("{line}\n");
    if backlog().lines.is_empty() && sys::write_if_room(line.as_bytes()) {
        return;
    }
    push(Line::Stderr(line));
}

#[cfg(any(feature = "log", feature = "tracing"))]
fn facade(message: fmt::Arguments<'_>) {
    crate::quietly::quietly(|| {
        #[cfg(feature = "tracing")]
        tracing::warn!(target: "gopark", "{message}");
        #[cfg(feature = "log")]
        log::warn!(target: "gopark", "{message}");
    });
}

fn backlog() -> MutexGuard<'static, Backlog> {
    BACKLOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The backlog, held while the process forks.
#[cfg(unix)]
pub(crate) struct Held(MutexGuard<'static, Backlog>);

#[cfg(unix)]
pub(crate) fn hold() -> Held {
    Held(backlog())
}

#[cfg(unix)]
impl Held {
    /// In the child, where nobody writes; and the parent's lines are said there.
    pub(crate) fn begin_anew(&mut self) {
        self.0.lines.clear();
        self.0.is_written = false;
    }
}

fn push(line: Line) {
    let mut backlog = backlog();
    if backlog.lines.len() == LIMIT {
        backlog.lost += 1;
        return;
    }
    backlog.lines.push_back(line);
    if backlog.is_written {
        return;
    }
    // If there can be no thread, the next line tries again. It is detached: at the end of the process nobody
    // waits for a reader.
    let started = thread::Builder::new()
        .name("gopark-warn".into())
        .spawn(write_backlog);
    backlog.is_written = started.is_ok();
}

/// Says all that waits, and blocks for it if it must.
fn write_backlog() {
    loop {
        let mut backlog = backlog();
        let Some(line) = backlog.lines.pop_front() else {
            backlog.is_written = false;
            return;
        };
        let lost = std::mem::take(&mut backlog.lost);
        drop(backlog);
        match line {
            Line::Stderr(line) => sys::write_stderr(line.as_bytes()),
            #[cfg(any(feature = "log", feature = "tracing"))]
            Line::Facade(message) => facade(format_args!("{message}")),
        }
        if lost > 0 {
            sys::write_stderr(format!("gopark: {lost} lines were lost\n").as_bytes());
        }
    }
}
