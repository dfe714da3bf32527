//! Sets of tasks that are joined as they complete.

mod task_support;

use std::collections::HashMap;
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures::channel::oneshot;
use futures::future::{Either, select};
use gopark::task::JoinSet;
use task_support::{Counter, PanickingWaker, alarm, every_kind, multi, on_drop, panic_of};

#[test]
fn an_empty_set_gives_none() {
    let _alarm = alarm();
    let mut set = JoinSet::<()>::default();
    assert!(set.is_empty());
    assert_eq!(set.len(), 0);
    assert!(set.try_join_next().is_none());
    for runtime in every_kind() {
        assert!(runtime.block_on(set.join_next()).is_none());
        assert!(runtime.block_on(set.join_next_with_id()).is_none());
        assert!(runtime.block_on(JoinSet::<()>::new().join_all()).is_empty());
        runtime.block_on(set.shutdown());
    }
    assert_eq!(format!("{set:?}"), "JoinSet { len: 0, .. }");
}

#[test]
fn tasks_are_joined_in_the_order_in_which_they_complete() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let mut gates = Vec::new();
            for n in 0..10 {
                let (open, opened) = oneshot::channel::<()>();
                gates.push(Some(open));
                set.spawn(async move {
                    opened.await.unwrap();
                    n
                });
            }
            assert_eq!(set.len(), 10);
            for n in [3, 9, 0, 1, 8, 5, 2, 7, 6, 4] {
                let mut next = pin!(set.join_next());
                assert!(futures::poll!(next.as_mut()).is_pending());
                gates[n].take().unwrap().send(()).unwrap();
                assert_eq!(next.await.unwrap().unwrap(), n);
            }
            assert!(set.is_empty());
            assert!(set.join_next().await.is_none());
        });
    }
}

#[test]
fn every_task_of_many_is_joined_once() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let mut expected = HashMap::new();
            for n in 0..20_000 {
                let id = set
                    .spawn(async move {
                        for _ in 0..n % 3 {
                            gopark::yield_now().await;
                        }
                        n
                    })
                    .id();
                assert!(expected.insert(id, n).is_none());
                // Some are joined while others are being spawned, so that places are used again.
                if n % 4 == 0 {
                    let (id, n) = set.join_next_with_id().await.unwrap().unwrap();
                    assert_eq!(expected.remove(&id), Some(n));
                }
            }
            while let Some(joined) = set.join_next_with_id().await {
                let (id, n) = joined.unwrap();
                assert_eq!(expected.remove(&id), Some(n));
            }
            assert!(expected.is_empty());
        });
    }
}

#[test]
fn dropping_a_set_aborts_its_tasks() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let mut gone = Vec::new();
            for _ in 0..10 {
                let (alive, is_gone) = oneshot::channel::<()>();
                gone.push(is_gone);
                set.spawn(async move {
                    let _alive = alive;
                    pending::<()>().await;
                });
            }
            gopark::yield_now().await;
            drop(set);
            for is_gone in gone {
                assert!(is_gone.await.is_err());
            }
        });
    }
}

#[test]
fn detached_tasks_run_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let (go, mut gone) = (Vec::from_iter((0..10).map(|_| oneshot::channel::<()>())), 0);
            let (done, all_done) = std::sync::mpsc::channel();
            let gates: Vec<_> = go
                .into_iter()
                .map(|(open, opened)| {
                    let done = done.clone();
                    set.spawn(async move {
                        opened.await.unwrap();
                        done.send(()).unwrap();
                    });
                    open
                })
                .collect();
            gopark::yield_now().await;
            set.detach_all();
            assert!(set.is_empty());
            assert!(set.join_next().await.is_none());
            gates.into_iter().for_each(|open| open.send(()).unwrap());
            while gone < 10 {
                gone += all_done.try_iter().count();
                gopark::yield_now().await;
            }
            // The set is good for more.
            set.spawn(async {});
            set.join_next().await.unwrap().unwrap();
        });
    }
}

#[test]
fn aborted_tasks_remain_to_be_joined() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let first = set.spawn(pending::<()>());
            set.spawn(pending());
            gopark::yield_now().await;
            first.abort();
            let error = set.join_next().await.unwrap().unwrap_err();
            assert!(error.is_cancelled());
            assert_eq!(error.id(), first.id());
            set.abort_all();
            assert_eq!(set.len(), 1);
            assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
            assert!(set.join_next().await.is_none());
        });
    }
}

#[test]
fn after_a_shutdown_every_future_has_been_dropped() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        runtime.block_on(async {
            let mut set = JoinSet::new();
            for n in 0..100 {
                let guard = drops.on_drop();
                set.spawn(async move {
                    let _guard = guard;
                    if n % 2 == 0 {
                        pending::<()>().await;
                    }
                });
            }
            set.shutdown().await;
            assert_eq!(drops.get(), 100);
            assert!(set.is_empty());
        });
    }
}

