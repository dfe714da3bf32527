//! `Semaphore` and its permits.

mod sync_support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gopark::sync::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
};
use sync_support::{Rng, alarm, every_kind, hand, leak, panic_of};

#[test]
fn permits_are_taken_and_given_back() {
    let semaphore = Arc::new(Semaphore::new(3));
    let one = semaphore.try_acquire().unwrap();
    let two = semaphore.clone().try_acquire_many_owned(2).unwrap();
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    assert_eq!((one.num_permits(), two.num_permits()), (1, 2));
    assert!(Arc::ptr_eq(two.semaphore(), &semaphore));
    drop((one, two));
    assert_eq!(semaphore.available_permits(), 3);
    semaphore.add_permits(2);
    assert_eq!(semaphore.available_permits(), 5);
    assert_eq!(semaphore.forget_permits(4), 4);
    assert_eq!(semaphore.forget_permits(4), 1);
    assert_eq!(semaphore.forget_permits(4), 0);
}

#[test]
fn permits_can_be_forgotten_merged_and_split() {
    let semaphore = leak(Semaphore::new(10));
    let mut permit = semaphore.try_acquire_many(3).unwrap();
    permit.merge(semaphore.try_acquire_many(4).unwrap());
    assert_eq!(permit.num_permits(), 7);
    assert!(permit.split(8).is_none());
    let split = permit.split(2).unwrap();
    assert_eq!((permit.num_permits(), split.num_permits()), (5, 2));
    split.forget();
    drop(permit);
    assert_eq!(semaphore.available_permits(), 8);

    let other = leak(Semaphore::new(1));
    let (message, file, _) = panic_of(|| {
        let mut permit = semaphore.try_acquire().unwrap();
        permit.merge(other.try_acquire().unwrap());
    });
    assert_eq!(message, "permits of different semaphores cannot be merged");
    assert!(file.ends_with("sync_semaphore.rs"));
    assert_eq!(
        (semaphore.available_permits(), other.available_permits()),
        (8, 1)
    );
}

#[test]
fn waiters_are_served_in_order_and_a_big_request_is_not_starved() {
    let semaphore = leak(Semaphore::new(1));
    let mut big = hand(semaphore.acquire_many(3));
    let mut small = hand(semaphore.acquire());
    assert!(big.is_pending());
    assert!(small.is_pending());
    // There is one, but it is kept for the first.
    assert_eq!(semaphore.available_permits(), 1);
    assert!(semaphore.try_acquire().is_err());
    semaphore.add_permits(1);
    assert_eq!((big.wakes(), small.wakes()), (0, 0));
    semaphore.add_permits(1);
    assert_eq!((big.wakes(), small.wakes()), (1, 0));
    let permit = big.ready().unwrap();
    assert!(small.is_pending());
    drop(permit);
    assert_eq!(small.wakes(), 1);
    drop(small.ready());
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn many_permits_serve_many_waiters_at_once() {
    let semaphore = leak(Semaphore::new(0));
    let mut waiters: Vec<_> = (0..100).map(|_| hand(semaphore.acquire())).collect();
    for waiter in &mut waiters {
        assert!(waiter.is_pending());
    }
    semaphore.add_permits(70);
    for (n, waiter) in waiters.iter().enumerate() {
        assert_eq!(waiter.wakes(), usize::from(n < 70));
    }
    assert_eq!(semaphore.available_permits(), 0);
    // What 70 give back without having looked serves the other 30.
    drop(waiters.drain(..70));
    assert!(waiters.iter().all(|waiter| waiter.wakes() == 1));
    drop(waiters);
    assert_eq!(semaphore.available_permits(), 70);
}

#[test]
fn a_big_request_that_gives_up_lets_the_small_ones_go() {
    let semaphore = leak(Semaphore::new(40));
    let mut big = hand(semaphore.acquire_many(41));
    let mut small: Vec<_> = (0..50).map(|_| hand(semaphore.acquire())).collect();
    assert!(big.is_pending());
    for waiter in &mut small {
        assert!(waiter.is_pending());
    }
    drop(big);
    for (n, waiter) in small.iter().enumerate() {
        assert_eq!(waiter.wakes(), usize::from(n < 40));
    }
    drop(small);
    assert_eq!(semaphore.available_permits(), 40);
    assert!(semaphore.try_acquire_many(40).is_ok());
}

#[test]
fn another_waker_takes_the_place_of_the_first() {
    let semaphore = leak(Semaphore::new(0));
    let mut waiter = hand(semaphore.acquire());
    assert!(waiter.is_pending());
    let before = waiter.change_waker();
    assert!(waiter.is_pending());
    semaphore.add_permits(1);
    assert_eq!((before.count(), waiter.wakes()), (0, 1));
}

#[test]
fn closing_tells_all_that_wait_and_all_that_come() {
    let semaphore = leak(Semaphore::new(1));
    let served = semaphore.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..40).map(|_| hand(semaphore.acquire())).collect();
    for waiter in &mut waiters {
        assert!(waiter.is_pending());
    }
    drop(served); // serves the first, which does not know yet
    assert!(!semaphore.is_closed());
    semaphore.close();
    semaphore.close();
    assert!(semaphore.is_closed());
    assert!(waiters.iter().all(|waiter| waiter.wakes() == 1));
    let permit = waiters[0].ready().unwrap();
    for waiter in &mut waiters[1..] {
        assert_eq!(
            waiter.ready().unwrap_err().to_string(),
            "the semaphore is closed"
        );
    }
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::Closed
    );
    assert!(semaphore.acquire_blocking().is_err());
    drop(permit);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn none_at_all_can_always_be_had() {
    let semaphore = leak(Semaphore::new(0));
    let mut waiter = hand(semaphore.acquire());
    assert!(waiter.is_pending());
    assert_eq!(semaphore.try_acquire_many(0).unwrap().num_permits(), 0);
    drop(hand(semaphore.acquire_many(0)).ready());
    semaphore.add_permits(0);
    assert_eq!(waiter.wakes(), 0);
}

