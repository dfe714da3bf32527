//! Runtimes to which the operating system gives no threads, for ever or for a time.

mod proof_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use proof_support::{alarm, without_workers};

#[test]
fn without_worker_threads_block_on_runs_everything_on_its_own() {
    let _alarm = alarm();
    for procs in [1, 2, 4] {
        let runtime = without_workers(procs);
        let me = thread::current().id();
        let sum = runtime.block_on(async {
            let (sender, receiver) = async_channel::bounded(1);
            let tasks: Vec<_> = (0..1000)
                .map(|n| {
                    let (sender, receiver) = (sender.clone(), receiver.clone());
                    gopark::spawn(async move {
                        assert_eq!(thread::current().id(), me);
                        gopark::yield_now().await;
                        sender.send(n).await.unwrap();
                        if n % 100 == 0 {
                            gopark::time::sleep(Duration::from_millis(1)).await;
                        }
                        receiver.recv().await.unwrap()
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, (0..1000).sum::<usize>());
        let metrics = runtime.handle().metrics();
        assert_eq!(metrics.threads_started, 0);
        if procs > 1 {
            assert!(metrics.thread_failures > 0, "{metrics:?}");
        }
    }
}

#[test]
fn a_spawn_that_finds_no_thread_returns_and_its_task_runs_in_the_next_block_on() {
    let _alarm = alarm();
    let runtime = without_workers(2);
    let ran = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let ran = ran.clone();
            runtime.spawn(async move { ran.fetch_add(1, Ordering::SeqCst) })
        })
        .collect();
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    assert!(runtime.handle().metrics().thread_failures > 0);
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(ran.load(Ordering::SeqCst), 100);
}

#[test]
fn without_worker_threads_several_threads_in_block_on_share_the_work() {
    let _alarm = alarm();
    let runtime = without_workers(2);
    let rendezvous = Arc::new(std::sync::Barrier::new(2));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let barrier = rendezvous.clone();
                // Blocks its thread until the other thread's task runs, too.
                runtime
                    .block_on(runtime.spawn(async move { barrier.wait() }))
                    .unwrap();
            });
        }
    });
    assert_eq!(runtime.handle().metrics().threads_started, 0);
}

#[test]
fn a_task_that_blocks_without_worker_threads_waits_for_another_thread_in_block_on() {
    let _alarm = alarm();
    let runtime = without_workers(2);
    let (started, has_started) = mpsc::channel();
    thread::scope(|scope| {
        let runtime = &runtime;
        scope.spawn(move || {
            runtime
                .block_on(runtime.spawn(async move {
                    let inner = gopark::spawn(async { 7 });
                    started.send(()).unwrap();
                    assert_eq!(gopark::block_on(inner).unwrap(), 7);
                }))
                .unwrap();
        });
        has_started.recv().unwrap();
        // This thread takes the P that the other gave up.
        runtime.block_on(async {
            while runtime.handle().metrics().handoffs == 0 || !runtime.handle().tasks().is_empty() {
                gopark::time::sleep(Duration::from_millis(1)).await;
            }
        });
    });
}

#[test]
fn a_runtime_without_worker_threads_ends_with_tasks_that_never_ran() {
    let _alarm = alarm();
    let runtime = without_workers(2);
    let tasks: Vec<_> = (0..100)
        .map(|_| runtime.spawn(std::future::pending::<()>()))
        .collect();
    drop(runtime);
    for task in tasks {
        assert!(
            futures::executor::block_on(task)
                .unwrap_err()
                .is_cancelled()
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn threads_that_are_refused_for_a_time_are_started_later() {
    use proof_support::{child, proc};

    const NAME: &str = "threads_that_are_refused_for_a_time_are_started_later";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let runtime = gopark::runtime::Builder::new_multi_thread()
            .procs(3)
            .thread_stack_size(1 << 30)
            .build()
            .unwrap();
        // Room for the heap, but not for a thread's stack.
        let room = proc::virtual_memory() as u64 + (256 << 20);
        proc::limit(libc::RLIMIT_AS, room);
        let work = async || {
            let tasks: Vec<_> = (0..100)
                .map(|_| gopark::spawn(gopark::yield_now()))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        };
        runtime.block_on(async {
            while runtime.handle().metrics().thread_failures == 0 {
                work().await;
            }
        });
        assert_eq!(runtime.handle().metrics().threads_started, 0);
        proc::limit(libc::RLIMIT_AS, u64::MAX);
        runtime.block_on(async {
            while runtime.handle().metrics().threads_started == 0 {
                work().await;
            }
        });
        // And one that was started works.
        let me = thread::current().id();
        let other = runtime.spawn(async { thread::current().id() });
        assert_ne!(futures::executor::block_on(other).unwrap(), me);
    });
}
