//! [`OpenOptions`]: how a file is opened.

#![forbid(unsafe_code)]

use std::fs;
use std::io;
use std::path::Path;

use super::File;
use super::section::section;

/// How a file is opened; the options of [`std::fs::OpenOptions`].
///
/// # Examples
///
/// ```
/// use gopark::fs::{self, OpenOptions};
///
/// # let path = std::env::temp_dir().join(format!("gopark-doc-append-{}", std::process::id()));
/// # gopark::block_on(async {
/// for word in ["one ", "two "] {
///     let log = OpenOptions::new().append(true).create(true).open(&path).await?;
///     log.write_all(word.as_bytes()).await?;
/// }
/// assert_eq!(fs::read_to_string(&path).await?, "one two ");
/// # fs::remove_file(&path).await }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions {
    inner: fs::OpenOptions,
}

impl OpenOptions {
    /// All options off, which opens nothing: at least one of [`read`](Self::read), [`write`](Self::write) and
    /// [`append`](Self::append) is needed.
    pub fn new() -> Self {
        fs::OpenOptions::new().into()
    }

    /// Whether the file can be read.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.inner.read(read);
        self
    }

    /// Whether the file can be written. If it exists, it is overwritten from its beginning and not emptied,
    /// unless [`truncate`](Self::truncate) is set.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.inner.write(write);
        self
    }

    /// Whether all that is written goes to the end of the file, which is found anew by each write.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.inner.append(append);
        self
    }

    /// Whether a file that exists is emptied. It needs [`write`](Self::write).
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.inner.truncate(truncate);
        self
    }

    /// Whether a file that does not exist is made. It needs [`write`](Self::write) or
    /// [`append`](Self::append).
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.inner.create(create);
        self
    }

    /// Whether the file must not exist and is made, both in one step. [`create`](Self::create) and
    /// [`truncate`](Self::truncate) then mean nothing.
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.inner.create_new(create_new);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the options contradict each other,
    /// [`NotFound`](io::ErrorKind::NotFound), [`AlreadyExists`](io::ErrorKind::AlreadyExists),
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied), and what else the system says.
    ///
    /// # Examples
    ///
    /// See [`OpenOptions`].
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        section(|| self.inner.open(path)).await.map(File::from_std)
    }
}

#[cfg(unix)]
impl OpenOptions {
    /// The permissions of a file that is made, less those of the process's umask; `0o666` at first.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::fs::PermissionsExt;
    /// use gopark::fs::{self, OpenOptions};
    ///
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-mode-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// let secret = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
    /// assert_eq!(secret.metadata().await?.permissions().mode() & 0o777, 0o600);
    /// # fs::remove_file(&path).await }).unwrap();
    /// ```
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::mode(&mut self.inner, mode);
        self
    }

    /// More flags for the system's `open`, such as `libc::O_NOFOLLOW`. The bits of the access mode are ignored.
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut self.inner, flags);
        self
    }
}

#[cfg(windows)]
impl OpenOptions {
    /// `dwDesiredAccess` of `CreateFile`, in place of what [`read`](Self::read), [`write`](Self::write) and
    /// [`append`](Self::append) say.
    pub fn access_mode(&mut self, access: u32) -> &mut Self {
        std::os::windows::fs::OpenOptionsExt::access_mode(&mut self.inner, access);
        self
    }

    /// `dwShareMode` of `CreateFile`: what others may do with the file meanwhile.
    pub fn share_mode(&mut self, share: u32) -> &mut Self {
        std::os::windows::fs::OpenOptionsExt::share_mode(&mut self.inner, share);
        self
    }

    /// More bits for `dwFlagsAndAttributes` of `CreateFile`.
    pub fn custom_flags(&mut self, flags: u32) -> &mut Self {
        std::os::windows::fs::OpenOptionsExt::custom_flags(&mut self.inner, flags);
        self
    }

    /// The attributes in `dwFlagsAndAttributes` of `CreateFile`, of a file that is made.
    pub fn attributes(&mut self, attributes: u32) -> &mut Self {
        std::os::windows::fs::OpenOptionsExt::attributes(&mut self.inner, attributes);
        self
    }

    /// The security flags in `dwFlagsAndAttributes` of `CreateFile`, for named pipes.
    pub fn security_qos_flags(&mut self, flags: u32) -> &mut Self {
        std::os::windows::fs::OpenOptionsExt::security_qos_flags(&mut self.inner, flags);
        self
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> Self {
        Self { inner: options }
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}
