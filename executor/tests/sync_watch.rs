//! `gopark::sync::watch`: versions, waits and ends.

mod sync_data_support;
mod task_support;

use std::{
    cell::Cell,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use gopark::sync::watch::{Receiver, Ref, SendError, Sender, channel};
use sync_data_support::{
    OverAligned, PanicsInDrop, Rng, Wakes, assert_send, assert_sync, assert_unpin, is_send, panics,
    poll, poll_with,
};
use task_support::{Counter, PanickingWaker, alarm, every_kind};

#[test]
fn ends_are_send_and_sync_as_tokios_are() {
    assert_send::<Sender<u8>>();
    assert_sync::<Sender<u8>>();
    assert_send::<Receiver<u8>>();
    assert_sync::<Receiver<u8>>();
    assert_unpin::<Sender<std::marker::PhantomPinned>>();
    assert_sync::<Ref<'static, u8>>();
    let (sender, mut receiver) = channel(0);
    is_send(&sender.closed());
    is_send(&receiver.changed());
    is_send(&receiver.wait_for(|n| *n > 0));
    // And neither for a `Cell`, as tokio's: a reader of one thread would write.
    trait Ambiguous<A> {
        fn probe() {}
    }
    struct Is;
    impl<T> Ambiguous<()> for T {}
    impl<T: Send> Ambiguous<Is> for T {}
    <Sender<Cell<u8>> as Ambiguous<_>>::probe();
    <Receiver<Cell<u8>> as Ambiguous<_>>::probe();
    <Ref<'static, u8> as Ambiguous<_>>::probe();
}

#[test]
fn the_first_value_is_seen_and_each_send_is_news_once() {
    let (sender, mut receiver) = channel(0);
    assert_eq!(receiver.has_changed(), Ok(false));
    assert!(poll(pin!(receiver.changed())).is_pending());
    sender.send(1).unwrap();
    assert_eq!(receiver.has_changed(), Ok(true));
    assert!(receiver.borrow().has_changed());
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Ok(())));
    assert_eq!(*receiver.borrow(), 1);
    assert!(!receiver.borrow().has_changed());
    assert!(poll(pin!(receiver.changed())).is_pending());
    sender.send(2).unwrap();
    sender.send(3).unwrap();
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Ok(())));
    assert_eq!(*receiver.borrow_and_update(), 3);
    assert!(poll(pin!(receiver.changed())).is_pending());
}

#[test]
fn borrow_and_update_counts_as_seen_and_marks_do_what_they_say() {
    let (sender, mut receiver) = channel(0);
    sender.send(1).unwrap();
    assert!(receiver.borrow_and_update().has_changed());
    assert!(!receiver.borrow_and_update().has_changed());
    assert!(poll(pin!(receiver.changed())).is_pending());
    receiver.mark_changed();
    assert_eq!(receiver.has_changed(), Ok(true));
    assert!(poll(pin!(receiver.changed())).is_ready());
    assert!(poll(pin!(receiver.changed())).is_pending());
    sender.send(2).unwrap();
    receiver.mark_unchanged();
    assert_eq!(receiver.has_changed(), Ok(false));
    assert!(poll(pin!(receiver.changed())).is_pending());
}

#[test]
fn a_clone_has_seen_what_its_original_has() {
    let (sender, mut receiver) = channel(0);
    sender.send(1).unwrap();
    let mut before = receiver.clone();
    assert!(poll(pin!(receiver.changed())).is_ready());
    let mut after = receiver.clone();
    assert!(poll(pin!(before.changed())).is_ready());
    assert!(poll(pin!(after.changed())).is_pending());
    let mut subscribed = sender.subscribe();
    assert!(poll(pin!(subscribed.changed())).is_pending());
    assert_eq!(sender.receiver_count(), 4);
    assert!(receiver.same_channel(&after) && !receiver.same_channel(&channel(0).1));
    assert!(sender.same_channel(&sender.clone()) && !sender.same_channel(&Sender::new(0)));
}

