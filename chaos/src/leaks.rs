//! Threads, descriptors and memory come back when a round is over.

use std::fs;
use std::time::{Duration, Instant};

/// After so many rounds all that is kept for ever is there, such as the thread of the monitor.
const WARM: u64 = 50;

/// How much more memory may be resident at the end than when it was warm: the allocator's, and kinds
/// that were not drawn until later.
const GROWTH: u64 = 96 << 20;

/// What the process had when it was warm.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    rounds: u64,
    threads: usize,
    descriptors: usize,
    resident: u64,
}

impl Leaks {
    /// To be called after each round.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.rounds += 1;
        if self.rounds <= WARM {
            self.threads = self.threads.max(1);
            if self.rounds == WARM {
                // What the last round left behind may still be on its way out.
                std::thread::sleep(Duration::from_millis(200));
                self.threads = count("/proc/self/task");
                self.descriptors = count("/proc/self/fd");
                self.resident = resident();
            }
            return Ok(());
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (threads, descriptors) = (count("/proc/self/task"), count("/proc/self/fd"));
            if threads <= self.threads && descriptors <= self.descriptors {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{threads} threads and {descriptors} descriptors are left, {} and {} were there before",
                    self.threads, self.descriptors
                ));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// To be called at the end.
    pub(crate) fn check_memory(&self) -> Result<(), String> {
        if self.rounds <= 4 * WARM {
            return Ok(());
        }
        // SAFETY: it has no precondition; it gives free pages of the allocator back.
        unsafe { libc::malloc_trim(0) };
        let now = resident();
        if now > self.resident + GROWTH {
            return Err(format!(
                "chaos: {} MB are resident after {} rounds, {} MB were after {WARM}",
                now >> 20,
                self.rounds,
                self.resident >> 20
            ));
        }
        Ok(())
    }
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
