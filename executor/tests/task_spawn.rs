//! Tasks come, run and are waited for: from any thread, on any runtime.

mod task_support;

use std::cell::Cell;
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::channel::oneshot;
use gopark::runtime::Handle;
use gopark::task::{self, AbortHandle, JoinError, JoinHandle, JoinSet};
use task_support::{Counter, alarm, current, every_kind, multi, panic_of, poll_once};

#[test]
fn a_handle_gives_the_output() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let outputs = runtime.block_on(async {
            let handles: Vec<_> = (0..100)
                .map(|n| gopark::spawn(async move { n * 2 }))
                .collect();
            let mut outputs = Vec::new();
            for handle in handles {
                outputs.push(handle.await.unwrap());
            }
            outputs
        });
        assert_eq!(outputs, (0..100).map(|n| n * 2).collect::<Vec<_>>());
    }
}

#[test]
fn a_dropped_handle_lets_its_task_run_to_the_end() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, receiver) = oneshot::channel();
        runtime.block_on(async {
            drop(gopark::spawn(async move {
                for _ in 0..10 {
                    gopark::yield_now().await;
                }
                sender.send(7).unwrap();
            }));
            assert_eq!(receiver.await, Ok(7));
        });
    }
}

#[test]
fn a_handle_may_be_polled_put_aside_and_polled_from_another_task() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (sender, receiver) = oneshot::channel();
            let mut handle = gopark::spawn(receiver);
            assert!(poll_once(&mut handle).is_pending());
            let joiner = gopark::spawn(handle);
            gopark::yield_now().await;
            sender.send("late").unwrap();
            assert_eq!(joiner.await.unwrap().unwrap(), Ok("late"));
        });
    }
}

#[test]
fn is_finished_tells_the_end() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (sender, receiver) = oneshot::channel::<()>();
            let handle = gopark::spawn(receiver);
            let abort = handle.abort_handle();
            gopark::yield_now().await;
            assert!(!handle.is_finished());
            assert!(!abort.is_finished());
            sender.send(()).unwrap();
            while !handle.is_finished() {
                gopark::yield_now().await;
            }
            assert!(abort.is_finished());
            handle.await.unwrap().unwrap();
        });
    }
}

#[test]
fn a_handle_that_is_polled_after_it_gave_the_output_panics() {
    let _alarm = alarm();
    let runtime = multi(1);
    let (mut handle, line) = (runtime.spawn(async { 1 }), line!());
    let id = handle.id();
    assert_eq!(runtime.block_on(&mut handle).unwrap(), 1);
    let (message, _, _) = panic_of(|| poll_once(&mut handle));
    let spawned = format!("task {id}, spawned at {}:{line}:", file!());
    assert!(
        message.contains("JoinHandle") && message.contains(&spawned),
        "{message}"
    );
    assert_eq!(runtime.block_on(runtime.spawn(async { 2 })).unwrap(), 2);
}

#[test]
fn a_task_knows_its_id() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            assert_eq!(task::try_id(), None);
            let handle = gopark::spawn(async {
                let before = task::id();
                gopark::yield_now().await;
                (before, task::id())
            });
            let (id, abort) = (handle.id(), handle.abort_handle());
            assert_eq!(abort.id(), id);
            assert_eq!(handle.await.unwrap(), (id, id));
            assert_eq!(abort.id(), id);
        });
    }
}

#[test]
fn asking_for_the_id_outside_a_task_blames_the_caller() {
    let expected = (file!().to_string(), line!() + 1);
    let (message, file, line) = panic_of(|| Some(task::id()));
    assert!(message.contains("outside a task"), "{message}");
    assert_eq!((file, line), expected);
}

#[test]
fn ids_are_unique_over_a_hundred_thousand_spawns_from_several_threads() {
    let _alarm = alarm();
    let runtime = multi(2);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let handle = runtime.handle().clone();
            std::thread::spawn(move || {
                let tasks: Vec<_> = (0..25_000)
                    .map(|_| handle.spawn(async { task::id() }))
                    .collect();
                tasks
                    .into_iter()
                    .map(|task| {
                        let id = task.id();
                        assert_eq!(handle.block_on(task).unwrap(), id);
                        id
                    })
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let mut ids = HashSet::new();
    for thread in threads {
        for id in thread.join().unwrap() {
            assert!(ids.insert(id), "{id} was given twice");
        }
    }
    assert_eq!(ids.len(), 100_000);
}

#[test]
fn a_foreign_thread_spawns_through_a_handle() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let sum = runtime.block_on(async {
            let handle = Handle::current();
            let (sender, receiver) = oneshot::channel();
            let thread = std::thread::spawn(move || {
                sender.send(
                    (0..50)
                        .map(|n| handle.spawn(async move { n }))
                        .collect::<Vec<_>>(),
                )
            });
            let mut sum = 0;
            for task in receiver.await.unwrap() {
                sum += task.await.unwrap();
            }
            thread.join().unwrap().unwrap();
            sum
        });
        assert_eq!(sum, 1225);
    }
}

