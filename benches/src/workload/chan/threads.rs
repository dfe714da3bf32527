//! Plain threads, seen as a runtime: for channels whose operations block.

use std::io;
use std::thread::{self, JoinHandle};

use futures::executor::block_on;

use super::Tasks;

/// A task is a thread. What it awaits blocks inside its first poll.
#[derive(Debug)]
pub(super) struct Threads;

impl Tasks for Threads {
    /// Two switches of the kernel's a message.
    const SLOWER: usize = 50;

    type Join<T: Send + 'static> = JoinHandle<T>;

    fn start() -> io::Result<Self> {
        Ok(Self)
    }

    fn run<F>(&self, root: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        block_on(root)
    }

    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        thread::spawn(|| block_on(future))
    }

    async fn join<T: Send + 'static>(task: JoinHandle<T>) -> T {
        task.join().expect("the thread ran to its end")
    }
}
