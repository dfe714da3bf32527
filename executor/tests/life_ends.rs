//! The ways in which a runtime ends.

mod proof_support;

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gopark::chan;
use gopark::runtime::Handle;
use proof_support::{Bell, Counter, alarm, current, every_kind, multi, on_drop};

#[test]
fn a_runtime_may_be_dropped_by_one_of_its_own_tasks() {
    let _alarm = alarm();
    for procs in [1, 2] {
        let runtime = Arc::new(multi(procs));
        let drops = Counter::default();
        let guard = drops.on_drop();
        let waiter = runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let guard = drops.on_drop();
        let (given, taken) = async_channel::bounded(1);
        let (dropped, was_dropped) = mpsc::channel();
        let dropper = runtime.spawn(async move {
            let _guard = guard;
            let runtime: Arc<gopark::runtime::Runtime> = taken.recv().await.unwrap();
            drop(Arc::into_inner(runtime).unwrap());
            dropped.send(()).unwrap();
            // The poll goes on, and the next one never comes.
            pending::<()>().await;
        });
        given.try_send(runtime).unwrap();
        was_dropped.recv().unwrap();
        for task in [waiter, dropper] {
            assert!(
                futures::executor::block_on(task)
                    .unwrap_err()
                    .is_cancelled()
            );
        }
        assert_eq!(drops.get(), 2);
    }
}

#[test]
fn a_runtime_may_be_dropped_inside_its_own_block_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        let guard = drops.on_drop();
        let handle = runtime.handle().clone();
        handle.block_on(async move {
            let task = gopark::spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            gopark::yield_now().await;
            drop(runtime);
            // The root goes on.
            assert!(task.await.unwrap_err().is_cancelled());
        });
        assert_eq!(drops.get(), 1);
    }
}

#[test]
fn a_shutdown_with_a_limit_leaves_a_stuck_task_behind_which_ends_later() {
    let _alarm = alarm();
    let runtime = multi(2);
    let drops = Counter::default();
    let (stuck, other) = (drops.on_drop(), drops.on_drop());
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let task = runtime.spawn(async move {
        let _stuck = stuck;
        started.send(()).unwrap();
        released.recv().unwrap();
        pending::<()>().await;
    });
    drop(runtime.spawn(async move {
        let _other = other;
        pending::<()>().await;
    }));
    has_started.recv().unwrap();
    let start = Instant::now();
    assert!(runtime.shutdown_timeout(Duration::from_millis(20)).is_err());
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(drops.get(), 1, "all but the stuck one");
    assert!(!task.is_finished());
    release.send(()).unwrap();
    assert!(
        futures::executor::block_on(task)
            .unwrap_err()
            .is_cancelled()
    );
    assert_eq!(drops.get(), 2);
}

#[test]
fn a_shutdown_with_a_limit_that_is_not_needed_says_so() {
    let _alarm = alarm();
    for runtime in every_kind() {
        drop(runtime.spawn(pending::<()>()));
        runtime.block_on(gopark::yield_now());
        assert!(runtime.shutdown_timeout(Duration::MAX).is_ok());
    }
}

#[test]
fn a_shutdown_in_the_background_does_not_wait() {
    let _alarm = alarm();
    let runtime = multi(1);
    let drops = Counter::default();
    let parked = drops.on_drop();
    drop(runtime.spawn(async move {
        let _parked = parked;
        pending::<()>().await;
    }));
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let task = runtime.spawn(async move {
        started.send(()).unwrap();
        released.recv().unwrap();
        8
    });
    has_started.recv().unwrap();
    // It would wait for ever for the task if it waited.
    runtime.shutdown_background();
    assert_eq!(drops.get(), 1);
    release.send(()).unwrap();
    assert_eq!(futures::executor::block_on(task).unwrap(), 8);
}

