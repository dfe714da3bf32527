//! An echo service of which some handlers block their thread: what becomes of the other messages.
//!
//! One message in 500 asks for a handler that blocks for 20 ms. With 64 connections in a closed
//! loop such a message can hold up the 63 others, and the worst hundredth of the 499 for each that
//! blocks are 5: so the 99th percentile tells whether a thread that blocks keeps those waiting whom
//! it does not concern.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::load::{Load, Messages, PLAIN, Plain};
use super::server::RtServer;
use super::{boxed, in_go, loaded};
use crate::peer::Peer;
use crate::rt::{Blocks, with_blocks, with_runtime};
use crate::workload::{Group, Lab, Session, Spec, Target};

/// The name of this load as a child's work.
pub const WORK: &str = "stall-load";
/// That of the load for [`SPEC_RATE`], and of the one for [`SPEC_P90`].
pub const WORK_RATE: &str = "stall-load-rate";
/// See [`WORK_RATE`].
pub const WORK_P90: &str = "stall-load-p90";

const CONNECTIONS: usize = 64;

/// The first byte of a message whose handler blocks. The servers in Go know it too.
const BLOCKING: u8 = b'b';

/// How long it blocks; the servers in Go know that too.
const STALL: Duration = Duration::from_millis(20);

/// Of so many messages one blocks.
const ONE_IN: u64 = 500;

/// Handlers block without a word. Size: messages.
pub const SPEC: Spec = Spec {
    name: "stall_echo",
    group: Group::Block,
    unit: "ms",
    about: "TCP echo as in echo_64; handlers of 0.2 % of the messages sleep 20 ms on their thread, \
            unmarked (Go: a raw nanosleep); 99th percentile of the others' latency",
    full: 50_000,
    quick: 2_000,
    rivals: &[Peer::Tokio, Peer::Smol, Peer::Go],
    in_go: false,
    target: Some(Target::Bound(5.0)),
};

/// The same, and the handlers say that they block.
pub const SPEC_BLOCK: Spec = Spec {
    name: "stall_echo_block",
    about: "the same, each sleep marked as a blocking call (Go: an ordinary nanosleep)",
    rivals: &[Peer::Tokio, Peer::Go],
    ..SPEC
};

/// What the others lose by it: the time of all messages, against that of as many of which none blocks. Size: messages.
pub const SPEC_RATE: Spec = Spec {
    name: "stall_rate",
    unit: "times as long",
    about: "the same, the time of all messages, relative to the same server's time for as many plain ones \
            just before",
    target: Some(Target::Bound(1.0 / 0.92)),
    ..SPEC
};

/// How long nine in ten of the others take.
pub const SPEC_P90: Spec = Spec {
    name: "stall_p90",
    about: "the same, 90th percentile of the others' latency",
    target: Some(Target::Bound(0.6)),
    ..SPEC
};

/// Starts `peer`'s server for [`SPEC_RATE`].
///
/// # Errors
///
/// Fails where the server cannot be started.
pub fn open_rate(spec: &Spec, lab: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    open_unmarked(spec, lab, peer, WORK_RATE)
}

/// Starts `peer`'s server for [`SPEC_P90`].
///
/// # Errors
///
/// Fails where the server cannot be started.
pub fn open_p90(spec: &Spec, lab: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    open_unmarked(spec, lab, peer, WORK_P90)
}

/// Starts `peer`'s server for [`SPEC`].
///
/// # Errors
///
/// Fails where the server cannot be started.
pub fn open(spec: &Spec, lab: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    open_unmarked(spec, lab, peer, WORK)
}

/// Starts `peer`'s server whose handlers block unmarked, for a load of that name.
fn open_unmarked(
    spec: &Spec,
    lab: &Lab,
    peer: Peer,
    work: &'static str,
) -> io::Result<Option<Session>> {
    let server = match peer {
        Peer::Go => in_go(lab, spec.name)?,
        _ => with_runtime!(peer, R => boxed(RtServer::<R>::start(unmarked)?)),
    };
    Ok(server.map(|server| loaded(server, work, CONNECTIONS, lab.program.clone())))
}

/// Starts `peer`'s server for [`SPEC_BLOCK`].
///
/// # Errors
///
/// Fails where the server cannot be started.
pub fn open_block(spec: &Spec, lab: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    let server = match peer {
        Peer::Go => in_go(lab, spec.name)?,
        _ => with_blocks!(peer, R => boxed(RtServer::<R>::start(marked::<R>)?)),
    };
    Ok(server.map(|server| loaded(server, WORK, CONNECTIONS, lab.program.clone())))
}

