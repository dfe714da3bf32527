//! The echo server as it is written on a runtime: a task that accepts, one task per connection.
//!
//! What a connection's task does with a message before it answers is for the workload to say.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::rt::Rt;

/// What is done with a message before it is sent back. A message is in one piece: clients send no
/// other before they have the answer, and it is small.
pub trait Handle: Fn(&[u8]) + Copy + Send + 'static {}

impl<F: Fn(&[u8]) + Copy + Send + 'static> Handle for F {}

/// An echo server on a runtime of its own. Dropping it stops both.
#[derive(Debug)]
pub struct RtServer<R: Rt> {
    rt: R,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    accepting: Option<R::Join<()>>,
}

impl<R: Rt> RtServer<R> {
    /// Starts the runtime and the server on it, which calls `handle` for each message.
    ///
    /// # Errors
    ///
    /// Fails where the runtime cannot be started or no port be had.
    pub fn start(handle: impl Handle) -> io::Result<Self> {
        let rt = R::start()?;
        let (listener, address) = rt.run(R::listen())?;
        let stop = Arc::new(AtomicBool::new(false));
        let accepting = accept_all::<R>(listener, Arc::clone(&stop), handle);
        let accepting = rt.spawn_from_outside(accepting);
        Ok(Self {
            rt,
            address,
            stop,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl<R: Rt> Drop for RtServer<R> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The accepting task looks at `stop` once it has accepted this one. If connecting fails, so
        // has accepting, and the task is over.
        let last = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            self.rt.run(R::join(accepting));
        }
        drop(last);
    }
}

async fn accept_all<R: Rt>(listener: R::Listener, stop: Arc<AtomicBool>, handle: impl Handle) {
    loop {
        let stream = R::accept(&listener).await.expect("the listener accepts");
        if stop.load(Ordering::Relaxed) {
            return;
        }
        R::detach(R::spawn(echo::<R>(stream, handle)));
    }
}

async fn echo<R: Rt>(mut stream: R::Stream, handle: impl Handle) {
    let mut buffer = [0; 1024];
    // A connection that fails is a client that went away: the client reports it.
    while let Ok(n @ 1..) = R::read(&mut stream, &mut buffer).await {
        handle(&buffer[..n]);
        if R::write_all(&mut stream, &buffer[..n]).await.is_err() {
            return;
        }
    }
}
