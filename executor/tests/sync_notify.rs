//! `Notify`.

mod sync_support;

use std::{sync::Arc, task::Waker, time::Duration};

use gopark::sync::{Notified, Notify, OwnedNotified};
use sync_support::{Counter, PanickingWaker, Rng, alarm, every_kind, hand, leak};

#[test]
fn one_permit_is_kept_and_no_more() {
    let notify = leak(Notify::new());
    notify.notify_one();
    notify.notify_one();
    hand(notify.notified()).ready();
    assert!(hand(notify.notified()).is_pending());
}

#[test]
fn the_longest_waiting_is_told_first_and_the_last_by_notify_last() {
    let notify = leak(Notify::new());
    let mut waiters: Vec<_> = (0..4).map(|_| hand(notify.notified())).collect();
    for waiter in &mut waiters {
        assert!(waiter.is_pending());
    }
    let told = |waiters: &[sync_support::Hand<()>]| -> Vec<usize> {
        waiters.iter().map(|waiter| waiter.wakes()).collect()
    };
    notify.notify_one();
    assert_eq!(told(&waiters), [1, 0, 0, 0]);
    notify.notify_last();
    assert_eq!(told(&waiters), [1, 0, 0, 1]);
    // Told by `notify_last` and dropped: the last of the others.
    waiters.pop();
    assert_eq!(told(&waiters), [1, 0, 1]);
    // Told by `notify_one` and dropped: the first of the others.
    waiters.remove(0);
    assert_eq!(told(&waiters), [1, 1]);
    for waiter in &mut waiters {
        waiter.ready();
        waiter.ready(); // and again
    }
    // All are told: a permit is left.
    notify.notify_last();
    hand(notify.notified()).ready();
}

#[test]
fn a_notification_of_the_only_waiter_that_gives_up_is_kept() {
    let notify = leak(Notify::new());
    let mut waiter = hand(notify.notified());
    assert!(waiter.is_pending());
    notify.notify_one();
    drop(waiter);
    hand(notify.notified()).ready();
}

#[test]
fn a_waiter_that_leaves_before_it_is_told_leaves_no_trace() {
    let notify = leak(Notify::new());
    let mut waiter = hand(notify.notified());
    assert!(waiter.is_pending());
    drop(waiter);
    notify.notify_waiters();
    assert!(hand(notify.notified()).is_pending());
    notify.notify_one();
    hand(notify.notified()).ready();
}

#[test]
fn all_are_told_that_were_made_before() {
    let notify = leak(Notify::new());
    let mut waiting: Vec<_> = (0..100).map(|_| hand(notify.notified())).collect();
    for waiter in &mut waiting {
        assert!(waiter.is_pending());
    }
    let mut unpolled = hand(notify.notified());
    notify.notify_waiters();
    let mut later = hand(notify.notified());
    assert!(later.is_pending());
    assert!(waiting.iter().all(|waiter| waiter.wakes() == 1));
    for waiter in &mut waiting {
        waiter.ready();
    }
    unpolled.ready();
    assert_eq!(later.wakes(), 0);
    notify.notify_one();
    later.ready();
}

#[test]
fn telling_all_leaves_a_permit_where_it_is() {
    let notify = leak(Notify::new());
    let mut before = hand(notify.notified());
    notify.notify_one();
    notify.notify_waiters();
    // It is told by the second, and takes not the permit of the first.
    before.ready();
    hand(notify.notified()).ready();
    assert!(hand(notify.notified()).is_pending());
}

#[test]
fn who_was_told_with_all_and_is_dropped_tells_nobody() {
    let notify = leak(Notify::new());
    let mut waiter = hand(notify.notified());
    assert!(waiter.is_pending());
    notify.notify_waiters();
    drop(waiter);
    assert!(hand(notify.notified()).is_pending());
}

#[test]
fn a_place_can_be_taken_before_the_first_poll() {
    let notify = leak(Notify::new());
    let mut early = Box::pin(notify.notified());
    assert!(!early.as_mut().enable());
    let mut late = hand(notify.notified());
    assert!(late.is_pending());
    notify.notify_one();
    assert!(early.as_mut().enable());
    assert!(early.as_mut().enable());
    assert_eq!(late.wakes(), 0);

    // With a waker, it keeps it.
    let mut waiter = Box::pin(Arc::new(Notify::new()).notified_owned());
    let notify = Arc::new(Notify::new());
    waiter.set(notify.clone().notified_owned());
    let counter = Arc::new(CountWakes::default());
    let waker = Waker::from(counter.clone());
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(waiter.as_mut().poll(&mut cx).is_pending());
    assert!(!waiter.as_mut().enable());
    notify.notify_one();
    assert_eq!(counter.0.get(), 1);
    assert!(waiter.as_mut().poll(&mut cx).is_ready());
}