#[test]
fn join_all_gives_every_output() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mut outputs = runtime.block_on(async {
            let mut set: JoinSet<usize> = (0..50).map(index).collect();
            set.extend((50..100).map(index));
            assert_eq!(set.len(), 100);
            set.join_all().await
        });
        outputs.sort_unstable();
        assert_eq!(outputs, (0..100).collect::<Vec<_>>());
    }
}

async fn index(n: usize) -> usize {
    gopark::yield_now().await;
    n
}

#[test]
fn join_all_passes_a_panic_on_and_aborts_the_others() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (alive, is_gone) = oneshot::channel::<()>();
        let (message, _, _) = panic_of(|| {
            runtime.block_on(async {
                let mut set = JoinSet::new();
                set.spawn(async move {
                    let _alive = alive;
                    pending::<()>().await;
                });
                set.spawn(async { panic!("one of them") });
                // What the hook saw last on this thread is not this panic, which a worker reports.
                let all = std::panic::AssertUnwindSafe(set.join_all());
                let payload = futures::FutureExt::catch_unwind(all).await.unwrap_err();
                panic!("{}", payload.downcast_ref::<&str>().unwrap())
            })
        });
        assert_eq!(message, "one of them");
        assert!(runtime.block_on(is_gone).is_err());
    }
}

#[test]
fn join_all_panics_for_an_aborted_task() {
    let _alarm = alarm();
    let runtime = multi(1);
    let (message, _, _) = panic_of(|| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(pending::<()>()).abort();
            set.join_all().await
        })
    });
    assert!(message.contains("was cancelled"), "{message}");
}

#[test]
fn a_join_next_that_is_given_up_loses_nothing() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let (open, opened) = oneshot::channel::<u32>();
            set.spawn(async move { opened.await.unwrap() });
            for _ in 0..3 {
                {
                    let (next, once) = (pin!(set.join_next()), pin!(gopark::yield_now()));
                    let first = select(next, once).await;
                    assert!(matches!(first, Either::Right(_)), "the task cannot be done");
                }
                assert_eq!(set.len(), 1);
            }
            open.send(5).unwrap();
            // Given up once more while the result is on its way.
            drop(set.join_next());
            assert_eq!(set.join_next().await.unwrap().unwrap(), 5);
        });
    }
}

#[test]
fn try_join_next_takes_what_is_done() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let (open, opened) = oneshot::channel::<()>();
            let slow = set.spawn(async move { opened.await.unwrap() }).id();
            let quick = set.spawn(async {}).id();
            let (id, ()) = loop {
                match set.try_join_next_with_id() {
                    Some(joined) => break joined.unwrap(),
                    None => gopark::yield_now().await,
                }
            };
            assert_eq!(id, quick);
            assert!(set.try_join_next().is_none());
            open.send(()).unwrap();
            assert_eq!(set.join_next_with_id().await.unwrap().unwrap().0, slow);
        });
    }
}

#[test]
fn a_set_moves_between_tasks_and_executors() {
    let _alarm = alarm();
    let runtime = multi(2);
    let mut set = JoinSet::new();
    let mut gates = Vec::new();
    for n in 0..3 {
        let (open, opened) = oneshot::channel::<()>();
        gates.push(open);
        set.spawn_on(
            async move {
                opened.await.unwrap();
                n
            },
            runtime.handle(),
        );
    }
    // A waker of a root that is gone by the time of the next join is left in the set.
    runtime.block_on(async { assert!(futures::poll!(pin!(set.join_next())).is_pending()) });
    let joiner = std::thread::spawn(move || {
        let first = futures::executor::block_on(set.join_next())
            .unwrap()
            .unwrap();
        (set, first)
    });
    gates.remove(1).send(()).unwrap();
    let (mut set, first) = joiner.join().unwrap();
    assert_eq!(first, 1);
    let rest = runtime.spawn(async move {
        let second = set.join_next().await.unwrap().unwrap();
        second + set.join_next().await.unwrap().unwrap()
    });
    gates.into_iter().for_each(|open| open.send(()).unwrap());
    assert_eq!(runtime.block_on(rest).unwrap(), 2);
}

#[test]
fn local_tasks_may_be_members() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            for n in 0..10 {
                set.spawn_local(async move {
                    gopark::yield_now().await;
                    Rc::new(n)
                });
            }
            let mut sum = 0;
            while let Some(n) = set.join_next().await {
                sum += *n.unwrap();
            }
            assert_eq!(sum, 45);
        });
    }
}

