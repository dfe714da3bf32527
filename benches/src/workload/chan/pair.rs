//! One task sends and receives in turn: nobody ever waits. Size: pairs.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use super::kind::Channel;
use super::{Entry, SPEC, Session, Spec, Target, Tasks, session, with_channel};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::workload::Lab;

pub(super) fn entry() -> Entry {
    Entry {
        spec: Spec {
            name: "chan_pair",
            unit: "ns/pair",
            about: "one task sends by `try_send` and receives by `try_recv`, capacity 1; Go: `<-`",
            full: 5_000_000,
            quick: 50_000,
            target: Some(Target::Bound(8.0)),
            ..SPEC
        },
        open,
    }
}

fn open(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    with_channel!(peer, 1, C => session::<C>(|rt, size| run::<C>(rt, size))).transpose()
}

fn run<C: Channel>(rt: &C::Tasks, size: usize) -> Cost {
    rt.run(async move {
        let (sender, mut receiver) = C::make(1);
        let start = Instant::now();
        for message in 0..size {
            assert!(C::try_send(black_box(&sender), message));
            assert_eq!(C::try_recv(black_box(&mut receiver)), Some(message));
        }
        Cost::since(start, size)
    })
}
