//! Listing a directory.
//!
//! The system hands entries out by the page, so most of them cost nothing but a copy. [`ReadDir`] takes
//! [`BATCH`] at a time, and one section is enough for all of these.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use gopark_net::note;

use super::section::section;
use super::{FileType, Metadata};
use crate::task::block;

/// How many entries are read in one section; tokio's figure.
const BATCH: usize = 32;

/// What is in a directory, without `.` and `..`, in no particular order.
///
/// # Errors
///
/// [`NotFound`](io::ErrorKind::NotFound), [`NotADirectory`](io::ErrorKind::NotADirectory),
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied), or what else the system says.
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// let mut entries = gopark::fs::read_dir("src/fs").await?;
/// let mut names = Vec::new();
/// while let Some(entry) = entries.next_entry().await? {
///     names.push(entry.file_name());
/// }
/// assert!(names.iter().any(|name| name == "read_dir.rs"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let inner = section(move || fs::read_dir(path)).await?;
    Ok(ReadDir {
        inner: Some(inner),
        batch: VecDeque::new(),
    })
}

/// The entries of a directory, by [`next_entry`](Self::next_entry) or as a [`Stream`].
///
/// Entries are read ahead, so what is made or removed meanwhile may be listed or not. After the last entry
/// it stays at its end.
pub struct ReadDir {
    /// `None` once it has come to its end.
    inner: Option<fs::ReadDir>,
    batch: VecDeque<io::Result<DirEntry>>,
}

impl ReadDir {
    /// The next entry, `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has taken no entry.
    ///
    /// # Errors
    ///
    /// What the system says. The entries after it may still be asked for.
    ///
    /// # Examples
    ///
    /// See [`read_dir`].
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// As [`next_entry`](Self::next_entry), for hand-written futures. It is `Pending` only when the budget of the
    /// task is used up, and has woken the task then.
    ///
    /// # Errors
    ///
    /// As [`next_entry`](Self::next_entry).
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        ready!(note::poll_proceed(cx)).made_progress();
        if self.batch.is_empty() {
            block(|| self.fill());
        }
        Poll::Ready(self.batch.pop_front().transpose())
    }

    fn fill(&mut self) {
        while let Some(inner) = &mut self.inner {
            let Some(entry) = inner.next() else {
                self.inner = None;
                return;
            };
            let failed = entry.is_err();
            self.batch
                .push_back(entry.map(|entry| DirEntry { inner: entry }));
            // An error is told before anything more is asked of the system.
            if failed || self.batch.len() == BATCH {
                return;
            }
        }
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_next_entry(cx).map(Result::transpose)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let known = self.batch.len();
        (known, self.inner.is_none().then_some(known))
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir")
            .field("inner", &self.inner)
            .field("read_ahead", &self.batch.len())
            .finish()
    }
}

/// One entry of a directory.
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// let mut entries = gopark::fs::read_dir("src").await?;
/// while let Some(entry) = entries.next_entry().await? {
///     if entry.file_type().await?.is_file() {
///         println!("{}: {} bytes", entry.path().display(), entry.metadata().await?.len());
///     }
/// }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct DirEntry {
    inner: fs::DirEntry,
}

impl DirEntry {
    /// The path given to [`read_dir`], with the name of the entry at its end.
    pub fn path(&self) -> PathBuf {
        self.inner.path()
    }

    /// The name of the entry, without the directory.
    pub fn file_name(&self) -> OsString {
        self.inner.file_name()
    }

    /// What the system knows of the entry. A symbolic link is not followed.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if it has been removed meanwhile, or what else the system says.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        section(|| self.inner.metadata()).await
    }

    /// Whether it is a file, a directory, or a symbolic link, which is not followed. Most systems say so with the
    /// name, so this asks them nothing.
    ///
    /// # Errors
    ///
    /// As [`metadata`](Self::metadata), on systems that have to be asked.
    pub async fn file_type(&self) -> io::Result<FileType> {
        section(|| self.inner.file_type()).await
    }

    /// The inode number of the entry, as the directory has it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::fs::MetadataExt;
    ///
    /// # gopark::block_on(async {
    /// let mut entries = gopark::fs::read_dir("src/fs").await?;
    /// let entry = entries.next_entry().await?.expect("this module has files");
    /// assert_eq!(entry.ino(), entry.metadata().await?.ino());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[cfg(unix)]
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&self.inner)
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DirEntry").field(&self.path()).finish()
    }
}
