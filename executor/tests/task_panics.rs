//! Panics, wherever they come from, stay where they belong.

mod task_support;

use std::future::{Future, pending, poll_fn};
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::channel::oneshot;
use gopark::runtime::Runtime;
use task_support::{Counter, PanickingWaker, alarm, every_kind, multi, on_drop};

fn goes_on(runtime: &Runtime) {
    let sum = runtime.block_on(async {
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                gopark::spawn(async move {
                    gopark::yield_now().await;
                    n
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 45);
}

#[test]
fn a_panic_in_a_poll_fails_its_handle_and_nothing_else() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        let guard = drops.on_drop();
        let handle = runtime.spawn(async move {
            let _guard = guard;
            gopark::yield_now().await;
            // Not a literal, so that the payload is a String.
            panic!("number {}", std::hint::black_box(7));
        });
        let id = handle.id();
        let error = runtime.block_on(handle).unwrap_err();
        assert_eq!(drops.get(), 1);
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.id(), id);
        assert_eq!(
            error.to_string(),
            format!("task {id} panicked with message \"number 7\"")
        );
        assert!(format!("{error:?}").contains("number 7"), "{error:?}");
        assert_eq!(
            *error.into_panic().downcast::<String>().unwrap(),
            "number 7"
        );
        goes_on(&runtime);
    }
}

#[test]
fn a_payload_of_any_type_reaches_the_handle() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let error = runtime
            .block_on(runtime.spawn(async { panic_any(42_u64) }))
            .unwrap_err();
        assert!(error.to_string().ends_with(" panicked"), "{error}");
        assert_eq!(
            *error.try_into_panic().unwrap().downcast::<u64>().unwrap(),
            42
        );
    }
}

#[test]
fn a_cancelled_error_has_no_payload() {
    let _alarm = alarm();
    let runtime = multi(1);
    let handle = runtime.spawn(pending::<()>());
    handle.abort();
    let error = runtime
        .block_on(handle)
        .unwrap_err()
        .try_into_panic()
        .unwrap_err();
    assert!(error.is_cancelled());
    let (message, file, _) = task_support::panic_of(|| error.into_panic());
    assert!(message.contains("did not panic"), "{message}");
    assert_eq!(file, file!());
}

#[test]
fn a_future_whose_drop_panics_after_completion_gives_its_output() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mut bomb = Some(on_drop(|| panic!("in the future's drop")));
        let handle = runtime.spawn(poll_fn(move |_| {
            // The bomb belongs to the future, and goes off when that is dropped.
            assert!(bomb.as_mut().is_some());
            Poll::Ready(3)
        }));
        assert_eq!(runtime.block_on(handle).unwrap(), 3);
        goes_on(&runtime);
    }
}

#[test]
fn a_future_whose_drop_panics_when_aborted_fails_its_handle_with_the_panic() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let bomb = on_drop(|| panic!("in the future's drop"));
        let handle = runtime.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        });
        handle.abort();
        let error = runtime.block_on(handle).unwrap_err();
        assert!(
            error.to_string().contains("in the future's drop"),
            "{error}"
        );
        goes_on(&runtime);
    }
}

#[test]
fn a_future_whose_poll_and_drop_both_panic_fails_with_the_panic_of_the_poll() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mut bomb = Some(on_drop(|| panic!("in the future's drop")));
        let handle = runtime.spawn(poll_fn(move |_| -> Poll<()> {
            assert!(bomb.as_mut().is_none(), "in the poll");
            Poll::Ready(())
        }));
        let error = runtime.block_on(handle).unwrap_err();
        assert!(error.to_string().contains("in the poll"), "{error}");
        goes_on(&runtime);
    }
}

#[test]
fn a_future_whose_drop_panics_with_the_runtime_fails_its_handle_only() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (polled, was_polled) = oneshot::channel();
        let drops = Counter::default();
        let bomb = on_drop(|| panic!("in the future's drop"));
        let parked = runtime.spawn(async move {
            let _bomb = bomb;
            polled.send(()).unwrap();
            pending::<()>().await;
        });
        runtime.block_on(was_polled).unwrap();
        let bomb = on_drop(|| panic!("in the future's drop"));
        let queued = runtime.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        });
        let guard = drops.on_drop();
        let third = runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        drop(runtime);
        assert_eq!(drops.get(), 1);
        for handle in [parked, queued] {
            assert!(futures::executor::block_on(handle).unwrap_err().is_panic());
        }
        assert!(
            futures::executor::block_on(third)
                .unwrap_err()
                .is_cancelled()
        );
    }
}

#[test]
fn a_future_whose_drop_spawns_while_the_runtime_ends_leaves_nothing_behind() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (polled, was_polled) = oneshot::channel();
        let drops = Counter::default();
        let (outer, inner) = (drops.on_drop(), drops.on_drop());
        let spawns = on_drop(move || {
            drop(gopark::spawn(async move {
                let _inner = inner;
                pending::<()>().await;
            }));
        });
        drop(runtime.spawn(async move {
            let _both = (outer, spawns);
            polled.send(()).unwrap();
            pending::<()>().await;
        }));
        runtime.block_on(was_polled).unwrap();
        drop(runtime);
        assert_eq!(drops.get(), 2);
    }
}

#[test]
fn a_future_whose_drop_blocks_on_another_task_is_aborted() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (sender, receiver) = oneshot::channel();
        let blocks = on_drop(move || {
            let six = gopark::block_on(async { gopark::spawn(async { 6 }).await.unwrap() });
            sender.send(six).unwrap();
        });
        runtime.block_on(async {
            let handle = gopark::spawn(async move {
                let _blocks = blocks;
                pending::<()>().await;
            });
            gopark::yield_now().await;
            handle.abort();
            assert_eq!(receiver.await, Ok(6));
            assert!(handle.await.unwrap_err().is_cancelled());
        });
        goes_on(&runtime);
    }
}

