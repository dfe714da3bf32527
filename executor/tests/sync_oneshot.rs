//! `gopark::sync::oneshot`: every transition of the channel, from both ends.

mod sync_data_support;
mod task_support;

use std::{
    cell::Cell,
    pin::{Pin, pin},
    rc::Rc,
    sync::{Arc, Barrier, atomic::AtomicUsize, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use gopark::sync::oneshot::{self, Receiver, RecvError, Sender, TryRecvError, channel};
use sync_data_support::{
    OverAligned, PanicsInDrop, Rng, Wakes, assert_send, assert_sync, assert_unpin, is_send, panics,
    poll, poll_with,
};
use task_support::{Counter, PanickingWaker, alarm, every_kind};

fn poll_closed<T>(sender: &mut Sender<T>, waker: &Waker) -> Poll<()> {
    sender.poll_closed(&mut Context::from_waker(waker))
}

#[test]
fn ends_are_send_and_sync_as_tokios_are() {
    assert_send::<Sender<Cell<u8>>>();
    assert_sync::<Sender<Cell<u8>>>();
    assert_send::<Receiver<Cell<u8>>>();
    assert_sync::<Receiver<Cell<u8>>>();
    assert_unpin::<Receiver<std::marker::PhantomPinned>>();
    assert_unpin::<Sender<std::marker::PhantomPinned>>();
    let (mut sender, _receiver) = channel::<Cell<u8>>();
    is_send(&sender.closed());

    // None of it for what may not leave its thread: this picks the trait's method where it does not hold.
    trait No {
        fn is_send(&self) -> bool {
            false
        }
    }
    impl<T> No for std::marker::PhantomData<T> {}
    struct Probe<T>(std::marker::PhantomData<T>);
    impl<T: Send> Probe<T> {
        fn is_send(&self) -> bool {
            true
        }
    }
    impl<T> std::ops::Deref for Probe<T> {
        type Target = std::marker::PhantomData<T>;
        fn deref(&self) -> &Self::Target {
            &self.0
        }
    }
    assert!(Probe::<Sender<u8>>(std::marker::PhantomData).is_send());
    assert!(!Probe::<Sender<Rc<u8>>>(std::marker::PhantomData).is_send());
    assert!(!Probe::<Receiver<Rc<u8>>>(std::marker::PhantomData).is_send());
}

#[test]
fn a_value_sent_before_the_first_poll_is_there() {
    let (sender, mut receiver) = channel();
    assert!(receiver.is_empty() && !receiver.is_terminated());
    sender.send(7).unwrap();
    assert!(!receiver.is_empty());
    assert_eq!(poll(Pin::new(&mut receiver)), Poll::Ready(Ok(7)));
    assert!(receiver.is_empty() && receiver.is_terminated());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    receiver.close();
}

#[test]
fn a_waiting_receiver_is_woken_once_and_its_waker_is_given_up() {
    let (wakes, waker) = Wakes::pair();
    let (sender, mut receiver) = channel();
    for _ in 0..3 {
        assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    }
    assert_eq!(Arc::strong_count(&wakes), 3);
    sender.send(7).unwrap();
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (1, 2));
    assert_eq!(
        poll_with(Pin::new(&mut receiver), &waker),
        Poll::Ready(Ok(7))
    );
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let (first, second) = (Wakes::pair(), Wakes::pair());
    let (sender, mut receiver) = channel();
    for _ in 0..3 {
        assert!(poll_with(Pin::new(&mut receiver), &first.1).is_pending());
        assert!(poll_with(Pin::new(&mut receiver), &second.1).is_pending());
    }
    assert_eq!(
        Arc::strong_count(&first.0),
        2,
        "a waker that was replaced is dropped"
    );
    sender.send(()).unwrap();
    assert_eq!((first.0.count(), second.0.count()), (0, 1));
    drop(receiver);
    assert_eq!(Arc::strong_count(&second.0), 2);
}

#[test]
fn a_dropped_sender_ends_the_wait() {
    let (wakes, waker) = Wakes::pair();
    let (sender, mut receiver) = channel::<u8>();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    drop(sender);
    assert_eq!(wakes.count(), 1);
    assert!(receiver.is_empty() && !receiver.is_terminated());
    assert!(matches!(
        poll(Pin::new(&mut receiver)),
        Poll::Ready(Err(RecvError { .. }))
    ));
    assert!(receiver.is_terminated());
}

#[test]
fn a_dropped_sender_before_any_poll() {
    let (sender, mut receiver) = channel::<u8>();
    drop(sender);
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert!(receiver.is_terminated());
}

#[test]
fn a_dropped_receiver_refuses_the_value_and_drops_its_own_waker() {
    let (wakes, waker) = Wakes::pair();
    let (sender, mut receiver) = channel();
    assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    assert!(!sender.is_closed());
    drop(receiver);
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (0, 2));
    assert!(sender.is_closed());
    assert_eq!(sender.send(3), Err(3));
}

