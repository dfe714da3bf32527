//! The lines of a file.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs;
use std::future::poll_fn;
use std::io::{self, BufRead, BufReader};
use std::mem;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use gopark_net::note;

use super::File;
use crate::task::block;

/// Opens a file to read it by lines.
///
/// # Errors
///
/// As [`File::open`].
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// let mut lines = gopark::fs::lines("Cargo.toml").await?;
/// assert_eq!(lines.next_line().await?.as_deref(), Some("[package]"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn lines(path: impl AsRef<Path>) -> io::Result<Lines> {
    File::open(path).await.map(File::lines)
}

/// The lines of a file, by [`next_line`](Self::next_line) or as a [`Stream`], from [`lines`] or
/// [`File::lines`].
///
/// A line ends with `\n` or `\r\n`, which is cut off; the last one may end with the file. It may be as long as
/// there is memory. The file is read through a buffer, and only a read that goes to the file is a section.
///
/// # Examples
///
/// ```
/// use futures::TryStreamExt;
/// use gopark::fs::{self, File};
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-lines-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::write(&path, "one\r\ntwo\n\nfour").await?;
/// let lines: Vec<String> = File::open(&path).await?.lines().try_collect().await?;
/// assert_eq!(lines, ["one", "two", "", "four"]);
/// # fs::remove_file(&path).await }).unwrap();
/// ```
pub struct Lines {
    reader: BufReader<fs::File>,
    /// The line that is being read. It has a part in it after an error only, so that nothing is lost.
    line: Vec<u8>,
    /// How many lines have been given out, also as errors.
    number: u64,
}

impl Lines {
    pub(super) fn new(file: File) -> Self {
        Self {
            reader: BufReader::new(file.inner),
            line: Vec::new(),
            number: 0,
        }
    }

    /// The next line, `None` after the last. If the file has grown since, the call after that goes on with what
    /// is new.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has taken nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) if the line is not UTF-8; the message has its number, counted
    /// from 1 where this began to read, and the next call goes on with the line after it. Else what the system
    /// says of reading; the next call then tries again, and nothing is lost.
    ///
    /// # Examples
    ///
    /// See [`lines`].
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        poll_fn(|cx| self.poll_next_line(cx)).await
    }

    /// As [`next_line`](Self::next_line), for hand-written futures. It is `Pending` only when the budget of the task
    /// is used up, and has woken the task then.
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line).
    pub fn poll_next_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        ready!(note::poll_proceed(cx)).made_progress();
        let Self { reader, line, .. } = self;
        // Looked for twice, which is cheaper than a section for each line.
        let outcome = if reader.buffer().contains(&b'\n') {
            reader.read_until(b'\n', line)
        } else {
            block(|| reader.read_until(b'\n', line))
        };
        Poll::Ready(outcome.and_then(|_| self.finish_line()))
    }

    fn finish_line(&mut self) -> io::Result<Option<String>> {
        let mut line = mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(None);
        }
        if line.ends_with(b"\n") {
            line.pop();
            if line.ends_with(b"\r") {
                line.pop();
            }
        }
        self.number += 1;
        String::from_utf8(line).map(Some).map_err(|error| {
            let message = format!("line {} is not UTF-8: {}", self.number, error.utf8_error());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }
}

impl Stream for Lines {
    type Item = io::Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next_line(cx).map(Result::transpose)
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("file", self.reader.get_ref())
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
