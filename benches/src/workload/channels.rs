//! Tasks that wake each other through channels.
//!
//! The channel is `async_channel::bounded(1)` on every runtime, so that the schedulers are compared
//! and not the channels. Go uses its own `make(chan T, 1)`.

use std::io;
use std::time::Instant;

use super::{Group, RUNTIMES, Spec, Target, Workload};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::Rt;

/// Pairs in [`PingPong`].
const PAIRS: usize = 1_000;

/// One token goes round a ring of `TASKS` tasks: one task is ready at any time. Size: laps.
#[derive(Debug)]
pub struct Ring<const TASKS: usize>;

impl Workload for Ring<1_000> {
    const SPEC: Spec = Spec {
        name: "ring",
        group: Group::Sched,
        unit: "ns/hop",
        about: "one token goes round a ring of 1,000 tasks joined by channels of capacity 1",
        full: 1_000,
        quick: 20,
        rivals: RUNTIMES,
        in_go: true,
        target: Some(Target::Ratio(0.65)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Self::pass_token(rt, size)
    }
}

impl Workload for Ring<100> {
    const SPEC: Spec = Spec {
        name: "ring_100",
        about: "the same round a ring of 100 tasks, which fits into the nearest caches",
        full: 10_000,
        quick: 200,
        rivals: &[Peer::Tokio, Peer::Smol, Peer::Go],
        target: Some(Target::Ratio(0.90)),
        ..<Ring<1_000> as Workload>::SPEC
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Self::pass_token(rt, size)
    }
}

impl<const TASKS: usize> Ring<TASKS> {
    fn pass_token<R: Rt>(rt: &R, laps: usize) -> io::Result<Cost> {
        let hops = laps * TASKS;
        Ok(rt.run(async move {
            let (first, mut previous) = async_channel::bounded::<usize>(1);
            let (done, all_done) = async_channel::bounded::<()>(1);
            let mut tasks = Vec::with_capacity(TASKS);
            for i in 1..=TASKS {
                let (next, receiver) = if i < TASKS {
                    async_channel::bounded(1)
                } else {
                    (first.clone(), previous.clone())
                };
                let inbox = std::mem::replace(&mut previous, receiver);
                let done = done.clone();
                tasks.push(R::spawn(async move {
                    while let Ok(hops_left) = inbox.recv().await {
                        if hops_left == 0 {
                            done.close();
                            return;
                        }
                        next.send(hops_left - 1)
                            .await
                            .expect("the next task waits for the token");
                    }
                }));
            }
            drop(previous);
            let start = Instant::now();
            first
                .send(hops)
                .await
                .expect("the first task waits for the token");
            let closed = all_done.recv().await;
            let cost = Cost::since(start, hops);
            assert!(closed.is_err(), "the end is told by closing");
            // The ring falls apart task by task, as each drops its end of a channel.
            drop(first);
            for task in tasks {
                R::join(task).await;
            }
            cost
        }))
    }
}

/// 1,000 pairs of tasks send a message to and fro: many tasks are ready. Size: round trips of each.
#[derive(Debug)]
pub struct PingPong;

impl Workload for PingPong {
    const SPEC: Spec = Spec {
        name: "ping_pong",
        group: Group::Sched,
        unit: "ns/round trip",
        about: "1,000 pairs of tasks make 1,000 round trips over channels of capacity 1",
        full: 1_000,
        quick: 20,
        rivals: RUNTIMES,
        in_go: true,
        target: Some(Target::Ratio(0.85)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(rt.run(async move {
            let start = Instant::now();
            let pair = |_| {
                let (ping, pinged) = async_channel::bounded::<u32>(1);
                let (pong, ponged) = async_channel::bounded::<u32>(1);
                R::detach(R::spawn(async move {
                    while let Ok(ball) = pinged.recv().await {
                        if pong.send(ball).await.is_err() {
                            return;
                        }
                    }
                }));
                R::spawn(async move {
                    for _ in 0..size {
                        ping.send(1)
                            .await
                            .expect("the partner lives until `ping` is dropped");
                        ponged.recv().await.expect("the partner answers each ball");
                    }
                })
            };
            let pairs: Vec<_> = (0..PAIRS).map(pair).collect();
            for pair in pairs {
                R::join(pair).await;
            }
            Cost::since(start, PAIRS * size)
        }))
    }
}
