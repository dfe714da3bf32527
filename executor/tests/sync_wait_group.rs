//! `gopark::sync::WaitGroup`: the counter, and those who wait for zero.

mod sync_data_support;
mod task_support;

use std::{pin::pin, sync::Arc};

use gopark::sync::{WaitGroup, Worker};
use sync_data_support::{
    Rng, Wakes, assert_send, assert_sync, assert_unpin, is_send, panics, poll, poll_with,
};
use task_support::{Counter, alarm, every_kind, on_drop, panic_of};

#[test]
fn groups_are_send_and_sync() {
    assert_send::<WaitGroup>();
    assert_sync::<WaitGroup>();
    assert_send::<Worker>();
    assert_sync::<Worker>();
    assert_unpin::<WaitGroup>();
    is_send(&WaitGroup::new().wait());
}

#[test]
fn an_empty_group_is_not_waited_for() {
    let group = WaitGroup::default();
    assert!(poll(pin!(group.wait())).is_ready());
    group.add(0);
    group.wait_blocking();
    assert_eq!(format!("{group:?}"), "WaitGroup { count: 0, .. }");
}

#[test]
fn the_last_one_wakes_all_who_wait() {
    let group = WaitGroup::new();
    group.add(3);
    let waits: Vec<_> = (0..40)
        .map(|_| (Wakes::pair(), Box::pin(group.wait())))
        .collect();
    let mut waits = waits;
    for ((_, waker), wait) in &mut waits {
        assert!(poll_with(wait.as_mut(), waker).is_pending());
    }
    group.done();
    group.add(-1);
    assert!(waits.iter().all(|((wakes, _), _)| wakes.count() == 0));
    assert_eq!(group.count(), 1);
    group.clone().done();
    for ((wakes, waker), wait) in &mut waits {
        assert_eq!((wakes.count(), Arc::strong_count(wakes)), (1, 2));
        assert!(poll_with(wait.as_mut(), waker).is_ready());
    }
}

#[test]
fn who_waited_for_one_round_is_not_held_by_the_next() {
    let group = WaitGroup::new();
    group.add(1);
    let mut old = Box::pin(group.wait());
    assert!(poll(old.as_mut()).is_pending());
    group.done();
    group.add(1);
    let mut new = Box::pin(group.wait());
    assert!(poll(new.as_mut()).is_pending());
    assert!(poll(old.as_mut()).is_ready());
    assert!(poll(new.as_mut()).is_pending());
    group.done();
    assert!(poll(new.as_mut()).is_ready());
}

#[test]
fn a_wait_takes_another_waker_and_leaves_none() {
    let group = WaitGroup::new();
    let worker = group.worker();
    let (old, new) = (Wakes::pair(), Wakes::pair());
    let mut wait = Box::pin(group.wait());
    assert!(poll_with(wait.as_mut(), &old.1).is_pending());
    assert!(poll_with(wait.as_mut(), &new.1).is_pending());
    assert_eq!(Arc::strong_count(&old.0), 2);
    let mut gone = Box::pin(group.wait());
    assert!(poll_with(gone.as_mut(), &old.1).is_pending());
    drop(gone);
    assert_eq!(Arc::strong_count(&old.0), 2);
    drop(worker);
    assert_eq!((old.0.count(), new.0.count()), (0, 1));
}

#[test]
fn a_counter_out_of_range_is_a_panic_that_says_its_value_and_changes_nothing() {
    let group = WaitGroup::new();
    let (message, file, _) = panic_of(|| group.done());
    assert!(message.contains("would become -1"), "{message}");
    assert!(file.ends_with("sync_wait_group.rs"), "{file}");
    group.add(2);
    let (message, ..) = panic_of(|| group.add(-5));
    assert!(message.contains("would become -3"), "{message}");
    assert_eq!(group.count(), 2);
    assert!(panics(|| group.add(i64::from(u32::MAX))));
    assert!(panics(|| group.add(i64::MAX)));
    assert!(panics(|| group.add(i64::MIN)));
    assert_eq!(group.count(), 2);
    group.add(i64::from(u32::MAX) - 2);
    assert_eq!(group.count(), u32::MAX as usize);
    group.add(-i64::from(u32::MAX));
    assert!(poll(pin!(group.wait())).is_ready());
}

#[test]
fn workers_count_by_being_there() {
    let group = WaitGroup::new();
    let worker = group.worker();
    let clone = worker.clone();
    assert_eq!(worker.group().count(), 2);
    drop(worker);
    assert!(panics(move || {
        let _clone = clone;
        panic!("as it must");
    }));
    assert_eq!(group.count(), 0);
}

#[test]
fn waiting_is_said_and_charged() {
    use gopark::net::note;
    let group = WaitGroup::new();
    let worker = group.worker();
    assert!(poll(pin!(group.wait())).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::WaitGroup);
    drop(worker);
    note::begin_poll(1);
    assert!(poll(pin!(group.wait())).is_ready());
    // One that wakes nobody is never refused.
    let (_, waker) = Wakes::pair();
    assert!(poll_with(pin!(group.wait()), &waker).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::Yield);
    note::begin_poll(note::UNLIMITED);
}

#[test]
fn tasks_that_end_panic_or_are_aborted_are_done() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (group, counter) = (WaitGroup::new(), Counter::default());
            for _ in 0..10 {
                let counter = counter.clone();
                group.go(async move {
                    gopark::yield_now().await;
                    counter.add();
                });
            }
            let panicked = group.go(async { panic!("as it must") });
            let held = counter.on_drop();
            let aborted = group.go(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
            aborted.abort();
            group.wait().await;
            assert_eq!(
                counter.get(),
                11,
                "what a task holds is dropped before it is done"
            );
            assert!(panicked.await.unwrap_err().is_panic());
            // Again, and by blocking.
            let task = group.go(async { gopark::yield_now().await });
            group.wait_blocking();
            task.await.unwrap();
        });
    }
}

#[test]
fn what_a_task_holds_is_dropped_before_it_is_done() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for is_polled in [false, true] {
            let (group, early) = (WaitGroup::new(), Counter::default());
            let held = {
                let (group, early) = (group.clone(), early.clone());
                on_drop(move || {
                    if group.count() == 1 {
                        early.add();
                    }
                })
            };
            let theirs = group.clone();
            runtime.block_on(async move {
                let task = theirs.go(async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                });
                if is_polled {
                    gopark::yield_now().await;
                }
                task.abort();
                theirs.wait().await;
            });
            assert_eq!((group.count(), early.get()), (0, 1));
        }
    }
}

#[test]
fn stress_rounds_over_threads() {
    let _alarm = alarm();
    let mut rng = Rng::printed();
    let (group, counter) = (WaitGroup::new(), Counter::default());
    for round in 1..=300 {
        let workers = 1 + rng.below(3) as usize;
        let before = counter.get();
        for _ in 0..workers {
            let (worker, counter) = (group.worker(), counter.clone());
            std::thread::spawn(move || {
                counter.add();
                drop(worker);
            });
        }
        if round % 2 == 0 {
            group.wait_blocking();
        } else {
            futures::executor::block_on(group.wait());
        }
        assert_eq!(counter.get(), before + workers);
    }
}
