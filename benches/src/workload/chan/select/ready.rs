//! A select of channels that are ready each time: they are filled between batches, for which the clock
//! stands still.

use std::io;
use std::time::{Duration, Instant};

use super::super::kind::{self, Channel};
use super::super::threads::Threads;
use super::super::{Entry, Session, Spec, Target, Tasks, session};
use super::{FILLED, Gopark, List, make_all};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt;
use crate::workload::Lab;

/// Selections in a batch, and the capacity of each channel: so none is empty before the batch ends.
const BATCH: usize = 256;

pub(super) fn all(spec: Spec) -> [Entry; 3] {
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
        let (senders, receivers) = make_all::<C, N>(BATCH);
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

selects!(gopark_2, gopark_8, Gopark, select_gopark);
selects!(tokio_2, tokio_8, kind::Tokio, select_tokio);
selects!(crossbeam_2, crossbeam_8, kind::Crossbeam, select_crossbeam);

open!(open_2, gopark: gopark_2, tokio: tokio_2, crossbeam: crossbeam_2);
open!(open_8, gopark: gopark_8, tokio: tokio_8, crossbeam: crossbeam_8);
open!(open_64, gopark: gopark_64, crossbeam: crossbeam_64);

fn gopark_64(rt: &rt::Gopark, size: usize) -> Cost {
    rt.run(async move {
        let (full, receivers) = Full::<Gopark>::make::<64>(size);
        let mut list = List::new(&receivers);
        measured!(full, list.recv().await)
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