#[test]
fn a_closed_receiver_refuses_what_comes_and_keeps_what_is_there() {
    let (sender, mut receiver) = channel();
    receiver.close();
    receiver.close();
    assert!(sender.is_closed() && !receiver.is_terminated());
    assert_eq!(sender.send(3), Err(3));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));

    let (sender, mut receiver) = channel();
    sender.send(4).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(4));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_closed_receiver_does_not_wait_for_its_sender() {
    let (wakes, waker) = Wakes::pair();
    let (sender, mut receiver) = channel::<u8>();
    assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    receiver.close();
    assert_eq!(Arc::strong_count(&wakes), 2, "there is nothing to wait for");
    assert!(matches!(
        poll_with(Pin::new(&mut receiver), &waker),
        Poll::Ready(Err(_))
    ));
    assert!(receiver.is_terminated());
    drop(receiver);
    assert!(sender.is_closed());
    drop(sender);

    let (sender, mut receiver) = channel::<u8>();
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert!(receiver.is_terminated());
    drop(sender);
}

#[test]
fn closed_wakes_when_the_receiver_is_closed_or_dropped() {
    for drops in [false, true] {
        let (first, second) = (Wakes::pair(), Wakes::pair());
        let (mut sender, receiver) = channel::<u8>();
        let mut receiver = Some(receiver);
        assert!(poll_closed(&mut sender, &first.1).is_pending());
        assert!(poll_closed(&mut sender, &first.1).is_pending());
        assert!(poll_closed(&mut sender, &second.1).is_pending());
        assert_eq!(Arc::strong_count(&first.0), 2);
        if drops {
            receiver = None;
        } else if let Some(receiver) = &mut receiver {
            receiver.close();
        }
        assert_eq!((first.0.count(), second.0.count()), (0, 1));
        assert_eq!(Arc::strong_count(&second.0), 2);
        assert!(poll_closed(&mut sender, &first.1).is_ready());
        assert!(poll(pin!(sender.closed())).is_ready());
        drop(receiver);
    }
}

#[test]
fn a_sender_that_waits_may_send_or_go() {
    let (wakes, waker) = Wakes::pair();
    let (mut sender, mut receiver) = channel();
    assert!(poll_closed(&mut sender, &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (0, 2));
    assert_eq!(receiver.try_recv(), Ok(1));

    let (mut sender, receiver) = channel::<u8>();
    assert!(poll_closed(&mut sender, &waker).is_pending());
    drop(sender);
    assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (0, 2));
    drop(receiver);
}

#[test]
fn both_ends_wait_at_once() {
    let (left, right) = (Wakes::pair(), Wakes::pair());
    for sends in [true, false] {
        let (mut sender, mut receiver) = channel();
        assert!(poll_closed(&mut sender, &left.1).is_pending());
        assert!(poll_with(Pin::new(&mut receiver), &right.1).is_pending());
        assert!(poll_closed(&mut sender, &right.1).is_pending());
        assert!(poll_with(Pin::new(&mut receiver), &left.1).is_pending());
        if sends {
            sender.send(1).unwrap();
            assert_eq!((left.0.count(), right.0.count()), (1, 0));
            assert_eq!(poll(Pin::new(&mut receiver)), Poll::Ready(Ok(1)));
        } else {
            drop(receiver);
            assert_eq!((left.0.count(), right.0.count()), (1, 1));
            drop(sender);
        }
        assert_eq!(
            (Arc::strong_count(&left.0), Arc::strong_count(&right.0)),
            (2, 2)
        );
    }
}

