//! A select of channels that are empty, with a default.

use std::io;
use std::time::Instant;

use super::super::threads::Threads;
use super::super::{Entry, Session, Spec, Target, Tasks, kind, session};
use super::{FILLED, Gopark};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt;
use crate::workload::Lab;

pub(super) fn all(spec: Spec) -> [Entry; 3] {
    [
        Entry {
            spec: Spec {
                name: "select_default_2",
                about: "a select from 2 channels that are empty, with a default",
                full: 5_000_000,
                quick: 50_000,
                target: Some(Target::Bound(8.0)),
                ..spec
            },
            open: open_2,
        },
        Entry {
            spec: Spec {
                name: "select_default_8",
                about: "the same from 8 channels",
                full: 2_000_000,
                quick: 20_000,
                ..spec
            },
            open: open_8,
        },
        Entry {
            spec: Spec {
                name: "select_default_64",
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

open!(open_2, gopark: gopark_2, crossbeam: crossbeam_2);
open!(open_8, gopark: gopark_8, crossbeam: crossbeam_8);
open!(open_64, gopark: gopark_64, crossbeam: crossbeam_64);

/// Evaluates `$select` `$size` times: each time it gives 0, the default.
macro_rules! measured {
    ($size:ident, $select:expr) => {{
        let start = Instant::now();
        let mut received = 0;
        for _ in 0..$size {
            received += $select;
        }
        let cost = Cost::since(start, $size);
        assert_eq!(received, 0);
        cost
    }};
}

/// A function for the channels named.
macro_rules! defaults {
    ($gopark:ident, $crossbeam:ident, $($receiver:ident)*) => {
        fn $gopark(rt: &rt::Gopark, size: usize) -> Cost {
            rt.run(async move {
                $(let (_sender, $receiver) = gopark::chan::bounded::<usize>(1);)*
                measured!(size, gopark::select! {
                    $(message = $receiver.recv() => message.expect(FILLED),)*
                    default => 0,
                })
            })
        }

        fn $crossbeam(rt: &Threads, size: usize) -> Cost {
            rt.run(async move {
                $(let (_sender, $receiver) = crossbeam_channel::bounded::<usize>(1);)*
                measured!(size, crossbeam_channel::select! {
                    $(recv($receiver) -> message => message.expect(FILLED),)*
                    default => 0,
                })
            })
        }
    };
}

defaults!(gopark_2, crossbeam_2, a b);
defaults!(gopark_8, crossbeam_8, a b c d e f g h);

fn gopark_64(rt: &rt::Gopark, size: usize) -> Cost {
    rt.run(async move {
        let channels: [_; 64] = std::array::from_fn(|_| gopark::chan::bounded::<usize>(1));
        let mut select = gopark::chan::Select::new();
        for (_, receiver) in &channels {
            select.recv(receiver);
        }
        measured!(size, usize::from(select.try_select().is_some()))
    })
}

fn crossbeam_64(rt: &Threads, size: usize) -> Cost {
    rt.run(async move {
        let channels: [_; 64] = std::array::from_fn(|_| crossbeam_channel::bounded::<usize>(1));
        let mut select = crossbeam_channel::Select::new();
        for (_, receiver) in &channels {
            select.recv(receiver);
        }
        measured!(size, usize::from(select.try_select().is_ok()))
    })
}
