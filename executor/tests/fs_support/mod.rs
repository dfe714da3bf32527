//! What the tests of files share, beside what the tests of rules have.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "../proof_support/mod.rs"]
mod proof_support;

pub(crate) use proof_support::*;

/// An empty directory of one test, removed with all that is in it when it is dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "gopark-test-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        // Without symbolic links, so that paths can be compared.
        Self(path.canonicalize().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these contents.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.0);
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

/// Runs a future where no runtime is: a file needs none.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

/// What can be compared of an outcome: the value, or the error's kind and number.
pub(crate) fn outcome<T>(outcome: io::Result<T>) -> Result<T, (io::ErrorKind, Option<i32>)> {
    outcome.map_err(|error| (error.kind(), error.raw_os_error()))
}

/// Ours and std's came to the same end.
#[track_caller]
pub(crate) fn assert_same<T: PartialEq + Debug>(ours: io::Result<T>, std: io::Result<T>) {
    assert_eq!(outcome(ours), outcome(std));
}

/// The kind of the error in which `future` must end.
#[track_caller]
pub(crate) fn error_of<T>(future: impl Future<Output = io::Result<T>>) -> io::Error {
    match run(future) {
        Ok(_) => panic!("expected an error, and there was none"),
        Err(error) => error,
    }
}

/// Awaits `future`, and how many polls that took.
pub(crate) async fn count_polls<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    })
    .await;
    (output, polls)
}
