//! Work that needs a process of its own: figures of a whole process, which other runtimes beside
//! it would blur, and the load generator, which must not share a scheduler with the server.
//!
//! The child is the program `versus` started with [`FLAG`] and the name of the work; what it found
//! out is the only line that it prints.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::echo::{load, stall};
use crate::measure::raise_open_files;
use crate::peer::Peer;
use crate::rt::with_runtime;
use crate::workload::{idle, memory};

/// The first argument of `versus` where it is a child.
pub const FLAG: &str = "--child";

/// A program that answers with one number.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    flag: Option<&'static str>,
}

impl Program {
    /// The program `versus`, at this path, to be run as a child.
    #[must_use]
    pub fn versus(path: PathBuf) -> Self {
        Self {
            path,
            flag: Some(FLAG),
        }
    }

    /// A program that needs no flag to tell it that it is a child.
    #[must_use]
    pub fn plain(path: PathBuf) -> Self {
        Self { path, flag: None }
    }

    /// The command, before it is run.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(self.flag).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end and returns the number that it prints.
    ///
    /// # Errors
    ///
    /// Fails where the program cannot be run, fails itself, or prints something else. What it
    /// writes to its standard error appears on ours.
    pub fn measure(&self, arguments: &[&str]) -> io::Result<f64> {
        let output = self.command(arguments).stderr(Stdio::inherit()).output()?;
        let failed = |what: String| {
            io::Error::other(format!(
                "{} {}: {what}",
                self.path.display(),
                arguments.join(" ")
            ))
        };
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        printed
            .trim()
            .parse()
            .map_err(|_| failed(format!("printed {printed:?}, not a number")))
    }
}

/// Does a child's work; `arguments` are those after [`FLAG`].
///
/// # Errors
///
/// Fails where the arguments are not those that [`Program`] gives, or the work fails.
pub fn run(arguments: &[String]) -> io::Result<f64> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [work, address, connections, messages] => {
            let load = match work {
                load::WORK => load::ns_per_round_trip,
                stall::WORK => stall::p99_ms,
                stall::WORK_RATE => stall::slowdown,
                stall::WORK_P90 => stall::p90_ms,
                _ => return Err(unknown(&arguments)),
            };
            raise_open_files()?;
            let address = address.parse().map_err(io::Error::other)?;
            load(address, number(connections)?, number(messages)?)
        }
        [work, peer, size] => {
            let peer = peer.parse().map_err(io::Error::other)?;
            of_runtime(work, peer, number(size)?)
        }
        _ => Err(unknown(&arguments)),
    }
}

fn unknown(arguments: &[&str]) -> io::Error {
    io::Error::other(format!("no such work for a child: {arguments:?}"))
}

fn of_runtime(work: &str, peer: Peer, size: usize) -> io::Result<f64> {
    let window = Duration::from_secs(size as u64);
    let figure = if work == memory::SPEC.name {
        with_runtime!(peer, R => memory::bytes_per_task::<R>(size)?)
    } else if work == idle::SPEC_CPU.name {
        with_runtime!(peer, R => idle::watch::<R>(window)?.cpu.as_micros() as f64 / size as f64)
    } else if work == idle::SPEC_SWITCHES.name {
        with_runtime!(peer, R => idle::watch::<R>(window)?.switches as f64 / size as f64)
    } else {
        None
    };
    figure.ok_or_else(|| io::Error::other(format!("{peer} has no work `{work}` for a child")))
}

fn number(text: &str) -> io::Result<usize> {
    text.parse()
        .map_err(|_| io::Error::other(format!("`{text}`: expected a whole number")))
}
