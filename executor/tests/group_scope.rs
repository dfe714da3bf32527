//! `scope_blocking`: tasks that borrow, and a frame that outlasts them.

mod task_support;

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::channel::oneshot;
use gopark::group::scope_blocking;
use gopark::runtime::Builder;
use task_support::{Counter, alarm, every_kind, multi, on_drop};

fn sum_of_squares(numbers: &[usize]) -> usize {
    let sum = AtomicUsize::new(0);
    scope_blocking(|scope| {
        for number in numbers {
            let sum = &sum;
            scope.spawn(async move {
                gopark::yield_now().await;
                sum.fetch_add(number * number, Ordering::Relaxed);
            });
        }
    });
    sum.into_inner()
}

#[test]
fn tasks_borrow_from_plain_threads_roots_and_tasks() {
    let _alarm = alarm();
    let numbers: Vec<_> = (1..=100).collect();
    assert_eq!(sum_of_squares(&numbers), 338_350);
    for runtime in every_kind() {
        runtime.block_on(async {
            assert_eq!(sum_of_squares(&numbers), 338_350);
            let numbers = numbers.clone();
            let task = gopark::spawn(async move { sum_of_squares(&numbers) });
            assert_eq!(task.await.unwrap(), 338_350);
        });
    }
}

#[test]
fn tasks_write_what_they_borrow() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut cells = vec![0; 64];
            let total = scope_blocking(|scope| {
                let handles: Vec<_> = cells
                    .iter_mut()
                    .enumerate()
                    .map(|(n, cell)| {
                        scope.spawn(async move {
                            *cell = n;
                            n
                        })
                    })
                    .collect();
                handles
                    .into_iter()
                    .map(|h| h.join().unwrap())
                    .sum::<usize>()
            });
            assert_eq!(total, 64 * 63 / 2);
            assert!(cells.iter().enumerate().all(|(n, cell)| n == *cell));
        });
    }
}

#[test]
fn tasks_spawn_into_their_scope_and_wait_for_each_other() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let words = Mutex::new(Vec::new());
            scope_blocking(|scope| {
                scope.spawn(async {
                    let inner = scope.spawn(async {
                        gopark::yield_now().await;
                        words.lock().unwrap().push("inner");
                        7
                    });
                    assert_eq!(inner.await.unwrap(), 7);
                    words.lock().unwrap().push("outer");
                });
            });
            assert_eq!(*words.lock().unwrap(), ["inner", "outer"]);
        });
    }
}

#[test]
fn scopes_nest() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        let count = AtomicUsize::new(0);
        runtime.block_on(async {
            scope_blocking(|outer| {
                for _ in 0..4 {
                    outer.spawn(async {
                        scope_blocking(|inner| {
                            for _ in 0..4 {
                                inner.spawn(async { count.fetch_add(1, Ordering::Relaxed) });
                            }
                        });
                    });
                }
            });
        });
        assert_eq!(count.into_inner(), 16);
    }
}

/// More scopes wait than may block at a time.
#[test]
fn scopes_do_not_starve_their_tasks() {
    let _alarm = alarm();
    let runtime = Builder::new_multi_thread()
        .procs(1)
        .max_blocking(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|n| gopark::spawn(async move { sum_of_squares(&[n, n]) }))
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), 2 * n * n);
        }
    });
}

#[test]
fn a_panic_of_the_closure_waits_for_the_tasks() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (open, opened) = oneshot::channel::<()>();
            let seen = Cell::new(0);
            let borrowed = AtomicUsize::new(0);
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                // Not an assertion: it would panic in the midst of a panic.
                let _frame = on_drop(|| seen.set(borrowed.load(Ordering::SeqCst)));
                scope_blocking(|scope| {
                    scope.spawn(async {
                        opened.await.unwrap_err();
                        borrowed.fetch_add(1, Ordering::SeqCst);
                    });
                    let _open = open; // dropped by the panic, which is what the task waits for
                    panic!("in the closure");
                })
            }));
            let _: () = match panicked {
                Ok(()) => unreachable!("it panicked"),
                Err(payload) => {
                    assert_eq!(*payload.downcast::<&str>().unwrap(), "in the closure");
                }
            };
            assert_eq!(seen.get(), 1, "the task ended before the frame did");
        });
    }
}

#[test]
fn a_panic_of_a_task_is_for_who_joins_it_or_else_for_the_scope() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let text = String::from("lent");
            let kept = scope_blocking(|scope| {
                let handle = scope.spawn(async { panic!("{text}") });
                let payload: Result<(), _> = handle.join();
                *payload.unwrap_err().downcast::<String>().unwrap()
            });
            assert_eq!(kept, "lent");
            let unjoined = catch_unwind(AssertUnwindSafe(|| {
                scope_blocking(|scope| {
                    scope.spawn(async { panic!("{text}") });
                });
            }));
            let message = *unjoined.unwrap_err().downcast::<&str>().unwrap();
            assert!(message.contains("was not joined"), "{message}");
        });
    }
}

#[test]
fn outputs_that_nobody_takes_are_dropped_before_the_scope_ends() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let dropped = Counter::default();
            let borrowed = &dropped;
            scope_blocking(|scope| {
                for _ in 0..20 {
                    scope.spawn(async move {
                        gopark::yield_now().await;
                        on_drop(move || {
                            borrowed.add();
                        })
                    });
                }
            });
            assert_eq!(dropped.get(), 20);
        });
    }
}

/// The future is dropped by the shutdown, with all that it borrows, and the scope ends.
#[test]
fn the_end_of_the_runtime_ends_the_scope() {
    let _alarm = alarm();
    let runtime = multi(1);
    let handle = runtime.handle().clone();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let waits = std::thread::spawn(move || {
        let dropped = Counter::default();
        let entered = handle.enter();
        let joined = scope_blocking(|scope| {
            let (dropped, begun) = (&dropped, begun);
            let task = scope.spawn(async move {
                let _guard = on_drop(|| {
                    dropped.add();
                });
                begun.send(()).unwrap();
                pending::<()>().await;
            });
            drop(entered);
            task.join()
        });
        (joined.is_err(), dropped.get())
    });
    has_begun.recv().unwrap();
    drop(runtime);
    assert_eq!(waits.join().unwrap(), (true, 1));
}
