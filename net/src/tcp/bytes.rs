//! Reading from and writing to a connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;

use super::TcpStream;
use crate::io::{async_read, async_write};
use crate::note::WaitReason;
use crate::readiness::Direction;

impl TcpStream {
    /// Reads some bytes: at least one, unless `buf` is empty, the end is reached, or it fails.
    /// Zero means that the peer has ended its sending side.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has taken no byte.
    ///
    /// # Errors
    /// What the system says, or that the runtime that the socket belongs to has been shut down.
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_all(b"ping").await?;
    /// let mut buf = [0; 64];
    /// let n = server.read(&mut buf).await?;
    /// assert_eq!(&buf[..n], b"ping");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.read(buf).await
    }

    /// Reads some bytes into the spare room of `buf`, which grows by them: a `Vec<u8>`, a
    /// [`BytesMut`](https://docs.rs/bytes), or any other [`BufMut`]. The room is not filled with zeroes first.
    ///
    /// Zero means that the peer has ended its sending side, or that `buf` can hold no more. A `Vec` and a
    /// `BytesMut` make room for themselves, so of them zero is the end; whereas [`read`](Self::read) takes a
    /// vector for a slice as long as the vector is, and into an empty one reads nothing.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has taken no byte, and `buf` is as it was.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// Panics where `buf` does when it makes room, such as a `Vec` that is out of address space.
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_all(b"a line\n").await?;
    /// let mut line = Vec::with_capacity(1024);
    /// while !line.ends_with(b"\n") {
    ///     if server.read_buf(&mut line).await? == 0 {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(line, b"a line\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.read_buf(buf).await
    }

    /// As [`read`](Self::read), into several buffers that are filled in order.
    ///
    /// # Cancel safety
    /// Cancel safe, as [`read`](Self::read).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// use std::io::{IoSlice, IoSliceMut};
    ///
    /// client.write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")]).await?;
    /// let (mut first, mut rest) = ([0; 1], [0; 64]);
    /// let bufs = &mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut rest)];
    /// assert_eq!(server.read_vectored(bufs).await?, 5);
    /// assert_eq!((&first, &rest[..4]), (b"h", &b"ello"[..]));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.read_vectored(bufs).await
    }

    /// Reads until `buf` is full.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before it is ready, it may have read a part, which is in `buf`, and does
    /// not say how much.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the stream ends before, else as
    /// [`read`](Self::read).
    ///
    /// # Examples
    /// See [`TcpStream`].
    pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
        self.io.read_exact(buf).await
    }

    /// Reads until the peer ends its sending side, and appends all of it to `out`. Returns how many bytes
    /// that were. There is no limit: use it with peers that you trust.
    ///
    /// # Cancel safety
    /// Cancel safe: what has been read is in `out`, whose length tells how much that is.
    ///
    /// # Errors
    /// As [`read`](Self::read); what was read before the error is in `out`.
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_all(b"all of it").await?;
    /// drop(client);
    /// let mut out = Vec::new();
    /// assert_eq!(server.read_to_end(&mut out).await?, 9);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn read_to_end(&self, out: &mut Vec<u8>) -> io::Result<usize> {
        self.io.read_to_end(out).await
    }

    /// Reads some bytes and leaves them where they are: the next read gets them again.
    ///
    /// # Cancel safety
    /// Cancel safe.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_all(b"x").await?;
    /// let (mut peeked, mut read) = ([0; 8], [0; 8]);
    /// assert_eq!(server.peek(&mut peeked).await?, 1);
    /// assert_eq!(server.read(&mut read).await?, 1);
    /// assert_eq!(peeked, read);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .io(Direction::Read, WaitReason::IoRead, |stream| {
                stream.peek(buf)
            })
            .await
    }

    /// As [`peek`](Self::peek), for hand-written futures.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io
            .poll_io(cx, Direction::Read, WaitReason::IoRead, |stream| {
                stream.peek(buf)
            })
    }

    /// Reads what is there already.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is nothing, else as [`read`](Self::read).
    #[inline]
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_read(buf)
    }

    /// Reads what is there already into the spare room of `buf`. See [`read_buf`](Self::read_buf).
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_read_buf(buf)
    }

    /// As [`try_read`](Self::try_read), into several buffers that are filled in order.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.try_read_vectored(bufs)
    }

    /// Writes some of `buf`, as much as the system takes at once, and returns how much that was.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it has written nothing.
    ///
    /// # Errors
    /// What the system says (`BrokenPipe` or `ConnectionReset` when the peer is gone), or that the
    /// runtime that the socket belongs to has been shut down.
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// assert_eq!(client.write(b"ping").await?, 4);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[inline]
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.write(buf).await
    }

    /// As [`write`](Self::write), from several buffers in order.
    ///
    /// # Cancel safety
    /// Cancel safe, as [`write`](Self::write).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Examples
    /// See [`read_vectored`](Self::read_vectored).
    pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.write_vectored(bufs).await
    }

    /// Writes all of `buf`.
    ///
    /// # Cancel safety
    /// Not cancel safe: dropped before it is ready, it may have written a part, and does not say how much.
    ///
    /// # Errors
    /// As [`write`](Self::write); a part may have been written.
    ///
    /// # Examples
    /// See [`TcpStream`].
    pub async fn write_all(&self, buf: &[u8]) -> io::Result<()> {
        self.io.write_all(buf).await
    }

    /// Writes as much of `buf` as the system takes right now.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when it takes nothing, else as [`write`](Self::write).
    #[inline]
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.try_write(buf)
    }

    /// As [`try_write`](Self::try_write), from several buffers in order.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.try_write_vectored(bufs)
    }
}

async_read! {
    TcpStream: |stream| stream.io;
    &TcpStream: |stream| stream.io;
}

async_write! {
    TcpStream: |stream| stream.io, close: stream.close_write();
    &TcpStream: |stream| stream.io, close: stream.close_write();
}
