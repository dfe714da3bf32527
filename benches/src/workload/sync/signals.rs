//! Tasks that tell each other: by a permit of notify, by oneshots, by a watched value, by a broadcast.
//!
//! Alone, one task tells itself, and what it waits for is there already. Among 16 there are eight pairs, or
//! one who tells 15 others.

use std::sync::Arc;
use std::time::Instant;

use super::kind::{KEPT, Notify, Once, Signals, ToAll};
use super::{Entry, SPEC, Spec, TASKS, session};
use crate::measure::Cost;
use crate::rt::{Rt, with_blocks};

/// Those who are told by one.
const OTHERS: usize = TASKS - 1;

/// An entry that runs `$run` with the signal `$Signal` of each runtime that has one. They are those that
/// have a word for blocking, too: smol has neither.
macro_rules! entry {
    ($spec:expr, $run:ident, $Signal:ident) => {
        Entry {
            spec: $spec,
            open: |_, _, peer| {
                with_blocks!(peer, R => session::<R>($run::<R, <R as Signals>::$Signal>))
                    .transpose()
            },
        }
    };
}

pub(super) fn all() -> Vec<Entry> {
    let alone = |name, about| Spec {
        name,
        about,
        unit: "ns/signal",
        full: 2_000_000,
        quick: 20_000,
        ..SPEC
    };
    let among = |name, unit, about, full| Spec {
        name,
        about,
        unit,
        full,
        quick: 3_200,
        ..SPEC
    };
    vec![
        entry!(
            alone("notify", "one task leaves a permit and takes it"),
            notify,
            Notify
        ),
        entry!(
            among(
                "notify_16",
                "ns/round trip",
                "8 pairs of tasks notify each other in turn",
                200_000
            ),
            notify_pairs,
            Notify
        ),
        entry!(
            alone("oneshot", "one task makes a channel, sends and receives"),
            oneshot,
            Oneshot
        ),
        entry!(
            among(
                "oneshot_16",
                "ns/answer",
                "15 tasks ask one over an async-channel, and get an answer each by a oneshot",
                200_000
            ),
            questions,
            Oneshot
        ),
        entry!(
            alone("watch", "one task changes a value and sees the change"),
            told_by_itself,
            Watch
        ),
        entry!(
            among(
                "watch_16",
                "ns/change",
                "one task changes a value and gives way; 15 wait for changes, and see the last",
                100_000
            ),
            changes,
            Watch
        ),
        entry!(
            alone("broadcast", "one task sends to itself"),
            told_by_itself,
            Broadcast
        ),
        entry!(
            among(
                "broadcast_16",
                "ns/value received",
                "one task sends 64 values at a time to 15, who say by an async-channel when they have them",
                600_000
            ),
            batches,
            Broadcast
        ),
    ]
}

/// Size: permits.
fn notify<R: Rt, N: Notify>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let bell = N::new();
        let start = Instant::now();
        for _ in 0..size {
            bell.notify();
            bell.notified().await;
        }
        Cost::since(start, size)
    })
}

/// Size: round trips of all pairs.
fn notify_pairs<R: Rt, N: Notify>(rt: &R, size: usize) -> Cost {
    const PAIRS: usize = TASKS / 2;
    rt.run(async move {
        let trips = size / PAIRS;
        let start = Instant::now();
        let pair = |_| {
            let there = Arc::new((N::new(), N::new()));
            let back = there.clone();
            let answers = R::spawn(async move {
                for _ in 0..trips {
                    there.0.notified().await;
                    there.1.notify();
                }
            });
            let asks = R::spawn(async move {
                for _ in 0..trips {
                    back.0.notify();
                    back.1.notified().await;
                }
            });
            [answers, asks]
        };
        let tasks: Vec<_> = (0..PAIRS).flat_map(pair).collect();
        for task in tasks {
            R::join(task).await;
        }
        Cost::since(start, trips * PAIRS)
    })
}

/// Size: channels.
fn oneshot<R: Rt, O: Once>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let start = Instant::now();
        for value in 0..size {
            let (sender, receiver) = O::new();
            sender.send(value);
            assert_eq!(O::receive(receiver).await, value);
        }
        Cost::since(start, size)
    })
}

/// Size: questions of all. They go by the same channel on every runtime; the answers differ.
fn questions<R: Rt, O: Once>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let (ask, asked) = async_channel::bounded::<(usize, O)>(OTHERS);
        let each = size / OTHERS;
        let start = Instant::now();
        let server = R::spawn(async move {
            while let Ok((question, answer)) = asked.recv().await {
                answer.send(question + 1);
            }
        });
        let client = |_| {
            let ask = ask.clone();
            R::spawn(async move {
                for question in 0..each {
                    let (sender, answer) = O::new();
                    let sent = ask.send((question, sender)).await;
                    assert!(sent.is_ok(), "the server is there");
                    assert_eq!(O::receive(answer).await, question + 1);
                }
            })
        };
        let clients: Vec<_> = (0..OTHERS).map(client).collect();
        drop(ask);
        for client in clients {
            R::join(client).await;
        }
        R::join(server).await;
        Cost::since(start, each * OTHERS)
    })
}

/// Size: values.
fn told_by_itself<R: Rt, T: ToAll>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let (sender, mut receiver) = T::new();
        let start = Instant::now();
        for value in 1..=size {
            sender.send(value);
            assert_eq!(T::receive(&mut receiver).await, value);
        }
        Cost::since(start, size)
    })
}

/// Size: changes.
fn changes<R: Rt, T: ToAll>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let (sender, receiver) = T::new();
        let watch = |_| {
            let mut receiver = sender.subscribe();
            R::spawn(async move { while T::receive(&mut receiver).await != size {} })
        };
        let watching: Vec<_> = (0..OTHERS).map(watch).collect();
        drop(receiver);
        let start = Instant::now();
        for value in 1..=size {
            sender.send(value);
            if value < size {
                R::yield_now().await;
            }
        }
        for watching in watching {
            R::join(watching).await;
        }
        Cost::since(start, size)
    })
}

/// Size: values, as all receive them.
fn batches<R: Rt, T: ToAll>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let (sender, receiver) = T::new();
        let (have, all_have) = async_channel::bounded::<()>(OTHERS);
        let rounds = (size / (OTHERS * KEPT)).max(1);
        let receives = |_| {
            let mut receiver = sender.subscribe();
            let have = have.clone();
            R::spawn(async move {
                for _ in 0..rounds {
                    for value in 0..KEPT {
                        assert_eq!(T::receive(&mut receiver).await, value);
                    }
                    have.send(()).await.expect("the sender counts");
                }
            })
        };
        let receiving: Vec<_> = (0..OTHERS).map(receives).collect();
        drop(receiver);
        let start = Instant::now();
        for _ in 0..rounds {
            for value in 0..KEPT {
                sender.send(value);
            }
            for _ in 0..OTHERS {
                all_have.recv().await.expect("each says it once a round");
            }
        }
        let cost = Cost::since(start, rounds * KEPT * OTHERS);
        for receiving in receiving {
            R::join(receiving).await;
        }
        cost
    })
}
