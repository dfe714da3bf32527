//! A socket that waits for connections.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::TcpStream;
use crate::note::WaitReason;
use crate::readiness::Direction;
use crate::resolve::{ToSocketAddrs, each_addr};
use crate::source::Evented;

/// A TCP socket that accepts connections.
///
/// Dropping it closes the socket; connections that nobody has accepted are reset by the system.
///
/// ```
/// use gopark_net::{TcpListener, TcpStream};
/// # futures::executor::block_on(async {
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let addr = listener.local_addr()?;
/// let (client, server) = futures::join!(TcpStream::connect(addr), listener.accept());
/// let (server, peer) = server?;
/// assert_eq!(peer, client?.local_addr()?);
/// # drop(server);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpListener {
    io: Evented<mio::net::TcpListener>,
}

impl TcpListener {
    /// Opens a listener on the first of the given addresses that works.
    ///
    /// Port 0 lets the system choose; see [`local_addr`](Self::local_addr). On Unix the address can be
    /// taken again right after a listener that is gone (`SO_REUSEADDR`). For other options, see
    /// [`TcpSocket`](super::TcpSocket).
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it leaves nothing open.
    ///
    /// # Errors
    /// Of the name lookup, or of the last address that was tried.
    ///
    /// # Examples
    /// ```
    /// # futures::executor::block_on(async {
    /// let listener = gopark_net::TcpListener::bind(("127.0.0.1", 0)).await?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        each_addr(addr, "listen on", |addr| async move {
            Self::from_mio(mio::net::TcpListener::bind(addr)?)
        })
        .await
    }

    pub(super) fn from_mio(listener: mio::net::TcpListener) -> io::Result<Self> {
        Ok(Self {
            io: Evented::new(listener)?,
        })
    }

    /// Waits for a connection; gives it and the peer's address.
    ///
    /// When several tasks accept at once, each connection goes to one of them.
    ///
    /// # Cancel safety
    /// Cancel safe: a connection is either returned or stays with the listener.
    ///
    /// # Errors
    /// An error concerns this attempt and not the listener, which stays usable. Too many open files
    /// (`EMFILE`) is the one to prepare for: the connection stays in the queue, so the next call fails
    /// at once too until files are closed. Sleep a little before trying again.
    ///
    /// # Examples
    /// See [`TcpListener`].
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |listener: &mio::net::TcpListener| listener.accept();
        let (stream, peer) = self
            .io
            .io(Direction::Read, WaitReason::Accept, accept)
            .await?;
        Ok((TcpStream::from_mio(stream)?, peer))
    }

    /// As [`accept`](Self::accept), for hand-written futures.
    ///
    /// Several tasks may poll at once; each is woken when there may be a connection.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accept = |listener: &mio::net::TcpListener| listener.accept();
        let polled = self
            .io
            .poll_io(cx, Direction::Read, WaitReason::Accept, accept);
        let (stream, peer) = ready!(polled)?;
        Poll::Ready(TcpStream::from_mio(stream).map(|stream| (stream, peer)))
    }

    /// Accepts a connection that is there already.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none, else as [`accept`](Self::accept).
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let listener = gopark_net::TcpListener::bind("127.0.0.1:0").await?;
    /// let error = listener.try_accept().unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self
            .io
            .try_io(Direction::Read, |listener| listener.accept())?;
        Ok((TcpStream::from_mio(stream)?, peer))
    }

    /// The connections as a stream, which never ends.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let _client = TcpStream::connect(listener.local_addr()?).await?;
    /// let connection = listener.incoming().next().await.expect("it never ends")?;
    /// # drop(connection);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address that it listens on.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// The time-to-live of the packets of its connections, in hops.
    ///
    /// # Errors
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get().ttl()
    }

    /// Sets the time-to-live of the packets of its connections, in hops.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get().set_ttl(ttl)
    }

    /// Takes the error that the socket has stored, if any.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get().take_error()
    }

    /// Takes over a listener of the standard library. It is put into non-blocking mode.
    ///
    /// # Errors
    /// When the mode cannot be set or the socket cannot be registered.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener = gopark_net::TcpListener::from_std(listener)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn from_std(listener: net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::from_mio(mio::net::TcpListener::from_std(listener))
    }

    /// Gives the listener of the standard library back, in non-blocking mode.
    ///
    /// # Errors
    /// When the socket cannot be taken out of the reactor.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        self.io.into_inner().map(Into::into)
    }
}

impl TryFrom<net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: net::TcpListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("socket", self.io.get())
            .finish()
    }
}

crate::sys::raw_socket!(TcpListener);

/// The connections of a listener. See [`TcpListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.listener.poll_accept(cx));
        Poll::Ready(Some(accepted.map(|(stream, _)| stream)))
    }
}
