//! Channels against channels.
//!
//! Here the peers are channels, each on the runtime where it does best, or where it is its runtime's
//! own; see [`Peer`]. What a workload needs of them is `Channel`; so each is
//! written once, but for selects, for which everybody has words of their own.
//!
//! | file | idea |
//! |---|---|
//! | `kind` | what a channel is, and all of them |
//! | `threads` | plain threads, seen as a runtime |
//! | `stream` | messages from some tasks to others |
//! | `sieve` | a chain of tasks that grows |
//! | `pair` | a send and a receive where nobody waits |
//! | `select` | several channels at once |
//! | `after` | a time limit that is made again and again |

mod after;
mod kind;
mod pair;
mod select;
mod sieve;
mod stream;
mod threads;

use std::io;

use self::kind::Channel;
use super::{Entry, Group, Session, Spec, Target};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::Rt;

/// Everybody: gopark is compared with the best.
const RIVALS: &[Peer] = &[
    Peer::Tokio,
    Peer::Go,
    Peer::Kanal,
    Peer::KanalGopark,
    Peer::AsyncChannel,
    Peer::Flume,
    Peer::Crossbeam,
];

/// What the workloads have in common.
const SPEC: Spec = Spec {
    name: "",
    group: Group::Chan,
    unit: "ns/message",
    about: "",
    full: 0,
    quick: 0,
    rivals: RIVALS,
    in_go: true,
    target: Some(Target::Ratio(0.9)),
};

/// The entries of this group.
pub(super) fn all() -> Vec<Entry> {
    let mut all = stream::all();
    all.extend(sieve::all());
    all.push(pair::entry());
    all.extend(select::all());
    all.push(after::entry());
    all
}

/// What channels need of a runtime: plain threads have it too.
trait Tasks: Sized + Send + 'static {
    /// So many times fewer messages are sent where each has to wait for its receiver, for a run would
    /// take so many times longer.
    const SLOWER: usize = 1;

    type Join<T: Send + 'static>: Send + 'static;

    fn start() -> io::Result<Self>;

    fn run<F>(&self, root: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    fn join<T: Send + 'static>(task: Self::Join<T>) -> impl Future<Output = T> + Send;
}

impl<R: Rt> Tasks for R {
    type Join<T: Send + 'static> = R::Join<T>;

    fn start() -> io::Result<Self> {
        R::start()
    }

    fn run<F>(&self, root: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        R::run(self, root)
    }

    fn spawn<F>(future: F) -> R::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        R::spawn(future)
    }

    fn join<T: Send + 'static>(task: R::Join<T>) -> impl Future<Output = T> + Send {
        R::join(task)
    }
}

/// A session of `run` on the runtime of `C`.
fn session<C: Channel>(run: impl Fn(&C::Tasks, usize) -> Cost + 'static) -> io::Result<Session> {
    let tasks = C::Tasks::start()?;
    Ok(Box::new(move |size| Ok(run(&tasks, size).ns_per_op())))
}

/// Evaluates `$body` with `$C` naming the channel of `$peer`; None if it has none of that capacity.
macro_rules! with_channel {
    ($peer:expr, $capacity:expr, $C:ident => $body:expr) => {{
        use $crate::peer::Peer;
        use $crate::rt;
        use $crate::workload::chan::kind;
        macro_rules! with {
            ($channel:ty) => {{
                type $C = $channel;
                Some($body)
            }};
        }
        match ($peer, $capacity) {
            // These two have no channel without room.
            (Peer::Tokio | Peer::AsyncChannel, 0) => None,
            (Peer::Gopark, _) => with!(kind::Own<rt::Gopark>),
            (Peer::GoparkOff, _) => with!(kind::Own<rt::Gopark<false>>),
            (Peer::Tokio, kind::UNBOUNDED) => with!(kind::TokioUnbounded),
            (Peer::Tokio, _) => with!(kind::Tokio),
            (Peer::Kanal, _) => with!(kind::Kanal<rt::Tokio>),
            (Peer::KanalGopark, _) => with!(kind::Kanal<rt::Gopark>),
            (Peer::AsyncChannel, _) => with!(kind::AsyncChannel),
            (Peer::Flume, _) => with!(kind::Flume),
            (Peer::Crossbeam, _) => with!(kind::Crossbeam),
            (Peer::Smol | Peer::Go | Peer::Epoll, _) => None,
        }
    }};
}
use with_channel;
