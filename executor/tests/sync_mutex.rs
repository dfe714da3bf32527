//! `Mutex` and its guards.

mod sync_support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Waker,
};

use gopark::sync::{
    MappedMutexGuard, Mutex, MutexGuard, OwnedMappedMutexGuard, OwnedMutexGuard, TryLockError,
};
use sync_support::{Counter, PanickingWaker, Rng, alarm, every_kind, hand, leak, multi};

#[test]
fn waiters_get_the_lock_in_the_order_of_their_first_polls() {
    let mutex = leak(Mutex::new(0));
    let guard = mutex.try_lock().unwrap();
    let mut waiters: Vec<_> = (0..40).map(|_| hand(mutex.lock())).collect();
    for waiter in waiters.iter_mut().rev() {
        assert!(waiter.is_pending());
    }
    drop(guard);
    for n in (0..40).rev() {
        for (m, waiter) in waiters.iter().enumerate() {
            assert_eq!(
                waiter.wakes(),
                usize::from(m >= n),
                "{m} at the turn of {n}"
            );
        }
        let guard = waiters[n].ready();
        assert_eq!(
            mutex.try_lock().unwrap_err().to_string(),
            "the lock is held"
        );
        drop(guard);
    }
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn nobody_overtakes_who_was_handed_the_lock() {
    let mutex = leak(Mutex::new(()));
    let guard = mutex.try_lock().unwrap();
    let mut first = hand(mutex.lock());
    assert!(first.is_pending());
    drop(guard);
    assert!(mutex.try_lock().is_err());
    let mut late = hand(mutex.lock());
    assert!(late.is_pending());
    drop(first.ready());
    drop(late.ready());
}

#[test]
fn a_wait_can_be_dropped_at_every_stage() {
    let mutex = leak(Mutex::new(()));
    let guard = mutex.try_lock().unwrap();
    drop(hand(mutex.lock())); // never polled
    let [mut a, mut b, mut c, mut d] = [(); 4].map(|()| hand(mutex.lock()));
    for waiter in [&mut a, &mut b, &mut c, &mut d] {
        assert!(waiter.is_pending());
    }
    drop(b); // in the middle of the queue
    drop(guard);
    assert_eq!((a.wakes(), c.wakes(), d.wakes()), (1, 0, 0));
    drop(a); // it had the lock, and did not know
    assert_eq!((c.wakes(), d.wakes()), (1, 0));
    drop(d); // the last of the queue
    drop(c.ready());
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn the_last_waiter_that_leaves_takes_the_slow_way_with_it() {
    let mutex = leak(Mutex::new(()));
    let guard = mutex.try_lock().unwrap();
    let mut waiter = hand(mutex.lock());
    assert!(waiter.is_pending());
    drop(waiter);
    drop(guard);
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let mutex = leak(Mutex::new(()));
    let guard = mutex.try_lock().unwrap();
    let mut waiter = hand(mutex.lock());
    assert!(waiter.is_pending());
    let before = waiter.change_waker();
    assert!(waiter.is_pending());
    assert_eq!(Arc::strong_count(&before), 1, "the old waker was kept");
    drop(guard);
    assert_eq!((before.count(), waiter.wakes()), (0, 1));
    // Another poll, with another waker still, finds the lock.
    waiter.change_waker();
    drop(waiter.ready());
}

#[test]
fn a_panicking_waker_does_not_harm_the_unlock() {
    let mutex = leak(Mutex::new(()));
    let guard = mutex.try_lock().unwrap();
    let panics = Arc::new(PanickingWaker::default());
    let mut waiter = hand(mutex.lock());
    assert!(waiter.poll_with(&Waker::from(panics.clone())).is_pending());
    drop(guard);
    assert_eq!(panics.0.get(), 1);
    drop(waiter.ready());
}

#[test]
fn a_panic_of_the_holder_unlocks_and_poisons_nothing() {
    let mutex = Arc::new(Mutex::new(0));
    let task = {
        let mutex = mutex.clone();
        async move {
            let mut guard = mutex.lock().await;
            *guard = 7;
            panic!("while it is locked");
        }
    };
    gopark::block_on(async {
        assert!(gopark::spawn(task).await.unwrap_err().is_panic());
        assert_eq!(*mutex.lock().await, 7);
    });
}

#[test]
fn guards_lead_to_the_value_and_its_parts() {
    let mutex = Arc::new(Mutex::new((1, String::from("one"))));
    let mut number = MutexGuard::map(mutex.try_lock().unwrap(), |pair| &mut pair.0);
    *number += 1;
    assert_eq!(format!("{number} {number:?}"), "2 2");
    drop(number);
    let Err(guard) = MutexGuard::try_map(mutex.try_lock().unwrap(), |_| None::<&mut u8>) else {
        panic!("there is no such part");
    };
    let name: MappedMutexGuard<'_, String> = MutexGuard::map(guard, |pair| &mut pair.1);
    let mut bytes = MappedMutexGuard::map(name, |name| name.as_mut_str());
    bytes.make_ascii_uppercase();
    assert!(mutex.try_lock().is_err());
    drop(bytes);

    let owned = mutex.clone().try_lock_owned().unwrap();
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&owned), &mutex));
    let name: OwnedMappedMutexGuard<_, String> = OwnedMutexGuard::map(owned, |pair| &mut pair.1);
    assert_eq!(*name, "ONE");
    assert!(mutex.clone().try_lock_owned().is_err());
    drop(name);

    let mut mutex = Arc::into_inner(mutex).unwrap();
    mutex.get_mut().0 = 9;
    assert_eq!(mutex.into_inner(), (9, "ONE".to_string()));
}

