//! Reading and writing at the cursor of a file, and moving it.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};

use super::File;
use super::section::{section, uninterrupted};

impl File {
    /// Reads some bytes into `buf` and moves the cursor behind them. Zero means that the end of the file
    /// is reached, or that `buf` is empty.
    ///
    /// A read that a signal interrupts is repeated.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has taken no byte.
    ///
    /// # Errors
    ///
    /// What the system says, as when the file is a directory or is not open for reading.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let mut buf = [0; 9];
    /// let n = file.read(&mut buf).await?;
    /// assert!(b"[package]".starts_with(&buf[..n]));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        section(|| uninterrupted(|| (&self.inner).read(buf))).await
    }

    /// As [`read`](Self::read), into several buffers that are filled in order.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::IoSliceMut;
    ///
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let (mut first, mut rest) = ([0; 1], [0; 64]);
    /// let n = file.read_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut rest)]).await?;
    /// assert!(n >= 1);
    /// assert_eq!(&first, b"[");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        section(|| uninterrupted(|| (&self.inner).read_vectored(bufs))).await
    }

    /// Reads until `buf` is full, in one section.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has taken no byte.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the file ends before; what `buf` holds then, and
    /// where the cursor is, is not specified. Else as [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let mut head = [0; 9];
    /// file.read_exact(&mut head).await?;
    /// assert_eq!(&head, b"[package]");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        section(|| (&self.inner).read_exact(buf)).await
    }

    /// Reads from the cursor to the end of the file, in one section, and appends all of it to `out`. Returns
    /// how many bytes that were.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has taken no byte.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), or [`OutOfMemory`](io::ErrorKind::OutOfMemory) if `out` cannot grow; what was
    /// read before the error is in `out`.
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let mut out = Vec::new();
    /// let n = file.read_to_end(&mut out).await?;
    /// assert_eq!(n, out.len());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_to_end(&self, out: &mut Vec<u8>) -> io::Result<usize> {
        section(|| (&self.inner).read_to_end(out)).await
    }

    /// As [`read_to_end`](Self::read_to_end), for text.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`read_to_end`](Self::read_to_end).
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8, and then `out` is as it was; else as
    /// [`read_to_end`](Self::read_to_end).
    ///
    /// # Examples
    ///
    /// See [`File`].
    pub async fn read_to_string(&self, out: &mut String) -> io::Result<usize> {
        section(|| (&self.inner).read_to_string(out)).await
    }

    /// Writes some of `buf`, moves the cursor behind it, and returns how many bytes that were. With
    /// [`append`](super::OpenOptions::append), they go to the end of the file, wherever the cursor is.
    ///
    /// A write that a signal interrupts is repeated.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has written nothing.
    ///
    /// # Errors
    ///
    /// What the system says, as when the device is full or the file is not open for writing.
    ///
    /// # Examples
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-write-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::create(&path).await?;
    /// assert_eq!(file.write(b"four").await?, 4);
    /// # gopark::fs::remove_file(&path).await }).unwrap();
    /// ```
    #[inline]
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        section(|| uninterrupted(|| (&self.inner).write(buf))).await
    }

    /// As [`write`](Self::write), from several buffers in order.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::IoSlice;
    ///
    /// # let path = std::env::temp_dir().join(format!("gopark-doc-wv-{}", std::process::id()));
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::create(&path).await?;
    /// assert_eq!(file.write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")]).await?, 5);
    /// # gopark::fs::remove_file(&path).await }).unwrap();
    /// ```
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        section(|| uninterrupted(|| (&self.inner).write_vectored(bufs))).await
    }

    /// Writes all of `buf`, in one section.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, it has written nothing.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); a part may have been written.
    ///
    /// # Examples
    ///
    /// See [`File`].
    #[inline]
    pub async fn write_all(&self, buf: &[u8]) -> io::Result<()> {
        section(|| (&self.inner).write_all(buf)).await
    }

    /// Does nothing, at once: nothing is buffered here. It exists so that code which flushes compiles.
    ///
    /// # Errors
    ///
    /// None.
    pub async fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    /// Moves the cursor, and returns where it is now, counted from the beginning of the file. It may be
    /// beyond the end; a write there fills the gap with zeros.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it would be before the beginning, or what else the
    /// system says, as about a pipe.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::SeekFrom;
    ///
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// assert_eq!(file.seek(SeekFrom::Start(1)).await?, 1);
    /// let mut name = [0; 7];
    /// file.read_exact(&mut name).await?;
    /// assert_eq!(&name, b"package");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn seek(&self, pos: SeekFrom) -> io::Result<u64> {
        section(|| (&self.inner).seek(pos)).await
    }

    /// Moves the cursor to the beginning of the file.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Examples
    ///
    /// ```
    /// # gopark::block_on(async {
    /// let file = gopark::fs::File::open("Cargo.toml").await?;
    /// let (mut once, mut again) = (String::new(), String::new());
    /// file.read_to_string(&mut once).await?;
    /// file.rewind().await?;
    /// file.read_to_string(&mut again).await?;
    /// assert_eq!(once, again);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn rewind(&self) -> io::Result<()> {
        self.seek(SeekFrom::Start(0)).await.map(drop)
    }

    /// Where the cursor is, counted from the beginning of the file.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Examples
    ///
    /// See [`try_clone`](Self::try_clone).
    pub async fn stream_position(&self) -> io::Result<u64> {
        self.seek(SeekFrom::Current(0)).await
    }
}
