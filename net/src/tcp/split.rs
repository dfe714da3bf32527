//! The two directions of a connection as two values.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;

use super::TcpStream;
use crate::interest::Interest;
use crate::io::{async_read, async_write};
use crate::readiness::Ready;

/// The reading side of a stream that is borrowed. See [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing side of a stream that is borrowed. See [`TcpStream::split`].
///
/// Dropping it does nothing; to end the sending side, use [`TcpStream::shutdown`] or close it as an
/// `AsyncWrite`.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading side of a stream. See [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing side of a stream. See [`TcpStream::into_split`].
///
/// Dropping it ends the sending side: the peer reads what was written and then end of file.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    /// `None` once it was taken apart by `reunite` or `forget`; then dropping it ends nothing.
    stream: Option<Arc<TcpStream>>,
}

pub(super) fn borrowed(stream: &TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn owned(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    (
        OwnedReadHalf(stream.clone()),
        OwnedWriteHalf {
            stream: Some(stream),
        },
    )
}

/// The halves are not of the same stream. It gives both back.
#[derive(Debug)]
pub struct ReuniteError(
    /// The reading half.
    pub OwnedReadHalf,
    /// The writing half.
    pub OwnedWriteHalf,
);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not of the same TCP stream")
    }
}

impl Error for ReuniteError {}

impl OwnedReadHalf {
    /// Puts the halves of one stream together again.
    ///
    /// # Errors
    /// When the halves are of different streams.
    ///
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (reader, writer) = client.into_split();
    /// let client = reader.reunite(writer).expect("they belong together");
    /// # drop(client);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn reunite(self, mut other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.0, other.stream()) {
            return Err(ReuniteError(self, other));
        }
        drop(other.stream.take());
        match Arc::try_unwrap(self.0) {
            Ok(stream) => Ok(stream),
            Err(_) => unreachable!("there are two halves to a stream and both are here"),
        }
    }
}

impl OwnedWriteHalf {
    /// As [`OwnedReadHalf::reunite`].
    ///
    /// # Errors
    /// When the halves are of different streams.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        other.reunite(self)
    }

    /// Drops this half without ending the sending side, which then lasts as long as the reading half.
    pub fn forget(mut self) {
        drop(self.stream.take());
    }

    fn stream(&self) -> &Arc<TcpStream> {
        self.stream
            .as_ref()
            .expect("only `reunite` and `forget` take it, and they consume the half")
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // It fails when the connection is gone, and then the sending side has ended anyway.
            let _ = stream.close_write();
        }
    }
}

/// The methods of a reading half, which are those of the stream.
macro_rules! reads {
    ($($type:ty),*) => {$(
        impl $type {
            /// As [`TcpStream::read`].
            ///
            /// # Cancel safety
            /// Cancel safe: dropped before it is ready, it has taken no byte.
            ///
            /// # Errors
            /// As [`TcpStream::read`].
            #[inline]
            pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().read(buf).await
            }

            /// As [`TcpStream::read_buf`].
            ///
            /// # Cancel safety
            /// Cancel safe: dropped before it is ready, it has taken no byte.
            ///
            /// # Errors
            /// As [`TcpStream::read`].
            pub async fn read_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
                self.as_ref().read_buf(buf).await
            }

            /// As [`TcpStream::read_vectored`].
            ///
            /// # Cancel safety
            /// Cancel safe: dropped before it is ready, it has taken no byte.
            ///
            /// # Errors
            /// As [`TcpStream::read`].
            pub async fn read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().read_vectored(bufs).await
            }

            /// As [`TcpStream::read_exact`].
            ///
            /// # Cancel safety
            /// Not cancel safe: dropped before it is ready, it may have read a part.
            ///
            /// # Errors
            /// As [`TcpStream::read_exact`].
            pub async fn read_exact(&self, buf: &mut [u8]) -> io::Result<()> {
                self.as_ref().read_exact(buf).await
            }

            /// As [`TcpStream::read_to_end`].
            ///
            /// # Cancel safety
            /// Cancel safe: what has been read is in `out`.
            ///
            /// # Errors
            /// As [`TcpStream::read_to_end`].
            pub async fn read_to_end(&self, out: &mut Vec<u8>) -> io::Result<usize> {
                self.as_ref().read_to_end(out).await
            }

            /// As [`TcpStream::peek`].
            ///
            /// # Cancel safety
            /// Cancel safe.
            ///
            /// # Errors
            /// As [`TcpStream::read`].
            pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }

            /// As [`TcpStream::poll_peek`].
            ///
            /// # Errors
            /// As [`TcpStream::read`].
            pub fn poll_peek(
                &self,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }

            /// As [`TcpStream::readable`].
            ///
            /// # Cancel safety
            /// Cancel safe.
            ///
            /// # Errors
            /// As [`TcpStream::readable`].
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            /// As [`TcpStream::try_read`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            #[inline]
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            /// As [`TcpStream::try_read_buf`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
                self.as_ref().try_read_buf(buf)
            }

            /// As [`TcpStream::try_read_vectored`].
            ///
            /// # Errors
            /// As [`TcpStream::try_read`].
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }
        }
    )*};
}

