//! `gopark::sync::{Once, OnceCell}`: one initialiser at a time, and what becomes of it.

mod sync_data_support;
mod task_support;

use std::{
    cell::Cell,
    future::pending,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use gopark::sync::{Once, OnceCell, SetError, oneshot};
use sync_data_support::{
    OverAligned, PanicsInDrop, Rng, Wakes, assert_send, assert_sync, assert_unpin, is_send, panics,
    poll, poll_with,
};
use task_support::{Counter, PanickingWaker, alarm, every_kind};

#[test]
fn cells_are_send_and_sync_as_tokios_are() {
    assert_send::<Once>();
    assert_sync::<Once>();
    assert_send::<OnceCell<Cell<u8>>>();
    assert_sync::<OnceCell<u8>>();
    assert_unpin::<OnceCell<u8>>();
    let once = Once::new();
    is_send(&once.call_once(async || {}));
    let cell = OnceCell::new();
    is_send(&cell.get_or_init(async || 1));
    trait Ambiguous<A> {
        fn probe() {}
    }
    struct Is;
    impl<T> Ambiguous<()> for T {}
    impl<T: Sync> Ambiguous<Is> for T {}
    <OnceCell<Cell<u8>> as Ambiguous<_>>::probe();
}

#[test]
fn one_runs_and_the_others_wait_for_it() {
    let once = Once::new();
    let runs = Counter::default();
    let (go, gate) = oneshot::channel::<()>();
    let mut first = Box::pin(once.call_once(async || {
        runs.add();
        gate.await.unwrap();
    }));
    let (wakes, waker) = Wakes::pair();
    let others: Vec<_> = (0..3)
        .map(|_| {
            Box::pin(once.call_once(async || {
                runs.add();
            }))
        })
        .collect();
    let mut others = others;
    assert!(poll(first.as_mut()).is_pending());
    for other in &mut others {
        assert!(poll_with(other.as_mut(), &waker).is_pending());
    }
    assert!(!once.is_completed());
    go.send(()).unwrap();
    assert!(poll(first.as_mut()).is_ready());
    assert!(once.is_completed());
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (3, 2));
    for other in &mut others {
        assert!(poll_with(other.as_mut(), &waker).is_ready());
    }
    assert!(poll(pin!(once.call_once(async || unreachable!()))).is_ready());
    assert_eq!(runs.get(), 1);
}

#[test]
fn a_cancelled_initialiser_lets_the_next_try() {
    let once = Once::new();
    let drops = Counter::default();
    let held = drops.on_drop();
    let mut first = Box::pin(once.call_once(async || {
        let _held = held;
        pending::<()>().await;
    }));
    let (wakes, waker) = Wakes::pair();
    let mut second = Box::pin(once.call_once(async || {}));
    let mut third = Box::pin(once.call_once(async || {}));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    assert!(poll_with(third.as_mut(), &waker).is_pending());
    drop(first);
    assert_eq!((drops.get(), wakes.count()), (1, 2));
    // The one that was woken goes too; the other still gets its turn.
    drop(second);
    assert!(poll_with(third.as_mut(), &waker).is_ready());
    assert!(once.is_completed());
}

#[test]
fn a_panicking_initialiser_lets_the_next_try() {
    let once = Once::new();
    let (wakes, waker) = Wakes::pair();
    let (go, gate) = oneshot::channel::<()>();
    let mut first = Box::pin(once.call_once(async || {
        gate.await.unwrap();
        panic!("as it must");
    }));
    let mut second = Box::pin(once.call_once(async || {}));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    go.send(()).unwrap();
    assert!(panics(|| poll(first.as_mut())));
    assert!(!once.is_completed());
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(second.as_mut(), &waker).is_ready());
    assert!(once.is_completed());
    // A panic before the first await, and in the closure of a thread.
    let once = Once::new();
    assert!(panics(|| once.call_once_blocking(|| panic!("as it must"))));
    once.call_once_blocking(|| {});
    assert!(once.is_completed());
}

#[test]
fn a_waiter_takes_another_waker_and_leaves_none() {
    let once = Once::new();
    let mut first = Box::pin(once.call_once(pending::<()>));
    let mut second = Box::pin(once.call_once(async || {}));
    let (old, new) = (Wakes::pair(), Wakes::pair());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &old.1).is_pending());
    assert!(poll_with(second.as_mut(), &new.1).is_pending());
    assert_eq!(Arc::strong_count(&old.0), 2);
    drop(second);
    assert_eq!(Arc::strong_count(&new.0), 2);
    let bad = Arc::new(PanickingWaker::default()).into();
    let mut third = Box::pin(once.call_once(async || {}));
    assert!(poll_with(third.as_mut(), &bad).is_pending());
    drop(first);
    assert!(poll(third.as_mut()).is_ready());
}

#[test]
fn waiting_is_said_and_charged() {
    use gopark::net::note;
    let once = Once::new();
    let mut first = Box::pin(once.call_once(pending::<()>));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(pin!(once.call_once(async || {}))).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::Once);
    drop(first);
    note::begin_poll(0);
    // One that wakes nobody is never refused.
    let (_, waker) = Wakes::pair();
    assert!(poll_with(pin!(once.call_once(async || {})), &waker).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::Yield);
    note::begin_poll(note::UNLIMITED);
}