#[test]
fn all_who_wait_are_woken_once_and_their_wakers_given_up() {
    let (sender, receiver) = channel(0);
    let wakes: Vec<_> = (0..40).map(|_| Wakes::pair()).collect();
    let mut receivers: Vec<_> = wakes.iter().map(|_| receiver.clone()).collect();
    let mut waits: Vec<_> = receivers
        .iter_mut()
        .map(|receiver| Box::pin(receiver.changed()))
        .collect();
    for (wait, (_, waker)) in waits.iter_mut().zip(&wakes) {
        assert!(poll_with(wait.as_mut(), waker).is_pending());
        assert!(poll_with(wait.as_mut(), waker).is_pending());
    }
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    for (wait, (count, waker)) in waits.iter_mut().zip(&wakes) {
        assert_eq!((count.count(), Arc::strong_count(count)), (1, 2));
        assert!(poll_with(wait.as_mut(), waker).is_ready());
    }
}

#[test]
fn a_cancelled_wait_leaves_nothing_and_has_seen_nothing() {
    let (sender, mut receiver) = channel(0);
    let mut other = receiver.clone();
    let (gone, here) = (Wakes::pair(), Wakes::pair());
    let mut stays = Box::pin(other.changed());
    {
        let mut wait = Box::pin(receiver.changed());
        assert!(poll_with(wait.as_mut(), &gone.1).is_pending());
        assert!(poll_with(stays.as_mut(), &here.1).is_pending());
    }
    assert_eq!(Arc::strong_count(&gone.0), 2);
    // Woken and then dropped.
    let mut wait = Box::pin(receiver.changed());
    assert!(poll_with(wait.as_mut(), &gone.1).is_pending());
    sender.send(1).unwrap();
    drop(wait);
    assert_eq!((gone.0.count(), here.0.count()), (1, 1));
    assert_eq!(receiver.has_changed(), Ok(true));
    // Never polled.
    drop(receiver.changed());
    assert!(poll(pin!(receiver.changed())).is_ready());
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let (sender, mut receiver) = channel(0);
    let (first, second) = (Wakes::pair(), Wakes::pair());
    let mut wait = Box::pin(receiver.changed());
    assert!(poll_with(wait.as_mut(), &first.1).is_pending());
    assert!(poll_with(wait.as_mut(), &second.1).is_pending());
    assert_eq!(Arc::strong_count(&first.0), 2);
    sender.send(1).unwrap();
    assert_eq!((first.0.count(), second.0.count()), (0, 1));
}

#[test]
fn the_last_sender_ends_it_and_the_last_value_is_still_told() {
    let (sender, mut receiver) = channel(0);
    let mut late = receiver.clone();
    let (wakes, waker) = Wakes::pair();
    let mut wait = Box::pin(receiver.changed());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    let other = sender.clone();
    assert_eq!(sender.sender_count(), 2);
    drop(sender);
    assert_eq!(wakes.count(), 0);
    other.send(1).unwrap();
    drop(other);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_with(wait.as_mut(), &waker), Poll::Ready(Ok(())));
    drop(wait);
    assert!(matches!(
        poll(pin!(receiver.changed())),
        Poll::Ready(Err(_))
    ));
    assert!(matches!(
        poll(pin!(receiver.changed())),
        Poll::Ready(Err(_))
    ));
    assert!(receiver.has_changed().is_err() && receiver.is_closed());
    assert_eq!(*receiver.borrow(), 1);
    receiver.mark_changed();
    assert_eq!(poll(pin!(receiver.changed())), Poll::Ready(Ok(())));
    assert_eq!(poll(pin!(late.changed())), Poll::Ready(Ok(())));
}

#[test]
fn a_wait_is_ended_by_the_last_sender_alone() {
    let (sender, mut receiver) = channel(0);
    let (wakes, waker) = Wakes::pair();
    let mut wait = Box::pin(receiver.changed());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    drop(sender);
    assert_eq!(wakes.count(), 1);
    assert!(matches!(
        poll_with(wait.as_mut(), &waker),
        Poll::Ready(Err(_))
    ));
}

#[test]
fn without_receivers_send_refuses_and_the_rest_goes_on() {
    let (sender, receiver) = channel(0);
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(1), Err(SendError(1)));
    assert_eq!(*sender.borrow(), 0);
    assert_eq!(sender.send_replace(2), 0);
    sender.send_modify(|n| *n += 1);
    assert_eq!(*sender.borrow(), 3);
    let receiver = sender.subscribe();
    assert_eq!(receiver.has_changed(), Ok(false));
    sender.send(4).unwrap();
    assert_eq!(receiver.has_changed(), Ok(true));
}

