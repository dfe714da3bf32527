//! Functions for names: what a file is called, and by how many names.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::section::section;

/// Gives a file or directory another name, in the same file system. What had that name before is replaced, in
/// one step.
///
/// # Errors
///
/// What the system says, such as [`NotFound`](io::ErrorKind::NotFound),
/// [`CrossesDevices`](io::ErrorKind::CrossesDevices), or that `to` is a directory that is not empty.
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-rename-{}", std::process::id()));
/// # gopark::block_on(async {
/// let draft = path.with_extension("draft");
/// fs::write(&draft, "complete").await?;
/// fs::rename(&draft, &path).await?;
/// assert_eq!(fs::read(&path).await?, b"complete");
/// assert!(!fs::try_exists(&draft).await?);
/// # fs::remove_file(&path).await }).unwrap();
/// ```
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    section(move || fs::rename(from, to)).await
}

/// Removes a name of a file. With the last of them, and the last open handle, goes the file.
///
/// # Errors
///
/// [`NotFound`](io::ErrorKind::NotFound), [`PermissionDenied`](io::ErrorKind::PermissionDenied), that it is a
/// directory, or what else the system says.
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-remove-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::write(&path, "").await?;
/// fs::remove_file(&path).await?;
/// assert!(!fs::try_exists(&path).await?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    section(move || fs::remove_file(path)).await
}

/// Gives a file one more name, in the same file system.
///
/// # Errors
///
/// What the system says, such as [`AlreadyExists`](io::ErrorKind::AlreadyExists).
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-hard-{}", std::process::id()));
/// # gopark::block_on(async {
/// let other = path.with_extension("other");
/// fs::write(&path, "one file").await?;
/// fs::hard_link(&path, &other).await?;
/// fs::remove_file(&path).await?;
/// assert_eq!(fs::read(&other).await?, b"one file");
/// # fs::remove_file(&other).await }).unwrap();
/// ```
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    section(move || fs::hard_link(original, link)).await
}

/// Makes a symbolic link: the path `link` then leads to `original`, whether that exists or not.
///
/// # Errors
///
/// What the system says, such as [`AlreadyExists`](io::ErrorKind::AlreadyExists).
///
/// # Examples
///
/// See [`read_link`].
#[cfg(unix)]
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    section(move || std::os::unix::fs::symlink(original, link)).await
}

/// Makes a symbolic link to a file: the path `link` then leads to `original`, whether that exists or not.
///
/// # Errors
///
/// What the system says, such as [`AlreadyExists`](io::ErrorKind::AlreadyExists), or that the user may not make
/// links.
#[cfg(windows)]
pub async fn symlink_file(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    section(move || std::os::windows::fs::symlink_file(original, link)).await
}

/// As [`symlink_file`], for a directory.
///
/// # Errors
///
/// As [`symlink_file`].
#[cfg(windows)]
pub async fn symlink_dir(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    section(move || std::os::windows::fs::symlink_dir(original, link)).await
}

/// Where a symbolic link leads, as it was written when it was made.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is no symbolic link, or what else the system says.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use std::path::Path;
/// use gopark::fs;
///
/// # let link = std::env::temp_dir().join(format!("gopark-doc-link-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::symlink("not/there", &link).await?;
/// assert_eq!(fs::read_link(&link).await?, Path::new("not/there"));
/// # fs::remove_file(&link).await }).unwrap();
/// # }
/// ```
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    section(move || fs::read_link(path)).await
}

/// The absolute path of what exists, without `.`, `..` and symbolic links.
///
/// # Errors
///
/// [`NotFound`](io::ErrorKind::NotFound), or what else the system says.
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// let here = gopark::fs::canonicalize("src/..").await?;
/// assert_eq!(here, gopark::fs::canonicalize(".").await?);
/// assert!(here.is_absolute());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    section(move || fs::canonicalize(path)).await
}
