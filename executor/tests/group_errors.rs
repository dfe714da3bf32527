//! Groups: whose error counts, who is stopped, and that all have ended when `wait` returns.

mod task_support;

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;

use futures::channel::oneshot;
use futures::{FutureExt, future};
use gopark::context::{Context, ContextError};
use gopark::group::{Group, GroupFailed};
use gopark::runtime::{Handle, WaitReason};
use gopark::time::{Duration, Instant, sleep};
use task_support::{Counter, alarm, every_kind, multi};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_empty_group_has_nothing_to_wait_for() {
    let mut group = Group::<()>::default();
    assert!(group.is_empty());
    assert_eq!(group.wait().now_or_never(), Some(Ok(())));
    assert_eq!(format!("{group:?}"), "Group { len: 0, .. }");
    let (mut group, context) = Group::<()>::with_context(&Context::background());
    assert!(!context.is_done());
    assert_eq!(group.wait().now_or_never(), Some(Ok(())));
    assert!(context.is_done(), "as in Go: the group is over");
}

#[test]
fn all_that_succeed_are_waited_for() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let ran = Counter::default();
            let mut group = Group::<()>::new();
            for n in 0..1000 {
                let ran = ran.clone();
                group
                    .go(async move {
                        for _ in 0..n % 4 {
                            gopark::yield_now().await;
                        }
                        ran.add();
                        Ok(())
                    })
                    .await;
            }
            assert_eq!(group.wait().await, Ok(()));
            assert_eq!((ran.get(), group.len()), (1000, 0));
        });
    }
}

#[gopark::test(paused = true)]
async fn the_first_error_wins_and_aborts_the_rest() {
    let _alarm = alarm();
    let began = Instant::now();
    let dropped = Counter::default();
    let mut group = Group::new();
    for n in [5, 2, 3, 60] {
        let guard = dropped.on_drop();
        group
            .go(async move {
                let _guard = guard;
                sleep(n * SECOND).await;
                Err(n)
            })
            .await;
    }
    assert_eq!(group.wait().await, Err(2));
    assert_eq!((began.elapsed(), dropped.get()), (2 * SECOND, 4));
    // It begins anew.
    group.go(async { Ok(()) }).await;
    assert_eq!(group.wait().await, Ok(()));
}

#[gopark::test(paused = true)]
async fn what_comes_after_the_error_is_dropped_without_being_run() {
    let _alarm = alarm();
    let mut group = Group::new();
    group.go(async { Err("first") }).await;
    sleep(SECOND).await;
    let dropped = Counter::default();
    let guard = dropped.on_drop();
    group
        .go(async move {
            let _guard = guard;
            unreachable!("the group has failed");
        })
        .await;
    assert_eq!((dropped.get(), group.len()), (1, 0));
    assert_eq!(group.wait().await, Err("first"));
}

#[gopark::test(paused = true)]
async fn with_a_context_the_others_are_told_and_not_aborted() {
    let _alarm = alarm();
    let (mut group, context) = Group::with_context(&Context::background());
    let finished = Counter::default();
    for n in 1..=3 {
        let (context, finished) = (context.clone(), finished.clone());
        group
            .go(async move {
                if n == 2 {
                    sleep(SECOND).await;
                    return Err("two");
                }
                let cut = context.run(pending::<()>()).await;
                assert_eq!(cut, Err(ContextError::Cancelled));
                assert!(context.cause().unwrap().is::<GroupFailed>());
                sleep(SECOND).await; // cleaning up takes a while
                finished.add();
                Err("a consequence")
            })
            .await;
    }
    let began = Instant::now();
    assert_eq!(group.wait().await, Err("two"));
    assert_eq!((began.elapsed(), finished.get()), (2 * SECOND, 2));
}

#[gopark::test(paused = true)]
async fn the_end_of_the_context_above_reaches_the_group() {
    let _alarm = alarm();
    let (above, cancel) = Context::background().with_cancel();
    let (mut group, context) = Group::with_context(&above);
    let inner = context.clone();
    group
        .go(async move { inner.run(pending::<()>()).await })
        .await;
    cancel.cancel_with("from above");
    assert_eq!(group.wait().await, Err(ContextError::Cancelled));
    assert_eq!(context.cause().unwrap().to_string(), "from above");
}

#[test]
fn a_panic_is_passed_on_after_all_have_ended() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let ended = Counter::default();
        let (release, released) = oneshot::channel::<()>();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let (mut group, context) = Group::<&str>::with_context(&Context::background());
                let guard = ended.on_drop();
                group
                    .go(async move {
                        let _guard = guard;
                        released.await.unwrap();
                        Err("too late")
                    })
                    .await;
                group.go(async { panic!("the group's panic") }).await;
                context.done().await;
                let mut waits = pin!(group.wait());
                for _ in 0..10 {
                    assert!(futures::poll!(waits.as_mut()).is_pending());
                    gopark::yield_now().await;
                }
                release.send(()).unwrap();
                waits.await
            })
        }));
        let payload = panicked.unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "the group's panic");
        assert_eq!(ended.get(), 1);
    }
}