/// The methods of a writing half, which are those of the stream.
macro_rules! writes {
    ($($type:ty),*) => {$(
        impl $type {
            /// As [`TcpStream::write`].
            ///
            /// # Cancel safety
            /// Cancel safe: dropped before it is ready, it has written nothing.
            ///
            /// # Errors
            /// As [`TcpStream::write`].
            #[inline]
            pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().write(buf).await
            }

            /// As [`TcpStream::write_vectored`].
            ///
            /// # Cancel safety
            /// Cancel safe: dropped before it is ready, it has written nothing.
            ///
            /// # Errors
            /// As [`TcpStream::write`].
            pub async fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().write_vectored(bufs).await
            }

            /// As [`TcpStream::write_all`].
            ///
            /// # Cancel safety
            /// Not cancel safe: dropped before it is ready, it may have written a part.
            ///
            /// # Errors
            /// As [`TcpStream::write`].
            pub async fn write_all(&self, buf: &[u8]) -> io::Result<()> {
                self.as_ref().write_all(buf).await
            }

            /// As [`TcpStream::writable`].
            ///
            /// # Cancel safety
            /// Cancel safe.
            ///
            /// # Errors
            /// As [`TcpStream::readable`].
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            /// As [`TcpStream::try_write`].
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            #[inline]
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            /// As [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            /// As [`TcpStream::try_write`].
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(bufs)
            }
        }
    )*};
}

/// What both kinds of half have in common.
macro_rules! halves {
    ($($type:ty: |$half:ident| $stream:expr;)*) => {$(
        impl $type {
            /// As [`TcpStream::ready`].
            ///
            /// # Cancel safety
            /// Cancel safe.
            ///
            /// # Errors
            /// As [`TcpStream::readable`].
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// The address of this end.
            ///
            /// # Errors
            /// What the system says.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// What the system says.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }
        }

        impl AsRef<TcpStream> for $type {
            #[inline]
            fn as_ref(&self) -> &TcpStream {
                let $half = self;
                $stream
            }
        }
    )*};
}

reads!(ReadHalf<'_>, OwnedReadHalf);
writes!(WriteHalf<'_>, OwnedWriteHalf);
halves! {
    ReadHalf<'_>: |half| half.0;
    WriteHalf<'_>: |half| half.0;
    OwnedReadHalf: |half| &half.0;
    OwnedWriteHalf: |half| half.stream();
}
async_read! {
    ReadHalf<'_>: |half| half.0.io;
    OwnedReadHalf: |half| half.0.io;
}
async_write! {
    WriteHalf<'_>: |half| half.0.io, close: half.0.close_write();
    OwnedWriteHalf: |half| half.stream().io, close: half.stream().close_write();
}
