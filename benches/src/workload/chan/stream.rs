//! Messages from some tasks to others: from one to one, from 16 to one, and from 16 to 16. Size:
//! messages.

use std::io;
use std::time::Instant;

use super::kind::{Channel, UNBOUNDED};
use super::{Entry, SPEC, Session, Spec, Tasks, session, with_channel};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::workload::Lab;

pub(super) fn all() -> Vec<Entry> {
    let spsc = "1 task sends to 1, through a channel of the capacity in the name";
    let mpsc = "16 tasks send to 1, through a channel of the capacity in the name";
    let mpmc = "16 tasks send to 16, through a channel of the capacity in the name";
    vec![
        entry::<1, 1, 0>("spsc_0", spsc, 1_000_000),
        entry::<1, 1, 1>("spsc_1", spsc, 1_000_000),
        entry::<1, 1, 128>("spsc_128", spsc, 2_000_000),
        entry::<1, 1, UNBOUNDED>("spsc_unbounded", spsc, 2_000_000),
        entry::<16, 1, 0>("mpsc_0", mpsc, 1_000_000),
        entry::<16, 1, 1>("mpsc_1", mpsc, 1_000_000),
        entry::<16, 1, 128>("mpsc_128", mpsc, 2_000_000),
        entry::<16, 1, UNBOUNDED>("mpsc_unbounded", mpsc, 2_000_000),
        entry::<16, 16, 0>("mpmc_0", mpmc, 1_000_000),
        entry::<16, 16, 1>("mpmc_1", mpmc, 1_000_000),
        entry::<16, 16, 128>("mpmc_128", mpmc, 2_000_000),
        entry::<16, 16, UNBOUNDED>("mpmc_unbounded", mpmc, 2_000_000),
    ]
}

fn entry<const SENDERS: usize, const RECEIVERS: usize, const CAPACITY: usize>(
    name: &'static str,
    about: &'static str,
    full: usize,
) -> Entry {
    Entry {
        spec: Spec {
            name,
            about,
            full,
            quick: 10_000,
            in_go: CAPACITY != UNBOUNDED,
            ..SPEC
        },
        open: open::<SENDERS, RECEIVERS, CAPACITY>,
    }
}

fn open<const SENDERS: usize, const RECEIVERS: usize, const CAPACITY: usize>(
    _: &Spec,
    _: &Lab,
    peer: Peer,
) -> io::Result<Option<Session>> {
    if peer == Peer::Tokio && RECEIVERS > 1 {
        return Ok(None);
    }
    let shape = Shape {
        senders: SENDERS,
        receivers: RECEIVERS,
        capacity: CAPACITY,
    };
    with_channel!(peer, CAPACITY, C => session::<C>(move |rt, size| run::<C>(rt, shape, size)))
        .transpose()
}

/// Who sends to whom. A value and no parameters, so that there is one function for each channel.
#[derive(Clone, Copy)]
struct Shape {
    senders: usize,
    receivers: usize,
    capacity: usize,
}

fn run<C: Channel>(rt: &C::Tasks, shape: Shape, size: usize) -> Cost {
    rt.run(async move {
        let slower = if shape.capacity <= 1 {
            C::Tasks::SLOWER
        } else {
            1
        };
        let each = size / slower / shape.senders;
        let (sender, receiver) = C::make(shape.capacity);
        let mut receivers = vec![receiver];
        while receivers.len() < shape.receivers {
            receivers.push(C::another(&receivers[0]));
        }
        let start = Instant::now();
        let receiving = |mut receiver| {
            C::Tasks::spawn(async move {
                let mut count = 0;
                while C::recv(&mut receiver).await.is_some() {
                    count += 1;
                }
                count
            })
        };
        let receiving: Vec<_> = receivers.into_iter().map(receiving).collect();
        let mut sending = Vec::new();
        for _ in 0..shape.senders {
            let sender = sender.clone();
            sending.push(C::Tasks::spawn(async move {
                for message in 0..each {
                    C::send(&sender, message).await;
                }
            }));
        }
        drop(sender);
        for task in sending {
            C::Tasks::join(task).await;
        }
        let mut count = 0;
        for task in receiving {
            count += C::Tasks::join(task).await;
        }
        let cost = Cost::since(start, count);
        assert_eq!(count, each * shape.senders, "each message comes once");
        cost
    })
}
