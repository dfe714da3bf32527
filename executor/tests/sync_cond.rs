//! `Cond`.

mod sync_support;

use std::{sync::Arc, time::Duration};

use gopark::sync::{Cond, Mutex};
use sync_support::{Rng, alarm, every_kind, hand, leak};

/// Waits once, and returns the number that it found.
async fn wait(mutex: &Mutex<u32>, cond: &Cond) -> u32 {
    let guard = mutex.lock().await;
    *cond.wait(guard).await
}

#[test]
fn a_wait_unlocks_and_comes_back_locked() {
    let (mutex, cond) = (leak(Mutex::new(0)), leak(Cond::new()));
    let mut waiter = hand(async {
        let guard = mutex.lock().await;
        cond.wait(guard).await
    });
    assert!(waiter.is_pending());
    *mutex.try_lock().unwrap() = 1;
    assert_eq!(waiter.wakes(), 0);
    cond.notify_one();
    assert_eq!(waiter.wakes(), 1);
    let guard = waiter.ready();
    assert_eq!(*guard, 1);
    assert!(mutex.try_lock().is_err());
}

#[test]
fn waiters_are_told_in_their_order_and_nothing_is_kept() {
    let (mutex, cond) = (leak(Mutex::new(7)), leak(Cond::new()));
    cond.notify_one();
    cond.notify_all();
    let mut waiters: Vec<_> = (0..5).map(|_| hand(wait(mutex, cond))).collect();
    for waiter in &mut waiters {
        assert!(waiter.is_pending());
    }
    for n in 0..2 {
        cond.notify_one();
        for (m, waiter) in waiters.iter().enumerate() {
            assert_eq!(waiter.wakes(), usize::from(m <= n));
        }
        // Received: the next is not told.
        assert_eq!(waiters[n].ready(), 7);
        assert_eq!(waiters[n + 1].wakes(), 0);
    }
    waiters.drain(..2);
    cond.notify_all();
    for waiter in &mut waiters {
        assert_eq!(waiter.wakes(), 1);
        assert_eq!(waiter.ready(), 7);
    }
}

#[test]
fn the_guard_is_given_up_if_the_wait_never_begins() {
    let (mutex, cond) = (leak(Mutex::new(0)), leak(Cond::new()));
    let waiter = hand(cond.wait(mutex.try_lock().unwrap()));
    assert!(mutex.try_lock().is_err());
    drop(waiter);
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn a_notification_goes_on_from_a_wait_that_is_dropped() {
    let (mutex, cond) = (leak(Mutex::new(0)), leak(Cond::new()));
    let [mut first, mut second, mut third, mut fourth] = [(); 4].map(|()| hand(wait(mutex, cond)));
    for waiter in [&mut first, &mut second, &mut third, &mut fourth] {
        assert!(waiter.is_pending());
    }
    drop(first); // not told
    cond.notify_one();
    assert_eq!((second.wakes(), third.wakes()), (1, 0));
    drop(second); // told, and did not know
    assert_eq!((third.wakes(), fourth.wakes()), (1, 0));
    let guard = mutex.try_lock().unwrap();
    assert!(third.is_pending()); // told, and waits for the mutex
    drop(third);
    assert_eq!(fourth.wakes(), 1);
    drop(guard);
    fourth.ready();
    // It was received: nobody else is told.
    let mut late = hand(wait(mutex, cond));
    assert!(late.is_pending());
    assert_eq!(late.wakes(), 0);
}

#[test]
fn who_was_told_with_all_and_is_dropped_tells_nobody() {
    let (mutex, cond) = (leak(Mutex::new(0)), leak(Cond::new()));
    let mut told = hand(wait(mutex, cond));
    assert!(told.is_pending());
    cond.notify_all();
    let mut late = hand(wait(mutex, cond));
    assert!(late.is_pending());
    drop(told);
    assert_eq!(late.wakes(), 0);
}

#[test]
fn another_waker_takes_the_place_of_the_first() {
    let (mutex, cond) = (leak(Mutex::new(0)), leak(Cond::new()));
    let mut waiter = hand(wait(mutex, cond));
    assert!(waiter.is_pending());
    let before = waiter.change_waker();
    assert!(waiter.is_pending());
    cond.notify_one();
    assert_eq!((before.count(), waiter.wakes()), (0, 1));
}

#[test]
fn a_condition_is_looked_at_before_and_after_each_wait() {
    let (mutex, cond) = (leak(Mutex::new(0)), leak(Cond::new()));
    let mut waiter = hand(async {
        let guard = mutex.lock().await;
        *cond.wait_while(guard, |n| *n < 2).await
    });
    assert!(waiter.is_pending());
    for n in 1..=2 {
        *mutex.try_lock().unwrap() = n;
        cond.notify_one();
        if n == 1 {
            assert!(waiter.is_pending());
        }
    }
    assert_eq!(waiter.ready(), 2);
    let guard = mutex.try_lock().unwrap();
    assert_eq!(*hand(cond.wait_while(guard, |_| false)).ready(), 2);
}

#[test]
fn tasks_and_threads_block_for_it() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (mutex, cond) = (leak(Mutex::new(false)), leak(Cond::new()));
        let thread = std::thread::spawn(|| {
            *cond.wait_while_blocking(mutex.lock_blocking(), |ready| !*ready)
        });
        runtime.block_on(async {
            let teller = gopark::spawn(async {
                gopark::time::sleep(Duration::from_millis(1)).await;
                *mutex.lock().await = true;
                cond.notify_all();
            });
            let blocked = gopark::spawn(async {
                let mut guard = mutex.lock_blocking();
                while !*guard {
                    guard = cond.wait_blocking(guard);
                }
            });
            blocked.await.unwrap();
            teller.await.unwrap();
        });
        assert!(thread.join().unwrap());
    }
}