#[test]
fn closed_waits_for_the_last_receiver_and_may_find_a_new_one() {
    let (sender, receiver) = channel(0);
    let (wakes, waker) = Wakes::pair();
    let mut closed = Box::pin(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    let other = receiver.clone();
    drop(receiver);
    assert_eq!(wakes.count(), 0);
    drop(other);
    assert_eq!(wakes.count(), 1);
    let again = sender.subscribe();
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    drop(again);
    assert_eq!(wakes.count(), 2);
    assert!(poll_with(closed.as_mut(), &waker).is_ready());
    drop(closed);
    let receiver = sender.subscribe();
    let mut closed = Box::pin(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    drop(closed);
    drop(receiver);
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (2, 2));
}

#[test]
fn changes_that_are_none_wake_nobody() {
    let (sender, mut receiver) = channel(5);
    let (wakes, waker) = Wakes::pair();
    let mut wait = Box::pin(receiver.changed());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(wakes.count(), 0);
    assert!(panics(|| sender.send_modify(|n| {
        *n = 6;
        panic!("as it must");
    })));
    assert_eq!(wakes.count(), 0);
    assert_eq!(*sender.borrow(), 6);
    assert!(sender.send_if_modified(|n| {
        *n = 7;
        true
    }));
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(wait.as_mut(), &waker).is_ready());
    drop(wait);
    assert_eq!(*receiver.borrow(), 7);
}

#[test]
fn wait_for_looks_at_the_present_value_and_at_each_news() {
    let (sender, mut receiver) = channel(1);
    let looked = Cell::new(0);
    {
        let Poll::Ready(Ok(value)) = poll(pin!(receiver.wait_for(|n| *n == 1))) else {
            panic!("it is there");
        };
        assert!(!value.has_changed());
    }
    {
        let mut wait = pin!(receiver.wait_for(|n| {
            looked.set(looked.get() + 1);
            *n == 3
        }));
        assert!(poll(wait.as_mut()).is_pending());
        assert!(poll(wait.as_mut()).is_pending());
        assert_eq!(looked.get(), 1);
        sender.send(2).unwrap();
        assert!(poll(wait.as_mut()).is_pending());
        sender.send(3).unwrap();
        let Poll::Ready(Ok(value)) = poll(wait.as_mut()) else {
            panic!("it is there");
        };
        assert!(value.has_changed() && *value == 3);
        assert_eq!(looked.get(), 3);
    }
    assert_eq!(receiver.has_changed(), Ok(false));
    sender.send(4).unwrap();
    drop(sender);
    assert!(matches!(
        poll(pin!(receiver.wait_for(|n| *n == 5))),
        Poll::Ready(Err(_))
    ));
    assert!(matches!(
        poll(pin!(receiver.wait_for(|n| *n == 4))),
        Poll::Ready(Ok(_))
    ));
}

#[test]
fn a_look_that_panics_lets_the_lock_go() {
    let (sender, mut receiver) = channel(1);
    assert!(panics(|| {
        let _ = poll(pin!(receiver.wait_for(|_| panic!("as it must"))));
    }));
    sender.send(2).unwrap();
    assert_eq!(*receiver.borrow(), 2);
}

#[test]
fn an_old_value_is_dropped_without_the_lock() {
    // Its drop looks at the channel, which would wait for ever under the write lock.
    struct Looks(Option<Receiver<Option<Self>>>, Counter);
    impl Drop for Looks {
        fn drop(&mut self) {
            if let Some(receiver) = self.0.take() {
                assert!(receiver.borrow().is_none());
                self.1.add();
            }
        }
    }
    let _alarm = alarm();
    let counter = Counter::default();
    let (sender, _receiver) = channel(None);
    sender
        .send(Some(Looks(Some(sender.subscribe()), counter.clone())))
        .ok()
        .unwrap();
    sender.send(None).ok().unwrap();
    assert_eq!(counter.get(), 1);
}

