//! Whoever leaves a runtime last leaves nothing behind: every future is dropped, every handle resolves,
//! and the runtime's memory and descriptors are given back.
#![cfg(target_os = "linux")]

mod proof_support;

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use gopark::runtime::{Builder, Handle, Runtime};
use proof_support::blocking::compute;
use proof_support::{Counter, Random, alarm, child, multi, proc, seed};

/// Ends a runtime in one of the ways that do not wait.
fn end(runtime: Runtime, random: &mut Random) {
    match random.below(3) {
        0 => drop(runtime.shutdown_timeout(Duration::from_micros(random.below(300) as u64))),
        _ => runtime.shutdown_background(),
    }
}

/// Waits until `drops` is `expected`: what ends in the background takes a moment.
fn until_dropped(drops: &Counter, expected: usize, round: usize) {
    let start = Instant::now();
    while drops.get() != expected {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "round {round}: {} of {expected} futures were dropped",
            drops.get()
        );
        thread::yield_now();
    }
}

/// A task is in a blocking section, so that the monitor takes its processor, while the runtime ends and
/// another task lies in the queue of that processor.
#[test]
fn a_task_in_a_processor_that_the_monitor_holds_is_dropped_with_its_runtime() {
    const NAME: &str = "a_task_in_a_processor_that_the_monitor_holds_is_dropped_with_its_runtime";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let mut random = Random::new(seed());
        let descriptors = proc::descriptors();
        for round in 0..1_500 {
            let runtime = multi(1);
            let drops = Counter::default();
            let guard = drops.on_drop();
            let stay = Duration::from_micros(random.below(200) as u64);
            let (begun, begins) = mpsc::channel();
            let blocked = runtime.spawn(async move {
                let _guard = guard;
                let inner = gopark::spawn(pending::<()>());
                begun.send(()).unwrap();
                gopark::block(|| thread::sleep(stay));
                drop(inner);
            });
            begins.recv().unwrap();
            let handle = runtime.handle().clone();
            let guard = drops.on_drop();
            let mut spawned = vec![handle.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            })];
            compute(Duration::from_micros(random.below(150) as u64));
            end(runtime, &mut random);
            let guard = drops.on_drop();
            spawned.push(handle.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
            until_dropped(&drops, 3, round);
            for task in spawned {
                let error = futures::executor::block_on(task).unwrap_err();
                assert!(error.is_cancelled(), "round {round}");
            }
            let _ = futures::executor::block_on(blocked);
        }
        proc::becomes(descriptors, proc::descriptors);
    });
}

/// Threads spawn in a loop while the runtime ends, so that one of their tasks is registered, and in
/// nobody's queue, whenever somebody looks whether all are gone.
#[test]
fn a_runtime_on_which_others_spawn_as_it_ends_gives_everything_back() {
    const NAME: &str = "a_runtime_on_which_others_spawn_as_it_ends_gives_everything_back";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let mut random = Random::new(seed());
        let descriptors = proc::descriptors();
        let mut begun = 0;
        for _ in 0..300 {
            let runtime = match random.below(4) {
                0 => Builder::new_current_thread().build().unwrap(),
                _ => multi(1 + random.below(2)),
            };
            let stay = Duration::from_micros(random.below(200) as u64);
            drop(runtime.spawn(async move { gopark::block(|| thread::sleep(stay)) }));
            let spawner = |handle: Handle| {
                thread::spawn(move || {
                    let start = Instant::now();
                    let mut tasks = Vec::new();
                    while start.elapsed() < Duration::from_micros(400) {
                        tasks.push(handle.spawn(async {}));
                        drop(handle.spawn_blocking(|| ()));
                    }
                    tasks
                })
            };
            let threads = [0; 2].map(|_| spawner(runtime.handle().clone()));
            compute(Duration::from_micros(random.below(200) as u64));
            end(runtime, &mut random);
            for thread in threads {
                let tasks = thread.join().unwrap();
                begun += tasks.len();
                for task in tasks {
                    let _ = futures::executor::block_on(task);
                }
            }
        }
        println!("{begun} tasks");
        proc::becomes(descriptors, proc::descriptors);
    });
}

/// Foreign threads wake the tasks of a runtime that ends: a task is in the hand of such a thread when
/// the others look for the last time.
#[test]
fn a_task_that_is_woken_from_outside_as_its_runtime_ends_is_dropped() {
    const NAME: &str = "a_task_that_is_woken_from_outside_as_its_runtime_ends_is_dropped";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let mut random = Random::new(seed());
        let descriptors = proc::descriptors();
        for round in 0..500 {
            let runtime = multi(1 + random.below(2));
            let drops = Counter::default();
            let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let (guard, wakers) = (drops.on_drop(), wakers.clone());
                    runtime.spawn(async move {
                        let _guard = guard;
                        poll_fn(|cx| {
                            wakers.lock().unwrap().push(cx.waker().clone());
                            Poll::<()>::Pending
                        })
                        .await;
                    })
                })
                .collect();
            let stop = Arc::new(AtomicBool::new(false));
            let threads = [0; 2].map(|_| {
                let (wakers, stop) = (wakers.clone(), stop.clone());
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let waker = wakers.lock().unwrap().pop();
                        waker.into_iter().for_each(Waker::wake);
                    }
                })
            });
            compute(Duration::from_micros(random.below(200) as u64));
            end(runtime, &mut random);
            until_dropped(&drops, 8, round);
            stop.store(true, Ordering::Relaxed);
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            for task in tasks {
                let error = futures::executor::block_on(task).unwrap_err();
                assert!(error.is_cancelled(), "round {round}");
            }
        }
        proc::becomes(descriptors, proc::descriptors);
    });
}
