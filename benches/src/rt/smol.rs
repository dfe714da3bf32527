//! smol: async-executor's `Executor` run by threads over async-io's reactor, as `smol::spawn`
//! sets it up, but with [`PROCS`] threads and a way to stop them.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use smol::channel::{self, Sender};
use smol::future;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::{Executor, Task, Timer};

use super::Rt;
use crate::peer::PROCS;

/// One for the whole process, as in a program of smol's users: a task then spawns without carrying
/// a reference. Instances of [`Smol`] that live at the same time share it.
static EXECUTOR: Executor<'_> = Executor::new();

/// [`PROCS`] threads that run the executor.
#[derive(Debug)]
pub struct Smol {
    stop: Sender<()>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Rt for Smol {
    type Join<T: Send + 'static> = Task<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;

    fn start() -> io::Result<Self> {
        let (stop, stopped) = channel::bounded::<()>(1);
        let start_one = |n| {
            let stopped = stopped.clone();
            thread::Builder::new()
                .name(format!("smol-{n}"))
                .spawn(move || {
                    // Nothing is ever sent: the channel's closing ends the wait.
                    let _ = smol::block_on(EXECUTOR.run(stopped.recv()));
                })
        };
        let threads = (0..PROCS).map(start_one).collect::<io::Result<_>>()?;
        Ok(Self { stop, threads })
    }

    /// The root is spawned on the executor: run on the calling thread it would either cross
    /// threads at each wake, or need that thread as one more runner than the peers have.
    fn run<F>(&self, root: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        smol::block_on(EXECUTOR.spawn(root))
    }

    fn spawn_from_outside<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        EXECUTOR.spawn(future)
    }

    fn join<T: Send + 'static>(task: Task<T>) -> impl Future<Output = T> + Send {
        task
    }

    fn detach<T: Send + 'static>(task: Task<T>) {
        task.detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        future::yield_now()
    }

    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    async fn timeout<F: Future + Send>(duration: Duration, future: F) -> Option<F::Output>
    where
        F::Output: Send,
    {
        let time_is_up = async {
            Timer::after(duration).await;
            None
        };
        future::or(async { Some(future.await) }, time_is_up).await
    }

    fn spawn_blocking<F, T>(f: F) -> Task<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        smol::unblock(f)
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

impl Drop for Smol {
    fn drop(&mut self) {
        self.stop.close();
        for thread in self.threads.drain(..) {
            // A runner only ends by panic if a future's drop panicked: nothing to add here.
            let _ = thread.join();
        }
    }
}