#[test]
fn values_that_panic_when_dropped() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = channel(PanicsInDrop(drops.clone()));
    assert!(panics(|| sender.send(PanicsInDrop(drops.clone()))));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert!(poll(pin!(receiver.changed())).is_ready());
    drop(sender);
    assert!(panics(|| drop(receiver)));
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    assert_eq!(Arc::strong_count(&drops), 1);
}

#[test]
fn a_waker_that_panics_keeps_no_wake_back() {
    let (sender, mut first) = channel(0);
    let mut second = first.clone();
    let bad = Arc::new(PanickingWaker::default()).into();
    let (wakes, waker) = Wakes::pair();
    let (mut one, mut two) = (Box::pin(first.changed()), Box::pin(second.changed()));
    assert!(poll_with(one.as_mut(), &bad).is_pending());
    assert!(poll_with(two.as_mut(), &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn zero_sized_and_over_aligned_values() {
    let (sender, mut receiver) = channel(());
    sender.send(()).unwrap();
    assert!(poll(pin!(receiver.changed())).is_ready());
    let (sender, receiver) = channel(OverAligned(1));
    sender.send(OverAligned(2)).unwrap();
    receiver.borrow().assert_placed();
    assert_eq!(receiver.borrow().0, 2);
}

#[test]
fn budgets_are_used_up_by_changes_and_by_values_that_are_there() {
    use gopark::net::note;
    for waits_for in [false, true] {
        let (sender, mut receiver) = channel(0);
        note::begin_poll(note::DEFAULT_BUDGET);
        let mut ready = 0;
        loop {
            sender.send(1).unwrap();
            let is_ready = if waits_for {
                poll(pin!(receiver.wait_for(|_| true))).is_ready()
            } else {
                poll(pin!(receiver.changed())).is_ready()
            };
            if !is_ready {
                break;
            }
            ready += 1;
        }
        assert_eq!(note::wait_reason(), note::WaitReason::Yield);
        note::begin_poll(note::UNLIMITED);
        assert_eq!(ready, usize::from(note::DEFAULT_BUDGET));
    }
    let (_sender, mut receiver) = channel(0);
    assert!(poll(pin!(receiver.changed())).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::Watch);
}

#[test]
fn threads_and_tasks_may_block_for_a_change() {
    let _alarm = alarm();
    let (sender, mut receiver) = channel(0);
    let thread = std::thread::spawn(move || {
        receiver.changed_blocking().unwrap();
        let found = *receiver.wait_for_blocking(|n| *n == 9).unwrap();
        (found, receiver.changed_blocking().is_err())
    });
    for n in 1..10 {
        sender.send(n).unwrap();
    }
    drop(sender);
    assert_eq!(thread.join().unwrap(), (9, true));
    for runtime in every_kind() {
        runtime.block_on(async {
            let (sender, mut receiver) = channel(0);
            gopark::spawn(async move { sender.send(1) });
            receiver.changed_blocking().unwrap();
            assert_eq!(*receiver.borrow(), 1);
        });
    }
}

#[test]
fn stress_every_watcher_sees_growing_values_and_the_last() {
    let _alarm = alarm();
    let mut rng = Rng::printed();
    const LAST: u64 = 2000;
    let (sender, receiver) = channel(0_u64);
    let threads: Vec<_> = (0..3)
        .map(|n| {
            let mut receiver = receiver.clone();
            let mut rng = rng.fork();
            std::thread::spawn(move || {
                futures::executor::block_on(async {
                    let mut seen = 0;
                    loop {
                        if n == 2 && rng.below(4) == 0 {
                            // A wait that is given up after one poll.
                            let _ = poll(pin!(receiver.changed()));
                        }
                        if receiver.changed().await.is_err() {
                            return (n, seen);
                        }
                        let value = *receiver.borrow_and_update();
                        assert!(value >= seen);
                        seen = value;
                    }
                })
            })
        })
        .collect();
    drop(receiver);
    for n in 1..=LAST {
        if rng.below(3) == 0 {
            std::thread::yield_now();
        }
        sender.send(n).unwrap();
    }
    drop(sender);
    for thread in threads {
        let (n, seen) = thread.join().unwrap();
        if n < 2 {
            assert_eq!(seen, LAST);
        }
    }
}
