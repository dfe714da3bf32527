//! Tasks of `spawn_local`: bound to the thread that spawned them, and free to be !Send.

mod task_support;

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::panic::panic_any;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, ThreadId};

use futures::channel::oneshot;
use gopark::task;
use task_support::{Counter, alarm, every_kind, on_drop, panic_of};

#[test]
fn local_tasks_share_what_is_not_send() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let log = Rc::new(RefCell::new(Vec::new()));
        runtime.block_on(async {
            let home = thread::current().id();
            let tasks: Vec<_> = (0..100)
                .map(|n| {
                    let log = log.clone();
                    task::spawn_local(async move {
                        gopark::yield_now().await;
                        assert_eq!(thread::current().id(), home);
                        log.borrow_mut().push(n);
                        Rc::new(n)
                    })
                })
                .collect();
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(*task.await.unwrap(), n);
            }
        });
        assert_eq!(*log.borrow(), (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn a_local_task_woken_from_another_thread_goes_on_where_it_was() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let home = thread::current().id();
            for _ in 0..200 {
                let (sender, receiver) = oneshot::channel();
                let not_send = Rc::new(Cell::new(0));
                let local = not_send.clone();
                let task = task::spawn_local(async move {
                    local.set(receiver.await.unwrap());
                    thread::current().id()
                });
                let waker = thread::spawn(move || sender.send(9).unwrap());
                assert_eq!(task.await.unwrap(), home);
                assert_eq!(not_send.get(), 9);
                waker.join().unwrap();
            }
        });
    }
}

#[test]
fn local_tasks_and_others_wake_each_other() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (to_local, mut from_far) = futures::channel::mpsc::unbounded::<u32>();
            let (to_far, mut from_local) = futures::channel::mpsc::unbounded::<u32>();
            let far = gopark::spawn(async move {
                use futures::StreamExt;
                while let Some(n) = from_local.next().await {
                    to_local.unbounded_send(n + 1).unwrap();
                }
            });
            let local = task::spawn_local(async move {
                use futures::StreamExt;
                let mut n = 0;
                while n < 1000 {
                    to_far.unbounded_send(n).unwrap();
                    n = from_far.next().await.unwrap();
                }
                Rc::new(n)
            });
            assert_eq!(*local.await.unwrap(), 1000);
            far.await.unwrap();
        });
    }
}

/// Sends the thread that drops it.
fn tell_dropper(sender: &mpsc::Sender<ThreadId>) -> impl Drop + use<> {
    let sender = sender.clone();
    on_drop(move || sender.send(thread::current().id()).unwrap())
}

#[test]
fn local_tasks_that_are_not_done_are_dropped_by_their_thread_when_block_on_returns() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, droppers) = mpsc::channel();
        let (parked, queued) = runtime.block_on(async {
            let guard = tell_dropper(&sender);
            let parked = task::spawn_local(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            gopark::yield_now().await;
            gopark::yield_now().await;
            let guard = tell_dropper(&sender);
            let queued = task::spawn_local(async move {
                let _guard = guard;
            });
            (parked, queued)
        });
        drop(sender);
        let droppers: Vec<_> = droppers.try_iter().collect();
        assert_eq!(droppers, [thread::current().id(); 2]);
        for handle in [parked, queued] {
            assert!(runtime.block_on(handle).unwrap_err().is_cancelled());
        }
    }
}

#[test]
fn waking_a_local_task_after_its_block_on_is_harmless() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, receiver) = oneshot::channel::<()>();
        let mut receiver = Some(receiver);
        let (give, waker) = mpsc::channel();
        runtime.block_on(async {
            let receiver = receiver.take().unwrap();
            drop(task::spawn_local(async move {
                std::future::poll_fn(|cx| {
                    give.send(cx.waker().clone()).unwrap();
                    std::task::Poll::Ready(())
                })
                .await;
                let _ = receiver.await;
            }));
            while give_is_pending(&waker) {
                gopark::yield_now().await;
            }
        });
        let waker = STASH.take().unwrap();
        assert!(sender.is_canceled());
        waker.wake_by_ref();
        thread::spawn(move || waker.wake()).join().unwrap();
        assert_eq!(runtime.block_on(async { 4 }), 4);
    }
}

thread_local! {
    static STASH: Cell<Option<std::task::Waker>> = const { Cell::new(None) };
}

fn give_is_pending(waker: &mpsc::Receiver<std::task::Waker>) -> bool {
    match waker.try_recv() {
        Ok(waker) => {
            STASH.set(Some(waker));
            false
        }
        Err(_) => true,
    }
}

#[test]
fn wakes_from_another_thread_race_the_end_of_block_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for _ in 0..500 {
            let drops = Counter::default();
            let guard = drops.on_drop();
            let (sender, receiver) = oneshot::channel::<()>();
            let waker = runtime.block_on(async {
                drop(task::spawn_local(async move {
                    let _guard = guard;
                    let _ = receiver.await;
                }));
                gopark::yield_now().await;
                gopark::yield_now().await;
                thread::spawn(move || drop(sender))
            });
            assert_eq!(drops.get(), 1);
            waker.join().unwrap();
        }
    }
}

#[test]
fn a_local_task_whose_drop_spawns_another_leaves_none_behind() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        runtime.block_on(async {
            let (outer, inner) = (drops.on_drop(), drops.on_drop());
            let spawns = on_drop(move || {
                drop(task::spawn_local(async move {
                    let _inner = inner;
                    pending::<()>().await;
                }));
            });
            drop(task::spawn_local(async move {
                let _both = (outer, spawns);
                pending::<()>().await;
            }));
            gopark::yield_now().await;
        });
        assert_eq!(drops.get(), 2);
    }
}

