//! Host names to addresses, without blocking the thread of the task that asks.
//!
//! Literal addresses are parsed on the spot. Names go to the system's resolver (`getaddrinfo`), which
//! blocks, so that runs as a job of `offload.rs`.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec;

use crate::offload::{Offloaded, offload};

/// What can be turned into socket addresses without blocking: the counterpart of
/// [`std::net::ToSocketAddrs`].
///
/// It is implemented for socket addresses and slices of them, for pairs of an IP address or a host
/// name with a port, and for strings of the form `host:port`. Strings that hold a literal address never
/// leave the thread; names are looked up elsewhere, see [`lookup_host`].
///
/// The trait is sealed: it cannot be implemented outside this crate, and how it works may change.
pub trait ToSocketAddrs: sealed::Resolve {}

/// Looks up the addresses of a host.
///
/// The order is the resolver's; it may name an address twice. Nothing is cached.
///
/// # Cancel safety
/// Cancel safe: the lookup that runs on another thread goes on, and its result is dropped.
///
/// # Errors
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a string that is not of the form `host:port`,
/// else what the system's resolver says, with the name.
///
/// # Examples
/// ```
/// # futures::executor::block_on(async {
/// let addrs: Vec<_> = gopark_net::lookup_host("localhost:8080").await?.collect();
/// assert!(addrs.iter().all(|addr| addr.port() == 8080 && addr.ip().is_loopback()));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn lookup_host(
    host: impl ToSocketAddrs,
) -> io::Result<impl Iterator<Item = SocketAddr> + Send> {
    host.resolve().await
}

/// Tries `attempt` with each address of `target` in turn, and returns the first success or the last
/// failure.
pub(crate) async fn each_addr<T, R, F>(
    target: T,
    what: &str,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<R>
where
    T: ToSocketAddrs,
    F: Future<Output = io::Result<R>>,
{
    let addrs = target.resolve();
    drop(target);
    let mut last = None;
    for addr in addrs.await? {
        match attempt(addr).await {
            Ok(value) => return Ok(value),
            Err(e) => last = Some(e),
        }
    }
    Err(last.unwrap_or_else(|| {
        let message = format!("there is no address to {what}: the given target resolves to none");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    }))
}

pub(crate) mod sealed {
    use super::Resolving;

    /// The working part of [`ToSocketAddrs`](super::ToSocketAddrs).
    pub trait Resolve {
        /// Starts: parses, or hands the lookup over.
        #[doc(hidden)]
        fn resolve(&self) -> Resolving;
    }
}

/// A resolution under way. Named only because a sealed trait mentions it.
#[doc(hidden)]
pub struct Resolving(Stage);

enum Stage {
    Known(Option<io::Result<Addrs>>),
    LookingUp {
        host: String,
        addrs: Offloaded<io::Result<Vec<SocketAddr>>>,
    },
}

/// The addresses that were found. A single one needs no allocation.
#[doc(hidden)]
#[derive(Debug)]
pub enum Addrs {
    One(Option<SocketAddr>),
    Many(vec::IntoIter<SocketAddr>),
}

impl Iterator for Addrs {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Self::One(addr) => addr.take(),
            Self::Many(addrs) => addrs.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::One(addr) => (
                usize::from(addr.is_some()),
                Some(usize::from(addr.is_some())),
            ),
            Self::Many(addrs) => addrs.size_hint(),
        }
    }
}

impl Resolving {
    fn known(addr: SocketAddr) -> Self {
        Self(Stage::Known(Some(Ok(Addrs::One(Some(addr))))))
    }

    fn failed(error: io::Error) -> Self {
        Self(Stage::Known(Some(Err(error))))
    }

    fn look_up(host: &str, port: u16) -> Self {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Self::known(SocketAddr::new(ip, port));
        }
        let name = host.to_owned();
        let addrs = offload(move || {
            let addrs = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), port))?;
            Ok(addrs.collect())
        });
        Self(Stage::LookingUp {
            host: host.to_owned(),
            addrs,
        })
    }
}

impl Future for Resolving {
    type Output = io::Result<Addrs>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Stage::Known(addrs) => Poll::Ready(
                addrs
                    .take()
                    .expect("a resolution was polled after it had completed"),
            ),
            Stage::LookingUp { host, addrs } => {
                Poll::Ready(match ready!(Pin::new(addrs).poll(cx)) {
                    Ok(Ok(addrs)) => Ok(Addrs::Many(addrs.into_iter())),
                    Ok(Err(e)) => Err(io::Error::new(
                        e.kind(),
                        format!("looking up {host:?}: {e}"),
                    )),
                    Err(_lost) => Err(io::Error::other(format!(
                        "looking up {host:?}: the job was given up before it ran, \
                     because the runtime was shut down or no thread could be started"
                    ))),
                })
            }
        }
    }
}

