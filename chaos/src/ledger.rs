//! What has begun and must end: a [`Life`] lies in each future and closure, and when all is over none is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many lives of a round have begun, and how many have ended.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A future or closure that exists. Dropped, it has ended.
#[derive(Debug)]
pub(crate) struct Life(Arc<Ledger>);

impl Ledger {
    pub(crate) fn life(self: &Arc<Self>) -> Life {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Life(self.clone())
    }

    /// Waits until all that has begun has ended.
    pub(crate) fn settle(&self, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.ended.load(Ordering::SeqCst);
            let begun = self.begun.load(Ordering::SeqCst);
            if begun == ended {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{} of {begun} futures and closures were not dropped within {limit:?} of the end",
                    begun - ended
                ));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}
