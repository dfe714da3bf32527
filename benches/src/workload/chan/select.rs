//! Several channels at once, by everybody's own select. Size: selections.
//!
//! The channels are ready each time: they are filled between batches, for which the clock stands
//! still.

use std::io;
use std::time::{Duration, Instant};

use super::kind::{self, Channel};
use super::threads::Threads;
use super::{Entry, SPEC, Session, Spec, Target, Tasks, session};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt;
use crate::workload::Lab;

/// Selections in a batch, and the capacity of each channel: so none is empty before the batch ends.
const BATCH: usize = 256;

pub(super) fn all() -> [Entry; 4] {
    let spec = Spec {
        unit: "ns/selection",
        target: None,
        ..SPEC
    };
    [
        Entry {
            spec: Spec {
                name: "select_2",
                about: "a task receives by a select from 2 channels that are ready",
                full: 2_000_000,
                quick: 20_000,
                target: Some(Target::Bound(20.0)),
                ..spec
            },
            open: open_2,
        },
        Entry {
            spec: Spec {
                name: "select_8",
                about: "the same from 8 channels",
                full: 2_000_000,
                quick: 20_000,
                ..spec
            },
            open: open_8,
        },
        Entry {
            spec: Spec {
                name: "select_64",
                about: "the same from 64 channels, by a list that is made at run time",
                full: 200_000,
                quick: 2_000,
                in_go: false,
                ..spec
            },
            open: open_64,
        },
        Entry {
            spec: Spec {
                name: "select_default_2",
                about: "a select from 2 channels that are empty, with a default",
                full: 5_000_000,
                quick: 50_000,
                target: Some(Target::Bound(8.0)),
                ..spec
            },
            open: open_default,
        },
    ]
}

/// Channels that are filled up again and again.
struct Full<C: Channel> {
    senders: Vec<C::Sender>,
    spent: Duration,
    batches: usize,
}

impl<C: Channel> Full<C> {
    fn make<const N: usize>(size: usize) -> (Self, [C::Receiver; N]) {
        let mut senders = Vec::with_capacity(N);
        let receivers = std::array::from_fn(|_| {
            let (sender, receiver) = C::make(BATCH);
            senders.push(sender);
            receiver
        });
        let full = Self {
            senders,
            spent: Duration::ZERO,
            batches: size.div_ceil(BATCH),
        };
        (full, receivers)
    }

    fn fill(&self) {
        for sender in &self.senders {
            while C::try_send(sender, 1) {}
        }
    }
}

/// Evaluates `$select` again and again for channels that are ready; its value is what was received.
macro_rules! measured {
    ($full:ident, $select:expr) => {{
        let mut full = $full;
        let mut received = 0;
        for _ in 0..full.batches {
            full.fill();
            let start = Instant::now();
            for _ in 0..BATCH {
                received += $select;
            }
            full.spent += start.elapsed();
        }
        assert_eq!(received, full.batches * BATCH);
        Cost {
            spent: full.spent,
            ops: received as u64,
        }
    }};
}

/// Two functions, for two and for eight channels. `$select` is a macro: it takes the names of receivers,
/// and gives what it has received.
macro_rules! selects {
    ($two:ident, $eight:ident, $channel:ty, $select:ident) => {
        fn $two(rt: &<$channel as Channel>::Tasks, size: usize) -> Cost {
            rt.run(async move {
                let (full, mut receivers) = Full::<$channel>::make(size);
                let [a, b] = &mut receivers;
                measured!(full, $select!(a b))
            })
        }

        fn $eight(rt: &<$channel as Channel>::Tasks, size: usize) -> Cost {
            rt.run(async move {
                let (full, mut receivers) = Full::<$channel>::make(size);
                let [a, b, c, d, e, f, g, h] = &mut receivers;
                measured!(full, $select!(a b c d e f g h))
            })
        }
    };
}

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

type Gopark = kind::Own<rt::Gopark>;