#[test]
fn a_panic_in_a_drop_or_of_a_closure_is_one_of_the_task() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let _alarm = alarm();
    for runtime in every_kind() {
        for blocking in [false, true] {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(async {
                    let mut group = Group::<()>::new();
                    if blocking {
                        group.spawn_blocking(|| panic!("in drop")).await;
                    } else {
                        group
                            .go(async {
                                let _bad = Bad;
                                Ok(())
                            })
                            .await;
                    }
                    group.wait().await
                })
            }));
            assert_eq!(
                *panicked.unwrap_err().downcast::<&str>().unwrap(),
                "in drop"
            );
        }
    }
}

#[test]
fn a_group_that_is_dropped_stops_its_tasks() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for with_context in [false, true] {
            let dropped = Counter::default();
            runtime.block_on(async {
                let (group, context) = if with_context {
                    Group::<()>::with_context(&Context::background())
                } else {
                    (Group::new(), Context::background())
                };
                for _ in 0..10 {
                    let guard = dropped.on_drop();
                    group
                        .go(async move {
                            let _guard = guard;
                            pending().await
                        })
                        .await;
                }
                assert_eq!(group.len(), 10);
                drop(group);
                assert_eq!(context.is_done(), with_context);
                while dropped.get() < 10 {
                    gopark::yield_now().await;
                }
            });
        }
    }
}

#[gopark::test(paused = true)]
async fn wait_that_is_dropped_loses_nothing() {
    let _alarm = alarm();
    let mut group = Group::new();
    group
        .go(async {
            sleep(3 * SECOND).await;
            Err(7)
        })
        .await;
    for _ in 0..2 {
        assert!(gopark::time::timeout(SECOND, group.wait()).await.is_err());
    }
    assert_eq!(group.wait().await, Err(7));
    assert_eq!(group.wait().await, Ok(()));
}

#[gopark::test(paused = true)]
async fn groups_nest() {
    let _alarm = alarm();
    let (mut outer, context) = Group::with_context(&Context::background());
    for n in 0..4 {
        let context = context.clone();
        outer
            .go(async move {
                let (mut inner, below) = Group::with_context(&context);
                for m in 0..4 {
                    let below = below.clone();
                    inner
                        .go(async move {
                            if (n, m) == (2, 3) {
                                sleep(SECOND).await;
                                return Err((n, m));
                            }
                            below.done().await;
                            Ok(())
                        })
                        .await;
                }
                inner.wait().await
            })
            .await;
    }
    assert_eq!(outer.wait().await, Err((2, 3)));
    assert_eq!(Handle::current().tasks().len(), 1, "that of the test");
}

#[test]
fn closures_run_beside_futures_and_are_waited_for() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut group = Group::new();
            let (go_on, waits) = mpsc::channel::<()>();
            group
                .spawn_blocking(move || waits.recv().map_err(|_| "nobody"))
                .await;
            group
                .go(async move {
                    go_on.send(()).unwrap();
                    Ok(())
                })
                .await;
            assert_eq!(group.wait().await, Ok(()));
            group.spawn_blocking(|| Err("no file")).await;
            assert_eq!(group.wait().await, Err("no file"));
        });
    }
}

#[test]
fn the_end_of_the_runtime_is_not_taken_for_success() {
    let _alarm = alarm();
    let runtime = multi(1);
    let mut group = Group::<()>::new();
    runtime.block_on(async { group.go(pending()).await });
    drop(runtime);
    let waited = catch_unwind(AssertUnwindSafe(|| gopark::block_on(group.wait())));
    let message = *waited.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("shutdown of its runtime"), "{message}");
}

#[test]
fn who_waits_for_a_group_says_so() {
    let _alarm = alarm();
    multi(1).block_on(async {
        let (open, opened) = oneshot::channel::<()>();
        let waits = gopark::spawn(async move {
            let mut group = Group::<()>::new();
            group.go(opened.map(|_| Ok(()))).await;
            group.wait().await
        });
        while !Handle::current()
            .tasks()
            .iter()
            .any(|task| task.wait_reason == WaitReason::WaitGroup)
        {
            gopark::yield_now().await;
        }
        open.send(()).unwrap();
        assert_eq!(waits.await.unwrap(), Ok(()));
        future::ready(()).await;
    });
}
