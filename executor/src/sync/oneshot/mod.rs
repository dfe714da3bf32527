//! One value, from one task to another, once.
//!
//! [`send`](Sender::send) never waits: it delivers the value and wakes the receiver by one atomic
//! operation. The [`Receiver`] is the future of the value. Both may be used anywhere: in tasks of any
//! executor, and in plain threads ([`Receiver::recv_blocking`]).
//!
//! ```
//! use gopark::sync::oneshot;
//!
//! gopark::block_on(async {
//!     let (sender, receiver) = oneshot::channel();
//!     gopark::spawn(async move {
//!         let _ = sender.send(6 * 7);
//!     });
//!     assert_eq!(receiver.await, Ok(42));
//! });
//! ```
//!
//! A receiver that is no longer interested says so by being dropped; a sender that computes for long
//! can look ([`Sender::is_closed`]) or wait for it beside its work ([`Sender::closed`]).

mod channel;
pub mod error;
mod receiver;
mod sender;
mod slot;

pub use error::{RecvError, TryRecvError};
pub use receiver::Receiver;
pub use sender::Sender;

use super::wakes;
use channel::{Channel, Wakers};

/// A channel for one value. It takes one allocation.
///
/// ```
/// let (sender, mut receiver) = gopark::sync::oneshot::channel();
/// sender.send("hello").unwrap();
/// assert_eq!(receiver.try_recv(), Ok("hello"));
/// ```
#[inline]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Channel::allocate();
    (Sender::new(channel), Receiver::new(channel))
}

/// Wakes the other side. A waker that panics keeps nothing back, for the step is done.
#[inline]
fn wake(wakers: Wakers) {
    let Wakers { other, own } = wakers;
    if let Some(waker) = other {
        wakes::wake(waker);
    }
    drop(own);
}