#[test]
fn a_cell_is_set_once() {
    let cell = OnceCell::new();
    assert_eq!((cell.get(), cell.is_set()), (None, false));
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(cell.set(2), Err(SetError::AlreadySet(2)));
    assert_eq!((cell.get(), cell.is_set()), (Some(&1), true));
    assert_eq!(
        poll(pin!(cell.get_or_init(async || unreachable!()))),
        Poll::Ready(&1)
    );
    assert_eq!(cell.clone(), cell);
    assert_eq!(format!("{cell:?}"), "OnceCell(Some(1))");
    assert_eq!(cell.into_inner(), Some(1));
}

#[test]
fn a_cell_is_taken_and_set_again() {
    let mut cell = OnceCell::new_with(Some(1));
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.take(), Some(2));
    assert_eq!((cell.take(), cell.get()), (None, None));
    assert_eq!(OnceCell::<u8>::new_with(None).into_inner(), None);
    assert_eq!(cell.set(3), Ok(()));
    assert_eq!(OnceCell::from(3), cell);
    static CELL: OnceCell<u8> = OnceCell::new_with(Some(4));
    assert_eq!(CELL.get(), Some(&4));
}

#[test]
fn a_cell_that_is_being_made_can_not_be_set_and_an_error_leaves_it_empty() {
    let cell = OnceCell::new();
    let (go, gate) = oneshot::channel::<Result<u8, &str>>();
    let mut first = Box::pin(cell.get_or_try_init(async || gate.await.unwrap()));
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(cell.set(9), Err(SetError::Initializing(9)));
    assert_eq!(cell.get(), None);
    let (wakes, waker) = Wakes::pair();
    let mut second = Box::pin(cell.get_or_try_init(async || Ok::<_, ()>(2)));
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    go.send(Err("no")).unwrap();
    assert_eq!(poll(first.as_mut()), Poll::Ready(Err("no")));
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_with(second.as_mut(), &waker), Poll::Ready(Ok(&2)));
}

#[test]
fn values_are_dropped_once_and_may_panic_then() {
    let drops = Arc::new(AtomicUsize::new(0));
    let cell = OnceCell::new();
    cell.set(PanicsInDrop(drops.clone())).ok().unwrap();
    assert!(panics(|| cell.set(PanicsInDrop(drops.clone())).is_err()));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert!(panics(|| drop(cell)));
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    assert_eq!(Arc::strong_count(&drops), 1);
}

#[test]
fn zero_sized_and_over_aligned_values() {
    let cell = OnceCell::new();
    cell.set(()).unwrap();
    assert_eq!(cell.get(), Some(&()));
    let cell = OnceCell::new_with(Some(OverAligned(5)));
    cell.get().unwrap().assert_placed();
}

#[test]
fn tasks_and_threads_share_one_value() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let cell = Arc::new(OnceCell::new());
            let runs = Counter::default();
            let tasks: Vec<_> = (0..20)
                .map(|n| {
                    let (cell, runs) = (cell.clone(), runs.clone());
                    gopark::spawn(async move {
                        *cell
                            .get_or_init(async || {
                                runs.add();
                                gopark::yield_now().await;
                                n
                            })
                            .await
                    })
                })
                .collect();
            let mut values = Vec::new();
            for task in tasks {
                values.push(task.await.unwrap());
            }
            assert!(values.iter().all(|value| *value == values[0]));
            assert_eq!(runs.get(), 1);
            assert_eq!(cell.get_or_init_blocking(|| unreachable!()), &values[0]);
        });
    }
}

#[test]
fn a_task_that_blocks_lets_the_initialiser_end() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let once = Arc::new(Once::new());
            let (began, begun) = oneshot::channel();
            let theirs = once.clone();
            gopark::spawn(async move {
                theirs
                    .call_once(async || {
                        began.send(()).unwrap();
                        gopark::yield_now().await;
                    })
                    .await;
            });
            begun.await.unwrap();
            once.call_once_blocking(|| unreachable!());
        });
    }
}

#[test]
fn stress_initialisers_that_fail_and_threads_that_give_up() {
    let _alarm = alarm();
    let mut rng = Rng::printed();
    for _ in 0..200 {
        let cell = Arc::new(OnceCell::new());
        let made = Counter::default();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (cell, made, mut rng) = (cell.clone(), made.clone(), rng.fork());
                std::thread::spawn(move || {
                    for _ in 0..4 {
                        let fails = rng.below(2) == 0;
                        if rng.below(3) == 0 {
                            let _ = poll(pin!(cell.get_or_try_init(pending::<Result<u8, ()>>)));
                        }
                        let _ = futures::executor::block_on(cell.get_or_try_init(async || {
                            std::thread::yield_now();
                            if fails {
                                return Err(());
                            }
                            made.add();
                            Ok(7)
                        }));
                    }
                    *futures::executor::block_on(cell.get_or_init(async || {
                        made.add();
                        7
                    }))
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 7);
        }
        assert_eq!(made.get(), 1);
    }
}
