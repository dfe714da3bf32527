//! Reading and writing at a given offset, without the cursor.

#![forbid(unsafe_code)]

use std::fs;
use std::io;

use super::File;
use super::section::{section, uninterrupted};

#[cfg(unix)]
mod sys {
    pub(super) use std::os::unix::fs::FileExt;
}

/// The names of Unix for what Windows calls differently.
#[cfg(windows)]
mod sys {
    use std::fs;
    use std::io;
    use std::os::windows::fs::FileExt as _;

    pub(super) trait FileExt {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
        fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
    }

    impl FileExt for fs::File {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            self.seek_read(buf, offset)
        }

        fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
            self.seek_write(buf, offset)
        }
    }
}

use sys::FileExt as _;

/// Operations at an offset. Any number of tasks may do them at the same time with one file, for they
/// neither use nor move the cursor. (On Windows they do not use it either, but they move it.)
impl File {
    /// Reads some bytes from `offset` on. Zero means that the file ends there or before, or that `buf` is
    /// empty.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it takes nothing from anybody.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); also for what has no offsets, such as a pipe.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let mut buf = [0; 7];
    /// let n = file.read_at(&mut buf, 1).await?;
    /// assert!(b"package".starts_with(&buf[..n]));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub async fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        section(|| uninterrupted(|| self.inner.read_at(buf, offset))).await
    }

    /// Reads from `offset` on until `buf` is full, in one section.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it takes nothing from anybody.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the file ends before, else as
    /// [`read_at`](Self::read_at). `buf` may hold a part.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let mut name = [0; 7];
    /// file.read_exact_at(&mut name, 1).await?;
    /// assert_eq!(&name, b"package");
    /// assert_eq!(file.stream_position().await?, 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        section(|| read_exact_at(&self.inner, buf, offset)).await
    }

    /// Writes some of `buf` at `offset`, and returns how many bytes that were. A gap between the end of the
    /// file and `offset` is filled with zeros.
    ///
    /// On Linux a file that was opened with [`append`](super::OpenOptions::append) ignores `offset` and
    /// appends.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has written nothing.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); also for what has no offsets, such as a pipe.
    ///
    /// # Examples
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-at-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::create(&path).await?;
    /// assert_eq!(file.write_at(b"world", 6).await?, 5);
    /// file.write_all_at(b"hello ", 0).await?;
    /// assert_eq!(gopark::fs::read(&path).await?, b"hello world");
    /// # gopark::fs::remove_file(&path).await }).unwrap();
    /// ```
    #[inline]
    pub async fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        section(|| uninterrupted(|| self.inner.write_at(buf, offset))).await
    }

    /// Writes all of `buf` at `offset`, in one section.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has written nothing.
    ///
    /// # Errors
    ///
    /// As [`write_at`](Self::write_at); a part may have been written.
    ///
    /// # Examples
    ///
    /// See [`write_at`](Self::write_at).
    pub async fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        section(|| write_all_at(&self.inner, buf, offset)).await
    }
}

// Both are loops of our own because `std` has them for Unix alone.

fn read_exact_at(file: &fs::File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match uninterrupted(|| file.read_at(buf, offset))? {
            0 => {
                let message = format!(
                    "the file ends {} bytes before the end of the buffer",
                    buf.len()
                );
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            n => {
                buf = &mut buf[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

fn write_all_at(file: &fs::File, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match uninterrupted(|| file.write_at(buf, offset))? {
            0 => {
                let message = format!("the system took no more of {} bytes", buf.len());
                return Err(io::Error::new(io::ErrorKind::WriteZero, message));
            }
            n => {
                buf = &buf[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}
