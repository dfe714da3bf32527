//! The load generator: one thread of bare epoll, the same for every server.
//!
//! A closed loop: each connection has one message in flight and sends the next when the answer is
//! complete, until all messages together are answered.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::MESSAGE;
use crate::measure::Cost;

/// The name of this load as a child's work.
pub const WORK: &str = "load";

/// Connects `connections` times to `address`, has `messages` messages echoed, and returns the
/// elapsed time per message. Connecting and the first message of each connection are not measured.
///
/// # Errors
///
/// Fails where a connection fails or the server closes one.
pub fn ns_per_round_trip(
    address: SocketAddr,
    connections: usize,
    messages: usize,
) -> io::Result<f64> {
    let mut load = Load::connect(address, connections)?;
    let start = Instant::now();
    load.exchange(messages, &mut Plain)?;
    Ok(Cost::since(start, messages).ns_per_op())
}

/// The first byte of a message that is only to be sent back.
pub(super) const PLAIN: u8 = b'x';

/// What is sent, and what is noted of the answers.
pub(super) trait Messages {
    /// The first byte of the message that connection `slot` is about to send.
    fn next(&mut self, slot: usize) -> u8;

    /// Connection `slot` has its answer.
    fn answered(&mut self, slot: usize);
}

pub(super) struct Plain;

impl Messages for Plain {
    fn next(&mut self, _: usize) -> u8 {
        PLAIN
    }

    fn answered(&mut self, _: usize) {}
}

pub(super) struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    /// Bytes of the present answer that are still to come.
    missing: usize,
}

impl Load {
    pub(super) fn connect(address: SocketAddr, connections: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let connect = |slot| {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            // The answer tells that the server has accepted: so its backlog never fills up, which
            // would cost a second of waiting for the client's next attempt.
            stream.write_all(&[PLAIN; MESSAGE])?;
            stream.read_exact(&mut [0; MESSAGE])?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(slot), Interest::READABLE)?;
            Ok(Connection { stream, missing: 0 })
        };
        let connections = (0..connections).map(connect).collect::<io::Result<_>>()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            connections,
        })
    }

    /// Has `count` messages echoed over all connections and leaves none in flight.
    pub(super) fn exchange(
        &mut self,
        count: usize,
        messages: &mut (impl Messages + ?Sized),
    ) -> io::Result<()> {
        let first = count.min(self.connections.len());
        for (slot, connection) in self.connections[..first].iter_mut().enumerate() {
            connection.send(messages.next(slot))?;
        }
        let (mut unsent, mut unanswered) = (count - first, count);
        while unanswered > 0 {
            match self.poll.poll(&mut self.events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &self.events {
                let Token(slot) = event.token();
                let connection = &mut self.connections[slot];
                if !connection.receive()? {
                    continue;
                }
                messages.answered(slot);
                unanswered -= 1;
                if unsent > 0 {
                    unsent -= 1;
                    connection.send(messages.next(slot))?;
                }
            }
        }
        Ok(())
    }
}

impl Connection {
    fn send(&mut self, first: u8) -> io::Result<()> {
        let mut message = [PLAIN; MESSAGE];
        message[0] = first;
        let written = self.stream.write(&message)?;
        if written < MESSAGE {
            return Err(io::Error::other(format!(
                "an idle socket took {written} bytes of {MESSAGE}"
            )));
        }
        self.missing = MESSAGE;
        Ok(())
    }

    /// Reads what is there; whether that completes an answer.
    fn receive(&mut self) -> io::Result<bool> {
        if self.missing == 0 {
            // Nothing is in flight: the event was for bytes that an earlier read took along.
            return Ok(false);
        }
        let mut buffer = [0; 2 * MESSAGE];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::Error::other("the server closed a connection")),
            // A read that does not fill the buffer has emptied the socket, so the next bytes come
            // with an event of their own (see epoll(7)).
            Ok(n) => {
                self.missing = self
                    .missing
                    .checked_sub(n)
                    .ok_or_else(|| io::Error::other("the server sent more than it was sent"))?;
                Ok(self.missing == 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}