#[test]
fn too_many_permits_are_named() {
    const MAX: usize = Semaphore::MAX_PERMITS;
    let semaphore = Semaphore::new(MAX - 1);
    let (message, ..) = panic_of(|| semaphore.add_permits(2));
    assert_eq!(
        message,
        format!(
            "a semaphore cannot have {} permits: {MAX} is the most",
            MAX + 1
        )
    );
    assert_eq!(semaphore.available_permits(), MAX - 1);
    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), MAX);
    let (message, ..) = panic_of(|| Semaphore::new(MAX + 1));
    assert!(message.contains("MAX_PERMITS"), "{message}");
}

#[test]
fn tasks_and_threads_block_for_it() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let semaphore = leak(Semaphore::new(0));
        let thread = std::thread::spawn(|| semaphore.acquire_many_blocking(2).unwrap().forget());
        runtime.block_on(async {
            let giver = gopark::spawn(async {
                gopark::time::sleep(Duration::from_millis(1)).await;
                semaphore.add_permits(3);
            });
            let blocked = gopark::spawn(async { semaphore.acquire_blocking().unwrap().forget() });
            giver.await.unwrap();
            blocked.await.unwrap();
        });
        thread.join().unwrap();
        assert_eq!(semaphore.available_permits(), 0);
    }
}

#[test]
fn it_works_under_another_executor() {
    let semaphore = Arc::new(Semaphore::new(0));
    let thread = std::thread::spawn({
        let semaphore = semaphore.clone();
        move || futures::executor::block_on(semaphore.acquire_many_owned(2)).unwrap()
    });
    semaphore.add_permits(1);
    semaphore.add_permits(1);
    drop(thread.join().unwrap());
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn many_tasks_never_have_more_permits_than_there_are() {
    const PERMITS: usize = 5;
    let _alarm = alarm();
    for runtime in every_kind() {
        let semaphore = Arc::new(Semaphore::new(PERMITS));
        let taken = Arc::new(AtomicUsize::new(0));
        let mut rng = Rng::new();
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (semaphore, taken) = (semaphore.clone(), taken.clone());
                let plan: Vec<(u32, u64)> = (0..50)
                    .map(|_| (rng.below(PERMITS as u64 + 1) as u32, rng.below(4)))
                    .collect();
                runtime.spawn(async move {
                    for (count, step) in plan {
                        if step == 0 {
                            drop(futures::poll!(Box::pin(semaphore.acquire_many(count))));
                            continue;
                        }
                        let permit = semaphore.acquire_many(count).await.unwrap();
                        let now = taken.fetch_add(count as usize, Ordering::SeqCst);
                        assert!(now + count as usize <= PERMITS);
                        if step == 1 {
                            gopark::yield_now().await;
                        }
                        taken.fetch_sub(count as usize, Ordering::SeqCst);
                        drop(permit);
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(semaphore.available_permits(), PERMITS);
        assert!(semaphore.try_acquire_many(PERMITS as u32).is_ok());
    }
}

fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn it_and_its_permits_may_be_sent_and_shared() {
    assert_send_sync::<Semaphore>();
    assert_send_sync::<SemaphorePermit<'_>>();
    assert_send_sync::<OwnedSemaphorePermit>();
    assert_send_sync::<AcquireError>();
}