#[test]
fn spawn_outside_any_runtime_uses_the_default_one() {
    let _alarm = alarm();
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for n in 0..10 {
                    let sender = sender.clone();
                    drop(gopark::spawn(async move {
                        gopark::yield_now().await;
                        sender.send(thread * 10 + n).unwrap();
                    }));
                }
            })
        })
        .collect();
    drop(sender);
    for thread in threads {
        thread.join().unwrap();
    }
    let mut got: Vec<u32> = receiver.iter().collect();
    got.sort_unstable();
    assert_eq!(got, (0..30).collect::<Vec<_>>());
}

#[test]
fn a_foreign_executor_waits_for_a_task() {
    let _alarm = alarm();
    let runtime = multi(1);
    let (sender, receiver) = oneshot::channel();
    let handle = runtime.spawn(async move { receiver.await.unwrap() + 1 });
    let thread = std::thread::spawn(move || futures::executor::block_on(handle).unwrap());
    sender.send(1).unwrap();
    assert_eq!(thread.join().unwrap(), 2);
}

#[test]
fn two_tasks_that_yield_alternate() {
    let _alarm = alarm();
    let runtime = current();
    let trace = Arc::new(Mutex::new(String::new()));
    runtime.block_on(async {
        let tasks: Vec<_> = ['a', 'b']
            .into_iter()
            .map(|name| {
                let trace = trace.clone();
                gopark::spawn(async move {
                    for _ in 0..100 {
                        trace.lock().unwrap().push(name);
                        gopark::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let trace = trace.lock().unwrap();
    assert!(
        *trace == "ab".repeat(100) || *trace == "ba".repeat(100),
        "{trace}"
    );
}

#[test]
fn a_task_that_yields_goes_behind_all_that_is_due() {
    let _alarm = alarm();
    current().block_on(async {
        let trace = Arc::new(Mutex::new(Vec::new()));
        let write = trace.clone();
        gopark::spawn(async move {
            let others: Vec<_> = (0..10)
                .map(|n| {
                    let write = write.clone();
                    gopark::spawn(async move { write.lock().unwrap().push(n) })
                })
                .collect();
            gopark::yield_now().await;
            write.lock().unwrap().push(100);
            drop(others);
        })
        .await
        .unwrap();
        let mut trace = trace.lock().unwrap().clone();
        assert_eq!(trace.pop(), Some(100));
        trace.sort_unstable();
        assert_eq!(trace, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn a_detached_task_that_nobody_can_wake_is_dropped_with_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        for _ in 0..100 {
            let guard = drops.on_drop();
            let (polled, was_polled) = oneshot::channel();
            drop(runtime.spawn(async move {
                let _guard = guard;
                polled.send(()).unwrap();
                std::future::pending::<()>().await;
            }));
            runtime.block_on(was_polled).unwrap();
        }
        assert_eq!(drops.get(), 0);
        drop(runtime);
        assert_eq!(drops.get(), 100);
    }
}

/// A thousand handles of tasks that are done, and what a bystander saw of the loop that awaits
/// them: how many were awaited when it got to run.
async fn awaited_before_the_bystander_ran(unconstrained: bool) -> usize {
    let done: Vec<_> = (0..1000).map(|_| gopark::spawn(async {})).collect();
    while !done.iter().all(JoinHandle::is_finished) {
        gopark::yield_now().await;
    }
    gopark::spawn(async move {
        let awaited = Counter::default();
        let seen = awaited.clone();
        let bystander = gopark::spawn(async move { seen.get() });
        let consume = async {
            for handle in done {
                handle.await.unwrap();
                awaited.add();
            }
        };
        if unconstrained {
            task::unconstrained(consume).await;
        } else {
            consume.await;
        }
        assert_eq!(awaited.get(), 1000);
        bystander.await.unwrap()
    })
    .await
    .unwrap()
}

#[test]
fn a_loop_over_handles_that_are_all_done_lets_others_run() {
    let _alarm = alarm();
    assert_eq!(
        current().block_on(awaited_before_the_bystander_ran(false)),
        128
    );
}

#[test]
fn an_unconstrained_loop_over_handles_that_are_all_done_does_not() {
    let _alarm = alarm();
    assert_eq!(
        current().block_on(awaited_before_the_bystander_ran(true)),
        1000
    );
}

#[test]
fn the_budget_of_unconstrained_ends_with_its_poll() {
    let _alarm = alarm();
    current().block_on(async {
        let done: Vec<_> = (0..1000).map(|_| gopark::spawn(async {})).collect();
        while !done.iter().all(JoinHandle::is_finished) {
            gopark::yield_now().await;
        }
        let ran = gopark::spawn(async move {
            let bystander = gopark::spawn(async {});
            task::unconstrained(async {}).await;
            for handle in done {
                handle.await.unwrap();
            }
            bystander.is_finished()
        });
        assert!(
            ran.await.unwrap(),
            "the loop after `unconstrained` never yielded"
        );
    });
}

#[test]
fn a_task_may_spawn_from_its_own_drop() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, receiver) = oneshot::channel();
        runtime.block_on(async {
            let spawns = task_support::on_drop(move || {
                drop(gopark::spawn(
                    async move { sender.send("spawned").unwrap() },
                ));
            });
            let handle = gopark::spawn(async move {
                let _spawns = spawns;
                std::future::pending::<()>().await;
            });
            gopark::yield_now().await;
            handle.abort();
            assert!(handle.await.unwrap_err().is_cancelled());
            assert_eq!(receiver.await, Ok("spawned"));
        });
    }
}

#[test]
fn handles_debug_with_their_id() {
    let runtime = current();
    let handle = runtime.spawn(async {});
    let id = handle.id();
    assert_eq!(
        format!("{handle:?}"),
        format!("JoinHandle {{ id: {id:?}, .. }}")
    );
    assert_eq!(
        format!("{:?}", handle.abort_handle()),
        format!("AbortHandle {{ id: {id:?}, .. }}")
    );
}

#[test]
fn a_large_future_and_a_large_output_survive_the_trip() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let block = [7_u8; 64 * 1024];
        let sum = runtime.block_on(async move {
            gopark::spawn(async move {
                gopark::yield_now().await;
                block
            })
            .await
            .unwrap()
            .iter()
            .map(|&byte| usize::from(byte))
            .sum::<usize>()
        });
        assert_eq!(sum, 7 * 64 * 1024);
    }
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    let _alarm = alarm();
    let runtime = multi(1);
    let (sender, receiver) = oneshot::channel::<()>();
    let mut handle = runtime.spawn(receiver);
    let wakes = [Counter::default(), Counter::default()];
    for counter in &wakes {
        let waker = Waker::from(Arc::new(CountingWaker(counter.clone())));
        let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
        assert!(matches!(polled, Poll::Pending));
    }
    sender.send(()).unwrap();
    while wakes[1].get() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(wakes.each_ref().map(Counter::get), [0, 1]);
}

struct CountingWaker(Counter);

impl std::task::Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.add();
    }
}

macro_rules! assert_not_send {
    ($type:ty) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn either() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            #[allow(dead_code, reason = "only its name is used")]
            struct IsSend;
            impl<T: ?Sized + Send> Ambiguous<IsSend> for T {}
            let _ = <$type as Ambiguous<_>>::either;
        };
    };
}

assert_not_send!(JoinHandle<Rc<()>>);
assert_not_send!(JoinSet<Rc<()>>);
assert_not_send!(task::TaskLocalFuture<Rc<()>, std::future::Ready<()>>);

#[test]
fn handles_are_send_and_sync_where_they_should_be() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn unpin<T: Unpin>() {}
    send::<JoinHandle<Cell<u8>>>();
    sync::<JoinHandle<Cell<u8>>>();
    unpin::<JoinHandle<std::marker::PhantomPinned>>();
    send::<AbortHandle>();
    sync::<AbortHandle>();
    send::<JoinError>();
    sync::<JoinError>();
    send::<JoinSet<Cell<u8>>>();
    sync::<JoinSet<Cell<u8>>>();
    unpin::<JoinSet<std::marker::PhantomPinned>>();
}
