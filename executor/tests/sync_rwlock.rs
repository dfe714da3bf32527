//! `RwLock` and its guards.

mod sync_support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use gopark::sync::{
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};
use sync_support::{Rng, alarm, every_kind, hand, leak};

#[test]
fn many_read_and_one_writes() {
    let lock = RwLock::new(1);
    let readers = [lock.try_read().unwrap(), lock.try_read().unwrap()];
    assert!(lock.try_write().is_err());
    assert_eq!(readers.iter().map(|reader| **reader).sum::<i32>(), 2);
    drop(readers);
    let mut writer = lock.try_write().unwrap();
    assert!(lock.try_read().is_err());
    assert!(lock.try_write().is_err());
    *writer += 1;
    drop(writer);
    assert_eq!(*lock.try_read().unwrap(), 2);
}

#[test]
fn a_writer_that_waits_holds_back_new_readers() {
    let lock = leak(RwLock::new(()));
    let reader = lock.try_read().unwrap();
    let mut writer = hand(lock.write());
    assert!(writer.is_pending());
    assert!(lock.try_read().is_err());
    let mut late = hand(lock.read());
    assert!(late.is_pending());
    drop(reader);
    assert_eq!((writer.wakes(), late.wakes()), (1, 0));
    let guard = writer.ready();
    assert!(late.is_pending());
    drop(guard);
    assert_eq!(late.wakes(), 1);
    drop(late.ready());
    assert!(lock.try_write().is_ok());
}

#[test]
fn readers_that_follow_each_other_come_in_together() {
    let lock = leak(RwLock::new(()));
    let writer = lock.try_write().unwrap();
    // More than a batch of wakes.
    let mut readers: Vec<_> = (0..100).map(|_| hand(lock.read())).collect();
    let mut next_writer = hand(lock.write());
    let mut last = hand(lock.read());
    for reader in &mut readers {
        assert!(reader.is_pending());
    }
    assert!(next_writer.is_pending());
    assert!(last.is_pending());
    drop(writer);
    assert!(readers.iter().all(|reader| reader.wakes() == 1));
    assert_eq!((next_writer.wakes(), last.wakes()), (0, 0));
    let mut guards: Vec<_> = readers.iter_mut().map(|reader| reader.ready()).collect();
    let one = guards.pop();
    drop(guards);
    assert_eq!(next_writer.wakes(), 0);
    drop(one);
    assert_eq!((next_writer.wakes(), last.wakes()), (1, 0));
    drop(next_writer.ready());
    drop(last.ready());
}

#[test]
fn a_writer_that_gives_up_lets_all_the_readers_behind_it_in() {
    let lock = leak(RwLock::new(()));
    let reader = lock.try_read().unwrap();
    let mut writer = hand(lock.write());
    assert!(writer.is_pending());
    let mut readers: Vec<_> = (0..40).map(|_| hand(lock.read())).collect();
    for reader in &mut readers {
        assert!(reader.is_pending());
    }
    drop(writer);
    assert!(readers.iter().all(|reader| reader.wakes() == 1));
    for mut reader in readers {
        drop(reader.ready());
    }
    drop(reader);
    assert!(lock.try_write().is_ok());
}

#[test]
fn what_was_granted_and_not_taken_goes_on() {
    let lock = leak(RwLock::new(()));
    let first = lock.try_write().unwrap();
    let [mut writer, mut reader, mut next] = [
        hand(enter(lock, true)),
        hand(enter(lock, false)),
        hand(enter(lock, true)),
    ];
    for waiter in [&mut writer, &mut reader, &mut next] {
        assert!(waiter.is_pending());
    }
    drop(first);
    assert_eq!((writer.wakes(), reader.wakes(), next.wakes()), (1, 0, 0));
    drop(writer);
    assert_eq!((reader.wakes(), next.wakes()), (1, 0));
    drop(reader);
    assert_eq!(next.wakes(), 1);
    drop(next);
    assert!(lock.try_write().is_ok());
}

async fn enter(lock: &RwLock<()>, write: bool) {
    if write {
        drop(lock.write().await);
    } else {
        drop(lock.read().await);
    }
}

#[test]
fn another_waker_takes_the_place_of_the_first() {
    let lock = leak(RwLock::new(()));
    let writer = lock.try_write().unwrap();
    let mut reader = hand(lock.read());
    assert!(reader.is_pending());
    let before = reader.change_waker();
    assert!(reader.is_pending());
    drop(writer);
    assert_eq!((before.count(), reader.wakes()), (0, 1));
}

