//! Echo over TCP: 64-byte messages, one in flight on each connection.
//!
//! The server runs on the peer under test, in this process (Go's in its own). The load comes from
//! [`load`], one thread of bare epoll in a process of its own, the same for all peers. So two
//! processes share the machine's processors, as a service and its clients on one host do; the
//! single-threaded [`bare`] server shows how much of a round trip is the kernel's.
//!
//! In [`mod@open`] requests come at a fixed rate, and the server's processor time is the figure.
//!
//! In [`stall`] some messages block the thread that handles them.

pub mod bare;
pub mod load;
pub mod open;
pub mod server;
pub mod stall;

use std::io;
use std::net::SocketAddr;

use crate::child::Program;
use crate::go::{Go, GoServer};
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
    in_go: false,
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
    let server = match peer {
        Peer::Epoll => Some(boxed(bare::BareServer::start()?)),
        Peer::Go => in_go(lab, "echo")?,
        _ => with_runtime!(peer, R => boxed(server::RtServer::<R>::start(|_| {})?)),
    };
    Ok(server.map(|server| loaded(server, load::WORK, CONNECTIONS, lab.program.clone())))
}

fn boxed(server: impl Server + 'static) -> Box<dyn Server> {
    Box::new(server)
}

/// The server called `name` of the program in Go, if there is a Go toolchain.
fn in_go(lab: &Lab, name: &str) -> io::Result<Option<Box<dyn Server>>> {
    let serve = |go: &Go| go.serve(name).map(boxed);
    lab.go.as_ref().map(serve).transpose()
}

/// A session that has a child load `server`; `work` is the load's name.
fn loaded(
    server: Box<dyn Server>,
    work: &'static str,
    connections: usize,
    program: Program,
) -> Session {
    Box::new(move |messages| {
        let address = server.address().to_string();
        let (connections, messages) = (connections.to_string(), messages.to_string());
        program.measure(&[work, &address, &connections, &messages])
    })
}