const FILLED: &str = "the senders live";

selects!(gopark_2, gopark_8, Gopark, select_gopark);
selects!(tokio_2, tokio_8, kind::Tokio, select_tokio);
selects!(crossbeam_2, crossbeam_8, kind::Crossbeam, select_crossbeam);

fn open_2(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    match peer {
        Peer::Gopark => session::<Gopark>(gopark_2),
        Peer::Tokio => session::<kind::Tokio>(tokio_2),
        Peer::Crossbeam => session::<kind::Crossbeam>(crossbeam_2),
        _ => return Ok(None),
    }
    .map(Some)
}

fn open_8(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    match peer {
        Peer::Gopark => session::<Gopark>(gopark_8),
        Peer::Tokio => session::<kind::Tokio>(tokio_8),
        Peer::Crossbeam => session::<kind::Crossbeam>(crossbeam_8),
        _ => return Ok(None),
    }
    .map(Some)
}

fn open_64(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    match peer {
        Peer::Gopark => session::<Gopark>(gopark_64),
        Peer::Crossbeam => session::<kind::Crossbeam>(crossbeam_64),
        _ => return Ok(None),
    }
    .map(Some)
}

fn open_default(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    match peer {
        Peer::Gopark => session::<Gopark>(gopark_default),
        Peer::Crossbeam => session::<kind::Crossbeam>(crossbeam_default),
        _ => return Ok(None),
    }
    .map(Some)
}

/// A case is used up when it was chosen, and its number with it; so it is added again, and now and then
/// all are added anew.
fn gopark_64(rt: &rt::Gopark, size: usize) -> Cost {
    rt.run(async move {
        let (full, receivers) = Full::<Gopark>::make::<64>(size);
        let mut select = gopark::chan::Select::new();
        let mut channels = Vec::new();
        measured!(full, {
            if channels.len() % receivers.len() == 0 {
                select = gopark::chan::Select::new();
                channels.clear();
                for receiver in &receivers {
                    select.recv(receiver);
                    channels.push(receiver);
                }
            }
            let mut selected = select.select().await;
            let receiver = channels[selected.index()];
            select.recv(receiver);
            channels.push(receiver);
            selected.recv(receiver).expect(FILLED)
        })
    })
}

fn crossbeam_64(rt: &Threads, size: usize) -> Cost {
    rt.run(async move {
        let (full, receivers) = Full::<kind::Crossbeam>::make::<64>(size);
        let mut select = crossbeam_channel::Select::new();
        for receiver in &receivers {
            select.recv(receiver);
        }
        measured!(full, {
            let selected = select.select();
            let receiver = &receivers[selected.index()];
            selected.recv(receiver).expect(FILLED)
        })
    })
}

fn gopark_default(rt: &rt::Gopark, size: usize) -> Cost {
    rt.run(async move {
        let ((_to_a, a), (_to_b, b)) = (gopark::chan::bounded(1), gopark::chan::bounded(1));
        let start = Instant::now();
        let mut received = 0;
        for _ in 0..size {
            received += gopark::select! {
                message = a.recv() => message.expect(FILLED),
                message = b.recv() => message.expect(FILLED),
                default => 0,
            };
        }
        let cost = Cost::since(start, size);
        assert_eq!(received, 0);
        cost
    })
}

fn crossbeam_default(rt: &Threads, size: usize) -> Cost {
    rt.run(async move {
        let (_to_a, a) = crossbeam_channel::bounded(1);
        let (_to_b, b) = crossbeam_channel::bounded(1);
        let start = Instant::now();
        let mut received = 0;
        for _ in 0..size {
            received += crossbeam_channel::select! {
                recv(a) -> message => message.expect(FILLED),
                recv(b) -> message => message.expect(FILLED),
                default => 0,
            };
        }
        let cost = Cost::since(start, size);
        assert_eq!(received, 0);
        cost
    })
}