#[test]
fn a_downgrade_lets_waiting_readers_in_and_no_writer() {
    let lock = leak(RwLock::new(0));
    let mut writer = lock.try_write().unwrap();
    let mut reader = hand(lock.read());
    assert!(reader.is_pending());
    let mut other = hand(lock.write());
    assert!(other.is_pending());
    *writer = 1;
    let downgraded = RwLockWriteGuard::downgrade(writer);
    assert_eq!((reader.wakes(), other.wakes()), (1, 0));
    assert_eq!(*reader.ready() + *downgraded, 2);
    drop(downgraded);
    *other.ready() = 2;
    // Nobody waits.
    let reader = RwLockWriteGuard::downgrade(lock.try_write().unwrap());
    assert_eq!(*lock.try_read().unwrap(), 2);
    assert!(lock.try_write().is_err());
    drop(reader);
    assert!(lock.try_write().is_ok());
}

#[test]
fn a_panic_of_a_holder_unlocks() {
    let lock = Arc::new(RwLock::new(0));
    for write in [false, true] {
        let lock = lock.clone();
        std::thread::spawn(move || {
            if write {
                let _guard = lock.write_blocking();
                panic!("a writer");
            }
            let _guard = lock.read_blocking();
            panic!("a reader");
        })
        .join()
        .unwrap_err();
    }
    assert!(lock.try_write().is_ok());
}

#[test]
fn guards_lead_to_the_value_and_its_parts() {
    let lock = Arc::new(RwLock::new((1, "one")));
    let number: RwLockReadGuard<'_, i32> =
        RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.0);
    assert_eq!(format!("{number} {number:?}"), "1 1");
    assert!(lock.try_write().is_err());
    drop(number);
    assert!(RwLockReadGuard::try_map(lock.try_read().unwrap(), |_| None::<&u8>).is_err());
    let mut number: RwLockMappedWriteGuard<'_, i32> =
        RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.0);
    *number = 2;
    assert!(lock.try_read().is_err());
    drop(number);
    let writer = lock.clone().try_write_owned().unwrap();
    assert!(lock.clone().try_read_owned().is_err());
    let reader = OwnedRwLockWriteGuard::downgrade(writer);
    let name: OwnedRwLockReadGuard<_, str> = OwnedRwLockReadGuard::map(reader, |pair| pair.1);
    assert_eq!(&*name, "one");
    assert!(lock.clone().try_write_owned().is_err());
    drop(name);
    assert_eq!(format!("{lock:?}"), r#"RwLock { value: (2, "one") }"#);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner().0, 2);
}

#[test]
fn a_guard_of_a_part_holds_the_lock_as_its_whole_did() {
    let lock = Arc::new(RwLock::new(("one", vec![1])));
    let writer = lock.clone().try_write_owned().unwrap();
    assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&writer), &lock));
    let writer = OwnedRwLockWriteGuard::try_map(writer, |_| None::<&mut u8>).unwrap_err();
    let list = OwnedRwLockWriteGuard::map(writer, |pair| &mut pair.1);
    let list = OwnedRwLockMappedWriteGuard::try_map(list, |list| list.get_mut(1)).unwrap_err();
    let mut first = OwnedRwLockMappedWriteGuard::map(list, |list| &mut list[0]);
    *first += 1;
    assert_eq!(format!("{first} {first:?}"), "2 2");
    assert!(Arc::ptr_eq(
        OwnedRwLockMappedWriteGuard::rwlock(&first),
        &lock
    ));
    assert!(lock.try_read().is_err());
    drop(first);

    let reader = lock.clone().try_read_owned().unwrap();
    assert!(Arc::ptr_eq(OwnedRwLockReadGuard::rwlock(&reader), &lock));
    let reader = OwnedRwLockReadGuard::try_map(reader, |pair| pair.1.get(1)).unwrap_err();
    let first = OwnedRwLockReadGuard::try_map(reader, |pair| pair.1.first()).unwrap();
    assert_eq!((*first, lock.try_read().unwrap().0), (2, "one"));
    assert!(lock.try_write().is_err());
    drop(first);

    let list = RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.1);
    let list = RwLockMappedWriteGuard::try_map(list, |list| list.get_mut(1)).unwrap_err();
    let mut first = RwLockMappedWriteGuard::try_map(list, |list| list.first_mut()).unwrap();
    *first += 1;
    assert!(lock.try_read().is_err());
    drop(first);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner().1, [3]);
}

