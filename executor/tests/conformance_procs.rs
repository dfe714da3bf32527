//! The number of processors changes while the runtime runs: nothing is lost, more run at once, and fewer.

mod proof_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use gopark::runtime::StallPolicy;
use proof_support::blocking::{Computing, Gate, Way, until, wait, with_policy};
use proof_support::{Counter, Random, alarm, current, multi, seed};

#[test]
fn no_task_is_lost_while_several_threads_change_the_number_of_processors() {
    let _alarm = alarm();
    let mut random = Random::new(seed());
    for policy in [StallPolicy::HandOff, StallPolicy::Off] {
        let runtime = with_policy(2, policy);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                let mut random = random.fork();
                let (handle, over) = (runtime.handle(), &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let procs = [2, 8, 1, 3][random.below(4)];
                        assert!([1, 2, 3, 8].contains(&handle.set_procs(procs).unwrap()));
                        if random.coin() {
                            thread::yield_now();
                        }
                    }
                });
            }
            let sum = runtime.block_on(async {
                let (sender, receiver) = async_channel::bounded(10);
                let tasks: Vec<_> = (0..2000_usize)
                    .map(|n| {
                        let (sender, receiver) = (sender.clone(), receiver.clone());
                        gopark::spawn(async move {
                            for _ in 0..n % 7 {
                                gopark::yield_now().await;
                            }
                            if n % 11 == 0 {
                                let wait = Duration::from_micros(n as u64 % 2000);
                                gopark::time::sleep(wait).await;
                            }
                            let child = gopark::spawn(async move { sender.send(n).await.unwrap() });
                            let received: usize = receiver.recv().await.unwrap();
                            child.await.unwrap();
                            received
                        })
                    })
                    .collect();
                let mut sum = 0;
                for task in tasks {
                    sum += task.await.unwrap();
                }
                sum
            });
            over.store(true, Ordering::Relaxed);
            assert_eq!(sum, (0..2000).sum::<usize>());
        });
        assert!(runtime.handle().tasks().is_empty());
        // It works as before with whatever number it is left.
        for procs in [1, 5, 1] {
            runtime.handle().set_procs(procs).unwrap();
            assert_eq!(wait(runtime.spawn(async { 7 })).unwrap(), 7);
        }
    }
}

#[test]
fn more_processors_run_more_tasks_at_the_same_time() {
    let _alarm = alarm();
    // Without hand-over, eight polls that wait for each other need eight processors.
    let runtime = with_policy(1, StallPolicy::Off);
    for procs in [8, 3, 13] {
        runtime.handle().set_procs(procs).unwrap();
        let barrier = Arc::new(Barrier::new(procs));
        let tasks: Vec<_> = (0..procs)
            .map(|_| {
                let barrier = barrier.clone();
                runtime.spawn(async move { barrier.wait() })
            })
            .collect();
        for task in tasks {
            wait(task).unwrap();
        }
    }
}

#[test]
fn work_that_waits_is_taken_up_by_a_processor_that_is_added() {
    let _alarm = alarm();
    let runtime = with_policy(1, StallPolicy::Off);
    let gate = Gate::default();
    let theirs = gate.clone();
    let blocker = runtime.spawn(async move { theirs.pass() });
    until(|| gate.came() == 1);
    let releaser = runtime.spawn(async move { gate.open() });
    assert!(!releaser.is_finished());
    assert_eq!(runtime.handle().set_procs(2).unwrap(), 1);
    wait(releaser).unwrap();
    wait(blocker).unwrap();
}

#[test]
fn fewer_processors_run_fewer_tasks_at_the_same_time() {
    let _alarm = alarm();
    for way in [None, Some(Way::Block), Some(Way::Eager)] {
        let runtime = gopark::runtime::Builder::new_multi_thread()
            .procs(4)
            .stall_policy(StallPolicy::Off)
            .strict_procs(true)
            .build()
            .unwrap();
        let computing = Computing::default();
        // A batch of tasks; the most that computed at the same time.
        let batch = || {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let computing = computing.clone();
                    runtime.spawn(async move {
                        for _ in 0..3 {
                            computing.compute(Duration::from_micros(200));
                            gopark::yield_now().await;
                        }
                        if let Some(way) = way {
                            way.run(|| ());
                        }
                    })
                })
                .collect();
            for task in tasks {
                wait(task).unwrap();
            }
            computing.most()
        };
        until(|| batch() >= 2);
        runtime.handle().set_procs(1).unwrap();
        // A processor that was in use retires at the next occasion; then there is one alone.
        let mut in_a_row = 0;
        for _ in 0..200 {
            in_a_row = if batch() == 1 { in_a_row + 1 } else { 0 };
            if in_a_row == 20 {
                break;
            }
        }
        assert_eq!(in_a_row, 20, "{way:?}");
    }
}

