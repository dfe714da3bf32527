//! The leanest echo server there is: one thread, one edge-triggered epoll, one read and one write
//! for each message, no tasks. It is the floor that a runtime's server is measured against.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

/// The server's thread. Dropping it stops the thread.
#[derive(Debug)]
pub struct BareServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl BareServer {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Fails where no port, epoll instance or thread can be had.
    pub fn start() -> io::Result<Self> {
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let stop = Arc::new(AtomicBool::new(false));
        let server = Loop {
            poll,
            listener,
            stop: Arc::clone(&stop),
            connections: Vec::new(),
            free: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("bare-echo".into())
            .spawn(|| server.run())?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The loop looks at `stop` when it has accepted this one. If connecting fails, the loop has
        // ended already.
        let last = std::net::TcpStream::connect(self.address);
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the bare echo server failed: {error}");
        }
        drop(last);
    }
}

struct Loop {
    poll: Poll,
    listener: TcpListener,
    stop: Arc<AtomicBool>,
    connections: Vec<Option<TcpStream>>,
    free: Vec<usize>,
}

impl Loop {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = [0; 1024];
        while !self.stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept_all()?,
                    Token(slot) => self.echo(slot, &mut buffer),
                }
            }
        }
        Ok(())
    }

    fn accept_all(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let slot = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.poll
                .registry()
                .register(&mut stream, Token(slot), Interest::READABLE)?;
            self.connections[slot] = Some(stream);
        }
    }

    fn echo(&mut self, slot: usize, buffer: &mut [u8]) {
        let Some(stream) = &mut self.connections[slot] else {
            return;
        };
        loop {
            match stream.read(buffer) {
                Ok(n @ 1..) => {
                    // One small message is in flight at most, so the socket's buffer takes it; and a
                    // read that did not fill `buffer` has emptied the socket (see epoll(7)).
                    match stream.write(&buffer[..n]) {
                        Ok(written) if written == n && n < buffer.len() => return,
                        Ok(written) if written == n => {}
                        _ => break,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => break,
            }
        }
        // The client has gone. Closing takes the socket out of epoll.
        self.connections[slot] = None;
        self.free.push(slot);
    }
}
