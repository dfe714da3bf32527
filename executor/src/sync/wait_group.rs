//! [`WaitGroup`]: waits until a number of pieces of work are done.
//!
//! ```text
//!  bit   33..64      1..33       0
//!      ┌───────┬───────────┬──────────┐
//!      │ round │  counter  │ the gate │
//!      └───────┴───────────┴──────────┘
//! ```
//!
//! # Rules
//!
//! 1. `round` grows by one with each step of `counter` from above zero to zero, by the same
//!    read-modify-write; that step opens the gate, and no other does.
//! 2. Who waits keeps the round in which it began, and is over when the counter is zero or the round is
//!    another. So a counter that rises again at once holds nobody back. Rounds wrap after 2^31.
//! 3. `counter` never exceeds `MOST` and never wraps: a step that would is a panic, and changes nothing.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;
use pin_project_lite::pin_project;

use super::{
    blocking,
    gate::{Gate, Place, UNIT},
    leaf::{Leaf, Wait},
};
use crate::task::JoinHandle;

const MOST: i64 = u32::MAX as i64;
const ROUND: u64 = UNIT << 32;

/// A counter of pieces of work that are not done yet, and a way to wait until it is zero.
///
/// A clone counts together with its original. What it shares with Go's: [`add`](Self::add) before the
/// work begins, [`done`](Self::done) at its end, [`wait`](Self::wait). Or let a
/// [`worker`](Self::worker) count, which is done when it is dropped, also by a panic or a cancellation;
/// or [`go`](Self::go), which spawns.
///
/// # Beside Go
///
/// It may be used again at once: who waits is over when the counter was zero once since it began to
/// wait, whatever it is afterwards. In Go that is an error which is noticed sometimes.
///
/// # Examples
///
/// ```
/// use gopark::sync::WaitGroup;
///
/// gopark::block_on(async {
///     let group = WaitGroup::new();
///     for n in 0..10 {
///         group.go(async move { println!("{n}") });
///     }
///     group.wait().await;
/// });
/// ```
#[derive(Clone)]
pub struct WaitGroup {
    shared: Arc<Gate>,
}

/// One piece of work of a [`WaitGroup`]: it is done when this is dropped. A clone is one more.
#[derive(Debug)]
#[must_use = "dropping it says that the work is done"]
pub struct Worker {
    group: WaitGroup,
}

fn counter(word: u64) -> i64 {
    i64::from((word / UNIT) as u32)
}

fn round(word: u64) -> u64 {
    word / ROUND
}

impl WaitGroup {
    /// A group with nothing to wait for.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Gate::new(0)),
        }
    }

    /// Adds to the counter, or takes away from it. At zero all who wait are over.
    ///
    /// Add before the work is handed out, not within it: else who waits may find zero before.
    ///
    /// # Panics
    ///
    /// If the counter would become negative, or more than `u32::MAX`; it stays as it was then.
    ///
    /// # Examples
    ///
    /// ```should_panic
    /// let group = gopark::sync::WaitGroup::new();
    /// group.add(2);
    /// group.add(-3); // gopark: the counter of a WaitGroup would become -1
    /// ```
    #[track_caller]
    pub fn add(&self, delta: i64) {
        let next = |word| {
            let sum = counter(word).checked_add(delta)?;
            match sum {
                0 if delta != 0 => Some((round(word).wrapping_add(1)).wrapping_mul(ROUND)),
                0..=MOST => Some(round(word) * ROUND + sum as u64 * UNIT),
                _ => None,
            }
        };
        match self.shared.update(next) {
            Ok(change) if counter(change.before) != 0 && counter(change.before) + delta == 0 => {
                self.shared.open(change);
            }
            Ok(_) => {}
            Err(word) => out_of_range(i128::from(counter(word)) + i128::from(delta)),
        }
    }

    /// Takes one from the counter.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[track_caller]
    pub fn done(&self) {
        self.add(-1);
    }

    /// The counter at this moment.
    pub fn count(&self) -> usize {
        counter(self.shared.load()) as usize
    }

    /// Waits until the counter is zero, or was since the first poll.
    ///
    /// What was done before the counter became zero is seen after the wait.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn wait(&self) {
        Leaf::new(Waiting {
            place: Place::new(&self.shared),
            began: None,
        })
        .await;
    }

    /// [`wait`](Self::wait), on this thread, which may be one of a runtime or none.
    pub fn wait_blocking(&self) {
        blocking::wait(self.wait());
    }

    /// Adds one to the counter; it is taken away when what is returned is dropped.
    ///
    /// # Panics
    ///
    /// If there are `u32::MAX` already.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// for _ in 0..3 {
    ///     let worker = group.worker();
    ///     std::thread::spawn(move || drop(worker));
    /// }
    /// group.wait_blocking();
    /// ```
    #[track_caller]
    pub fn worker(&self) -> Worker {
        self.add(1);
        Worker {
            group: self.clone(),
        }
    }

    /// Spawns a task as a piece of work of the group: done when it ends, panics or is cancelled.
    ///
    /// # Panics
    ///
    /// As [`worker`](Self::worker), and as [`spawn`](crate::spawn).
    #[track_caller]
    pub fn go<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let worker = self.worker();
        crate::task::spawn(async move {
            // In this order the future is dropped before the worker, polled or not.
            let future = future;
            let _worker = worker;
            future.await
        })
    }
}

#[cold]
#[track_caller]
fn out_of_range(sum: i128) -> ! {
    panic!("gopark: the counter of a WaitGroup would become {sum}")
}

impl Worker {
    /// The group that it counts in.
    pub fn group(&self) -> &WaitGroup {
        &self.group
    }
}

impl Clone for Worker {
    fn clone(&self) -> Self {
        self.group.worker()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.group.done();
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

pin_project! {
    struct Waiting<'a> {
        #[pin]
        place: Place<'a>,
        began: Option<u64>,
    }
}

impl Wait for Waiting<'_> {
    type Output = ();

    const REASON: WaitReason = WaitReason::WaitGroup;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let began = this.began;
        this.place.poll(cx.waker(), |word| {
            let began = *began.get_or_insert(round(word));
            (counter(word) == 0 || round(word) != began).then_some(())
        })
    }
}
