//! A connection: making it, its options, waiting for it. `bytes.rs` reads and writes.

use std::fmt;
use std::io;
use std::net::{self, Shutdown, SocketAddr};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;

use super::socket::whole_seconds;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::interest::Interest;
use crate::note::WaitReason;
use crate::readiness::{Direction, Ready, Refused};
use crate::resolve::{ToSocketAddrs, each_addr};
use crate::source::Evented;

/// A TCP connection.
///
/// All methods take `&self`, so one task may read while another writes: share the stream in an `Arc`,
/// or [`split`](Self::split) it. It implements the `futures-io` traits for itself and for `&TcpStream`.
///
/// Dropping it closes the socket. Bytes that the system has taken are still sent, unless
/// [`set_linger`](Self::set_linger) says otherwise or the peer's bytes were left unread.
///
/// ```
/// use gopark_net::{TcpListener, TcpStream};
/// # futures::executor::block_on(async {
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (server, _) = listener.accept().await?;
///
/// client.write_all(b"hello").await?;
/// let mut hello = [0; 5];
/// server.read_exact(&mut hello).await?;
/// assert_eq!(&hello, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpStream {
    pub(super) io: Evented<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the given addresses that answers.
    ///
    /// The addresses are tried one after the other, each for as long as the system tries (minutes, for
    /// a host that does not answer): put a time-out around it.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it gives the attempt up and leaves nothing open.
    ///
    /// # Errors
    /// Of the name lookup, or of the last address that was tried.
    ///
    /// # Examples
    /// ```
    /// use std::io::ErrorKind;
    /// use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let addr = listener.local_addr()?;
    /// assert_eq!(TcpStream::connect(addr).await?.peer_addr()?, addr);
    ///
    /// drop(listener);
    /// assert_eq!(TcpStream::connect(addr).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect(addr: impl ToSocketAddrs) -> io::Result<Self> {
        each_addr(addr, "connect to", |addr| async move {
            Self::connecting(mio::net::TcpStream::connect(addr)?).await
        })
        .await
    }

    /// Waits for the end of an attempt to connect that has begun.
    pub(super) async fn connecting(stream: mio::net::TcpStream) -> io::Result<Self> {
        let io = Evented::connecting(stream)?;
        io.io(Direction::Write, WaitReason::Connect, |stream| {
            if let Some(failure) = stream.take_error()? {
                return Err(failure);
            }
            match stream.peer_addr() {
                Ok(_) => Ok(()),
                // A spurious report: the attempt goes on.
                Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                Err(e) => Err(e),
            }
        })
        .await?;
        Ok(Self { io })
    }

    pub(super) fn from_mio(stream: mio::net::TcpStream) -> io::Result<Self> {
        Ok(Self {
            io: Evented::new(stream)?,
        })
    }

    /// Waits until a read makes progress: there are bytes, the end, or an error.
    ///
    /// It may also resolve when there is nothing; the [`try_read`](Self::try_read) that follows then says
    /// "would block", and after that this waits again.
    ///
    /// # Cancel safety
    /// Cancel safe: readiness is not used up by waiting for it.
    ///
    /// # Errors
    /// When the runtime that the socket belongs to has been shut down.
    ///
    /// # Examples
    /// ```
    /// # use std::io::ErrorKind::WouldBlock;
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_all(b"ping").await?;
    /// let mut buf = [0; 64];
    /// let n = loop {
    ///     server.readable().await?;
    ///     match server.try_read(&mut buf) {
    ///         Err(e) if e.kind() == WouldBlock => continue,
    ///         outcome => break outcome?,
    ///     }
    /// };
    /// assert_eq!(&buf[..n], b"ping");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until a write makes progress, or fails.
    ///
    /// # Cancel safety
    /// Cancel safe: readiness is not used up by waiting for it.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// client.writable().await?;
    /// assert_eq!(client.try_write(b"ping")?, 4);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Waits until something of what `interest` names is ready, and says what.
    ///
    /// # Cancel safety
    /// Cancel safe: readiness is not used up by waiting for it.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{Interest, TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let ready = client.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert!(ready.is_writable());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(interest.of(self.io.wait_for(interest).await?.ready()))
    }

    /// As [`readable`](Self::readable), for hand-written futures.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.io.poll_ready(cx, Direction::Read))?;
        Poll::Ready(Ok(()))
    }

    /// As [`writable`](Self::writable), for hand-written futures.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.io.poll_ready(cx, Direction::Write))?;
        Poll::Ready(Ok(()))
    }

    /// Runs a non-blocking operation of the caller's own on the socket, if `interest` is ready.
    ///
    /// When `op` returns [`WouldBlock`](io::ErrorKind::WouldBlock), the readiness is forgotten: it must do so
    /// only when the system said so about this socket. A hang-up that was reported is final and is not
    /// forgotten: the socket stays ready, and an `op` that refuses nevertheless is run again.
    ///
    /// # Errors
    /// `WouldBlock` when it is not ready, else what `op` returns.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io
            .try_custom(interest, Refused::ByUser, |stream| stream.try_io(op))
    }

    /// Runs a non-blocking operation of the caller's own as often as it takes until it does not return
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), waiting for `interest` in between.
    ///
    /// # Cancel safety
    /// As far as `op` is: the future is dropped between calls of it, never inside one.
    ///
    /// # Errors
    /// What `op` returns, or that the runtime has been shut down.
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{Interest, TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// client.write_all(b"x").await?;
    /// let socket = socket2::SockRef::from(&server);
    /// let mut buf = [std::mem::MaybeUninit::uninit(); 8];
    /// let n = server.async_io(Interest::READABLE, || socket.recv(&mut buf)).await?;
    /// assert_eq!(n, 1);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io
            .custom(interest, Refused::ByUser, |stream| stream.try_io(&mut op))
            .await
    }

    /// Ends one side of the connection, or both.
    ///
    /// After `Shutdown::Write` the peer reads what was written and then end of file.
    ///
    /// # Errors
    /// What the system says; `NotConnected` when the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get().shutdown(how)
    }

    /// Ends the sending side; a connection that is gone already has ended too.
    pub(super) fn close_write(&self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            outcome => outcome,
        }
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// What the system says; `NotConnected` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr()
    }

    /// Takes the error that the socket has stored, if any.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get().take_error()
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// What the system says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get().nodelay()
    }

    /// Chooses whether small writes are sent at once, instead of being collected (Nagle's algorithm).
    ///
    /// # Errors
    /// What the system says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get().set_nodelay(nodelay)
    }

    /// How long closing keeps trying to send what is left; `None` means in the background.
    ///
    /// # Errors
    /// What the system says.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self).linger()
    }

    /// Sets how long closing keeps trying to send what is left.
    ///
    /// A zero duration makes closing reset the connection. A positive one makes the system *block the
    /// thread* that drops the socket. It is rounded up to whole seconds, and saturates at what the system can count.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self).set_linger(linger.map(whole_seconds))
    }

    /// The time-to-live of sent packets, in hops.
    ///
    /// # Errors
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get().ttl()
    }

    /// Sets the time-to-live of sent packets, in hops.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get().set_ttl(ttl)
    }

    /// Splits the stream into halves that borrow it, for use within one task. It costs nothing.
    ///
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// let (reader, writer) = client.split();
    /// writer.write_all(b"ping").await?;
    /// # server.write_all(b"pong").await?;
    /// let mut buf = [0; 4];
    /// reader.read_exact(&mut buf).await?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::borrowed(self)
    }

    /// Splits the stream into halves that may go to different tasks.
    ///
    /// Dropping the write half ends the sending side. The socket is closed when both are gone;
    /// [`OwnedReadHalf::reunite`] puts them together again.
    ///
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (server, _) = listener.accept().await?;
    /// let (reader, writer) = client.into_split();
    /// drop(writer);
    /// assert_eq!(server.read(&mut [0; 8]).await?, 0, "the peer reads end of file");
    /// # drop(reader);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::owned(self)
    }

    /// Takes over a connection of the standard library. It is put into non-blocking mode.
    ///
    /// # Errors
    /// When the mode cannot be set or the socket cannot be registered.
    pub fn from_std(stream: net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Self::from_mio(mio::net::TcpStream::from_std(stream))
    }

    /// Gives the connection of the standard library back, in non-blocking mode.
    ///
    /// # Errors
    /// When the socket cannot be taken out of the reactor.
    ///
    /// ```
    /// # use gopark_net::{TcpListener, TcpStream};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// let stream = stream.into_std()?;
    /// stream.set_nonblocking(false)?;
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        self.io.into_inner().map(Into::into)
    }
}

impl TryFrom<net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: net::TcpStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("socket", self.io.get())
            .finish()
    }
}

crate::sys::raw_socket!(TcpStream);