impl fmt::Debug for Resolving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Stage::Known(addrs) => f.debug_tuple("Known").field(addrs).finish(),
            Stage::LookingUp { host, .. } => f.debug_tuple("LookingUp").field(host).finish(),
        }
    }
}

macro_rules! resolves {
    ($($type:ty: |$value:ident| $resolve:expr;)*) => {$(
        impl ToSocketAddrs for $type {}

        impl sealed::Resolve for $type {
            fn resolve(&self) -> Resolving {
                let $value = self;
                $resolve
            }
        }
    )*};
}

resolves! {
    SocketAddr: |addr| Resolving::known(*addr);
    SocketAddrV4: |addr| Resolving::known((*addr).into());
    SocketAddrV6: |addr| Resolving::known((*addr).into());
    (IpAddr, u16): |pair| Resolving::known((*pair).into());
    (Ipv4Addr, u16): |pair| Resolving::known((*pair).into());
    (Ipv6Addr, u16): |pair| Resolving::known((*pair).into());
    [SocketAddr]: |addrs| {
        let copied: Vec<_> = addrs.to_vec();
        Resolving(Stage::Known(Some(Ok(Addrs::Many(copied.into_iter())))))
    };
    (&str, u16): |pair| Resolving::look_up(pair.0, pair.1);
    (String, u16): |pair| Resolving::look_up(&pair.0, pair.1);
    String: |text| text.as_str().resolve();
    str: |text| {
        if let Ok(addr) = text.parse() {
            return Resolving::known(addr);
        }
        let parts = text.rsplit_once(':');
        match parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
            Some((host, port)) => Resolving::look_up(host, port),
            None => Resolving::failed(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("invalid socket address {text:?}: expected `host:port`, port 0 to 65535"),
            )),
        }
    };
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}

impl<T: sealed::Resolve + ?Sized> sealed::Resolve for &T {
    fn resolve(&self) -> Resolving {
        (**self).resolve()
    }
}

impl<const N: usize> ToSocketAddrs for [SocketAddr; N] {}

impl<const N: usize> sealed::Resolve for [SocketAddr; N] {
    fn resolve(&self) -> Resolving {
        self.as_slice().resolve()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures::executor::block_on;

    use super::*;

    fn at_once(target: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
        let mut resolving = target.resolve();
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut resolving).poll(&mut cx) {
            Poll::Ready(addrs) => addrs.map(Iterator::collect),
            Poll::Pending => panic!("{resolving:?} left the thread"),
        }
    }

    #[test]
    fn literal_addresses_never_leave_the_thread() {
        let v4: SocketAddr = "127.0.0.1:80".parse().expect("literal");
        let v6: SocketAddr = "[::1]:443".parse().expect("literal");
        for found in [
            at_once(v4),
            at_once("127.0.0.1:80"),
            at_once(String::from("127.0.0.1:80")),
            at_once(("127.0.0.1", 80)),
            at_once((String::from("127.0.0.1"), 80)),
            at_once((Ipv4Addr::LOCALHOST, 80)),
            at_once([v4]),
        ] {
            assert_eq!(found.expect("resolved"), [v4]);
        }
        assert_eq!(at_once("[::1]:443").expect("resolved"), [v6]);
        assert_eq!(at_once(("::1", 443)).expect("resolved"), [v6]);
        assert_eq!(at_once(&[v4, v6][..]).expect("resolved"), [v4, v6]);
    }

    #[test]
    fn a_string_that_is_no_address_is_named_in_the_error() {
        for text in ["localhost", "localhost:http", "localhost:65536", ""] {
            let error = at_once(text).expect_err("no port");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn a_name_is_looked_up_elsewhere() {
        let addrs: Vec<_> = block_on(lookup_host(("localhost", 7)))
            .expect("resolved")
            .collect();
        assert!(!addrs.is_empty());
        assert!(
            addrs
                .iter()
                .all(|addr| addr.ip().is_loopback() && addr.port() == 7)
        );
    }

    #[test]
    fn a_name_that_does_not_exist_is_named_in_the_error() {
        // A label of more than 63 characters is refused without asking any server.
        let name = "x".repeat(64);
        let error = block_on(lookup_host((name.as_str(), 7)))
            .err()
            .expect("no such name");
        assert!(error.to_string().contains(&name), "{error}");
    }

    #[test]
    fn no_address_at_all_is_an_error_and_not_a_silence() {
        let none: &[SocketAddr] = &[];
        let outcome = block_on(each_addr(none, "bind", |_| async { io::Result::Ok(()) }));
        assert_eq!(
            outcome.expect_err("nothing to try").kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