#[test]
fn it_shows_the_value_unless_it_is_locked() {
    let mutex: Mutex<_> = 5.into();
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 5 }");
    let guard = mutex.try_lock().unwrap();
    assert_eq!(
        format!("{mutex:?} {guard:?}"),
        "Mutex { value: <locked> } 5"
    );
    assert_eq!(*Mutex::<u8>::default().try_lock().unwrap(), 0);
}

#[test]
fn a_value_may_be_unsized() {
    let mutex: Arc<Mutex<[i32]>> = Arc::new(Mutex::new([1, 2, 3]));
    gopark::block_on(async {
        mutex.lock().await[0] = 4;
        assert_eq!(mutex.clone().lock_owned().await.iter().sum::<i32>(), 9);
    });
}

#[test]
fn a_plain_thread_waits_for_a_task_and_a_task_for_a_thread() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mutex = Arc::new(Mutex::new(Vec::new()));
        let (locked, is_locked) = mpsc::channel();
        let thread = std::thread::spawn({
            let mutex = mutex.clone();
            move || {
                is_locked.recv().unwrap();
                mutex.lock_blocking().push("thread");
            }
        });
        runtime.block_on(async {
            let mut guard = mutex.clone().lock_owned().await;
            locked.send(()).unwrap();
            gopark::yield_now().await;
            guard.push("task");
        });
        thread.join().unwrap();
        assert_eq!(*mutex.try_lock().unwrap(), ["task", "thread"]);
    }
}

#[test]
fn a_task_that_blocks_lets_the_holder_go_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mutex = leak(Mutex::new(0));
        let (locked, is_locked) = async_channel::bounded(1);
        runtime.block_on(async {
            // A task: the root is bound to its thread, which may be the one that blocks.
            let holder = gopark::spawn(async move {
                let mut guard = mutex.lock().await;
                locked.send(()).await.unwrap();
                for _ in 0..10 {
                    gopark::yield_now().await;
                }
                // Only a timer brings it back: somebody must look after that meanwhile.
                gopark::time::sleep(std::time::Duration::from_millis(2)).await;
                *guard = 10;
            });
            is_locked.recv().await.unwrap();
            let blocked = gopark::spawn(async {
                *mutex.lock_blocking() += 1;
                *mutex.lock_blocking()
            });
            holder.await.unwrap();
            assert_eq!(blocked.await.unwrap(), 11);
        });
    }
}

