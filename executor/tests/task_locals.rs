//! Values that belong to a task.

mod task_support;

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::channel::oneshot;
use gopark::task::LocalKey;
use task_support::{alarm, every_kind, on_drop, panic_of};

gopark::task_local! {
    /// Documented, public, and first of several.
    pub static NUMBER: u32;
    static TEXT: String;
    pub(crate) static CELL: Cell<u8>;
}

gopark::task_local!(static ALONE: &'static str);

gopark::task_local! {}

#[test]
fn a_value_is_there_inside_its_scope_only() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            assert!(NUMBER.try_with(|_| ()).is_err());
            let inside = NUMBER.scope(7, async {
                let before = NUMBER.get();
                gopark::yield_now().await;
                (before, NUMBER.with(|n| n + 1))
            });
            assert_eq!(inside.await, (7, 8));
            assert!(NUMBER.try_get().is_err());
        });
    }
}

#[test]
fn a_scope_keeps_its_value_from_thread_to_thread() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..50)
                .map(|n| {
                    gopark::spawn(TEXT.scope(n.to_string(), async move {
                        for _ in 0..100 {
                            assert_eq!(TEXT.get(), n.to_string());
                            gopark::yield_now().await;
                        }
                    }))
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn scopes_nest_and_keys_are_independent() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(NUMBER.scope(1, async {
            ALONE
                .scope("x", async {
                    NUMBER
                        .scope(2, async {
                            gopark::yield_now().await;
                            assert_eq!((NUMBER.get(), ALONE.get()), (2, "x"));
                        })
                        .await;
                    assert_eq!(NUMBER.sync_scope(3, || NUMBER.get()), 3);
                    assert_eq!(NUMBER.get(), 1);
                })
                .await;
            assert!(ALONE.try_get().is_err());
            assert_eq!(NUMBER.get(), 1);
        }));
    }
}

#[test]
fn two_scopes_polled_in_turn_on_one_thread_do_not_mix() {
    let mut a = pin!(NUMBER.scope(1, poll_fn(|_| next())));
    let mut b = pin!(NUMBER.scope(2, poll_fn(|_| next())));
    fn next() -> Poll<u32> {
        if CELL.with(|cell| cell.replace(cell.get() + 1)) < 4 {
            assert!(NUMBER.get() == 1 || NUMBER.get() == 2);
            return Poll::Pending;
        }
        Poll::Ready(NUMBER.get())
    }
    let mut cx = Context::from_waker(Waker::noop());
    CELL.sync_scope(Cell::new(0), || {
        for _ in 0..2 {
            assert!(a.as_mut().poll(&mut cx).is_pending());
            assert!(b.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(a.as_mut().poll(&mut cx), Poll::Ready(1));
        assert_eq!(b.as_mut().poll(&mut cx), Poll::Ready(2));
        assert_eq!(CELL.with(Cell::get), 6);
    });
}

#[test]
fn a_spawned_task_does_not_inherit() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let task = gopark::spawn(NUMBER.scope(1, async {
                gopark::spawn(async { NUMBER.try_get().is_err() })
                    .await
                    .unwrap()
            }));
            assert!(task.await.unwrap());
        });
    }
}

/// Notes what it sees of a key when it is dropped.
fn look_on_drop(seen: &Arc<Mutex<Vec<Option<u32>>>>) -> impl Drop + Send + use<> {
    let seen = seen.clone();
    on_drop(move || seen.lock().unwrap().push(NUMBER.try_get().ok()))
}

#[test]
fn the_value_is_there_when_the_inner_future_is_dropped() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let seen = Arc::default();
        // Never polled.
        let guard = look_on_drop(&seen);
        drop(NUMBER.scope(1, async move {
            let _guard = guard;
        }));
        // Done.
        let guard = look_on_drop(&seen);
        runtime.block_on(NUMBER.scope(
            2,
            poll_fn(move |_| {
                let _guard = &guard;
                Poll::Ready(())
            }),
        ));
        // Aborted while parked.
        let guard = look_on_drop(&seen);
        let (parked, is_parked) = oneshot::channel();
        let task = runtime.spawn(NUMBER.scope(3, async move {
            let _guard = guard;
            parked.send(()).unwrap();
            pending::<()>().await;
        }));
        runtime.block_on(is_parked).unwrap();
        task.abort();
        assert!(runtime.block_on(task).unwrap_err().is_cancelled());
        // Dropped with its runtime.
        let guard = look_on_drop(&seen);
        drop(runtime.spawn(NUMBER.scope(4, async move {
            let _guard = guard;
            pending::<()>().await;
        })));
        drop(runtime);
        assert_eq!(*seen.lock().unwrap(), [Some(1), Some(2), Some(3), Some(4)]);
    }
}