#[test]
fn sleeps_that_were_armed_on_processors_that_retire_end() {
    let _alarm = alarm();
    // Once while the processors are idle, and once while they are in use.
    for at_work in [false, true] {
        let runtime = with_policy(8, StallPolicy::Off);
        let (barrier, armed) = (Arc::new(Barrier::new(8)), Counter::default());
        let over = Arc::new(AtomicBool::new(false));
        let sleepers: Vec<_> = (0..8)
            .map(|_| {
                let (barrier, armed) = (barrier.clone(), armed.clone());
                runtime.spawn(async move {
                    // Each on another processor.
                    barrier.wait();
                    let mut sleep = Box::pin(gopark::time::sleep(Duration::from_millis(20)));
                    assert!(futures::poll!(&mut sleep).is_pending());
                    armed.add();
                    sleep.await;
                })
            })
            .collect();
        until(|| armed.get() == 8);
        let busy: Vec<_> = (0..8)
            .map(|_| {
                let over = over.clone();
                runtime.spawn(async move {
                    while at_work && !over.load(Ordering::Relaxed) {
                        gopark::yield_now().await;
                    }
                })
            })
            .collect();
        runtime.handle().set_procs(1).unwrap();
        for sleeper in sleepers {
            wait(sleeper).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        for task in busy {
            wait(task).unwrap();
        }
    }
}

#[test]
fn tasks_that_are_queued_on_a_processor_that_retires_run() {
    let _alarm = alarm();
    let runtime = with_policy(2, StallPolicy::Off);
    for _ in 0..20 {
        runtime.handle().set_procs(2).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let ran = Counter::default();
        let spawners: Vec<_> = (0..2)
            .map(|n| {
                let (barrier, ran) = (barrier.clone(), ran.clone());
                runtime.spawn(async move {
                    barrier.wait();
                    for _ in 0..100 {
                        let ran = ran.clone();
                        drop(gopark::spawn(async move {
                            gopark::yield_now().await;
                            ran.add();
                        }));
                    }
                    if n == 0 {
                        gopark::runtime::Handle::current().set_procs(1).unwrap();
                    }
                    barrier.wait();
                })
            })
            .collect();
        for spawner in spawners {
            wait(spawner).unwrap();
        }
        until(|| ran.get() == 200);
    }
}

#[test]
fn what_is_queued_on_a_processor_that_retires_under_a_blocked_task_runs_meanwhile() {
    let _alarm = alarm();
    for way in Way::ALL {
        let runtime = multi(2);
        for _ in 0..5 {
            runtime.handle().set_procs(2).unwrap();
            let (gate, ran) = (Gate::default(), Counter::default());
            let barrier = Arc::new(Barrier::new(2));
            let blockers: Vec<_> = (0..2)
                .map(|n| {
                    let (gate, ran, barrier) = (gate.clone(), ran.clone(), barrier.clone());
                    runtime.spawn(async move {
                        barrier.wait();
                        for _ in 0..10 {
                            let (gate, ran) = (gate.clone(), ran.clone());
                            drop(gopark::spawn(async move {
                                if ran.add() == 20 {
                                    gate.open();
                                }
                            }));
                        }
                        if n == 0 {
                            gopark::runtime::Handle::current().set_procs(1).unwrap();
                        }
                        // Each processor has what nobody can steal, and one of them has retired.
                        way.run(|| gate.pass());
                        gopark::yield_now().await;
                    })
                })
                .collect();
            for blocker in blockers {
                wait(blocker).unwrap();
            }
            assert_eq!(ran.get(), 20, "{way:?}");
        }
    }
}

#[test]
fn a_task_comes_back_from_its_section_when_its_processor_has_retired() {
    let _alarm = alarm();
    for strict in [false, true] {
        for way in Way::MARKED {
            let runtime = gopark::runtime::Builder::new_multi_thread()
                .procs(4)
                .strict_procs(strict)
                .build()
                .unwrap();
            let gate = Gate::default();
            let blocked: Vec<_> = (0..8)
                .map(|_| {
                    let gate = gate.clone();
                    runtime.spawn(async move {
                        way.run(|| gate.pass());
                        gopark::spawn(gopark::yield_now()).await.unwrap();
                    })
                })
                .collect();
            until(|| gate.came() == 8);
            assert_eq!(runtime.handle().set_procs(1).unwrap(), 4);
            gate.open();
            for task in blocked {
                wait(task).unwrap();
            }
            assert_eq!(runtime.handle().metrics().procs, 1);
            until(|| runtime.handle().metrics().idle_procs == 1);
        }
    }
}

#[test]
fn a_number_that_cannot_be_is_named_and_changes_nothing() {
    let runtime = multi(2);
    let handle = runtime.handle();
    for procs in [0, 1025, usize::MAX] {
        assert_eq!(
            handle.set_procs(procs).unwrap_err().to_string(),
            format!("set_procs({procs}): expected a number of processors from 1 to 1024")
        );
    }
    assert_eq!(handle.metrics().procs, 2);
    assert_eq!(handle.set_procs(1024).unwrap(), 2);
    assert_eq!(handle.set_procs(1).unwrap(), 1024);
    assert_eq!(wait(runtime.spawn(async { 3 })).unwrap(), 3);
    let alone = current();
    assert_eq!(
        alone.handle().set_procs(2).unwrap_err().to_string(),
        "set_procs(2) on the current-thread flavour, which has exactly 1 processor"
    );
    assert_eq!(alone.handle().set_procs(1).unwrap(), 1);
    assert_eq!(
        alone.handle().set_procs(0).unwrap_err().to_string(),
        "set_procs(0): expected a number of processors from 1 to 1024"
    );
}

#[test]
fn a_task_may_change_the_number_it_runs_on_and_a_runtime_that_ended_takes_it() {
    let _alarm = alarm();
    let runtime = multi(3);
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        for procs in [1, 4, 2, 1, 3] {
            handle.set_procs(procs).unwrap();
            assert_eq!(handle.metrics().procs, procs);
            let theirs = handle.clone();
            gopark::spawn(async move { theirs.set_procs(procs).unwrap() })
                .await
                .unwrap();
        }
    });
    drop(runtime);
    handle.set_procs(5).unwrap();
    assert!(handle.spawn(async {}).is_finished());
}