#[test]
fn a_cancelled_closed_leaves_a_waker_that_the_next_poll_replaces() {
    let (first, second) = (Wakes::pair(), Wakes::pair());
    let (mut sender, receiver) = channel::<u8>();
    {
        let mut closed = pin!(sender.closed());
        assert!(poll_with(closed.as_mut(), &first.1).is_pending());
    }
    {
        let mut closed = pin!(sender.closed());
        assert!(poll_with(closed.as_mut(), &second.1).is_pending());
    }
    drop(receiver);
    assert_eq!((first.0.count(), second.0.count()), (0, 1));
}

#[test]
fn polling_again_after_the_end_panics() {
    let (sender, mut receiver) = channel();
    sender.send(1).unwrap();
    assert!(poll(Pin::new(&mut receiver)).is_ready());
    let (message, ..) = task_support::panic_of(|| poll(Pin::new(&mut receiver)));
    assert!(message.contains("polled after"), "{message}");
}

#[test]
fn a_value_that_is_not_received_is_dropped_once() {
    let counter = Counter::default();
    // Sent and the receiver dropped.
    let (sender, receiver) = channel();
    assert!(sender.send(counter.on_drop()).is_ok());
    assert_eq!(counter.get(), 0);
    drop(receiver);
    assert_eq!(counter.get(), 1);
    // Refused.
    let (sender, receiver) = channel();
    drop(receiver);
    drop(sender.send(counter.on_drop()));
    assert_eq!(counter.get(), 2);
    // Received.
    let (sender, mut receiver) = channel();
    assert!(sender.send(counter.on_drop()).is_ok());
    let value = receiver.try_recv().ok();
    drop(receiver);
    assert_eq!(counter.get(), 2);
    drop(value);
    assert_eq!(counter.get(), 3);
}

#[test]
fn a_value_that_panics_when_dropped_is_dropped_once() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = channel();
    sender.send(PanicsInDrop(drops.clone())).unwrap();
    assert!(panics(|| drop(receiver)));
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&drops), 1);
}

#[test]
fn zero_sized_and_over_aligned_values() {
    let (sender, receiver) = channel::<()>();
    sender.send(()).unwrap();
    assert_eq!(futures::executor::block_on(receiver), Ok(()));
    let (sender, receiver) = channel();
    sender.send(OverAligned(9)).unwrap();
    let value = Box::new(futures::executor::block_on(receiver).unwrap());
    value.assert_placed();
    assert_eq!(value.0, 9);
}

#[test]
fn a_waker_that_panics_keeps_no_value_back() {
    let waker = Waker::from(Arc::new(PanickingWaker::default()));
    let (sender, mut receiver) = channel();
    assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    assert_eq!(sender.send(5), Ok(()));
    assert_eq!(receiver.try_recv(), Ok(5));

    let (mut sender, receiver) = channel();
    assert!(poll_closed(&mut sender, &waker).is_pending());
    drop(receiver);
    assert_eq!(sender.send(6), Err(6));
}

#[test]
fn a_value_may_hold_the_other_end() {
    // The receiver's own sender sends it to itself: freed by the drop of the value.
    struct Holds(#[expect(dead_code, reason = "held")] Option<Receiver<Self>>);
    let (sender, receiver) = channel();
    let (other, inner) = channel();
    other.send(Holds(None)).ok().unwrap();
    sender.send(Holds(Some(inner))).ok().unwrap();
    drop(receiver);
}

#[test]
fn tasks_exchange_values_on_every_kind_of_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            for n in 0..100 {
                let (ask, asked) = channel();
                let (answer, answered) = channel();
                gopark::spawn(async move { answer.send(asked.await.unwrap() + 1) });
                ask.send(n).unwrap();
                assert_eq!(answered.await, Ok(n + 1));
            }
        });
    }
}

#[test]
fn a_task_says_that_it_waits_for_a_oneshot() {
    let _alarm = alarm();
    task_support::current().block_on(async {
        let (sender, receiver) = channel::<()>();
        let task = gopark::spawn(receiver);
        gopark::yield_now().await;
        let reasons: Vec<_> = gopark::runtime::Handle::current()
            .tasks()
            .into_iter()
            .map(|task| task.to_string())
            .filter(|task| task.contains("oneshot"))
            .collect();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        drop(sender);
        assert!(task.await.unwrap().is_err());
    });
}

