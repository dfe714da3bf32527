//! Channels: Go's, for tasks of any executor and for plain threads.
//!
//! "Do not communicate by sharing memory; share memory by communicating."
//!
//! ```
//! use gopark::chan;
//!
//! gopark::block_on(async {
//!     let (tx, rx) = chan::bounded(8);
//!     for id in 0..3 {
//!         let tx = tx.clone();
//!         gopark::spawn(async move { tx.send(id * id).await });
//!     }
//!     drop(tx); // the channel ends with its last sender
//!     let mut squares = Vec::new();
//!     while let Ok(square) = rx.recv().await {
//!         squares.push(square);
//!     }
//!     squares.sort();
//!     assert_eq!(squares, [0, 1, 4]);
//! });
//! ```
//!
//! | what | how |
//! |---|---|
//! | capacity | [`bounded`]`(n)`; 0 or [`rendezvous`]: a send ends when a receiver takes the message; [`unbounded`] |
//! | both ends | any number of senders and receivers; each message goes to one receiver |
//! | order | messages leave in the order in which they came; who waits is served in order, and nobody barges |
//! | the end | by [`close`](Sender::close), or with the last sender: what is in the channel can still be received; with the last receiver: it is dropped |
//! | cancelling | a receive that is dropped loses nothing; a send that is dropped has happened or not: see [`Sender::send`] |
//! | waiting | costs no allocation; a thread waits by the methods with `blocking` in their names |
//! | time | [`after`], [`at`] and [`tick`] are channels of instants; [`never()`] is the channel that is never ready |
//! | several at once | [`select!`](crate::select) |
//!
//! What happened before a send is seen after its receive. The k-th receive on a channel of capacity C
//! comes before the (k + C)-th send ends. What happened before a close is seen by who learns of it.
//! (Go's memory model.)
//!
//! # Differences from Go
//!
//! Sending on a closed channel is an error that gives the message back, and no panic; closing twice says so.
//! Receiving from a closed and empty channel is an error, and no zero value.

mod blocking;
mod closed;
mod core;
pub mod error;
mod feeder;
pub(crate) mod lock;
mod many;
mod op;
pub(crate) mod place;
mod receiver;
mod recv;
mod reserve;
mod reserve_many;
pub(crate) mod select;
mod send;
mod sender;
mod sink;
mod state;
mod timed;
mod timer;

pub use closed::Closed;
pub use error::{
    RecvError, RecvTimeoutError, ReserveManyError, SendError, SendManyError, SendTimeoutError,
    TryRecvError, TrySendError,
};
pub use many::{Drain, RecvMany};
pub use receiver::{IntoIter, Iter, Receiver, TryIter, WeakReceiver};
pub use recv::Recv;
pub use reserve::{OwnedPermit, Permit, Reserve};
pub use reserve_many::{Permits, ReserveMany};
pub use select::{Select, Selected};
pub use send::{Send, SendOpt};
pub use sender::{Sender, WeakSender};
pub use sink::SendSink;
pub use timer::{after, at, never, tick};

use self::core::Chan;

/// A channel that holds up to `capacity` messages. With capacity 0 it holds none: see [`rendezvous`].
///
/// # Examples
///
/// ```
/// let (tx, rx) = gopark::chan::bounded(1);
/// tx.try_send('a').unwrap();
/// assert!(tx.try_send('b').unwrap_err().is_full());
/// assert_eq!(rx.try_recv(), Ok('a'));
/// ```
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let chan = Chan::new(capacity);
    (Sender::new(chan.clone()), Receiver::new(chan))
}

/// A channel that holds no message: a send ends when a receiver takes it.
///
/// # What a send that ended says
///
/// That a receive had waited for a message, or one came and took this very message. It does not say that the
/// message has arrived: a receive that waited is woken to take it, and may be dropped before it is polled (its
/// task is aborted, its select takes another arm at the same moment). Then the message goes to the next
/// receive, in its order, and is dropped if the last receiver is. In Go, where a goroutine cannot be
/// given up, the two are the same.
///
/// Who must know that a message was received, at this or any other capacity, sends along where the answer
/// goes. A message that is dropped on its way drops that, too, so the sender always learns which it was:
///
/// ```
/// use gopark::{chan, sync::oneshot};
///
/// gopark::block_on(async {
///     let (tx, rx) = chan::rendezvous();
///     gopark::spawn(async move {
///         let (order, done): (&str, oneshot::Sender<()>) = rx.recv().await.unwrap();
///         assert_eq!(order, "first");
///         done.send(()).unwrap(); // received, and done
///         let lost = rx.recv(); // is given up with the receiver
///         drop(lost);
///     });
///     let (done, is_done) = oneshot::channel();
///     tx.send(("first", done)).await.unwrap();
///     assert!(is_done.await.is_ok());
///     let (done, is_done) = oneshot::channel();
///     let sent = tx.send(("second", done)).await;
///     assert!(sent.is_err() || is_done.await.is_err());
/// });
/// ```
///
/// # Examples
///
/// ```
/// let (tx, rx) = gopark::chan::rendezvous();
/// let sender = std::thread::spawn(move || tx.send_blocking("over to you"));
/// assert_eq!(rx.recv_blocking(), Ok("over to you"));
/// sender.join().unwrap().unwrap();
/// ```
pub fn rendezvous<T>() -> (Sender<T>, Receiver<T>) {
    bounded(0)
}

/// A channel that holds as many messages as there is memory for: sending never waits.
///
/// # Examples
///
/// ```
/// let (tx, rx) = gopark::chan::unbounded();
/// for n in 0..1000 {
///     tx.try_send(n).unwrap();
/// }
/// assert_eq!(rx.drain().sum::<i32>(), 499_500);
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// What both halves can tell of their channel.
macro_rules! common_methods {
    ($half:ident) => {
        impl<T> $half<T> {
            /// Messages that could be received at the moment; never more than the capacity. A message that
            /// is kept for a receive that waited is not among them, and a channel of capacity 0 holds none.
            pub fn len(&self) -> usize {
                self.chan.lock().len()
            }

            /// Whether [`len`](Self::len) is 0 at the moment.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether there is no room for a message at the moment: [`len`](Self::len) and the places that
            /// are reserved make up the capacity. A channel of capacity 0 is always full, and one without a
            /// limit never.
            pub fn is_full(&self) -> bool {
                !self.chan.lock().has_room()
            }

            /// How many messages the channel holds; None if there is no limit.
            pub fn capacity(&self) -> Option<usize> {
                Some(self.chan.lock().capacity()).filter(|&capacity| capacity != usize::MAX)
            }

            /// Whether the channel is closed. There may be messages in it still.
            pub fn is_closed(&self) -> bool {
                self.chan.lock().is_closed()
            }

            /// How many senders there are.
            pub fn sender_count(&self) -> usize {
                self.chan.senders.load(std::sync::atomic::Ordering::Relaxed)
            }

            /// How many receivers there are.
            pub fn receiver_count(&self) -> usize {
                self.chan
                    .receivers
                    .load(std::sync::atomic::Ordering::Relaxed)
            }
        }
    };
}

use common_methods;
