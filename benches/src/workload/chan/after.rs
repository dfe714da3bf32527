//! A time limit in a loop, as Go's programs write it: a select of a channel that is ready and of a new timer
//! channel, which is dropped unfired. Size: selections.

use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use super::{Entry, SPEC, Session, Spec};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::{Gopark, Rt};
use crate::workload::Lab;

const LIMIT: Duration = Duration::from_secs(3_600);

pub(super) fn entry() -> Entry {
    Entry {
        spec: Spec {
            name: "chan_after",
            unit: "ns/selection",
            about: "a select of a channel that is ready and of a new `after` of 1 h, again and again",
            full: 500_000,
            quick: 5_000,
            ..SPEC
        },
        open,
    }
}

fn open(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    Ok(match peer {
        Peer::Gopark => {
            let rt = Gopark::<true>::start()?;
            Some(Box::new(move |size| Ok(rt.run(gopark(size)).ns_per_op())))
        }
        Peer::Crossbeam => Some(Box::new(|size| Ok(crossbeam(size).ns_per_op()))),
        _ => None,
    })
}

async fn gopark(size: usize) -> Cost {
    let (sender, receiver) = gopark::chan::bounded(1);
    let start = Instant::now();
    for message in 0..size {
        sender.try_send(message).expect("there is room");
        gopark::select! {
            got = receiver.recv() => { black_box(got.expect("a message")); }
            _ = gopark::chan::after(LIMIT) => unreachable!("an hour has not passed"),
        }
    }
    Cost::since(start, size)
}

fn crossbeam(size: usize) -> Cost {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let start = Instant::now();
    for message in 0..size {
        sender.try_send(message).expect("there is room");
        crossbeam_channel::select! {
            recv(receiver) -> got => { black_box(got.expect("a message")); }
            recv(crossbeam_channel::after(LIMIT)) -> _ => unreachable!("an hour has not passed"),
        }
    }
    Cost::since(start, size)
}
