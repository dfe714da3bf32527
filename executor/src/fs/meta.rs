//! Functions for what the system knows of a path.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

use super::section::section;
use super::{Metadata, Permissions};

/// What the system knows of a file or directory: kind, length, times, permissions. Symbolic links are followed.
///
/// # Errors
///
/// [`NotFound`](io::ErrorKind::NotFound), [`PermissionDenied`](io::ErrorKind::PermissionDenied), or what else
/// the system says.
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// assert!(gopark::fs::metadata("src").await?.is_dir());
/// assert!(gopark::fs::metadata("Cargo.toml").await?.len() > 0);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    section(move || fs::metadata(path)).await
}

/// As [`metadata`], of a symbolic link itself if the path is one.
///
/// # Errors
///
/// As [`metadata`].
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use gopark::fs;
///
/// # let link = std::env::temp_dir().join(format!("gopark-doc-meta-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::symlink("/not/there", &link).await?;
/// assert!(fs::symlink_metadata(&link).await?.is_symlink());
/// assert!(fs::metadata(&link).await.is_err());
/// # fs::remove_file(&link).await }).unwrap();
/// # }
/// ```
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    section(move || fs::symlink_metadata(path)).await
}

/// Changes the permissions of a file or directory. Symbolic links are followed.
///
/// # Errors
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) if it is somebody else's, or what else the system
/// says.
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-perm-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::write(&path, "do not touch").await?;
/// let mut permissions = fs::metadata(&path).await?.permissions();
/// permissions.set_readonly(true);
/// fs::set_permissions(&path, permissions).await?;
/// assert!(fs::metadata(&path).await?.permissions().readonly());
/// # let mut permissions = fs::metadata(&path).await?.permissions();
/// # #[allow(clippy::permissions_set_readonly_false)] permissions.set_readonly(false);
/// # fs::set_permissions(&path, permissions).await?;
/// # fs::remove_file(&path).await }).unwrap();
/// ```
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    section(move || fs::set_permissions(path, permissions)).await
}

/// Whether there is something at the end of a path, with symbolic links followed. Also known as
/// [`std::fs::exists`].
///
/// # Errors
///
/// What kept the system from finding out, such as [`PermissionDenied`](io::ErrorKind::PermissionDenied).
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// assert!(gopark::fs::try_exists("Cargo.toml").await?);
/// assert!(!gopark::fs::try_exists("Cargo.toml.not").await?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    section(move || fs::exists(path)).await
}
