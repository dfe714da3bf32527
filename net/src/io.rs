//! Reading and writing bytes: what all stream sockets share, and their `futures-io` traits.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::task::{Context, Poll};

use crate::note::WaitReason::{IoRead, IoWrite};
use crate::readiness::Direction;
use crate::source::Evented;
use crate::sys;

/// How much room `read_to_end` makes when there is none left.
const CHUNK: usize = 8 * 1024;

/// Whether a transfer of `n` bytes fell short of the `offered`, other than by the end of file.
#[inline]
fn short(offered: usize) -> impl Fn(&usize) -> bool {
    move |&n| 0 < n && n < offered
}

#[inline]
fn length(buf: &[u8]) -> usize {
    sys::offered(std::iter::once(buf.len()))
}

fn room_of_all(bufs: &[IoSliceMut<'_>]) -> usize {
    sys::offered(bufs.iter().map(|buf| buf.len()))
}

fn length_of_all(bufs: &[IoSlice<'_>]) -> usize {
    sys::offered(bufs.iter().map(|buf| buf.len()))
}

impl<E> Evented<E>
where
    E: mio::event::Source,
    for<'a> &'a E: Read,
{
    #[inline]
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let offered = length(buf);
        self.poll_transfer(
            cx,
            Direction::Read,
            IoRead,
            |mut io| io.read(buf),
            short(offered),
        )
    }

    #[inline]
    pub(crate) fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = room_of_all(bufs);
        self.poll_transfer(
            cx,
            Direction::Read,
            IoRead,
            |mut io| io.read_vectored(bufs),
            short(offered),
        )
    }

    #[inline]
    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let offered = length(buf);
        self.try_transfer(Direction::Read, |mut io| io.read(buf), short(offered))
    }

    pub(crate) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let offered = room_of_all(bufs);
        self.try_transfer(
            Direction::Read,
            |mut io| io.read_vectored(bufs),
            short(offered),
        )
    }

    #[inline]
    pub(crate) fn read(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        let offered = length(buf);
        self.transfer(
            Direction::Read,
            IoRead,
            move |mut io| io.read(buf),
            short(offered),
        )
    }

    pub(crate) fn read_vectored(
        &self,
        bufs: &mut [IoSliceMut<'_>],
    ) -> impl Future<Output = io::Result<usize>> {
        let offered = room_of_all(bufs);
        let op = move |mut io: &E| io.read_vectored(bufs);
        self.transfer(Direction::Read, IoRead, op, short(offered))
    }

    pub(crate) async fn read_exact(&self, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read(buf).await? {
                0 => {
                    let message = format!(
                        "the stream ended {} bytes before the end of the buffer",
                        buf.len()
                    );
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
                }
                n => buf = &mut buf[n..],
            }
        }
        Ok(())
    }

    pub(crate) async fn read_to_end(&self, out: &mut Vec<u8>) -> io::Result<usize> {
        let start = out.len();
        let mut out = Filling { out, filled: start };
        loop {
            if out.filled == out.out.len() {
                let more = (out.filled - start).clamp(CHUNK, 1024 * CHUNK);
                out.out.resize(out.filled + more, 0);
            }
            match self.read(&mut out.out[out.filled..]).await? {
                0 => return Ok(out.filled - start),
                n => out.filled += n,
            }
        }
    }
}

/// A vector that is longer than what has been read into it. A future that is dropped, or fails, leaves
/// just the bytes that came from the stream.
struct Filling<'a> {
    out: &'a mut Vec<u8>,
    filled: usize,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.out.truncate(self.filled);
    }
}

impl<E> Evented<E>
where
    E: mio::event::Source,
    for<'a> &'a E: Write,
{
    #[inline]
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_transfer(
            cx,
            Direction::Write,
            IoWrite,
            |mut io| io.write(buf),
            short(length(buf)),
        )
    }

    #[inline]
    pub(crate) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let op = |mut io: &E| io.write_vectored(bufs);
        self.poll_transfer(
            cx,
            Direction::Write,
            IoWrite,
            op,
            short(length_of_all(bufs)),
        )
    }

    #[inline]
    pub(crate) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_transfer(Direction::Write, |mut io| io.write(buf), short(length(buf)))
    }

    pub(crate) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_transfer(
            Direction::Write,
            |mut io| io.write_vectored(bufs),
            short(length_of_all(bufs)),
        )
    }

    #[inline]
    pub(crate) fn write(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> {
        self.transfer(
            Direction::Write,
            IoWrite,
            move |mut io| io.write(buf),
            short(length(buf)),
        )
    }

    pub(crate) fn write_vectored(
        &self,
        bufs: &[IoSlice<'_>],
    ) -> impl Future<Output = io::Result<usize>> {
        let op = move |mut io: &E| io.write_vectored(bufs);
        self.transfer(Direction::Write, IoWrite, op, short(length_of_all(bufs)))
    }

    pub(crate) async fn write_all(&self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf).await? {
                0 => {
                    let message = format!("the stream took none of the last {} bytes", buf.len());
                    return Err(io::Error::new(io::ErrorKind::WriteZero, message));
                }
                n => buf = &buf[n..],
            }
        }
        Ok(())
    }
}

/// Implements `AsyncRead` for a type by way of an expression for its stream.
macro_rules! async_read {
    ($($type:ty: |$this:ident| $evented:expr;)*) => {$(
        impl futures_io::AsyncRead for $type {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let $this = &*self;
                $evented.poll_read(cx, buf)
            }

            #[inline]
            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let $this = &*self;
                $evented.poll_read_vectored(cx, bufs)
            }
        }
    )*};
}

/// Implements `AsyncWrite` for a type by way of expressions for its stream and for closing.
macro_rules! async_write {
    ($($type:ty: |$this:ident| $evented:expr, close: $close:expr;)*) => {$(
        impl futures_io::AsyncWrite for $type {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $this = &*self;
                $evented.poll_write(cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let $this = &*self;
                $evented.poll_write_vectored(cx, bufs)
            }

            /// Sockets have no buffer in this process.
            #[inline]
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Ends the sending side: the peer reads what was written, then end of file.
            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = &*self;
                Poll::Ready($close)
            }
        }
    )*};
}

pub(crate) use {async_read, async_write};