#[test]
fn receivers_that_are_always_ready_use_the_budget_up() {
    gopark_net_budget(|| {
        let mut ready = 0;
        loop {
            let (sender, mut receiver) = channel();
            sender.send(()).unwrap();
            match poll(Pin::new(&mut receiver)) {
                Poll::Ready(_) => ready += 1,
                Poll::Pending => return ready,
            }
        }
    });
}

fn gopark_net_budget(f: impl FnOnce() -> usize) {
    use gopark::net::note;
    note::begin_poll(note::DEFAULT_BUDGET);
    let ready = f();
    note::begin_poll(note::UNLIMITED);
    assert_eq!(ready, usize::from(note::DEFAULT_BUDGET));
}

#[test]
fn threads_wait_without_a_runtime() {
    let _alarm = alarm();
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || receiver.recv_blocking());
    sender.send(5).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(5));

    let (sender, receiver) = channel::<u8>();
    let thread = std::thread::spawn(move || receiver.recv_blocking());
    drop(sender);
    assert!(thread.join().unwrap().is_err());
}

#[test]
fn a_task_that_blocks_for_a_value_lets_the_sender_run() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (sender, receiver) = oneshot::channel();
            gopark::spawn(async move { sender.send(5) });
            assert_eq!(receiver.recv_blocking(), Ok(5));
        });
    }
}

#[test]
fn under_a_foreign_executor() {
    let _alarm = alarm();
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || futures::executor::block_on(receiver));
    sender.send(5).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(5));
}

#[test]
fn stress_every_pair_of_ends_over_threads() {
    let _alarm = alarm();
    let mut rng = Rng::printed();
    const ROUNDS: usize = 4000;
    let counter = Counter::default();
    let barrier = Arc::new(Barrier::new(2));
    let (to_receivers, receivers) = std::sync::mpsc::channel::<Receiver<_>>();
    let mut theirs = rng.fork();
    let thread = std::thread::spawn({
        let barrier = barrier.clone();
        move || {
            let mut received = 0;
            for mut receiver in receivers {
                let (wakes, waker) = Wakes::pair();
                let act = theirs.below(5);
                if act >= 3 {
                    let _ = poll_with(Pin::new(&mut receiver), &waker);
                }
                barrier.wait();
                match act {
                    0 => drop(receiver),
                    1 | 3 => {
                        receiver.close();
                        received += usize::from(receiver.try_recv().is_ok());
                    }
                    2 => {
                        let other = Wakes::pair().1;
                        loop {
                            if let Poll::Ready(got) = poll_with(Pin::new(&mut receiver), &other) {
                                received += usize::from(got.is_ok());
                                break;
                            }
                            std::thread::yield_now();
                        }
                    }
                    _ => {
                        let other = Wakes::pair();
                        let polled = poll_with(Pin::new(&mut receiver), &other.1);
                        if let Poll::Ready(got) = polled {
                            received += usize::from(got.is_ok());
                        } else {
                            while wakes.count() + other.0.count() == 0 {
                                std::thread::yield_now();
                            }
                            received += usize::from(receiver.try_recv().is_ok());
                        }
                    }
                }
                drop(waker);
            }
            received
        }
    });
    let mut sent = 0;
    for _ in 0..ROUNDS {
        let (mut sender, receiver) = channel();
        let waits = rng.below(2) == 0 && poll_closed(&mut sender, Waker::noop()).is_pending();
        to_receivers.send(receiver).unwrap();
        barrier.wait();
        if waits {
            let _ = poll_closed(&mut sender, &Wakes::pair().1);
        }
        if rng.below(4) == 0 {
            drop(sender);
        } else {
            let value = counter.on_drop();
            sent += 1;
            drop(sender.send(value));
        }
    }
    drop(to_receivers);
    let received = thread.join().unwrap();
    assert_eq!(counter.get(), sent, "each value is dropped once");
    assert!(received > 0 && received <= sent);
}
