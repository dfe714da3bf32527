//! Echo over TCP: 64-byte messages, one in flight on each connection.
//!
//! The server runs on the peer under test, in this process (Go's in its own). The load comes from
//! [`load`], one thread of bare epoll in a process of its own, the same for all peers. So two
//! processes share the machine's processors, as a service and its clients on one host do; the
//! single-threaded [`bare`] server shows how much of a round trip is the kernel's.

pub mod bare;
pub mod load;
pub mod server;

use std::io;
use std::net::SocketAddr;

use crate::go::GoServer;
use crate::peer::Peer;
use crate::rt::with_runtime;
use crate::workload::{Group, Lab, Session, Spec, Target};

/// Bytes of a message.
pub const MESSAGE: usize = 64;

/// One connection. Size: messages.
pub const SPEC_1: Spec = Spec {
    name: "echo_1",
    group: Group::Net,
    unit: "ns/round trip",
    about: "TCP echo of 64 bytes, 1 connection; load from one epoll thread in another process",
    full: 12_000,
    quick: 500,
    rivals: &[Peer::Tokio, Peer::Smol, Peer::Go],
    in_go: true,
    target: Some(Target::Ratio(1.0)),
};

/// 64 connections.
pub const SPEC_64: Spec = Spec {
    name: "echo_64",
    about: "the same over 64 connections",
    full: 100_000,
    quick: 2_000,
    ..SPEC_1
};

/// 1,000 connections.
pub const SPEC_1000: Spec = Spec {
    name: "echo_1000",
    about: "the same over 1,000 connections",
    full: 60_000,
    quick: 5_000,
    ..SPEC_1
};

/// An echo server under test; dropping it stops it.
trait Server {
    fn address(&self) -> SocketAddr;
}

impl Server for bare::BareServer {
    fn address(&self) -> SocketAddr {
        self.address()
    }
}

impl<R: crate::rt::Rt> Server for server::RtServer<R> {
    fn address(&self) -> SocketAddr {
        self.address()
    }
}

impl Server for GoServer {
    fn address(&self) -> SocketAddr {
        self.address()
    }
}

/// Starts `peer`'s echo server; each run of the session loads it over `CONNECTIONS` connections.
///
/// # Errors
///
/// Fails where the server cannot be started.
pub fn open<const CONNECTIONS: usize>(
    _: &Spec,
    lab: &Lab,
    peer: Peer,
) -> io::Result<Option<Session>> {
    let server: Option<Box<dyn Server>> = match peer {
        Peer::Epoll => Some(Box::new(bare::BareServer::start()?)),
        Peer::Go => match &lab.go {
            Some(go) => Some(Box::new(go.serve()?)),
            None => None,
        },
        _ => with_runtime!(peer, R => {
            let server: Box<dyn Server> = Box::new(server::RtServer::<R>::start()?);
            server
        }),
    };
    let program = lab.program.clone();
    Ok(server.map(|server| -> Session {
        Box::new(move |messages| {
            let address = server.address().to_string();
            let connections = CONNECTIONS.to_string();
            program.measure(&["load", &address, &connections, &messages.to_string()])
        })
    }))
}
