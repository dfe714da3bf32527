//! [`File`]: opening it, and what concerns it as a whole.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::section::section;
use super::{FileTimes, Lines, Metadata, OpenOptions, Permissions};

/// An open file.
///
/// All methods take `&self`, so a file may be shared by reference or in an `Arc`; tasks that share it
/// share its cursor too, unless they use [`read_at`](Self::read_at) and
/// [`write_at`](Self::write_at). It implements the traits of `futures-io` for itself and for `&File`.
///
/// Nothing is buffered here: what is written is with the operating system when the write returns.
/// Small reads and writes are cheaper through `futures::io::{BufReader, BufWriter}`.
///
/// Dropping it closes it, and ignores the error of closing, if there is one. Call
/// [`sync_all`](Self::sync_all) before when that matters.
///
/// # Examples
///
/// ```
/// use gopark::fs::File;
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-file-{}", std::process::id()));
/// # gopark::block_on(async {
/// let file = File::create(&path).await?;
/// file.write_all(b"Hello, file").await?;
/// drop(file);
///
/// let mut text = String::new();
/// File::open(&path).await?.read_to_string(&mut text).await?;
/// assert_eq!(text, "Hello, file");
/// # gopark::fs::remove_file(&path).await }).unwrap();
/// ```
pub struct File {
    pub(super) inner: fs::File,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such file,
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) if it may not be read, and whatever else the
    /// system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// assert!(file.metadata().await?.is_file());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        section(move || fs::File::open(path))
            .await
            .map(Self::from_std)
    }

    /// Opens a file for writing. One that exists is emptied first, one that does not is made.
    ///
    /// # Errors
    ///
    /// What the system says, such as [`NotFound`](io::ErrorKind::NotFound) for a directory that is missing.
    ///
    /// # Examples
    ///
    /// See [`File`].
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        section(move || fs::File::create(path))
            .await
            .map(Self::from_std)
    }

    /// Makes a file that does not exist yet, and opens it for reading and writing.
    ///
    /// Whether it exists is asked and answered in one step, so of several callers only one succeeds.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists), or what else the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::fs::{self, File};
    ///
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-new-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// File::create_new(&path).await?;
    /// let again = File::create_new(&path).await.unwrap_err();
    /// assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    /// # fs::remove_file(&path).await }).unwrap();
    /// ```
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        section(move || fs::File::create_new(path))
            .await
            .map(Self::from_std)
    }

    /// The same as [`OpenOptions::new`], to spare an import.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::options().read(true).open("Cargo.toml").await?;
    /// # drop(file);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file of `std`, with its cursor where it is.
    ///
    /// # Examples
    ///
    /// ```
    /// let file = gopark::fs::File::from_std(std::fs::File::open("Cargo.toml")?);
    /// # drop(file);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn from_std(file: fs::File) -> Self {
        Self { inner: file }
    }

    /// The file of `std`. It is there at once; `From` does the same without a future.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let file: std::fs::File = file.into_std().await;
    /// # drop(file);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn into_std(self) -> fs::File {
        self.inner
    }

    /// The file of `std`.
    ///
    /// # Errors
    ///
    /// None. It returns a result as tokio's does, which fails while an operation is under way; here none
    /// can be, for it would borrow the file.
    pub fn try_into_std(self) -> Result<fs::File, Self> {
        Ok(self.inner)
    }

    /// Waits until the system has written everything of this file, contents and metadata, to the device.
    ///
    /// # Errors
    ///
    /// What the system says. After an error of the device it is unknown what has been written.
    ///
    /// # Examples
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-sync-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::create(&path).await?;
    /// file.write_all(b"not to be lost").await?;
    /// file.sync_all().await?;
    /// # gopark::fs::remove_file(&path).await }).unwrap();
    /// ```
    pub async fn sync_all(&self) -> io::Result<()> {
        section(|| self.inner.sync_all()).await
    }

    /// As [`sync_all`](Self::sync_all), without metadata that is not needed to read the contents, such as the
    /// time of the last change.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    pub async fn sync_data(&self) -> io::Result<()> {
        section(|| self.inner.sync_data()).await
    }

    /// Cuts the file off at `size`, or extends it with zeros. The cursor stays where it is, if need be
    /// beyond the end.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the file is not open for writing, or what else the
    /// system says.
    ///
    /// # Examples
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-len-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::create(&path).await?;
    /// file.write_all(b"too long").await?;
    /// file.set_len(3).await?;
    /// assert_eq!(gopark::fs::read(&path).await?, b"too");
    /// # gopark::fs::remove_file(&path).await }).unwrap();
    /// ```
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        section(|| self.inner.set_len(size)).await
    }

    /// What the system knows about the file: kind, length, times, permissions.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// See [`open`](Self::open).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        section(|| self.inner.metadata()).await
    }

    /// Changes the permissions of the file.
    ///
    /// # Errors
    ///
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) if the file is somebody else's, or what else the
    /// system says.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        section(|| self.inner.set_permissions(permissions)).await
    }

    /// Changes the times that the system keeps of the file.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use gopark::fs::{File, FileTimes};
    ///
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-times-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// let file = File::create(&path).await?;
    /// let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    /// file.set_times(FileTimes::new().set_modified(long_ago).set_accessed(long_ago)).await?;
    /// assert_eq!(file.metadata().await?.modified()?, long_ago);
    /// # gopark::fs::remove_file(&path).await }).unwrap();
    /// ```
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        section(|| self.inner.set_times(times)).await
    }

    /// Changes the time of the last modification, as [`set_times`](Self::set_times).
    ///
    /// # Errors
    ///
    /// As [`set_times`](Self::set_times).
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        section(|| self.inner.set_modified(time)).await
    }

    /// Another handle to the same open file, which shares the cursor.
    ///
    /// # Errors
    ///
    /// What the system says, as when there are no descriptors left.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let same = file.try_clone().await?;
    /// file.read_exact(&mut [0; 3]).await?;
    /// assert_eq!(same.stream_position().await?, 3);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn try_clone(&self) -> io::Result<Self> {
        section(|| self.inner.try_clone()).await.map(Self::from_std)
    }

    /// The lines of the file, from the cursor on.
    ///
    /// # Examples
    ///
    /// See [`Lines`].
    pub fn lines(self) -> Lines {
        Lines::new(self)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("File").field(&self.inner).finish()
    }
}
