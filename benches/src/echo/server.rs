//! The echo server as it is written on a runtime: a task that accepts, one task per connection.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::rt::Rt;

/// An echo server on a runtime of its own. Dropping it stops both.
#[derive(Debug)]
pub struct RtServer<R: Rt> {
    rt: R,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    accepting: Option<R::Join<()>>,
}

impl<R: Rt> RtServer<R> {
    /// Starts the runtime and the server on it.
    ///
    /// # Errors
    ///
    /// Fails where the runtime cannot be started or no port be had.
    pub fn start() -> io::Result<Self> {
        let rt = R::start()?;
        let (listener, address) = rt.run(R::listen())?;
        let stop = Arc::new(AtomicBool::new(false));
        let accepting = rt.spawn_from_outside(accept_all::<R>(listener, Arc::clone(&stop)));
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

async fn accept_all<R: Rt>(listener: R::Listener, stop: Arc<AtomicBool>) {
    loop {
        let stream = R::accept(&listener).await.expect("the listener accepts");
        if stop.load(Ordering::Relaxed) {
            return;
        }
        R::detach(R::spawn(echo::<R>(stream)));
    }
}

async fn echo<R: Rt>(mut stream: R::Stream) {
    let mut buffer = [0; 1024];
    // A connection that fails is a client that went away: the client reports it.
    while let Ok(n @ 1..) = R::read(&mut stream, &mut buffer).await {
        if R::write_all(&mut stream, &buffer[..n]).await.is_err() {
            return;
        }
    }
}