#[test]
fn a_member_that_panics_fails_alone() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            let bad = set.spawn(async { panic!("bad member") }).id();
            set.spawn(async {});
            let (mut good, mut failed) = (0, 0);
            while let Some(joined) = set.join_next().await {
                match joined {
                    Ok(()) => good += 1,
                    Err(error) => {
                        assert!(error.is_panic());
                        assert_eq!(error.id(), bad);
                        failed += 1;
                    }
                }
            }
            assert_eq!((good, failed), (1, 1));
        });
    }
}

#[test]
fn a_joiner_whose_waker_panics_does_not_take_the_thread_away() {
    let _alarm = alarm();
    let runtime = multi(1);
    let mut set = JoinSet::new();
    let (go, gone) = oneshot::channel::<()>();
    set.spawn_on(async move { gone.await.unwrap() }, runtime.handle());
    let panicking = Arc::new(PanickingWaker::default());
    let waker = Waker::from(panicking.clone());
    assert!(
        set.poll_join_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    runtime
        .block_on(runtime.spawn(async move { go.send(()).unwrap() }))
        .unwrap();
    runtime.block_on(async {
        while panicking.0.get() == 0 {
            gopark::yield_now().await;
        }
    });
    assert_eq!(panicking.0.get(), 1);
    assert_eq!(runtime.block_on(runtime.spawn(async { 1 })).unwrap(), 1);
    runtime.block_on(set.join_next()).unwrap().unwrap();
}

#[test]
fn a_poll_replaces_the_waker_of_the_one_before() {
    let _alarm = alarm();
    let runtime = multi(1);
    let mut set = JoinSet::new();
    let (go, gone) = oneshot::channel::<()>();
    set.spawn_on(async move { gone.await.unwrap() }, runtime.handle());
    let panicking = Arc::new(PanickingWaker::default());
    let waker = Waker::from(panicking.clone());
    assert!(
        set.poll_join_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    runtime.block_on(async {
        let mut next = pin!(set.join_next());
        assert!(futures::poll!(next.as_mut()).is_pending());
        go.send(()).unwrap();
        next.await.unwrap().unwrap();
    });
    assert_eq!(panicking.0.get(), 0);
}

#[test]
fn a_set_that_is_dropped_lets_go_of_its_joiner() {
    let _alarm = alarm();
    let runtime = multi(1);
    let mut set = JoinSet::new();
    let (stop, stopped) = oneshot::channel::<()>();
    set.spawn_on(
        async move {
            let _stop = stop;
            pending::<()>().await;
        },
        runtime.handle(),
    );
    let wakes = Arc::new(PanickingWaker::default());
    let waker = Waker::from(wakes.clone());
    assert!(
        set.poll_join_next(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop((waker, set));
    assert_eq!(Arc::strong_count(&wakes), 1);
    assert!(runtime.block_on(stopped).is_err());
    assert_eq!(wakes.0.get(), 0);
}

#[test]
fn joining_what_is_done_lets_others_run() {
    let _alarm = alarm();
    task_support::current().block_on(async {
        let mut set: JoinSet<()> = (0..1000).map(|_| async {}).collect();
        // Everything that was due has run when this comes back.
        gopark::spawn(gopark::yield_now()).await.unwrap();
        let seen = gopark::spawn(async move {
            let joined = Counter::default();
            let count = joined.clone();
            let bystander = gopark::spawn(async move { count.get() });
            while let Some(result) = set.join_next().await {
                result.unwrap();
                joined.add();
            }
            assert_eq!(joined.get(), 1000);
            bystander.await.unwrap()
        });
        assert_eq!(seen.await.unwrap(), 128);
    });
}

#[test]
fn an_output_whose_drop_panics_does_not_break_the_drop_of_its_set() {
    let _alarm = alarm();
    let runtime = multi(1);
    let dropped = Counter::default();
    let mut set = JoinSet::new();
    let mut finished = Vec::new();
    for n in 0..3 {
        let count = dropped.clone();
        let output = on_drop(move || {
            count.add();
            assert_ne!(n, 1, "in the drop of an output");
        });
        finished.push(set.spawn_on(async move { output }, runtime.handle()));
    }
    runtime.block_on(async {
        while !finished.iter().all(gopark::task::AbortHandle::is_finished) {
            gopark::yield_now().await;
        }
    });
    drop(set);
    drop(runtime);
    assert_eq!(dropped.get(), 3);
}

#[test]
fn a_set_outlives_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mut set = JoinSet::new();
        set.spawn_on(pending::<()>(), runtime.handle());
        assert!(matches!(
            set.poll_join_next(&mut Context::from_waker(Waker::noop())),
            Poll::Pending
        ));
        drop(runtime);
        let error = futures::executor::block_on(set.join_next())
            .unwrap()
            .unwrap_err();
        assert!(error.is_cancelled());
    }
}
