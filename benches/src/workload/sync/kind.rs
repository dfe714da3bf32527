//! What is measured of whom: the primitives of each runtime behind one face.
//!
//! gopark's have the names and the forms of tokio's, and the locks smol's too, so one macro says each
//! for all.

use std::future::Future;

use crate::rt::{Gopark, Rt, Smol, Tokio};

/// What tasks enter and leave.
pub(super) trait Section: Send + Sync + 'static {
    fn new() -> Self;

    /// Enters, awaits `inside`, and leaves. `turn` is how often the task did it before.
    fn pass<F>(&self, turn: usize, inside: F) -> impl Future<Output = ()> + Send
    where
        F: Future<Output = ()> + Send;
}

/// What keeps one notification for who comes later.
pub(super) trait Notify: Send + Sync + 'static {
    fn new() -> Self;
    fn notify(&self);
    fn notified(&self) -> impl Future<Output = ()> + Send;
}

/// One value from one to one: its sender.
pub(super) trait Once: Sized + Send + 'static {
    type Receiver: Send + 'static;

    fn new() -> (Self, Self::Receiver);
    fn send(self, value: usize);
    fn receive(receiver: Self::Receiver) -> impl Future<Output = usize> + Send;
}

/// Values from one to all: its sender.
pub(super) trait ToAll: Sized + Send + 'static {
    type Receiver: Send + 'static;

    fn new() -> (Self, Self::Receiver);
    fn subscribe(&self) -> Self::Receiver;
    fn send(&self, value: usize);
    /// Waits for a value that it has not seen.
    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = usize> + Send;
}

/// A runtime with locks.
pub(super) trait Locks: Rt {
    type Mutex: Section;
    type RwLock: Section;
    type Semaphore: Section;
}

/// A runtime whose tasks can tell each other.
pub(super) trait Signals: Rt {
    type Notify: Notify;
    type Oneshot: Once;
    type Watch: ToAll;
    type Broadcast: ToAll;
}

/// One write to so many passes of a read-write lock; the others read.
const PASSES_TO_A_WRITE: usize = 16;

/// How many may be in the section of a semaphore at a time.
const PERMITS: usize = 2;

/// How many values a broadcast keeps. No workload has more on the way.
pub(super) const KEPT: usize = 64;

/// [`Section`] for the locks of a crate. `$permit` makes the guard of what `acquire` gives.
macro_rules! sections {
    ($($lock:ident)::+, $permit:expr) => {
        impl Section for $($lock)::+::Mutex<usize> {
            fn new() -> Self {
                Self::new(0)
            }

            async fn pass<F: Future<Output = ()> + Send>(&self, _: usize, inside: F) {
                let mut passes = self.lock().await;
                *passes += 1;
                inside.await;
            }
        }

        impl Section for $($lock)::+::RwLock<usize> {
            fn new() -> Self {
                Self::new(0)
            }

            async fn pass<F: Future<Output = ()> + Send>(&self, turn: usize, inside: F) {
                if turn % PASSES_TO_A_WRITE == 0 {
                    let mut writes = self.write().await;
                    *writes += 1;
                    inside.await;
                } else {
                    let _writes = self.read().await;
                    inside.await;
                }
            }
        }

        impl Section for $($lock)::+::Semaphore {
            fn new() -> Self {
                Self::new(PERMITS)
            }

            async fn pass<F: Future<Output = ()> + Send>(&self, _: usize, inside: F) {
                let _permit = $permit(self.acquire().await);
                inside.await;
            }
        }
    };
}

sections!(gopark::sync, open);
sections!(tokio::sync, open);
sections!(smol::lock, std::convert::identity);

/// The permit of a semaphore that nobody closes.
fn open<P, E: std::fmt::Debug>(permit: Result<P, E>) -> P {
    permit.expect("nobody closes it")
}

/// What tells others, of a crate.
macro_rules! signals {
    ($($sync:ident)::+) => {
        impl Notify for $($sync)::+::Notify {
            fn new() -> Self {
                Self::new()
            }

            fn notify(&self) {
                self.notify_one();
            }

            fn notified(&self) -> impl Future<Output = ()> + Send {
                self.notified()
            }
        }

        impl Once for $($sync)::+::oneshot::Sender<usize> {
            type Receiver = $($sync)::+::oneshot::Receiver<usize>;

            fn new() -> (Self, Self::Receiver) {
                $($sync)::+::oneshot::channel()
            }

            fn send(self, value: usize) {
                assert!(self.send(value).is_ok(), "the receiver waits");
            }

            async fn receive(receiver: Self::Receiver) -> usize {
                receiver.await.expect("it is sent")
            }
        }

        impl ToAll for $($sync)::+::watch::Sender<usize> {
            type Receiver = $($sync)::+::watch::Receiver<usize>;

            fn new() -> (Self, Self::Receiver) {
                $($sync)::+::watch::channel(0)
            }

            fn subscribe(&self) -> Self::Receiver {
                self.subscribe()
            }

            fn send(&self, value: usize) {
                assert!(self.send(value).is_ok(), "somebody watches");
            }

            async fn receive(receiver: &mut Self::Receiver) -> usize {
                receiver.changed().await.expect("the sender is there");
                *receiver.borrow_and_update()
            }
        }

        impl ToAll for $($sync)::+::broadcast::Sender<usize> {
            type Receiver = $($sync)::+::broadcast::Receiver<usize>;

            fn new() -> (Self, Self::Receiver) {
                $($sync)::+::broadcast::channel(KEPT)
            }

            fn subscribe(&self) -> Self::Receiver {
                self.subscribe()
            }

            fn send(&self, value: usize) {
                assert!(self.send(value).is_ok(), "somebody receives");
            }

            async fn receive(receiver: &mut Self::Receiver) -> usize {
                receiver.recv().await.expect("all that is on the way is kept")
            }
        }
    };
}

signals!(gopark::sync);
signals!(tokio::sync);

impl<const WATCHED: bool> Locks for Gopark<WATCHED> {
    type Mutex = gopark::sync::Mutex<usize>;
    type RwLock = gopark::sync::RwLock<usize>;
    type Semaphore = gopark::sync::Semaphore;
}

impl Locks for Tokio {
    type Mutex = tokio::sync::Mutex<usize>;
    type RwLock = tokio::sync::RwLock<usize>;
    type Semaphore = tokio::sync::Semaphore;
}

impl Locks for Smol {
    type Mutex = smol::lock::Mutex<usize>;
    type RwLock = smol::lock::RwLock<usize>;
    type Semaphore = smol::lock::Semaphore;
}

impl<const WATCHED: bool> Signals for Gopark<WATCHED> {
    type Notify = gopark::sync::Notify;
    type Oneshot = gopark::sync::oneshot::Sender<usize>;
    type Watch = gopark::sync::watch::Sender<usize>;
    type Broadcast = gopark::sync::broadcast::Sender<usize>;
}

impl Signals for Tokio {
    type Notify = tokio::sync::Notify;
    type Oneshot = tokio::sync::oneshot::Sender<usize>;
    type Watch = tokio::sync::watch::Sender<usize>;
    type Broadcast = tokio::sync::broadcast::Sender<usize>;
}