#[test]
fn the_value_is_dropped_after_the_future_and_once() {
    let _alarm = alarm();
    gopark::task_local! { static ORDERED: Box<dyn Fn() + Send>; }
    struct Value(Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Value {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("value");
        }
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let value = Value(order.clone());
    let in_future = order.clone();
    let guard = on_drop(move || {
        ORDERED.with(|call| call());
        in_future.lock().unwrap().push("future");
    });
    let scope = ORDERED.scope(
        Box::new(move || drop(value.0.lock().unwrap())),
        async move {
            let _guard = guard;
        },
    );
    drop(scope);
    assert_eq!(*order.lock().unwrap(), ["future", "value"]);
}

#[test]
fn take_value_gives_the_value_back_once() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut scope = pin!(CELL.scope(Cell::new(1), async { CELL.with(|cell| cell.set(9)) }));
            scope.as_mut().await;
            assert_eq!(scope.as_mut().take_value().map(Cell::into_inner), Some(9));
            assert!(scope.as_mut().take_value().is_none());

            let mut early = pin!(NUMBER.scope(1, async { NUMBER.try_get().is_err() }));
            assert_eq!(early.as_mut().take_value(), Some(1));
            assert!(early.await);
        });
    }
}

#[test]
fn a_panic_inside_a_scope_leaves_it() {
    let (message, _, _) = panic_of(|| NUMBER.sync_scope(1, || panic!("inside")));
    assert_eq!(message, "inside");
    assert!(NUMBER.try_get().is_err());
    let (message, _, _) =
        panic_of(|| NUMBER.sync_scope(1, || NUMBER.with(|_| panic!("inside `with`"))));
    assert_eq!(message, "inside `with`");
    assert_eq!(NUMBER.sync_scope(2, || NUMBER.get()), 2);

    let mut scope = pin!(NUMBER.scope(1, poll_fn(|_| -> Poll<()> { panic!("in a poll") })));
    let mut cx = Context::from_waker(Waker::noop());
    let (message, _, _) = panic_of(|| scope.as_mut().poll(&mut cx));
    assert_eq!(message, "in a poll");
    assert!(NUMBER.try_get().is_err());
}

#[test]
fn a_missing_value_names_its_type_and_blames_the_caller() {
    let expected = (file!().to_string(), line!() + 1);
    let (message, file, line) = panic_of(|| NUMBER.with(|n| *n));
    assert!(message.contains("of type u32 is not set"), "{message}");
    assert!(
        message.contains("expected a call inside its scope"),
        "{message}"
    );
    assert_eq!((file, line), expected);

    let expected = (file!().to_string(), line!() + 1);
    let (message, file, line) = panic_of(|| TEXT.get());
    assert!(message.contains("alloc::string::String"), "{message}");
    assert_eq!((file, line), expected);

    let error = TEXT.try_get().unwrap_err();
    assert_eq!(error, TEXT.try_with(|_| ()).unwrap_err());
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_scope_inside_with_of_the_same_key_panics_and_blames_the_caller() {
    NUMBER.sync_scope(1, || {
        NUMBER.with(|_| {
            let expected = (file!().to_string(), line!() + 1);
            let (message, file, line) = panic_of(|| NUMBER.sync_scope(2, || ()));
            assert!(
                message.contains("inside `with` of the same key"),
                "{message}"
            );
            assert_eq!((file, line), expected);
            // Reading it is fine, and so is another key.
            assert_eq!(NUMBER.get(), 1);
            assert_eq!(ALONE.sync_scope("y", || ALONE.get()), "y");
        });
        assert_eq!(NUMBER.get(), 1);
    });
}

#[test]
fn a_scope_that_is_polled_after_completion_panics() {
    let mut scope = pin!(NUMBER.scope(1, async {}));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(scope.as_mut().poll(&mut cx).is_ready());
    let (message, _, _) = panic_of(|| scope.as_mut().poll(&mut cx));
    assert!(message.contains("polled after its completion"), "{message}");
}

#[test]
fn a_scope_is_there_in_a_nested_block_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let task = runtime.spawn(NUMBER.scope(6, async {
            gopark::block_on(async {
                gopark::yield_now().await;
                NUMBER.get()
            })
        }));
        assert_eq!(runtime.block_on(task).unwrap(), 6);
    }
}

#[test]
fn a_scope_that_ends_with_its_thread_is_quiet() {
    // The destructor of a thread-local enters a scope, when the slot may be gone already.
    thread_local! {
        static LAST: Cell<Option<Pin<Box<dyn Future<Output = ()>>>>> = const { Cell::new(None) };
    }
    std::thread::spawn(|| {
        LAST.set(Some(Box::pin(
            NUMBER.scope(1, async { pending::<()>().await }),
        )));
        NUMBER.sync_scope(2, || ());
        TEXT.sync_scope(String::new(), || ());
        LAST.set(Some(Box::pin(
            TEXT.scope(String::from("a"), pending::<()>()),
        )));
    })
    .join()
    .unwrap();
}

#[test]
fn keys_debug_with_their_type() {
    assert_eq!(format!("{:?}", &NUMBER as &LocalKey<u32>), "LocalKey<u32>");
    let scope = NUMBER.scope(3, async {});
    assert_eq!(
        format!("{scope:?}"),
        "TaskLocalFuture { key: LocalKey<u32>, value: Some(3), .. }"
    );
}

#[test]
fn a_scope_of_send_parts_is_send() {
    fn send<T: Send>(_: T) {}
    send(NUMBER.scope(1, async {}));
    send(CELL.scope(Cell::new(1), async {}));
}
