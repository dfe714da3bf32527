//! Several channels at once, by everybody's own select. Size: selections.
//!
//! | file | the channels |
//! |---|---|
//! | `ready` | all have a message |
//! | `waiting` | none has, until another task has seen that the last was received |
//! | `default` | none has, and the select has a default |

/// The value of everybody's select, which receives from one of the channels whose receivers are named.
macro_rules! select_gopark {
    ($($receiver:ident)*) => {
        gopark::select! { $(message = $receiver.recv() => message.expect(FILLED),)* }
    };
}

macro_rules! select_tokio {
    ($($receiver:ident)*) => {
        tokio::select! { $(message = $receiver.recv() => message.expect(FILLED),)* }
    };
}

macro_rules! select_crossbeam {
    ($($receiver:ident)*) => {
        crossbeam_channel::select! { $(recv($receiver) -> message => message.expect(FILLED),)* }
    };
}

/// A function that opens a session of what each peer is given; who is not named takes no part.
macro_rules! open {
    ($name:ident, gopark: $gopark:ident, $(tokio: $tokio:ident,)? crossbeam: $crossbeam:ident) => {
        fn $name(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
            match peer {
                Peer::Gopark => session::<Gopark>($gopark),
                $(Peer::Tokio => session::<kind::Tokio>($tokio),)?
                Peer::Crossbeam => session::<kind::Crossbeam>($crossbeam),
                _ => return Ok(None),
            }
            .map(Some)
        }
    };
}

mod default;
mod ready;
mod waiting;

use gopark::chan;

use super::kind::{self, Channel};
use super::{Entry, SPEC, Spec};
use crate::rt;

type Gopark = kind::Own<rt::Gopark>;

const FILLED: &str = "the senders live";

/// So many channels: their senders, and their receivers.
fn make_all<C: Channel, const N: usize>(capacity: usize) -> (Vec<C::Sender>, [C::Receiver; N]) {
    let mut senders = Vec::with_capacity(N);
    let receivers = std::array::from_fn(|_| {
        let (sender, receiver) = C::make(capacity);
        senders.push(sender);
        receiver
    });
    (senders, receivers)
}

/// gopark's select of a list. A case is used up when it was chosen, and its number with it; so it is added
/// again, and now and then all are added anew.
struct List<'a> {
    receivers: &'a [chan::Receiver<usize>],
    select: chan::Select<'a>,
    /// By the number of the case.
    channels: Vec<&'a chan::Receiver<usize>>,
}

impl<'a> List<'a> {
    fn new(receivers: &'a [chan::Receiver<usize>]) -> Self {
        Self {
            receivers,
            select: chan::Select::new(),
            channels: Vec::new(),
        }
    }

    async fn recv(&mut self) -> usize {
        if self.channels.len() % self.receivers.len() == 0 {
            *self = Self::new(self.receivers);
            self.receivers
                .iter()
                .for_each(|receiver| self.add(receiver));
        }
        let mut selected = self.select.select().await;
        let receiver = self.channels[selected.index()];
        self.add(receiver);
        selected.recv(receiver).expect(FILLED)
    }

    fn add(&mut self, receiver: &'a chan::Receiver<usize>) {
        self.select.recv(receiver);
        self.channels.push(receiver);
    }
}

pub(super) fn all() -> Vec<Entry> {
    let spec = Spec {
        unit: "ns/selection",
        target: None,
        ..SPEC
    };
    let mut all = Vec::new();
    all.extend(ready::all(spec));
    all.extend(waiting::all(spec));
    all.extend(default::all(spec));
    all
}
