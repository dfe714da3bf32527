//! Functions for whole files: reading, writing, copying what is in them.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

use super::section::section;

/// All that is in a file.
///
/// It is opened, read to its end and closed in one section.
///
/// # Errors
///
/// As [`File::open`](super::File::open) and [`File::read_to_end`](super::File::read_to_end).
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// let bytes = gopark::fs::read("Cargo.toml").await?;
/// assert!(bytes.starts_with(b"[package]"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    section(move || fs::read(path)).await
}

/// As [`read`], for text.
///
/// # Errors
///
/// [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8, else as [`read`].
///
/// # Examples
///
/// ```
/// # gopark::block_on(async {
/// let text = gopark::fs::read_to_string("Cargo.toml").await?;
/// assert!(text.lines().any(|line| line == "name = \"gopark\""));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    section(move || fs::read_to_string(path)).await
}

/// Makes `contents` all that is in a file, which is made or replaced.
///
/// It is opened, written and closed in one section. Others may see it empty or half written meanwhile: write
/// another file and [`rename`](super::rename) it when that must not be.
///
/// # Errors
///
/// As [`File::create`](super::File::create) and [`File::write_all`](super::File::write_all); a part may have
/// been written.
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-fswrite-{}", std::process::id()));
/// # gopark::block_on(async {
/// fs::write(&path, "all of it").await?;
/// assert_eq!(fs::read(&path).await?, b"all of it");
/// # fs::remove_file(&path).await }).unwrap();
/// ```
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    section(move || fs::write(path, contents)).await
}

/// Copies what is in the file `from`, and its permissions, to the file `to`, which is made or replaced.
/// Returns how many bytes that were.
///
/// It is one section and lets the system copy where it can (`copy_file_range`, `fclonefileat`, `CopyFileEx`).
///
/// # Errors
///
/// What the system says of opening, reading and writing; a part may have been written.
///
/// # Examples
///
/// ```
/// use gopark::fs;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-copy-{}", std::process::id()));
/// # gopark::block_on(async {
/// let length = fs::copy("Cargo.toml", &path).await?;
/// assert_eq!(length, fs::metadata(&path).await?.len());
/// assert_eq!(fs::read(&path).await?, fs::read("Cargo.toml").await?);
/// # fs::remove_file(&path).await }).unwrap();
/// ```
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    section(move || fs::copy(from, to)).await
}