#[test]
fn many_consumers_and_producers_lose_nothing() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let queue = Arc::new((Mutex::new(Vec::new()), Cond::new()));
        let mut rng = Rng::new();
        let consumers: Vec<_> = (0..10)
            .map(|_| {
                let queue = queue.clone();
                let gives_up = rng.below(2) == 0;
                runtime.spawn(async move {
                    let (mutex, cond) = &*queue;
                    let mut sum = 0;
                    loop {
                        if gives_up {
                            let guard = mutex.lock().await;
                            let _ = futures::poll!(Box::pin(cond.wait(guard)));
                        }
                        let guard = mutex.lock().await;
                        let mut items = cond
                            .wait_while(guard, |items: &mut Vec<u64>| items.is_empty())
                            .await;
                        match items.pop() {
                            Some(0) => {
                                items.insert(0, 0);
                                cond.notify_one();
                                return sum;
                            }
                            item => sum += item.unwrap(),
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            let (mutex, cond) = &*queue;
            for n in 1..=500 {
                mutex.lock().await.push(n);
                cond.notify_one();
            }
            mutex.lock().await.insert(0, 0);
            cond.notify_one();
            let mut sum = 0;
            for consumer in consumers {
                sum += consumer.await.unwrap();
            }
            assert_eq!(sum, 500 * 501 / 2);
        });
    }
}

#[test]
fn it_works_under_another_executor() {
    let pair = Arc::new((Mutex::new(0), Cond::new()));
    let thread = std::thread::spawn({
        let pair = pair.clone();
        move || {
            futures::executor::block_on(async {
                let guard = pair.0.lock().await;
                *pair.1.wait_while(guard, |n| *n == 0).await
            })
        }
    });
    futures::executor::block_on(async { *pair.0.lock().await = 3 });
    pair.1.notify_all();
    assert_eq!(thread.join().unwrap(), 3);
}

fn is_send<T: Send>(_: &T) {}
fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn it_may_be_sent_and_shared() {
    assert_send_sync::<Cond>();
    let (mutex, cond) = (Mutex::new(0), Cond::new());
    is_send(&cond.wait(mutex.try_lock().unwrap()));
}
