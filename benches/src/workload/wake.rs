//! Wakes that come from a thread which is none of the runtime's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::foreign::Countdown;
use super::{Group, RUNTIMES, Spec, Target, Workload};
use crate::measure::Cost;
use crate::peer::PROCS;
use crate::rt::Rt;

/// Tasks that are woken in each lap of [`WakeForeignBusy`].
const SLEEPERS: usize = 1_000;

/// Tasks that keep the processors of [`WakeForeignBusy`] busy: two for each, so that no processor
/// runs dry while one of them is stolen.
const YIELDERS: usize = 2 * PROCS;

/// A foreign thread sends a message to each of 1,000 parked tasks while other tasks keep every
/// processor busy, and waits until all have got theirs. Size: laps.
#[derive(Debug)]
pub struct WakeForeignBusy;

impl Workload for WakeForeignBusy {
    const SPEC: Spec = Spec {
        name: "wake_foreign_busy",
        group: Group::Wake,
        unit: "ns/wake",
        about: "a foreign thread wakes 1,000 parked tasks of a busy runtime and waits for all",
        full: 300,
        quick: 10,
        rivals: RUNTIMES,
        in_go: false,
        target: Some(Target::Ratio(0.90)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        let countdown = Countdown::new();
        countdown.start(SLEEPERS);
        let mut letters = Vec::with_capacity(SLEEPERS);
        let mut tasks = Vec::with_capacity(SLEEPERS + YIELDERS);
        for _ in 0..SLEEPERS {
            let (letter, inbox) = async_channel::unbounded::<()>();
            let countdown = Arc::clone(&countdown);
            letters.push(letter);
            tasks.push(rt.spawn_from_outside(async move {
                // The first one tells that the task is there.
                countdown.one_less();
                while let Ok(()) = inbox.recv().await {
                    countdown.one_less();
                }
            }));
        }
        countdown.wait();
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..YIELDERS {
            let stop = Arc::clone(&stop);
            tasks.push(rt.spawn_from_outside(async move {
                while !stop.load(Ordering::Relaxed) {
                    R::yield_now().await;
                }
            }));
        }

        let mut spent = Duration::ZERO;
        for _ in 0..size {
            let start = countdown.start(SLEEPERS);
            for letter in &letters {
                letter
                    .try_send(())
                    .expect("an unbounded channel of a living task takes all");
            }
            spent += countdown.wait() - start;
        }

        stop.store(true, Ordering::Relaxed);
        drop(letters);
        rt.run(async move {
            for task in tasks {
                R::join(task).await;
            }
        });
        Ok(Cost {
            spent,
            ops: (size * SLEEPERS) as u64,
        })
    }
}

/// A foreign thread wakes one task of a runtime that sleeps and blocks until the task has answered:
/// two thread wake-ups a round trip, unless the runtime keeps spinning. Size: round trips.
#[derive(Debug)]
pub struct WakeIdle;

impl Workload for WakeIdle {
    const SPEC: Spec = Spec {
        name: "wake_idle",
        group: Group::Wake,
        unit: "ns/round trip",
        about: "a foreign thread wakes one task of a sleeping runtime and blocks for its answer",
        full: 5_000,
        quick: 200,
        rivals: RUNTIMES,
        in_go: false,
        target: Some(Target::Ratio(1.0)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        let (question, questions) = async_channel::bounded::<()>(1);
        let (answer, answers) = mpsc::channel::<()>();
        let task = rt.spawn_from_outside(async move {
            while let Ok(()) = questions.recv().await {
                answer
                    .send(())
                    .expect("the foreign thread waits for the answer");
            }
        });
        let ask = || {
            question
                .try_send(())
                .expect("the task has taken the previous question");
            answers
                .recv()
                .expect("the task lives until `question` is dropped");
        };
        ask();
        let start = Instant::now();
        for _ in 0..size {
            ask();
        }
        let cost = Cost::since(start, size);
        drop(question);
        rt.run(R::join(task));
        Ok(cost)
    }
}

/// Tasks that receive in [`FanOutForeign`].
const RECEIVERS: usize = 64;

/// A foreign thread feeds one channel from which 64 tasks receive, and waits until all messages have
/// been counted: each wake comes from outside, and nearly all receivers sleep. Size: messages.
#[derive(Debug)]
pub struct FanOutForeign;

impl Workload for FanOutForeign {
    const SPEC: Spec = Spec {
        name: "fan_out_foreign",
        group: Group::Wake,
        unit: "ns/message",
        about: "a foreign thread feeds one async-channel from which 64 tasks receive",
        full: 300_000,
        quick: 5_000,
        rivals: RUNTIMES,
        in_go: false,
        target: Some(Target::Ratio(0.80)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        let countdown = Countdown::new();
        countdown.start(RECEIVERS);
        let (sender, receiver) = async_channel::unbounded::<()>();
        let tasks: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let (receiver, countdown) = (receiver.clone(), Arc::clone(&countdown));
                rt.spawn_from_outside(async move {
                    // The first one tells that the task is there.
                    countdown.one_less();
                    while let Ok(()) = receiver.recv().await {
                        countdown.one_less();
                    }
                })
            })
            .collect();
        countdown.wait();
        let start = countdown.start(size);
        for _ in 0..size {
            sender
                .try_send(())
                .expect("an unbounded channel of living tasks takes all");
        }
        let spent = countdown.wait() - start;
        drop(sender);
        rt.run(async move {
            for task in tasks {
                R::join(task).await;
            }
        });
        Ok(Cost {
            spent,
            ops: size as u64,
        })
    }
}