#[derive(Default)]
struct CountWakes(Counter);

impl std::task::Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.add();
    }
}

#[test]
fn another_waker_takes_the_place_of_the_first() {
    let notify = leak(Notify::new());
    let mut waiter = hand(notify.notified());
    assert!(waiter.is_pending());
    let before = waiter.change_waker();
    assert!(waiter.is_pending());
    notify.notify_one();
    assert_eq!((before.count(), waiter.wakes()), (0, 1));
}

#[test]
fn a_waker_that_panics_keeps_no_other_from_being_told() {
    let notify = leak(Notify::new());
    let panics = Arc::new(PanickingWaker::default());
    let mut waiters: Vec<_> = (0..40).map(|_| hand(notify.notified())).collect();
    for waiter in &mut waiters {
        assert!(waiter.poll_with(&Waker::from(panics.clone())).is_pending());
    }
    notify.notify_waiters();
    assert_eq!(panics.0.get(), 40);
    for waiter in &mut waiters {
        waiter.ready();
    }
}

#[test]
fn a_waker_may_notify_drop_and_wait() {
    struct Reenters(&'static Notify, Counter);
    impl std::task::Wake for Reenters {
        fn wake(self: Arc<Self>) {
            self.1.add();
            self.0.notify_one();
            let mut other = hand(self.0.notified());
            let _ = other.poll();
            self.0.notify_waiters();
        }
    }
    let notify = leak(Notify::new());
    let count = Counter::default();
    let waker = Waker::from(Arc::new(Reenters(notify, count.clone())));
    let mut waiters: Vec<_> = (0..40).map(|_| hand(notify.notified())).collect();
    for waiter in &mut waiters {
        assert!(waiter.poll_with(&waker).is_pending());
    }
    notify.notify_waiters();
    for waiter in &mut waiters {
        waiter.ready();
    }
    assert_eq!(count.get(), 40);
}

#[test]
fn tasks_and_threads_block_for_it() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let notify = leak(Notify::new());
        runtime.block_on(async {
            let teller = gopark::spawn(async {
                gopark::time::sleep(Duration::from_millis(1)).await;
                notify.notify_one();
            });
            gopark::spawn(async { notify.notified_blocking() })
                .await
                .unwrap();
            teller.await.unwrap();
        });
        let thread = std::thread::spawn(|| notify.notified_blocking());
        notify.notify_one();
        thread.join().unwrap();
    }
}

#[test]
fn it_works_under_another_executor() {
    let notify = Arc::new(Notify::new());
    let thread = std::thread::spawn({
        let notify = notify.clone();
        move || futures::executor::block_on(notify.notified_owned())
    });
    notify.notify_one();
    thread.join().unwrap();
}

#[test]
fn no_notification_is_lost_between_a_producer_and_tasks_that_give_up() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let mut rng = Rng::new();
        let (items, notify) = (Arc::new(Items::default()), Arc::new(Notify::new()));
        let consumers: Vec<_> = (0..8)
            .map(|_| {
                let (items, notify) = (items.clone(), notify.clone());
                let mut plan: Vec<u64> = (0..100).map(|_| rng.below(3)).collect();
                runtime.spawn(async move {
                    let mut got = 0;
                    loop {
                        if plan.pop() == Some(0) {
                            // Perhaps told, and dropped: then another is.
                            let _ = futures::poll!(Box::pin(notify.notified()));
                        }
                        let notified = notify.notified();
                        match items.take() {
                            Some(0) => {
                                // The end is for all: hand it on.
                                items.put(0);
                                notify.notify_one();
                                return got;
                            }
                            Some(_) => {
                                got += 1;
                                notify.notify_one();
                            }
                            None => notified.await,
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for n in 0..500 {
                items.put(1);
                notify.notify_one();
                if n % 7 == 0 {
                    gopark::yield_now().await;
                }
            }
            items.put(0);
            notify.notify_one();
            let mut got = 0;
            for consumer in consumers {
                got += consumer.await.unwrap();
            }
            assert_eq!(got, 500);
        });
    }
}

/// A queue that tells nobody.
#[derive(Default)]
struct Items(std::sync::Mutex<std::collections::VecDeque<u32>>);

impl Items {
    fn put(&self, item: u32) {
        self.0.lock().unwrap().push_back(item);
    }

    fn take(&self) -> Option<u32> {
        self.0.lock().unwrap().pop_front()
    }
}

fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn it_and_its_futures_may_be_sent_and_shared() {
    assert_send_sync::<Notify>();
    assert_send_sync::<Notified<'_>>();
    assert_send_sync::<OwnedNotified>();
}