/// A task waits on its thread for another one, which lies in the queue of its processor. The runtime was ended before by
/// one who does not wait for them.
#[test]
fn a_task_that_blocks_after_the_end_for_a_task_in_its_own_processor_learns_that_it_is_gone() {
    let _alarm = alarm();
    type Wait = fn(chan::Receiver<u32>) -> bool;
    let ways: [Wait; 5] = [
        |receiver| receiver.recv_blocking().is_err(),
        |receiver| gopark::block_on(receiver.recv()).is_err(),
        |receiver| gopark::block_eager(|| futures::executor::block_on(receiver.recv())).is_err(),
        |receiver| gopark::block(|| futures::executor::block_on(receiver.recv())).is_err(),
        |receiver| futures::executor::block_on(receiver.recv()).is_err(),
    ];
    for wait in ways {
        for procs in [1, 2] {
            let runtime = multi(procs);
            let ended = Arc::new(AtomicBool::new(false));
            let has_ended = ended.clone();
            let (spawned, has_spawned) = mpsc::channel();
            let task = runtime.spawn(async move {
                let (sender, receiver) = chan::bounded(0);
                let other = gopark::spawn(async move {
                    // Not before the end: until then the other processor would run it.
                    pending::<()>().await;
                    sender.send(5).await
                });
                spawned.send(()).unwrap();
                while !has_ended.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                (wait(receiver), other)
            });
            has_spawned.recv().unwrap();
            runtime.shutdown_background();
            ended.store(true, Ordering::Release);
            let (told, other) = futures::executor::block_on(task).unwrap();
            assert!(told, "a message came from a task that was dropped");
            assert!(
                futures::executor::block_on(other)
                    .unwrap_err()
                    .is_cancelled()
            );
        }
    }
}

#[test]
fn futures_are_dropped_in_the_context_of_their_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, receiver) = mpsc::channel();
        let polled = Bell::default();
        for park in [true, false] {
            let (sender, bell) = (sender.clone(), polled.clone());
            let look = on_drop(move || {
                let id = Handle::try_current().map(|handle| handle.flavor());
                sender.send(id.ok()).unwrap();
            });
            drop(runtime.spawn(async move {
                let _look = look;
                if park {
                    bell.ring();
                    pending::<()>().await;
                }
            }));
        }
        runtime.block_on(polled.rung());
        let flavor = runtime.handle().flavor();
        // One is dropped before its first poll.
        let late = sender.clone();
        let unpolled = on_drop(move || {
            late.send(Handle::try_current().ok().map(|handle| handle.flavor()))
                .unwrap();
        });
        drop(runtime.spawn(async move {
            let _unpolled = unpolled;
        }));
        drop(runtime);
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [Some(flavor); 3]);
    }
}

#[test]
fn a_runtime_ends_while_other_threads_are_inside_its_block_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let bell = Bell::default();
        let (inside, is_inside) = mpsc::channel();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, inside) = (runtime.handle().clone(), inside.clone());
                let rung = bell.rung();
                thread::spawn(move || {
                    handle.block_on(async {
                        inside.send(()).unwrap();
                        // Woken by the end: it says so by a panic, which is no hang.
                        let sleep = std::panic::AssertUnwindSafe(gopark::time::sleep(
                            Duration::from_secs(3600),
                        ));
                        let slept = futures::FutureExt::catch_unwind(sleep).await;
                        assert!(slept.is_err());
                        drop(rung);
                    });
                })
            })
            .collect();
        for _ in 0..4 {
            is_inside.recv().unwrap();
        }
        drop(runtime);
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_runtime_may_end_on_any_thread_while_another_is_entered() {
    let _alarm = alarm();
    let (outer, inner) = (multi(2), current());
    let both = Arc::new(Barrier::new(2));
    let theirs = both.clone();
    let task = outer.spawn(async move {
        theirs.wait();
        Handle::current().flavor()
    });
    let _entered = outer.enter();
    inner.block_on(async {
        drop(gopark::spawn(pending::<()>()));
        gopark::yield_now().await;
    });
    drop(inner);
    both.wait();
    let flavor = gopark::block_on(task).unwrap();
    assert_eq!(flavor, gopark::runtime::Flavor::MultiThread);
}
