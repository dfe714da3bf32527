//! The prime sieve, the old show-piece of channels: a chain of tasks, one for each prime, that grows at
//! its end. Each drops the multiples of its prime and passes on the rest. Size: the numbers.
//!
//! Threads do not take part: there would be 1,438 of them.

use std::io;
use std::time::Instant;

use super::kind::Channel;
use super::{Entry, SPEC, Session, Spec, Target, Tasks, session, with_channel};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::workload::Lab;

pub(super) fn all() -> [Entry; 2] {
    let spec = Spec {
        unit: "ns/prime",
        full: 12_000,
        quick: 500,
        target: Some(Target::Ratio(0.7)),
        ..SPEC
    };
    [
        Entry {
            spec: Spec {
                name: "sieve_0",
                about: "the primes up to 12,000 by a chain of tasks, over channels of capacity 0",
                ..spec
            },
            open: open::<0>,
        },
        Entry {
            spec: Spec {
                name: "sieve_1",
                about: "the same over channels of capacity 1",
                ..spec
            },
            open: open::<1>,
        },
    ]
}

fn open<const CAPACITY: usize>(_: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    if peer == Peer::Crossbeam {
        return Ok(None);
    }
    with_channel!(peer, CAPACITY, C => session::<C>(|rt, size| run::<C>(rt, CAPACITY, size)))
        .transpose()
}

fn run<C: Channel>(rt: &C::Tasks, capacity: usize, size: usize) -> Cost {
    rt.run(async move {
        let start = Instant::now();
        let (numbers, mut last) = C::make(capacity);
        let mut tasks = vec![C::Tasks::spawn(async move {
            for number in 2..=size {
                C::send(&numbers, number).await;
            }
        })];
        while let Some(prime) = C::recv(&mut last).await {
            let (passed, next) = C::make(capacity);
            let mut numbers = std::mem::replace(&mut last, next);
            tasks.push(C::Tasks::spawn(async move {
                while let Some(number) = C::recv(&mut numbers).await {
                    if number % prime != 0 {
                        C::send(&passed, number).await;
                    }
                }
            }));
        }
        let primes = tasks.len() - 1;
        for task in tasks {
            C::Tasks::join(task).await;
        }
        Cost::since(start, primes)
    })
}