#[test]
fn a_local_task_that_panics_fails_its_handle() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let error =
                task::spawn_local(async { panic_any(Rc::strong_count(&Rc::new(())) as u64) })
                    .await
                    .unwrap_err();
            assert_eq!(*error.into_panic().downcast::<u64>().unwrap(), 1);
            assert_eq!(*task::spawn_local(async { Rc::new(2) }).await.unwrap(), 2);
        });
    }
}

#[test]
fn a_local_task_is_aborted_and_dropped_by_its_thread() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, droppers) = mpsc::channel();
        runtime.block_on(async {
            let guard = tell_dropper(&sender);
            let handle = task::spawn_local(async move {
                let _guard = guard;
                pending::<Rc<()>>().await
            });
            gopark::yield_now().await;
            let abort = handle.abort_handle();
            thread::spawn(move || abort.abort()).join().unwrap();
            assert!(handle.await.unwrap_err().is_cancelled());
        });
        assert_eq!(droppers.recv().unwrap(), thread::current().id());
    }
}

#[test]
fn a_task_on_a_worker_may_spawn_local_tasks() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, receiver) = mpsc::channel();
        // Detached, for the task that spawned it may have moved to another thread.
        drop(runtime.spawn(async move {
            let home = thread::current().id();
            drop(task::spawn_local(async move {
                let _not_send = Rc::new(());
                gopark::yield_now().await;
                sender.send(thread::current().id() == home).unwrap();
            }));
        }));
        // On the current-thread flavour a thread inside block_on is what runs the tasks.
        let ran_at_home = runtime.block_on(async {
            loop {
                match receiver.try_recv() {
                    Ok(ran_at_home) => break ran_at_home,
                    Err(mpsc::TryRecvError::Empty) => gopark::yield_now().await,
                    Err(mpsc::TryRecvError::Disconnected) => panic!("the local task was dropped"),
                }
            }
        });
        assert!(ran_at_home);
    }
}

/// Go's LockOSThread: the processor leaves the thread again and again, and the task does not.
#[test]
fn a_local_task_stays_on_its_thread_though_the_processor_goes() {
    const TIMES: u64 = 50;
    let _alarm = alarm();
    let runtime = task_support::multi(1);
    let (sender, receiver) = mpsc::channel();
    // Nobody is inside block_on, so a worker runs this.
    drop(runtime.spawn(async move {
        drop(task::spawn_local(async move {
            let _not_send = Rc::new(());
            let mut seen = Vec::new();
            for _ in 0..TIMES {
                let (release, released) = mpsc::channel();
                // Another thread must run it, so the section does not end while the only processor is here.
                drop(task::spawn(async move { release.send(()).unwrap() }));
                gopark::block(|| released.recv().unwrap());
                seen.push(thread::current().id());
                let (wake, woken) = oneshot::channel();
                let waker = thread::spawn(move || wake.send(()).unwrap());
                woken.await.unwrap();
                seen.push(thread::current().id());
                waker.join().unwrap();
            }
            sender.send(seen).unwrap();
        }));
    }));
    let seen = receiver.recv().unwrap();
    assert!(seen.iter().all(|id| *id == seen[0]), "{seen:?}");
    let metrics = runtime.handle().metrics();
    // At least the first time. Later its thread may go on with its own tasks before it has one again.
    assert!(metrics.retakes_block >= 1, "{metrics:#?}");
}

#[test]
fn local_tasks_of_a_worker_are_dropped_by_it_when_the_runtime_ends() {
    let _alarm = alarm();
    let runtime = task_support::multi(2);
    let (sender, droppers) = mpsc::channel();
    let (spawned, was_spawned) = mpsc::channel();
    // Nobody is inside block_on, so a worker runs this.
    drop(runtime.spawn(async move {
        let guard = tell_dropper(&sender);
        drop(task::spawn_local(async move {
            let _guard = guard;
            pending::<()>().await;
        }));
        spawned.send(thread::current().id()).unwrap();
    }));
    let home = was_spawned.recv().unwrap();
    drop(runtime);
    assert_eq!(droppers.try_iter().collect::<Vec<_>>(), [home]);
}

#[test]
fn a_thread_that_runs_no_tasks_refuses_local_ones_and_the_caller_is_blamed() {
    let expected = (file!().to_string(), line!() + 1);
    let (message, file, line) = panic_of(|| task::spawn_local(async {}));
    assert!(message.contains("a thread that runs no tasks"), "{message}");
    assert_eq!((file, line), expected);

    let runtime = task_support::multi(1);
    let _entered = runtime.enter();
    let expected = (file!().to_string(), line!() + 1);
    let (message, file, line) = panic_of(|| gopark::spawn_local(async {}));
    assert!(message.contains("inside block_on"), "{message}");
    assert_eq!((file, line), expected);
}

#[test]
fn a_local_task_goes_on_after_a_nested_block_on_of_another_task() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let local = task::spawn_local(async {
                gopark::yield_now().await;
                Rc::new(5)
            });
            let nested = gopark::block_on(async { gopark::spawn(async { 6 }).await.unwrap() });
            assert_eq!((*local.await.unwrap(), nested), (5, 6));
        });
    }
}
