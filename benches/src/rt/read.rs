//! Positioned reads of a file, the ways that runtimes have for them.
//!
//! Not part of [`Rt`](super::Rt): tokio has two ways of which neither is always the faster, and
//! both are measured.

use std::fs::File;
use std::future::Future;
use std::io::{self, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// Bytes of a block.
pub const BLOCK: usize = 4096;

/// Reads blocks of a file into a buffer of its own.
pub trait Reader: Sized + Send + 'static {
    /// A reader of `file`.
    fn new(file: File) -> Self;

    /// Reads what a block at `offset` holds, and returns its length.
    fn read_at(&mut self, offset: u64) -> impl Future<Output = io::Result<usize>> + Send;
}

/// gopark's read.
#[derive(Debug)]
pub struct Gopark {
    file: gopark::fs::File,
    buffer: Box<[u8; BLOCK]>,
}

impl Reader for Gopark {
    fn new(file: File) -> Self {
        Self {
            file: gopark::fs::File::from_std(file),
            buffer: Box::new([0; BLOCK]),
        }
    }

    async fn read_at(&mut self, offset: u64) -> io::Result<usize> {
        self.file.read_at(&mut self.buffer[..], offset).await
    }
}

/// tokio's file, which has a position and no positioned read: a seek, then a read.
#[derive(Debug)]
pub struct TokioSeek {
    file: tokio::fs::File,
    buffer: Box<[u8; BLOCK]>,
}

impl Reader for TokioSeek {
    fn new(file: File) -> Self {
        Self {
            file: tokio::fs::File::from_std(file),
            buffer: Box::new([0; BLOCK]),
        }
    }

    async fn read_at(&mut self, offset: u64) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(offset)).await?;
        self.file.read(&mut self.buffer[..]).await
    }
}

/// The system's positioned read on tokio's threads for blocking calls. The buffer goes there and
/// comes back, as it has to.
#[derive(Debug)]
pub struct TokioJob {
    file: Arc<File>,
    buffer: Option<Box<[u8; BLOCK]>>,
}

impl Reader for TokioJob {
    fn new(file: File) -> Self {
        Self {
            file: Arc::new(file),
            buffer: Some(Box::new([0; BLOCK])),
        }
    }

    async fn read_at(&mut self, offset: u64) -> io::Result<usize> {
        let file = Arc::clone(&self.file);
        let mut buffer = (self.buffer.take()).unwrap_or_else(|| Box::new([0; BLOCK]));
        let job = tokio::task::spawn_blocking(move || {
            let read = file.read_at(&mut buffer[..], offset);
            (buffer, read)
        });
        let (buffer, read) = job.await.expect("the job ran to its end");
        self.buffer = Some(buffer);
        read
    }
}
