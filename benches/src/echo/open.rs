//! An open loop: requests leave at a fixed rate, whether or not the earlier ones are answered, as those of a service's
//! users do. What such a load costs the server in processor time is what an operator pays for.
//!
//! The server, a process of its own on one core, echoes 64 bytes over 200 connections, and has a time-out of 60 s on
//! each read. The load is one thread of bare epoll on another core, which never sleeps, so that it is on time.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::MESSAGE;
use crate::measure::{cpu_time, voluntary_switches};
use crate::peer::Peer;
use crate::rt::{Rt, with_runtime};

/// Connections of the load.
pub const CONNECTIONS: usize = 200;

/// The time-out on each read of the server, which never comes.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The cores of the server and of the load.
const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;

/// What a run has cost the server, and how long the answers took.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Processor time of the server.
    pub cpu: Duration,
    /// How often its threads went to sleep.
    pub switches: u64,
    /// Median and 99th percentile of the answers' latency.
    pub latency: (Duration, Duration),
}

/// Keeps the calling thread, and those that it starts, to one core.
///
/// # Errors
///
/// Fails where there is no such core.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: all zeroes is an empty set.
    let mut set: libc::cpu_set_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the set is ours, and has room for core numbers below 1,024.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the pointer is to a set of that size.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The server's process: prints its address, and at each line from its standard input what it has used until then.
///
/// # Errors
///
/// Fails where the server cannot be started, or the peer is none that runs in this program.
pub fn serve(peer: Peer) -> io::Result<()> {
    pin(SERVER_CORE)?;
    with_runtime!(peer, R => serve_on::<R>()?)
        .ok_or_else(|| io::Error::other(format!("{peer} has no such server")))
}

fn serve_on<R: Rt>() -> io::Result<()> {
    let rt = Arc::new(R::start()?);
    let (listener, address) = rt.run(R::listen())?;
    let accepting = rt.spawn_from_outside(async move {
        loop {
            let stream = R::accept(&listener).await.expect("the listener accepts");
            R::detach(R::spawn(echo::<R>(stream)));
        }
    });
    R::detach::<()>(accepting);
    println!("{address}");
    for line in io::stdin().lines() {
        line?;
        println!("{} {}", cpu_time().as_micros(), voluntary_switches()?);
    }
    std::process::exit(0)
}

async fn echo<R: Rt>(mut stream: R::Stream) {
    let mut buffer = [0; 1024];
    while let Some(Ok(n @ 1..)) = R::timeout(READ_TIMEOUT, R::read(&mut stream, &mut buffer)).await
    {
        if R::write_all(&mut stream, &buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// A server in a process of its own. Dropping it ends the process.
#[derive(Debug)]
struct Server {
    child: Child,
    answers: io::Lines<BufReader<std::process::ChildStdout>>,
    address: SocketAddr,
}

impl Server {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().expect("it is piped");
        let mut answers = BufReader::new(out).lines();
        let address = next(&mut answers)?.parse().map_err(io::Error::other)?;
        Ok(Self {
            child,
            answers,
            address,
        })
    }

    /// Processor time and context switches of the process so far.
    fn used(&mut self) -> io::Result<(Duration, u64)> {
        let stdin = self.child.stdin.as_mut().expect("it is piped");
        stdin.write_all(b"\n")?;
        let line = next(&mut self.answers)?;
        let numbers: Result<Vec<u64>, _> = line.split(' ').map(str::parse).collect();
        match numbers.map_err(io::Error::other)?[..] {
            [micros, switches] => Ok((Duration::from_micros(micros), switches)),
            _ => Err(io::Error::other(format!("the server said {line:?}"))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its standard input; if it does not, it is gone already.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn next(lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<String> {
    lines
        .next()
        .unwrap_or_else(|| Err(io::Error::other("the server has ended")))
}

/// Starts a server by `command`, sends it `rate` requests a second for `time`, and says what that has cost.
///
/// # Errors
///
/// Fails where the server cannot be started, or a connection fails.
pub fn measure(command: Command, rate: u32, time: Duration) -> io::Result<Outcome> {
    pin(LOAD_CORE)?;
    let mut server = Server::start(command)?;
    let mut load = Load::connect(server.address)?;
    load.run(rate, time / 10)?;
    load.latencies.clear();
    let before = server.used()?;
    load.run(rate, time)?;
    let after = server.used()?;
    let mut latencies = load.latencies;
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    Ok(Outcome {
        cpu: after.0.saturating_sub(before.0),
        switches: after.1 - before.1,
        latency: (at(50), at(99)),
    })
}

struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<TcpStream>,
    /// When the request in flight was due.
    due: Vec<Option<Instant>>,
    free: VecDeque<usize>,
    latencies: Vec<Duration>,
}

impl Load {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let poll = Poll::new()?;
        let connect = |slot| {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.write_all(&[0; MESSAGE])?;
            stream.read_exact(&mut [0; MESSAGE])?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(slot), Interest::READABLE)?;
            Ok(stream)
        };
        Ok(Self {
            connections: (0..CONNECTIONS).map(connect).collect::<io::Result<_>>()?,
            poll,
            events: Events::with_capacity(1024),
            due: vec![None; CONNECTIONS],
            free: (0..CONNECTIONS).collect(),
            latencies: Vec::new(),
        })
    }

    /// Sends requests for `time`, and waits for the last answers. A request for which no connection is free waits,
    /// and its latency counts from when it was due.
    fn run(&mut self, rate: u32, time: Duration) -> io::Result<()> {
        let start = Instant::now();
        let count = (f64::from(rate) * time.as_secs_f64()) as u32;
        let due =
            |number: u32| start + Duration::from_secs_f64(f64::from(number) / f64::from(rate));
        let mut sent = 0;
        while sent < count || self.free.len() < CONNECTIONS {
            while sent < count && due(sent) <= Instant::now() {
                let Some(slot) = self.free.pop_front() else {
                    break;
                };
                let written = self.connections[slot].write(&[0; MESSAGE])?;
                if written < MESSAGE {
                    return Err(io::Error::other("an idle socket took a part of a message"));
                }
                self.due[slot] = Some(due(sent));
                sent += 1;
            }
            self.receive()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            let Token(slot) = event.token();
            let mut buffer = [0; 2 * MESSAGE];
            match self.connections[slot].read(&mut buffer) {
                Ok(MESSAGE) => {}
                Ok(n) => return Err(io::Error::other(format!("an answer of {n} bytes"))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            let due = self.due[slot].take();
            self.latencies.extend(due.map(|due| due.elapsed()));
            self.free.push_back(slot);
        }
        Ok(())
    }
}
