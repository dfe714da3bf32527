//! What the tests of sockets share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use gopark_net::{Reactor, TcpListener, TcpStream};

/// Counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct CountWakes(AtomicUsize);

impl CountWakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), Waker::from(count))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Two ends of a connection.
pub(crate) async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, server) = futures::try_join!(
        TcpStream::connect(listener.local_addr()?),
        listener.accept()
    )?;
    Ok((client, server.0))
}

/// One turn of the reactor, which wakes whom it reports.
pub(crate) fn turn(reactor: &Reactor) {
    let mut ready = Vec::new();
    reactor.poll(None, &mut ready).expect("the reactor polls");
    ready.into_iter().for_each(Waker::wake);
}

/// The smallest executor there is: polls the future, and the reactor while it waits.
pub(crate) fn drive<F: Future>(reactor: &Reactor, future: F) -> F::Output {
    let _entered = reactor.enter();
    let mut future = pin!(future);
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    loop {
        let before = wakes.count();
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        while wakes.count() == before {
            turn(reactor);
        }
    }
}

/// Polls once.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}
