//! Making and removing directories.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

use super::section::section;

/// Makes a directory in one that exists.
///
/// # Errors
///
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists), [`NotFound`](io::ErrorKind::NotFound) if there is nothing to
/// make it in, or what else the system says.
///
/// # Examples
///
/// See [`remove_dir`].
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    section(move || fs::create_dir(path)).await
}

/// Makes a directory and those above it which are missing, in one section. Several may do it at the same time.
///
/// # Errors
///
/// What the system says, as when a file is in the way. Some of the directories may have been made.
///
/// # Examples
///
/// See [`remove_dir_all`].
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    section(move || fs::create_dir_all(path)).await
}

/// Removes an empty directory.
///
/// # Errors
///
/// [`NotFound`](io::ErrorKind::NotFound), [`DirectoryNotEmpty`](io::ErrorKind::DirectoryNotEmpty), or what else
/// the system says.
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-rmdir-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::create_dir(&path).await?;
/// fs::remove_dir(&path).await?;
/// assert!(!fs::try_exists(&path).await?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    section(move || fs::remove_dir(path)).await
}

/// Removes a directory and all that is in it, in one section. Symbolic links are removed and not followed.
///
/// # Errors
///
/// What the system says. A part may have been removed.
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-rmall-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::create_dir_all(path.join("a/b/c")).await?;
/// fs::write(path.join("a/b/file"), "gone soon").await?;
/// fs::remove_dir_all(&path).await?;
/// assert!(!fs::try_exists(&path).await?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    section(move || fs::remove_dir_all(path)).await
}

/// How a directory is made; the options of [`std::fs::DirBuilder`].
///
/// # Examples
///
/// ```
/// use gopark::fs::{self, DirBuilder};
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-builder-{}", std::process::id()));
/// # gopark::block_on(async {
/// DirBuilder::new().recursive(true).create(path.join("a/b")).await?;
/// assert!(fs::metadata(path.join("a/b")).await?.is_dir());
/// # fs::remove_dir_all(&path).await }).unwrap();
/// ```
#[derive(Debug)]
pub struct DirBuilder {
    inner: fs::DirBuilder,
}

impl DirBuilder {
    /// As [`create_dir`] makes it.
    pub fn new() -> Self {
        Self {
            inner: fs::DirBuilder::new(),
        }
    }

    /// Whether directories above that are missing are made too, with the same permissions, and whether it is well
    /// if the directory exists.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.inner.recursive(recursive);
        self
    }

    /// The permissions of a directory that is made, less those of the process's umask; `0o777` at first.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        std::os::unix::fs::DirBuilderExt::mode(&mut self.inner, mode);
        self
    }

    /// Makes the directory, in one section.
    ///
    /// # Errors
    ///
    /// As [`create_dir`], or as [`create_dir_all`] if it is [`recursive`](Self::recursive).
    ///
    /// # Examples
    ///
    /// See [`DirBuilder`].
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        section(|| self.inner.create(path)).await
    }
}

impl Default for DirBuilder {
    fn default() -> Self {
        Self::new()
    }
}