#[test]
fn a_future_whose_drop_blocks_is_dropped_with_the_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (polled, was_polled) = oneshot::channel();
        let blocked = Counter::default();
        let count = blocked.clone();
        let blocks = on_drop(move || {
            gopark::block_on(async {
                gopark::yield_now().await;
                // The runtime takes no more tasks, so this one is cancelled.
                assert!(gopark::spawn(async {}).await.unwrap_err().is_cancelled());
            });
            count.add();
        });
        drop(runtime.spawn(async move {
            let _blocks = blocks;
            polled.send(()).unwrap();
            pending::<()>().await;
        }));
        runtime.block_on(was_polled).unwrap();
        drop(runtime);
        assert_eq!(blocked.get(), 1);
    }
}

#[test]
fn an_output_whose_drop_panics_harms_nobody_when_its_task_was_detached() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let dropped = Counter::default();
        let count = dropped.clone();
        let output = on_drop(move || {
            count.add();
            panic!("in the output's drop");
        });
        let (go, gone) = oneshot::channel::<()>();
        drop(runtime.spawn(async move {
            gone.await.unwrap();
            output
        }));
        runtime.block_on(async {
            go.send(()).unwrap();
            while dropped.get() == 0 {
                gopark::yield_now().await;
            }
        });
        goes_on(&runtime);
        assert_eq!(dropped.get(), 1);
    }
}

#[test]
fn an_output_whose_drop_panics_harms_nobody_when_its_handle_is_dropped() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let dropped = Counter::default();
        let count = dropped.clone();
        let output = on_drop(move || {
            count.add();
            panic!("in the output's drop");
        });
        let handle = runtime.spawn(async move { output });
        runtime.block_on(async {
            while !handle.is_finished() {
                gopark::yield_now().await;
            }
        });
        assert_eq!(dropped.get(), 0);
        drop(handle);
        assert_eq!(dropped.get(), 1);
        goes_on(&runtime);
    }
}

/// A payload that panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in the payload's drop");
    }
}

#[test]
fn a_payload_whose_drop_panics_harms_nobody() {
    let _alarm = alarm();
    for runtime in every_kind() {
        // In the poll, of a detached task: `async-task` drops the error.
        let (alive, is_gone) = oneshot::channel::<()>();
        drop(runtime.spawn(async move {
            let _alive = alive;
            gopark::yield_now().await;
            panic_any(Bomb);
        }));
        assert!(runtime.block_on(is_gone).is_err());
        goes_on(&runtime);

        // In the future's drop, after it gave an output: the harness drops the payload.
        let mut thrower = Some(on_drop(|| panic_any(Bomb)));
        let handle = runtime.spawn(poll_fn(move |_| {
            assert!(thrower.as_mut().is_some());
            Poll::Ready(3)
        }));
        assert_eq!(runtime.block_on(handle).unwrap(), 3);
        goes_on(&runtime);

        // In the output's drop.
        drop(runtime.spawn(async { on_drop(|| panic_any(Bomb)) }));
        goes_on(&runtime);
    }
}

#[test]
fn a_foreign_waker_that_panics_does_not_take_the_thread_away() {
    let _alarm = alarm();
    let runtime = multi(1);
    goes_on(&runtime);
    let (go, gone) = oneshot::channel::<()>();
    let mut handle = runtime.spawn(async move { gone.await.unwrap() });
    let panicking = Arc::new(PanickingWaker::default());
    let waker = Waker::from(panicking.clone());
    assert!(
        Pin::new(&mut handle)
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    // From a task, so that an M of the runtime completes the task and wakes its joiner.
    runtime
        .block_on(runtime.spawn(async move { go.send(()).unwrap() }))
        .unwrap();
    runtime.block_on(async {
        while panicking.0.get() == 0 {
            gopark::yield_now().await;
        }
    });
    goes_on(&runtime);
    assert_eq!(panicking.0.get(), 1);
    assert!(handle.is_finished());
    runtime.block_on(handle).unwrap();
}

#[test]
fn a_panic_of_the_root_passes_through_block_on_and_the_runtime_goes_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (message, _, _) = task_support::panic_of(|| {
            runtime.block_on(async {
                gopark::yield_now().await;
                panic!("in the root");
            })
        });
        assert_eq!(message, "in the root");
        goes_on(&runtime);
    }
}

#[test]
fn a_panic_of_a_nested_root_fails_the_task_that_blocks() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.spawn(async {
            gopark::block_on(async {
                gopark::yield_now().await;
                panic!("in the nested root");
            })
        });
        let error = runtime.block_on(handle).unwrap_err();
        assert!(error.to_string().contains("in the nested root"), "{error}");
        goes_on(&runtime);
    }
}

#[test]
fn a_thousand_panics_in_a_row_are_survived() {
    let _alarm = alarm();
    let runtime = multi(2);
    let failed = runtime.block_on(async {
        let tasks: Vec<_> = (0..1000)
            .map(|n| {
                gopark::spawn(async move {
                    // Quiet, for a thousand messages help nobody.
                    std::panic::resume_unwind(Box::new(n));
                })
            })
            .collect();
        let mut failed = Vec::new();
        for task in tasks {
            let task: gopark::task::JoinHandle<()> = task;
            failed.push(
                *task
                    .await
                    .unwrap_err()
                    .into_panic()
                    .downcast::<i32>()
                    .unwrap(),
            );
        }
        failed
    });
    assert_eq!(failed, (0..1000).collect::<Vec<_>>());
    goes_on(&runtime);
}
