//! Blocking on futures, also where it is said that one must not.

mod task_support;

use std::sync::mpsc;

use futures::channel::oneshot;
use gopark::task::JoinHandle;
use task_support::{alarm, current, every_kind, multi};

#[test]
fn a_task_may_block_on_another_task_of_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.spawn(async {
            gopark::block_on(async {
                let inner = gopark::spawn(async {
                    gopark::yield_now().await;
                    20
                });
                inner.await.unwrap() + 1
            })
        });
        assert_eq!(runtime.block_on(handle).unwrap(), 21);
    }
}

#[test]
fn a_task_may_block_on_what_its_own_processor_has_queued() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.spawn(async {
            let queued: Vec<_> = (0..300).map(|n| gopark::spawn(async move { n })).collect();
            gopark::block_on(async {
                let mut sum = 0;
                for task in queued {
                    sum += task.await.unwrap();
                }
                sum
            })
        });
        assert_eq!(runtime.block_on(handle).unwrap(), 299 * 300 / 2);
    }
}

#[test]
fn a_root_may_block_on_a_task_of_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let sum = runtime.block_on(async {
            let before = gopark::spawn(async { 1 });
            let nested = gopark::block_on(async {
                let during = gopark::spawn(async { 2 });
                before.await.unwrap() + during.await.unwrap()
            });
            nested + gopark::spawn(async { 4 }).await.unwrap()
        });
        assert_eq!(sum, 7);
    }
}

/// A task that blocks on a task that blocks on a task ...
fn nest(depth: u32) -> JoinHandle<u32> {
    gopark::spawn(async move {
        if depth == 0 {
            gopark::yield_now().await;
            return 0;
        }
        gopark::block_on(async move { nest(depth - 1).await.unwrap() + 1 })
    })
}

#[test]
fn blocking_nests_eight_deep() {
    let _alarm = alarm();
    for runtime in every_kind() {
        assert_eq!(runtime.block_on(async { nest(8).await }).unwrap(), 8);
    }
}

#[test]
fn blocking_nests_eight_deep_on_one_stack() {
    let _alarm = alarm();
    fn nest(depth: u32) -> u32 {
        gopark::block_on(async move {
            let other = gopark::spawn(async { 1 });
            let below = if depth == 0 { 0 } else { nest(depth - 1) };
            below + other.await.unwrap()
        })
    }
    for runtime in every_kind() {
        assert_eq!(runtime.block_on(async { nest(7) }), 8);
        assert_eq!(
            runtime.block_on(async { gopark::spawn(async { nest(7) }).await.unwrap() }),
            8
        );
    }
}

#[test]
fn many_tasks_block_at_once() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let sum = runtime.block_on(async {
            let blocked: Vec<_> = (0..20)
                .map(|n| {
                    gopark::spawn(async move {
                        gopark::block_on(async move {
                            let task = gopark::spawn(async move {
                                gopark::yield_now().await;
                                n
                            });
                            task.await.unwrap()
                        })
                    })
                })
                .collect();
            let mut sum = 0;
            for task in blocked {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 190);
    }
}

#[test]
fn a_task_goes_on_as_usual_after_it_blocked() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.spawn(async {
            let mut sum = 0;
            for n in 0..50 {
                sum += gopark::block_on(gopark::spawn(async move { n })).unwrap();
                gopark::yield_now().await;
                sum += gopark::spawn(async { 1 }).await.unwrap();
            }
            sum
        });
        assert_eq!(runtime.block_on(handle).unwrap(), 49 * 50 / 2 + 50);
    }
}

#[test]
fn a_task_may_block_on_another_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for other in every_kind() {
            let polls = other.handle().metrics().polls;
            let elsewhere = other.handle().clone();
            let handle = runtime.spawn(async move {
                let there = elsewhere.block_on(async {
                    // Spawned where this thread is now, which is over there.
                    gopark::spawn(async { 3 }).await.unwrap()
                });
                there + gopark::spawn(async { 4 }).await.unwrap()
            });
            assert_eq!(runtime.block_on(handle).unwrap(), 7);
            assert!(other.handle().metrics().polls > polls);
        }
    }
}

#[test]
fn two_runtimes_may_block_on_each_other() {
    let _alarm = alarm();
    for a in every_kind() {
        for b in every_kind() {
            let (in_a, in_b) = (a.handle().clone(), b.handle().clone());
            let handle = a.spawn(async move {
                in_b.clone().block_on(async move {
                    in_b.spawn(async move {
                        in_a.block_on(async { gopark::spawn(async { 8 }).await.unwrap() })
                    })
                    .await
                    .unwrap()
                })
            });
            assert_eq!(a.block_on(handle).unwrap(), 8);
        }
    }
}

#[test]
fn several_threads_block_on_one_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let sums = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let runtime = &runtime;
                    scope.spawn(move || {
                        runtime.block_on(async move {
                            let mut sum = 0;
                            for _ in 0..100 {
                                sum += gopark::spawn(async move { n }).await.unwrap();
                            }
                            sum
                        })
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(sums, [0, 100, 200, 300]);
    }
}

#[test]
fn a_root_may_borrow_and_need_not_be_send() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mut text = String::from("a");
        let not_send = std::rc::Rc::new(std::cell::Cell::new('b'));
        runtime.block_on(async {
            gopark::yield_now().await;
            text.push(not_send.get());
        });
        assert_eq!(text, "ab");
    }
}

#[test]
fn a_root_is_woken_from_a_foreign_thread() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for n in 0..100 {
            let (sender, receiver) = oneshot::channel();
            let thread = std::thread::spawn(move || sender.send(n).unwrap());
            assert_eq!(runtime.block_on(receiver), Ok(n));
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_nested_root_is_woken_from_a_foreign_thread() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for n in 0..100 {
            let (sender, receiver) = oneshot::channel();
            let thread = std::thread::spawn(move || sender.send(n).unwrap());
            let handle = runtime.spawn(async { gopark::block_on(receiver) });
            assert_eq!(runtime.block_on(handle).unwrap(), Ok(n));
            thread.join().unwrap();
        }
    }
}

#[test]
fn tasks_outlive_the_block_on_that_spawned_them() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        let (sender, receiver) = mpsc::channel();
        runtime.block_on(async move {
            drop(gopark::spawn(async move {
                for _ in 0..100 {
                    gopark::yield_now().await;
                }
                sender.send("done").unwrap();
            }));
        });
        assert_eq!(receiver.recv(), Ok("done"));
    }
}

#[test]
fn on_the_current_thread_flavour_tasks_wait_for_the_next_block_on() {
    let _alarm = alarm();
    let runtime = current();
    #[expect(
        clippy::async_yields_async,
        reason = "the task is to outlive the block_on"
    )]
    let handle = runtime.block_on(async { gopark::spawn(async { 5 }) });
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert!(!handle.is_finished());
    assert_eq!(runtime.block_on(handle).unwrap(), 5);
}