fn unmarked(message: &[u8]) {
    if message[0] == BLOCKING {
        thread::sleep(STALL);
    }
}

fn marked<R: Blocks>(message: &[u8]) {
    if message[0] == BLOCKING {
        R::block(|| thread::sleep(STALL));
    }
}

/// Has `count` messages echoed over so many connections and returns the 99th percentile, in
/// milliseconds, of how long those took whose handlers do not block.
///
/// # Errors
///
/// Fails where a connection fails or the server closes one.
pub fn p99_ms(address: SocketAddr, connections: usize, count: usize) -> io::Result<f64> {
    percentile_ms(address, connections, count, 99)
}

/// The same, of the 90th percentile.
///
/// # Errors
///
/// Fails where a connection fails or the server closes one.
pub fn p90_ms(address: SocketAddr, connections: usize, count: usize) -> io::Result<f64> {
    percentile_ms(address, connections, count, 90)
}

/// How many times as long `count` messages take of which some block as as many plain ones.
///
/// # Errors
///
/// Fails where a connection fails or the server closes one.
pub fn slowdown(address: SocketAddr, connections: usize, count: usize) -> io::Result<f64> {
    let mut load = Load::connect(address, connections)?;
    let mut time = |messages: &mut dyn Messages| {
        let start = Instant::now();
        load.exchange(count, messages)?;
        io::Result::Ok(start.elapsed().as_secs_f64())
    };
    // The first are there to warm everything up.
    time(&mut Plain)?;
    let plain = time(&mut Plain)?;
    Ok(time(&mut Mixed::new(connections))? / plain)
}

fn percentile_ms(
    address: SocketAddr,
    connections: usize,
    count: usize,
    percent: usize,
) -> io::Result<f64> {
    let mut load = Load::connect(address, connections)?;
    let mut messages = Mixed::new(connections);
    load.exchange(count, &mut messages)?;
    let mut latencies = messages.latencies;
    if latencies.is_empty() {
        return Err(io::Error::other(
            "every message blocks: there are too few of them",
        ));
    }
    Ok(percentile(&mut latencies, percent).as_secs_f64() * 1e3)
}

/// The nearest rank: the least value that so many in 100 do not exceed.
fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    let rank = (values.len() * percent).div_ceil(100);
    *values.select_nth_unstable(rank - 1).1
}

/// Plain messages with blocking ones among them: the same ones for every peer and round.
struct Mixed {
    random: u64,
    /// When each connection sent its message; `None` for one that blocks.
    sent: Vec<Option<Instant>>,
    latencies: Vec<Duration>,
}

impl Mixed {
    fn new(connections: usize) -> Self {
        Self {
            random: 0x9E37_79B9_7F4A_7C15,
            sent: vec![None; connections],
            latencies: Vec::new(),
        }
    }
}

impl Messages for Mixed {
    fn next(&mut self, slot: usize) -> u8 {
        // Marsaglia's xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let blocking = self.random % ONE_IN == 0;
        self.sent[slot] = (!blocking).then(Instant::now);
        if blocking { BLOCKING } else { PLAIN }
    }

    fn answered(&mut self, slot: usize) {
        self.latencies
            .extend(self.sent[slot].map(|sent| sent.elapsed()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile_is_the_nearest_rank() {
        let of = |count: u64| {
            let mut values: Vec<_> = (1..=count).rev().map(Duration::from_nanos).collect();
            percentile(&mut values, 99)
        };
        assert_eq!(of(1), Duration::from_nanos(1));
        assert_eq!(of(100), Duration::from_nanos(99));
        assert_eq!(of(101), Duration::from_nanos(100));
        assert_eq!(of(1_000), Duration::from_nanos(990));
    }

    #[test]
    fn one_message_in_500_blocks_and_is_not_timed() {
        for size in [SPEC.quick, SPEC.full] {
            let mut messages = Mixed::new(1);
            let mut blocking = 0;
            for _ in 0..size {
                blocking += usize::from(messages.next(0) == BLOCKING);
                messages.answered(0);
            }
            let expected = size / ONE_IN as usize;
            assert!(
                (expected / 2..=expected * 2).contains(&blocking),
                "{blocking} of {size}"
            );
            assert_eq!(messages.latencies.len(), size - blocking);
        }
    }
}
