//! A select of channels of which none is ready: it has to wait each time, for another task sends to one of
//! them, one after the other, only when the last message was answered.

use std::io;
use std::time::Instant;

use super::super::kind::{self, Channel};
use super::super::threads::Threads;
use super::super::{Entry, Session, Spec, Tasks, session};
use super::{FILLED, Gopark, List, make_all};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt;
use crate::workload::Lab;

pub(super) fn all(spec: Spec) -> [Entry; 3] {
    let spec = Spec {
        unit: "ns/round trip",
        ..spec
    };
    [
        Entry {
            spec: Spec {
                name: "select_wait_2",
                about: "a select waits for 2 channels; another task sends to one, and waits for the answer",
                full: 500_000,
                quick: 5_000,
                ..spec
            },
            open: open_2,
        },
        Entry {
            spec: Spec {
                name: "select_wait_8",
                about: "the same with 8 channels",
                full: 500_000,
                quick: 5_000,
                ..spec
            },
            open: open_8,
        },
        Entry {
            spec: Spec {
                name: "select_wait_64",
                about: "the same with 64 channels, by a list that is made at run time",
                full: 100_000,
                quick: 1_000,
                ..spec
            },
            open: open_64,
        },
    ]
}

open!(open_2, gopark: gopark_2, tokio: tokio_2, crossbeam: crossbeam_2);
open!(open_8, gopark: gopark_8, tokio: tokio_8, crossbeam: crossbeam_8);
open!(open_64, gopark: gopark_64, crossbeam: crossbeam_64);

/// The task that sends, and waits for the answers.
struct Other<C: Channel> {
    answers: C::Sender,
    rounds: usize,
    task: <C::Tasks as Tasks>::Join<()>,
}

impl<C: Channel> Other<C> {
    /// It makes as many rounds as the size says, fewer where each takes so much longer.
    fn begin<const N: usize>(size: usize) -> (Self, [C::Receiver; N]) {
        let rounds = size / C::Tasks::SLOWER;
        let (senders, receivers) = make_all::<C, N>(1);
        let (answers, mut answered) = C::make(1);
        let task = C::Tasks::spawn(async move {
            for sender in senders.iter().cycle().take(rounds) {
                C::send(sender, 1).await;
                C::recv(&mut answered).await;
            }
        });
        let other = Self {
            answers,
            rounds,
            task,
        };
        (other, receivers)
    }
}

/// Evaluates `$select` for each message, and answers.
macro_rules! measured {
    ($channel:ty, $other:ident, $select:expr) => {{
        let mut received = 0;
        let start = Instant::now();
        for _ in 0..$other.rounds {
            received += $select;
            <$channel as Channel>::send(&$other.answers, 1).await;
        }
        <$channel as Channel>::Tasks::join($other.task).await;
        let cost = Cost::since(start, $other.rounds);
        assert_eq!(received, $other.rounds);
        cost
    }};
}

/// Two functions, for two and for eight channels.
macro_rules! selects {
    ($two:ident, $eight:ident, $channel:ty, $select:ident) => {
        fn $two(rt: &<$channel as Channel>::Tasks, size: usize) -> Cost {
            rt.run(async move {
                let (other, mut receivers) = Other::<$channel>::begin(size);
                let [a, b] = &mut receivers;
                measured!($channel, other, $select!(a b))
            })
        }

        fn $eight(rt: &<$channel as Channel>::Tasks, size: usize) -> Cost {
            rt.run(async move {
                let (other, mut receivers) = Other::<$channel>::begin(size);
                let [a, b, c, d, e, f, g, h] = &mut receivers;
                measured!($channel, other, $select!(a b c d e f g h))
            })
        }
    };
}

selects!(gopark_2, gopark_8, Gopark, select_gopark);
selects!(tokio_2, tokio_8, kind::Tokio, select_tokio);
selects!(crossbeam_2, crossbeam_8, kind::Crossbeam, select_crossbeam);

fn gopark_64(rt: &rt::Gopark, size: usize) -> Cost {
    rt.run(async move {
        let (other, receivers) = Other::<Gopark>::begin::<64>(size);
        let mut list = List::new(&receivers);
        measured!(Gopark, other, list.recv().await)
    })
}

fn crossbeam_64(rt: &Threads, size: usize) -> Cost {
    rt.run(async move {
        let (other, receivers) = Other::<kind::Crossbeam>::begin::<64>(size);
        let mut select = crossbeam_channel::Select::new();
        for receiver in &receivers {
            select.recv(receiver);
        }
        measured!(kind::Crossbeam, other, {
            let selected = select.select();
            let receiver = &receivers[selected.index()];
            selected.recv(receiver).expect(FILLED)
        })
    })
}
