//! gopark's multi-processor runtime.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Runtime, StallPolicy};
use gopark::task::JoinHandle;

use super::{Blocks, Rt};
use crate::peer::PROCS;

/// gopark with [`PROCS`] processors, otherwise as it comes, unless nobody shall watch for polls that
/// hold their processor.
#[derive(Debug)]
pub struct Gopark<const WATCHED: bool = true>(Runtime);

impl<const WATCHED: bool> Rt for Gopark<WATCHED> {
    type Join<T: Send + 'static> = JoinHandle<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread().procs(PROCS);
        if !WATCHED {
            builder = builder.stall_policy(StallPolicy::Off);
        }
        builder.build().map(Self)
    }

    /// The root runs in `block_on`, as in every program: the calling thread becomes a machine of
    /// the runtime and takes one of its processors.
    fn run<F>(&self, root: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.block_on(root)
    }

    fn spawn_from_outside<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        gopark::spawn(future)
    }

    async fn join<T: Send + 'static>(task: JoinHandle<T>) -> T {
        task.await.expect("the task ran to its end")
    }

    fn detach<T: Send + 'static>(task: JoinHandle<T>) {
        drop(task);
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        gopark::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        gopark::time::sleep(duration)
    }

    async fn timeout<F: Future + Send>(duration: Duration, future: F) -> Option<F::Output>
    where
        F::Output: Send,
    {
        gopark::time::timeout(duration, future).await.ok()
    }

    fn spawn_blocking<F, T>(f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        gopark::spawn_blocking(f)
    }

    async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        stream.read(buffer).await
    }

    async fn write_all(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await
    }
}

impl<const WATCHED: bool> Blocks for Gopark<WATCHED> {
    fn block<T>(f: impl FnOnce() -> T) -> T {
        gopark::block(f)
    }
}