#[test]
fn a_panic_in_the_choice_of_a_part_unlocks() {
    let lock = Arc::new(RwLock::new(0));
    let writer = lock.clone().try_write_owned().unwrap();
    let chosen = catch_unwind(AssertUnwindSafe(|| {
        OwnedRwLockWriteGuard::map(writer, |_| -> &mut i32 { panic!("no part") })
    }));
    assert!(chosen.is_err() && lock.try_write().is_ok());
    let part = RwLockWriteGuard::map(lock.try_write().unwrap(), |value| value);
    let chosen = catch_unwind(AssertUnwindSafe(|| {
        RwLockMappedWriteGuard::try_map(part, |_| -> Option<&mut i32> { panic!("no part") }).is_ok()
    }));
    assert!(chosen.is_err() && lock.try_write().is_ok());
}

#[test]
fn tasks_and_threads_block_for_it() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let lock = leak(RwLock::new(0));
        let writer = lock.try_write().unwrap();
        let threads = [(); 2].map(|()| std::thread::spawn(|| *lock.read_blocking()));
        runtime.block_on(async {
            let holder = gopark::spawn(async move {
                let mut writer = writer;
                gopark::time::sleep(Duration::from_millis(1)).await;
                *writer = 1;
            });
            let blocked = gopark::spawn(async {
                *lock.write_blocking() += 1;
            });
            holder.await.unwrap();
            blocked.await.unwrap();
        });
        for thread in threads {
            assert!((1..=2).contains(&thread.join().unwrap()));
        }
        assert_eq!(*lock.try_read().unwrap(), 2);
    }
}

#[test]
fn it_works_under_another_executor() {
    let lock = Arc::new(RwLock::new(0));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let lock = lock.clone();
            std::thread::spawn(move || {
                futures::executor::block_on(async {
                    for _ in 0..500 {
                        *lock.write().await += 1;
                        let _ = *lock.read().await;
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*lock.try_read().unwrap(), 1_000);
}

#[test]
fn many_tasks_read_write_and_give_up() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let lock = Arc::new(RwLock::new(0));
        // Readers inside; -1 for a writer.
        let inside = Arc::new(AtomicI64::new(0));
        let mut rng = Rng::new();
        let mut writes = 0;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (lock, inside) = (lock.clone(), inside.clone());
                let plan: Vec<u64> = (0..50).map(|_| rng.below(6)).collect();
                writes += plan.iter().filter(|step| **step <= 1).count();
                runtime.spawn(async move {
                    for step in plan {
                        match step {
                            0 | 1 => {
                                let mut guard = lock.write().await;
                                assert_eq!(inside.swap(-1, Ordering::SeqCst), 0);
                                if step == 0 {
                                    gopark::yield_now().await;
                                }
                                *guard += 1;
                                assert_eq!(inside.swap(0, Ordering::SeqCst), -1);
                                if step == 0 {
                                    drop(RwLockWriteGuard::downgrade(guard));
                                }
                            }
                            2 => drop(futures::poll!(Box::pin(lock.write()))),
                            3 => drop(futures::poll!(Box::pin(lock.read()))),
                            _ => {
                                let _guard = lock.read().await;
                                assert!(inside.fetch_add(1, Ordering::SeqCst) >= 0);
                                if step == 4 {
                                    gopark::yield_now().await;
                                }
                                assert!(inside.fetch_sub(1, Ordering::SeqCst) > 0);
                            }
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*lock.try_write().unwrap(), writes);
    }
}

fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn it_and_its_guards_may_be_sent_and_shared() {
    assert_send_sync::<RwLock<u8>>();
    assert_send_sync::<RwLockReadGuard<'_, u8>>();
    assert_send_sync::<RwLockWriteGuard<'_, u8>>();
    assert_send_sync::<RwLockMappedWriteGuard<'_, u8>>();
    assert_send_sync::<OwnedRwLockReadGuard<u8, u8>>();
    assert_send_sync::<OwnedRwLockWriteGuard<u8>>();
    assert_send_sync::<OwnedRwLockMappedWriteGuard<u8, u8>>();
}
