//! `Barrier`.

mod sync_support;

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use gopark::sync::{Barrier, BarrierWaitResult};
use sync_support::{alarm, every_kind, hand, leak};

#[test]
fn all_go_on_when_the_last_has_come_which_leads() {
    let barrier = leak(Barrier::new(50));
    for _ in 0..3 {
        let mut waiters: Vec<_> = (0..50).map(|_| hand(barrier.wait())).collect();
        for waiter in &mut waiters[..49] {
            assert!(waiter.is_pending());
            assert!(waiter.is_pending());
        }
        assert!(waiters[49].ready().is_leader());
        for waiter in &mut waiters[..49] {
            assert_eq!(waiter.wakes(), 1);
            assert!(!waiter.ready().is_leader());
        }
    }
}

#[test]
fn nobody_waits_at_a_barrier_for_one_or_none() {
    for size in [0, 1] {
        let barrier = leak(Barrier::new(size));
        assert!(hand(barrier.wait()).ready().is_leader());
        assert!(hand(barrier.wait()).ready().is_leader());
    }
}

#[test]
fn who_gives_up_has_not_come() {
    let barrier = leak(Barrier::new(2));
    let mut gone = hand(barrier.wait());
    assert!(gone.is_pending());
    assert_eq!(format!("{barrier:?}"), "Barrier { size: 2, arrived: 1 }");
    drop(gone);
    let mut first = hand(barrier.wait());
    assert!(first.is_pending());
    let mut second = hand(barrier.wait());
    assert!(second.ready().is_leader());
    // The round is over: dropping one that was counted changes nothing.
    drop(first);
    assert_eq!(format!("{barrier:?}"), "Barrier { size: 2, arrived: 0 }");
}

/// When it is woken it comes to the next round, and drops a wait of the last one that was not told yet.
struct Meddles(&'static Barrier);

thread_local! {
    static WAITS: RefCell<Vec<sync_support::Hand<BarrierWaitResult>>> = RefCell::default();
}

impl std::task::Wake for Meddles {
    fn wake(self: Arc<Self>) {
        let mut next = hand(self.0.wait());
        assert!(next.is_pending());
        let last = WAITS.replace(vec![next]).pop();
        drop(last);
    }
}

#[test]
fn who_gives_up_at_the_end_of_a_round_was_counted_there() {
    let barrier = leak(Barrier::new(100));
    let mut first = hand(barrier.wait());
    let waker = Waker::from(Arc::new(Meddles(barrier)));
    assert!(first.poll_with(&waker).is_pending());
    let mut waiters: Vec<_> = (0..98).map(|_| hand(barrier.wait())).collect();
    for waiter in &mut waiters {
        assert!(waiter.is_pending());
    }
    WAITS.set(vec![waiters.pop().unwrap()]);
    // It tells them in batches, and `first` in the first of those.
    assert!(hand(barrier.wait()).ready().is_leader());
    assert_eq!(format!("{barrier:?}"), "Barrier { size: 100, arrived: 1 }");
    for waiter in &mut waiters {
        assert!(!waiter.ready().is_leader());
    }
    WAITS.take();
    assert_eq!(format!("{barrier:?}"), "Barrier { size: 100, arrived: 0 }");
}

#[test]
fn another_waker_takes_the_place_of_the_first() {
    let barrier = leak(Barrier::new(2));
    let mut waiter = hand(barrier.wait());
    assert!(waiter.is_pending());
    let before = waiter.change_waker();
    assert!(waiter.is_pending());
    hand(barrier.wait()).ready();
    assert_eq!((before.count(), waiter.wakes()), (0, 1));
}

#[test]
fn tasks_and_threads_meet_again_and_again() {
    const ROUNDS: usize = 100;
    let _alarm = alarm();
    for runtime in every_kind() {
        let barrier = Arc::new(Barrier::new(4));
        let [arrived, leaders] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let check = {
            let (arrived, leaders) = (arrived.clone(), leaders.clone());
            move |round: usize, result: &BarrierWaitResult| {
                assert!(arrived.load(Ordering::SeqCst) >= 4 * (round + 1));
                leaders.fetch_add(usize::from(result.is_leader()), Ordering::SeqCst);
            }
        };
        let thread = std::thread::spawn({
            let (barrier, arrived, check) = (barrier.clone(), arrived.clone(), check.clone());
            move || {
                for round in 0..ROUNDS {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    check(round, &barrier.wait_blocking());
                }
            }
        });
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, arrived, check) = (barrier.clone(), arrived.clone(), check.clone());
                runtime.spawn(async move {
                    for round in 0..ROUNDS {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        check(round, &barrier.wait().await);
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        thread.join().unwrap();
        assert_eq!(leaders.load(Ordering::SeqCst), ROUNDS);
    }
}

#[test]
fn it_works_under_another_executor() {
    let barrier = Arc::new(Barrier::new(2));
    let thread = std::thread::spawn({
        let barrier = barrier.clone();
        move || futures::executor::block_on(barrier.wait()).is_leader()
    });
    let here = futures::executor::block_on(barrier.wait()).is_leader();
    assert!(here ^ thread.join().unwrap());
}

fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn it_may_be_sent_and_shared() {
    assert_send_sync::<Barrier>();
    assert_send_sync::<BarrierWaitResult>();
}
