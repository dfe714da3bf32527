//! A socket before it connects or listens, for its options.

use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::{TcpListener, TcpStream};
use crate::sys;

/// A TCP socket that is neither connected nor listening yet: set its options, then
/// [`connect`](Self::connect) or [`bind`](Self::bind) and [`listen`](Self::listen).
///
/// Options that have no method here can be set through `socket2::SockRef`, or on a socket that is made
/// elsewhere and taken over by [`from_std_stream`](Self::from_std_stream).
///
/// ```
/// use gopark_net::TcpSocket;
///
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(1024)?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    inner: Socket,
}

impl TcpSocket {
    /// Makes a socket for IPv4, in non-blocking mode.
    ///
    /// # Errors
    /// What the system says, for instance that too many files are open.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// Makes a socket for IPv6, in non-blocking mode.
    ///
    /// # Errors
    /// What the system says, for instance that it has no IPv6.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    fn new(domain: Domain) -> io::Result<Self> {
        let inner = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        inner.set_nonblocking(true)?;
        Ok(Self { inner })
    }

    /// Takes over a socket that was made elsewhere, as a `std` stream because that is what other crates
    /// convert to; it need not be connected. It is put into non-blocking mode.
    ///
    /// # Errors
    /// When the mode cannot be set.
    pub fn from_std_stream(stream: net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            inner: stream.into(),
        })
    }

    /// Chooses the local address.
    ///
    /// # Errors
    /// `AddrInUse` when another socket has it, and whatever else the system says.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.inner.bind(&addr.into())
    }

    /// Connects to `addr`.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped before it is ready, it gives the attempt up and closes the socket.
    ///
    /// # Errors
    /// What the system says, `ConnectionRefused` for instance.
    ///
    /// # Examples
    /// ```
    /// # use gopark_net::{TcpListener, TcpSocket};
    /// # futures::executor::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let socket = TcpSocket::new_v4()?;
    /// socket.set_nodelay(true)?;
    /// let stream = socket.connect(listener.local_addr()?).await?;
    /// assert!(stream.nodelay()?);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        match self.inner.connect(&SockAddr::from(addr)) {
            Err(e) if !sys::connect_goes_on(&e) => return Err(e),
            _ => {}
        }
        TcpStream::connecting(mio::net::TcpStream::from_std(self.inner.into())).await
    }

    /// Starts to accept connections. The system keeps at most about `backlog` of them until they are
    /// accepted.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        // More than the system allows is cut to what it allows, by the system.
        self.inner
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        TcpListener::from_mio(mio::net::TcpListener::from_std(self.inner.into()))
    }

    /// The local address.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let addr = self.inner.local_addr()?;
        addr.as_socket().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("not an IP address: {addr:?}"),
            )
        })
    }

    /// Takes the error that the socket has stored, if any.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }

    /// How long closing keeps trying to send what is left. See [`TcpStream::set_linger`].
    ///
    /// # Errors
    /// What the system says.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.inner.linger()
    }

    /// Sets how long closing keeps trying to send what is left. See [`TcpStream::set_linger`].
    ///
    /// # Errors
    /// What the system says.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.inner.set_linger(linger.map(whole_seconds))
    }

    /// Sets when keep-alive probes are sent, and turns them on.
    ///
    /// # Errors
    /// What the system says.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let socket = gopark_net::TcpSocket::new_v4()?;
    /// socket.set_keepalive_idle(Duration::from_secs(60))?;
    /// assert!(socket.keepalive()?);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn set_keepalive_idle(&self, idle: Duration) -> io::Result<()> {
        self.inner
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))
    }
}

/// A time to linger as the system counts it. Cut off, as it would be else, less than a second, or too many of
/// them for an integer, would mean to reset the connection.
pub(super) fn whole_seconds(linger: Duration) -> Duration {
    let most = if cfg!(windows) {
        u64::from(u16::MAX)
    } else {
        i32::MAX as u64
    };
    let started = u64::from(linger.subsec_nanos() > 0);
    Duration::from_secs(linger.as_secs().saturating_add(started).min(most))
}

/// A pair of methods that read and set one option.
macro_rules! options {
    ($($(#[$cfg:meta])* $get:ident, $set:ident: $type:ty = $inner_get:ident, $inner_set:ident,
       $doc:literal;)*) => {
        impl TcpSocket {
            $(
                #[doc = concat!("Whether, or how much: ", $doc)]
                ///
                /// # Errors
                /// What the system says.
                $(#[$cfg])*
                pub fn $get(&self) -> io::Result<$type> {
                    self.inner.$inner_get()
                }

                #[doc = concat!("Sets: ", $doc)]
                ///
                /// # Errors
                /// What the system says.
                $(#[$cfg])*
                pub fn $set(&self, value: $type) -> io::Result<()> {
                    self.inner.$inner_set(value)
                }
            )*
        }
    };
}

options! {
    reuseaddr, set_reuseaddr: bool = reuse_address, set_reuse_address,
        "the address may be taken although connections of an earlier socket linger (`SO_REUSEADDR`).";
    keepalive, set_keepalive: bool = keepalive, set_keepalive,
        "probes are sent when the connection is silent (`SO_KEEPALIVE`).";
    nodelay, set_nodelay: bool = tcp_nodelay, set_tcp_nodelay,
        "small writes are sent at once (`TCP_NODELAY`).";
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
    reuseport, set_reuseport: bool = reuse_port, set_reuse_port,
        "several sockets may listen on one address (`SO_REUSEPORT`).";
}

/// Options whose arguments need a word of their own.
impl TcpSocket {
    /// The size of the kernel's send buffer, in bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.inner.send_buffer_size().map(saturate)
    }

    /// Asks for a size of the kernel's send buffer, in bytes. Linux doubles it and has a limit of its own.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_send_buffer_size(size as usize)
    }

    /// The size of the kernel's receive buffer, in bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.inner.recv_buffer_size().map(saturate)
    }

    /// Asks for a size of the kernel's receive buffer, in bytes. Linux doubles it and has a limit of its
    /// own.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.inner.set_recv_buffer_size(size as usize)
    }

    /// The type of service of sent IPv4 packets (`IP_TOS`).
    ///
    /// # Errors
    /// What the system says.
    #[cfg(not(any(
        target_os = "fuchsia",
        target_os = "redox",
        target_os = "solaris",
        target_os = "illumos",
        target_os = "haiku",
    )))]
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.inner.tos_v4()
    }

    /// Sets the type of service of sent IPv4 packets (`IP_TOS`).
    ///
    /// # Errors
    /// What the system says.
    #[cfg(not(any(
        target_os = "fuchsia",
        target_os = "redox",
        target_os = "solaris",
        target_os = "illumos",
        target_os = "haiku",
    )))]
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.inner.set_tos_v4(tos)
    }

    /// The network device that the socket is bound to (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    /// What the system says.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.inner.device()
    }

    /// Binds the socket to a network device (`SO_BINDTODEVICE`), or to none.
    ///
    /// # Errors
    /// What the system says; it may want privileges.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.inner.bind_device(interface)
    }
}

fn saturate(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

sys::raw_inner!(TcpSocket);
