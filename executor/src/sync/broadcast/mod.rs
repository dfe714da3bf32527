//! Each value, to every receiver.
//!
//! A [`Sender`] never waits. Every [`Receiver`] gets a clone of each value that was sent since it was
//! made, in order. The channel keeps the last `capacity` values that somebody has still to receive; a
//! receiver that falls further behind loses the oldest, and is told how many
//! ([`RecvError::Lagged`]). Where nothing may be lost, [`lossless()`] makes a channel whose senders wait
//! for the slowest receiver.
//!
//! ```
//! use gopark::sync::broadcast::{self, RecvError};
//!
//! gopark::block_on(async {
//!     let (sender, mut first) = broadcast::channel(2);
//!     let mut second = sender.subscribe();
//!     sender.send('a').unwrap();
//!     sender.send('b').unwrap();
//!     assert_eq!(first.recv().await, Ok('a'));
//!     sender.send('c').unwrap();
//!     drop(sender);
//!     assert_eq!(first.recv().await, Ok('b'));
//!     assert_eq!(first.recv().await, Ok('c'));
//!     assert_eq!(first.recv().await, Err(RecvError::Closed));
//!     assert_eq!(second.recv().await, Err(RecvError::Lagged(1)));
//!     assert_eq!(second.recv().await, Ok('b'));
//! });
//! ```
//!
//! To receive takes no lock, and a value is not cloned at all for the last that receives it. Two receivers
//! may clone one value at the same time, so the ends are [`Send`] and [`Sync`] if `T` is both.
//!
//! A channel has at most 16,777,215 receivers at a time.

pub mod error;
pub mod lossless;
mod receiver;
mod ring;
mod sender;
mod shared;
mod stream;
mod value;

pub use error::{RecvError, SendError, TryRecvError, TrySendError};
pub use receiver::Receiver;
pub use sender::{Sender, WeakSender};
pub use stream::Stream;

use shared::{Policy, Shared};

/// A channel that keeps at most `capacity` values, exactly, and loses the oldest.
///
/// # Panics
///
/// If `capacity` is zero, or more than memory can hold.
///
/// # Examples
///
/// ```
/// let (sender, mut receiver) = gopark::sync::broadcast::channel(16);
/// assert_eq!(sender.send(1), Ok(1));
/// assert_eq!(receiver.try_recv(), Ok(1));
/// ```
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(capacity);
    let receiver = sender.subscribe();
    (sender, receiver)
}

/// A channel that keeps at most `capacity` values and loses none: its senders wait for the slowest
/// receiver.
///
/// # Panics
///
/// If `capacity` is zero, or more than memory can hold.
///
/// # Examples
///
/// ```
/// use gopark::sync::broadcast;
///
/// gopark::block_on(async {
///     let (sender, mut receiver) = broadcast::lossless(1);
///     let task = gopark::spawn(async move {
///         for n in 0..100 {
///             sender.send(n).await.unwrap();
///         }
///     });
///     for n in 0..100 {
///         assert_eq!(receiver.recv().await, Ok(n));
///     }
///     task.await.unwrap();
/// });
/// ```
#[track_caller]
pub fn lossless<T: Clone>(capacity: usize) -> (lossless::Sender<T>, Receiver<T>) {
    let sender = lossless::Sender::from_shared(Shared::new(capacity, Policy::Lossless));
    let receiver = sender.subscribe();
    (sender, receiver)
}