#[test]
fn blocking_leaves_the_budget_of_the_poll_around_alone() {
    use gopark::net::note;
    use gopark::sync::{Notify, Semaphore};
    gopark::block_on(async {
        let before = note::budget();
        assert_ne!(before, note::UNLIMITED);
        // Ready at the first poll, and after it was woken.
        drop(Semaphore::new(1).acquire_blocking());
        assert_eq!(note::budget(), before);
        let (called, answered) = (leak(Notify::new()), leak(Notify::new()));
        let thread = std::thread::spawn(|| {
            called.notified_blocking();
            answered.notify_one();
        });
        called.notify_one();
        answered.notified_blocking();
        assert_eq!(note::budget(), before);
        gopark::block(|| thread.join().unwrap());
    });
}

#[test]
fn locking_again_and_again_lets_others_run() {
    let _alarm = alarm();
    let mutex = leak(Mutex::new(()));
    let counter = Counter::default();
    multi(1).run(async move {
        let other = counter.clone();
        gopark::spawn(async move { other.add() });
        let mut turns = 0;
        while counter.get() == 0 {
            drop(mutex.lock().await);
            turns += 1;
            assert!(turns <= 1_000, "it never gave way");
        }
    });
}

#[test]
fn a_task_that_waits_says_so() {
    let _alarm = alarm();
    multi(1).run(async {
        let mutex = leak(Mutex::new(()));
        let _guard = mutex.lock().await;
        gopark::spawn(async { drop(mutex.lock().await) });
        gopark::yield_now().await;
        let tasks = gopark::runtime::Handle::current().tasks();
        let waits = tasks.iter().any(|task| task.to_string().contains("[lock]"));
        assert!(waits, "{tasks:?}");
    });
}

#[test]
fn it_works_under_another_executor() {
    let mutex = Arc::new(Mutex::new(0));
    let thread = std::thread::spawn({
        let mutex = mutex.clone();
        move || {
            futures::executor::block_on(async {
                for _ in 0..1_000 {
                    *mutex.lock().await += 1;
                }
            });
        }
    });
    futures::executor::block_on(async {
        for _ in 0..1_000 {
            *mutex.lock().await += 1;
        }
    });
    thread.join().unwrap();
    assert_eq!(*mutex.try_lock().unwrap(), 2_000);
}

#[test]
fn many_tasks_lock_and_give_up_and_nothing_is_lost() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mutex = Arc::new(Mutex::new(0));
        let inside = Arc::new(AtomicUsize::new(0));
        let mut rng = Rng::new();
        let mut expected = 0;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (mutex, inside) = (mutex.clone(), inside.clone());
                let plan: Vec<u64> = (0..50).map(|_| rng.below(4)).collect();
                expected += plan.iter().filter(|step| **step != 0).count();
                runtime.spawn(async move {
                    for step in plan {
                        if step == 0 {
                            // Given up after one poll at most.
                            let _ = futures::poll!(Box::pin(mutex.lock()));
                            continue;
                        }
                        let mut guard = mutex.lock().await;
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        if step == 1 {
                            gopark::yield_now().await;
                        }
                        *guard += 1;
                        inside.fetch_sub(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*mutex.try_lock().unwrap(), expected);
    }
}

fn is_send<T: Send>(_: &T) {}
fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn it_and_its_guards_may_be_sent_and_shared() {
    assert_send_sync::<Mutex<u8>>();
    assert_send_sync::<Mutex<std::cell::Cell<u8>>>();
    assert_send_sync::<MutexGuard<'_, u8>>();
    assert_send_sync::<MappedMutexGuard<'_, u8>>();
    assert_send_sync::<OwnedMutexGuard<u8>>();
    assert_send_sync::<OwnedMappedMutexGuard<u8, u8>>();
    assert_send_sync::<TryLockError>();
    let mutex = Arc::new(Mutex::new(std::cell::Cell::new(1)));
    is_send(&mutex.lock());
    is_send(&mutex.lock_owned());
}
