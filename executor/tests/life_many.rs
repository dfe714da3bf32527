//! Several runtimes, and several threads in one.

mod proof_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use gopark::runtime::{Handle, Runtime};
use proof_support::{alarm, current, every_kind, multi};

/// Which of `runtimes` this thread is in.
fn place(runtimes: &[Runtime]) -> Option<usize> {
    let here = Handle::try_current().ok()?;
    // A task of it would be in its list alone.
    let _entered = here.enter();
    let task = gopark::spawn(std::future::pending::<()>());
    let place = runtimes
        .iter()
        .position(|one| one.handle().tasks().iter().any(|it| it.id == task.id()));
    task.abort();
    place
}

#[test]
fn guards_of_entered_runtimes_nest() {
    let _alarm = alarm();
    let runtimes = [multi(1), current(), multi(2)];
    assert_eq!(place(&runtimes), None);
    let zero = runtimes[0].enter();
    assert_eq!(place(&runtimes), Some(0));
    let one = runtimes[1].enter();
    assert_eq!(place(&runtimes), Some(1));
    let again = runtimes[0].handle().enter();
    assert_eq!(place(&runtimes), Some(0));
    drop(again);
    assert_eq!(place(&runtimes), Some(1));
    runtimes[2].block_on(async {
        assert_eq!(place(&runtimes), Some(2));
        let inner = runtimes[0].enter();
        assert_eq!(place(&runtimes), Some(0));
        drop(inner);
        assert_eq!(place(&runtimes), Some(2));
    });
    assert_eq!(place(&runtimes), Some(1));
    drop(one);
    assert_eq!(place(&runtimes), Some(0));
    drop(zero);
    assert_eq!(place(&runtimes), None);
}

#[test]
fn eight_threads_block_on_one_runtime_and_its_tasks_reach_all() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let start = Barrier::new(8);
        let sum = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (pass, take) = async_channel::bounded(1);
            for n in 0..8 {
                let (runtime, start, sum) = (&runtime, &start, &sum);
                let (pass, take) = (pass.clone(), take.clone());
                scope.spawn(move || {
                    start.wait();
                    runtime.block_on(async {
                        for round in 0..50 {
                            let pass = pass.clone();
                            let sent = gopark::spawn(async move {
                                gopark::yield_now().await;
                                pass.send(n * 50 + round).await.unwrap();
                            });
                            // From any of the threads.
                            sum.fetch_add(take.recv().await.unwrap(), Ordering::SeqCst);
                            sent.await.unwrap();
                        }
                    });
                });
            }
        });
        assert_eq!(sum.into_inner(), (0..400).sum::<usize>());
        assert!(runtime.handle().tasks().is_empty());
    }
}

#[test]
fn tasks_spawned_between_two_block_ons_run_in_the_second() {
    let _alarm = alarm();
    let runtime = current();
    let ran = Arc::new(AtomicUsize::new(0));
    for round in 1..4 {
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let ran = ran.clone();
                runtime.spawn(async move { ran.fetch_add(1, Ordering::SeqCst) })
            })
            .collect();
        assert_eq!(ran.load(Ordering::SeqCst), (round - 1) * 100);
        assert!(tasks.iter().all(|task| !task.is_finished()));
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(ran.load(Ordering::SeqCst), round * 100);
    }
}

#[test]
fn twenty_runtimes_talk_to_each_other() {
    let _alarm = alarm();
    let runtimes: Vec<_> = (0..20)
        .map(|n| {
            if n % 4 == 3 {
                current()
            } else {
                multi(1 + n % 3)
            }
        })
        .collect();
    let (first, mut before) = async_channel::bounded(1);
    let mut tasks = Vec::new();
    for runtime in &runtimes {
        let (next, after) = async_channel::bounded(1);
        tasks.push(runtime.spawn(async move {
            while let Ok(n) = before.recv().await {
                let relayed: usize = n;
                next.send(relayed + 1).await.unwrap();
            }
        }));
        before = after;
    }
    thread::scope(|scope| {
        // The current-thread ones need a thread.
        for (runtime, task) in runtimes.iter().zip(tasks) {
            scope.spawn(|| runtime.block_on(task).unwrap());
        }
        for n in 0..50 {
            futures::executor::block_on(async {
                first.send(n).await.unwrap();
                assert_eq!(before.recv().await, Ok(n + 20));
            });
        }
        drop(first);
    });
}

#[test]
fn runtimes_nest_in_each_other() {
    fn nest(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let inner = if depth % 3 == 0 {
            current()
        } else {
            multi(depth % 3)
        };
        let own = inner.spawn(async { 1 });
        inner.block_on(async {
            own.await.unwrap() + gopark::spawn(async move { nest(depth - 1) }).await.unwrap()
        })
    }

    let _alarm = alarm();
    assert_eq!(nest(9), 9);
}
