//! `gopark::sync::broadcast`: what each receiver gets, loses and holds up.

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

use futures::StreamExt;
use gopark::sync::broadcast::{
    self, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, WeakSender, channel,
};
use sync_data_support::{
    OverAligned, PanicsInDrop, Rng, Wakes, assert_send, assert_sync, assert_unpin, is_send, panics,
    poll, poll_with,
};
use task_support::{Counter, PanickingWaker, alarm, every_kind};

#[test]
fn ends_are_send_and_sync_if_values_are_both() {
    assert_send::<Sender<u8>>();
    assert_sync::<Sender<u8>>();
    assert_send::<WeakSender<u8>>();
    assert_send::<Receiver<u8>>();
    assert_sync::<Receiver<u8>>();
    assert_send::<broadcast::lossless::Sender<u8>>();
    assert_unpin::<Receiver<std::marker::PhantomPinned>>();
    let (sender, mut receiver) = channel::<u8>(1);
    is_send(&sender.closed());
    is_send(&receiver.recv());
    is_send(&receiver.stream());
    is_send(&broadcast::lossless::<u8>(1).0.send(1));
    // Two receivers clone one value at once, so a `Cell` may not be in it.
    trait Ambiguous<A> {
        fn probe() {}
    }
    struct Is;
    impl<T> Ambiguous<()> for T {}
    impl<T: Send> Ambiguous<Is> for T {}
    <Sender<Cell<u8>> as Ambiguous<_>>::probe();
    <Receiver<Cell<u8>> as Ambiguous<_>>::probe();
}

#[test]
fn each_receiver_gets_what_was_sent_since_it_was_made() {
    let (sender, mut first) = channel(4);
    assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(sender.send(1), Ok(1));
    let mut second = sender.subscribe();
    assert_eq!(sender.send(2), Ok(2));
    let mut third = first.resubscribe();
    assert_eq!((sender.receiver_count(), sender.len()), (3, 2));
    assert_eq!((first.len(), second.len(), third.len()), (2, 1, 0));
    assert_eq!((first.try_recv(), first.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(sender.len(), 1);
    assert_eq!(second.try_recv(), Ok(2));
    assert!(sender.is_empty() && first.is_empty());
    assert_eq!(third.try_recv(), Err(TryRecvError::Empty));
    drop(sender);
    assert!(third.is_closed());
    for receiver in [&mut first, &mut second, &mut third] {
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(
            poll(pin!(receiver.recv())),
            Poll::Ready(Err(RecvError::Closed))
        );
    }
}

#[test]
fn a_slow_receiver_loses_the_oldest_and_is_told_how_many() {
    // Three is no power of two: the capacity is what was asked for.
    let (sender, mut slow) = channel(3);
    let mut quick = sender.subscribe();
    for n in 0..10 {
        sender.send(n).unwrap();
        assert_eq!(quick.try_recv(), Ok(n));
    }
    assert_eq!((slow.len(), sender.len()), (10, 3));
    assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(7)));
    assert_eq!(slow.len(), 3);
    assert_eq!(slow.try_recv(), Ok(7));
    sender.send(10).unwrap();
    sender.send(11).unwrap();
    assert_eq!(
        poll(pin!(slow.recv())),
        Poll::Ready(Err(RecvError::Lagged(1)))
    );
    drop(sender);
    for n in 9..12 {
        assert_eq!(poll(pin!(slow.recv())), Poll::Ready(Ok(n)));
    }
    assert_eq!(slow.try_recv(), Err(TryRecvError::Closed));
    assert_eq!((quick.try_recv(), quick.try_recv()), (Ok(10), Ok(11)));
}

#[test]
fn values_against_a_model_of_queues() {
    let mut rng = Rng::printed();
    for capacity in [1, 2, 3, 7] {
        let sender = Sender::new(capacity);
        let mut receivers: Vec<(Receiver<u64>, u64)> = Vec::new();
        let (mut tail, mut wanted) = (0_u64, 0_u64);
        for _ in 0..3000 {
            match rng.below(8) {
                0 if receivers.len() < 4 => receivers.push((sender.subscribe(), tail)),
                1 if !receivers.is_empty() => {
                    let gone = rng.below(receivers.len() as u64) as usize;
                    receivers.swap_remove(gone);
                }
                2..=4 => {
                    let sent = sender.send(tail);
                    assert_eq!(sent.is_ok(), !receivers.is_empty());
                    tail += u64::from(sent.is_ok());
                }
                _ => {
                    for (receiver, next) in &mut receivers {
                        if rng.below(2) == 0 {
                            continue;
                        }
                        let oldest = tail.saturating_sub(capacity as u64);
                        let expected = if *next == tail {
                            Err(TryRecvError::Empty)
                        } else if *next < oldest {
                            let lost = oldest - *next;
                            *next = oldest;
                            Err(TryRecvError::Lagged(lost))
                        } else {
                            *next += 1;
                            Ok(*next - 1)
                        };
                        assert_eq!(receiver.try_recv(), expected);
                    }
                }
            }
            let oldest = tail.saturating_sub(capacity as u64);
            wanted = receivers
                .iter()
                .map(|(_, next)| *next.max(&oldest))
                .min()
                .unwrap_or(tail);
            assert_eq!(sender.len() as u64, tail - wanted);
            for (receiver, next) in &receivers {
                assert_eq!(receiver.len() as u64, tail - next);
            }
        }
        assert!(wanted > 0);
    }
}

#[test]
fn all_who_wait_are_woken_once() {
    let (sender, receiver) = channel(4);
    let mut receivers: Vec<_> = (0..40)
        .map(|_| (Wakes::pair(), receiver.resubscribe()))
        .collect();
    let mut waits: Vec<_> = receivers
        .iter_mut()
        .map(|(wakes, receiver)| (&*wakes, Box::pin(receiver.recv())))
        .collect();
    for ((_, waker), wait) in &mut waits {
        assert!(poll_with(wait.as_mut(), waker).is_pending());
    }
    sender.send(5).unwrap();
    for ((wakes, waker), wait) in &mut waits {
        assert_eq!((wakes.count(), Arc::strong_count(wakes)), (1, 2));
        assert_eq!(poll_with(wait.as_mut(), waker), Poll::Ready(Ok(5)));
    }
}

#[test]
fn a_cancelled_receive_loses_nothing() {
    let (sender, mut receiver) = channel(4);
    let (old, new) = (Wakes::pair(), Wakes::pair());
    let mut wait = Box::pin(receiver.recv());
    assert!(poll_with(wait.as_mut(), &old.1).is_pending());
    assert!(poll_with(wait.as_mut(), &new.1).is_pending());
    assert_eq!(Arc::strong_count(&old.0), 2);
    drop(wait);
    assert_eq!(Arc::strong_count(&new.0), 2);
    let mut wait = Box::pin(receiver.recv());
    assert!(poll_with(wait.as_mut(), &new.1).is_pending());
    sender.send(1).unwrap();
    drop(wait);
    drop(receiver.recv());
    assert_eq!(receiver.try_recv(), Ok(1));
    let mut wait = Box::pin(receiver.recv());
    assert!(poll_with(wait.as_mut(), &new.1).is_pending());
    drop(sender);
    assert_eq!(new.0.count(), 2);
    assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(RecvError::Closed)));
}

#[test]
fn senders_weak_and_strong() {
    let (sender, mut receiver) = channel(4);
    let weak = sender.downgrade();
    let other = weak.clone();
    assert_eq!(weak.weak_count(), 2);
    let again = other.upgrade().unwrap();
    drop(other);
    assert!(again.same_channel(&sender) && !again.same_channel(&Sender::new(1)));
    assert_eq!((weak.strong_count(), weak.weak_count()), (2, 1));
    assert_eq!(
        (receiver.sender_strong_count(), receiver.sender_weak_count()),
        (2, 1)
    );
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    again.send(1).unwrap();
    drop(again);
    assert!(weak.upgrade().is_none());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(receiver.resubscribe().try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn closed_waits_for_the_last_receiver() {
    let (sender, receiver) = channel::<u8>(1);
    let (wakes, waker) = Wakes::pair();
    let mut closed = Box::pin(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    let other = sender.subscribe();
    drop(receiver);
    assert_eq!(wakes.count(), 0);
    drop(other);
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(closed.as_mut(), &waker).is_ready());
    assert_eq!(sender.send(1), Err(SendError(1)));
}

#[test]
fn the_last_that_receives_gets_the_value_itself() {
    #[derive(Debug)]
    struct Counts(Counter);
    impl Clone for Counts {
        fn clone(&self) -> Self {
            self.0.add();
            Self(self.0.clone())
        }
    }
    let clones = Counter::default();
    let (sender, mut first) = channel(1);
    let mut second = sender.subscribe();
    sender.send(Counts(clones.clone())).unwrap();
    drop(first.try_recv().unwrap());
    assert_eq!(clones.get(), 1);
    drop(second.try_recv().unwrap());
    assert_eq!(clones.get(), 1);
}

#[test]
fn user_code_runs_without_the_lock() {
    // Its clone and its drop use the channel, which would wait for ever under the lock.
    struct Uses(Sender<Self>, Counter);
    impl Clone for Uses {
        fn clone(&self) -> Self {
            assert!(self.0.len() < 3);
            self.1.add();
            Self(self.0.clone(), self.1.clone())
        }
    }
    impl Drop for Uses {
        fn drop(&mut self) {
            assert!(self.0.len() < 3);
            self.1.add();
        }
    }
    let _alarm = alarm();
    let counter = Counter::default();
    let (sender, mut first) = channel(1);
    let second = sender.subscribe();
    let value = || Uses(sender.clone(), counter.clone());
    sender.send(value()).ok().unwrap();
    drop(first.try_recv().ok());
    assert_eq!(counter.get(), 2);
    sender.send(value()).ok().unwrap();
    assert_eq!(counter.get(), 3, "the lost one is dropped");
    drop(first);
    drop(second);
    assert_eq!(counter.get(), 4);
}

#[test]
fn a_clone_that_panics_has_received_the_value() {
    #[derive(Debug)]
    struct Panics(u8);
    impl Clone for Panics {
        fn clone(&self) -> Self {
            assert!(self.0 != 1, "as it must");
            Self(self.0)
        }
    }
    let (sender, mut first) = channel(4);
    let mut second = sender.subscribe();
    sender.send(Panics(1)).unwrap();
    sender.send(Panics(2)).unwrap();
    assert!(panics(|| first.try_recv()));
    assert_eq!(first.try_recv().unwrap().0, 2);
    assert_eq!(second.try_recv().unwrap().0, 1);
    assert_eq!(sender.len(), 1);
}

#[test]
fn a_drop_that_panics_keeps_no_wake_back() {
    struct Original(#[expect(dead_code, reason = "held")] Option<PanicsInDrop>);
    impl Clone for Original {
        fn clone(&self) -> Self {
            Self(None)
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let value = || Original(Some(PanicsInDrop(drops.clone())));
    let (sender, mut slow) = channel(1);
    let mut quick = sender.subscribe();
    let (wakes, waker) = Wakes::pair();
    sender.send(value()).ok().unwrap();
    assert!(quick.try_recv().is_ok());
    let mut wait = Box::pin(quick.recv());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    assert!(panics(|| sender.send(value())));
    assert_eq!((wakes.count(), drops.load(Ordering::SeqCst)), (1, 1));
    assert!(poll(wait.as_mut()).is_ready());
    drop(wait);
    assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(1))));
    let mut closed = Box::pin(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    drop(quick);
    assert!(panics(|| drop(slow)));
    assert_eq!((wakes.count(), drops.load(Ordering::SeqCst)), (2, 2));
    assert_eq!(Arc::strong_count(&drops), 1);
}

#[test]
fn a_waker_that_panics_keeps_no_wake_back() {
    let (sender, mut first) = channel(1);
    let mut second = sender.subscribe();
    let bad = Arc::new(PanickingWaker::default()).into();
    let (wakes, waker) = Wakes::pair();
    let (mut one, mut two) = (Box::pin(first.recv()), Box::pin(second.recv()));
    assert!(poll_with(one.as_mut(), &bad).is_pending());
    assert!(poll_with(two.as_mut(), &waker).is_pending());
    sender.send(1).unwrap();
    assert_eq!(wakes.count(), 1);
}

#[test]
fn zero_sized_and_over_aligned_values() {
    let (sender, mut first) = channel(1);
    let mut second = sender.subscribe();
    sender.send(OverAligned(3)).unwrap();
    for receiver in [&mut first, &mut second] {
        let value = Box::new(receiver.try_recv().unwrap());
        value.assert_placed();
        assert_eq!(value.0, 3);
    }
    let (sender, mut receiver) = channel(2);
    sender.send(()).unwrap();
    assert_eq!(receiver.try_recv(), Ok(()));
    for capacity in [0, usize::MAX, usize::MAX / 16] {
        assert!(panics(|| channel::<()>(capacity)));
    }
}

#[test]
fn as_a_stream() {
    let _alarm = alarm();
    futures::executor::block_on(async {
        let (sender, mut receiver) = channel(2);
        for n in 0..3 {
            sender.send(n).unwrap();
        }
        let mut stream = Box::pin(receiver.stream());
        assert_eq!(stream.next().await, Some(Err(RecvError::Lagged(1))));
        assert_eq!(stream.next().await, Some(Ok(1)));
        drop(stream);
        let mut stream = Box::pin(receiver.stream());
        assert_eq!(stream.next().await, Some(Ok(2)));
        let (wakes, waker) = Wakes::pair();
        assert!(poll_with(pin!(stream.next()), &waker).is_pending());
        sender.send(3).unwrap();
        assert_eq!(wakes.count(), 1);
        assert_eq!(stream.next().await, Some(Ok(3)));
        assert!(poll_with(pin!(stream.next()), &waker).is_pending());
        drop(sender);
        assert_eq!(wakes.count(), 2);
        assert_eq!(stream.next().await, None);
        assert_eq!(stream.next().await, None);
    });
}

#[test]
fn waiting_is_said_and_charged() {
    use gopark::net::note;
    let (sender, mut receiver) = channel(4);
    assert!(poll(pin!(receiver.recv())).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::Broadcast);
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    note::begin_poll(1);
    assert!(poll(pin!(receiver.recv())).is_ready());
    // One that wakes nobody is never refused.
    let (_, waker) = Wakes::pair();
    assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::Yield);
    note::begin_poll(note::UNLIMITED);
    let (sender, _receiver) = broadcast::lossless(1);
    assert!(poll(pin!(sender.send(1))).is_ready());
    assert!(poll(pin!(sender.send(2))).is_pending());
    assert_eq!(note::wait_reason(), note::WaitReason::ChanSend);
}

#[test]
fn a_lossless_sender_waits_for_the_slowest() {
    let (sender, mut slow) = broadcast::lossless(2);
    let mut quick = sender.subscribe();
    assert!(poll(pin!(sender.send(1))).is_ready());
    assert_eq!(sender.try_send(2), Ok(2));
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
    let (wakes, waker) = Wakes::pair();
    let mut send = Box::pin(sender.send(3));
    assert!(poll_with(send.as_mut(), &waker).is_pending());
    assert_eq!((quick.try_recv(), quick.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(wakes.count(), 0);
    assert_eq!(slow.try_recv(), Ok(1));
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_with(send.as_mut(), &waker), Poll::Ready(Ok(2)));
    drop(send);
    // A slow one that goes makes room, and a cancelled send has sent nothing.
    let mut send = Box::pin(sender.send(4));
    assert!(poll_with(send.as_mut(), &waker).is_pending());
    drop(send);
    let mut send = Box::pin(sender.send(5));
    assert!(poll_with(send.as_mut(), &waker).is_pending());
    drop(slow);
    assert_eq!(wakes.count(), 2);
    assert_eq!(poll_with(send.as_mut(), &waker), Poll::Ready(Ok(1)));
    drop(send);
    drop(sender);
    assert_eq!((quick.try_recv(), quick.try_recv()), (Ok(3), Ok(5)));
    assert_eq!(quick.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_lossless_send_without_receivers_gives_the_value_back() {
    let (sender, receiver) = broadcast::lossless(1);
    assert_eq!(sender.try_send(1), Ok(1));
    let (wakes, waker) = Wakes::pair();
    let mut send = Box::pin(sender.send(2));
    assert!(poll_with(send.as_mut(), &waker).is_pending());
    drop(receiver);
    assert_eq!(wakes.count(), 1);
    assert_eq!(
        poll_with(send.as_mut(), &waker),
        Poll::Ready(Err(SendError(2)))
    );
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert_eq!(sender.len(), 0);
}

#[test]
fn threads_and_tasks_may_block() {
    let _alarm = alarm();
    let (sender, mut receiver) = broadcast::lossless(1);
    let thread = std::thread::spawn(move || {
        (0..100).all(|n| receiver.recv_blocking() == Ok(n))
            && receiver.recv_blocking() == Err(RecvError::Closed)
    });
    for n in 0..100 {
        sender.send_blocking(n).unwrap();
    }
    drop(sender);
    assert!(thread.join().unwrap());
    for runtime in every_kind() {
        runtime.block_on(async {
            let (sender, mut receiver) = channel(1);
            gopark::spawn(async move { sender.send(1) });
            assert_eq!(receiver.recv_blocking(), Ok(1));
        });
    }
}

#[test]
fn stress_lossless_over_threads_loses_nothing_and_lossy_counts_what_it_loses() {
    let _alarm = alarm();
    let mut rng = Rng::printed();
    const VALUES: u64 = 1500;
    let (lossless, first) = broadcast::lossless(3);
    let receivers = [lossless.subscribe(), first];
    let exact = receivers.map(|mut receiver| {
        std::thread::spawn(move || {
            futures::executor::block_on(async {
                for n in 0..VALUES {
                    assert_eq!(receiver.recv().await, Ok(n));
                }
                assert_eq!(receiver.recv().await, Err(RecvError::Closed));
            });
        })
    });
    let (lossy, mut receiver) = channel(3);
    let mut theirs = rng.fork();
    let counts = std::thread::spawn(move || {
        let (mut got, mut lost, mut next) = (0, 0, 0);
        futures::executor::block_on(async {
            loop {
                if theirs.below(8) == 0 {
                    std::thread::yield_now();
                }
                match receiver.recv().await {
                    Ok(n) => {
                        assert_eq!(n, next);
                        (got, next) = (got + 1, next + 1);
                    }
                    Err(RecvError::Lagged(count)) => (lost, next) = (lost + count, next + count),
                    Err(RecvError::Closed) => return got + lost,
                }
            }
        })
    });
    futures::executor::block_on(async {
        for n in 0..VALUES {
            lossy.send(n).unwrap();
            lossless.send(n).await.unwrap();
        }
    });
    drop((lossy, lossless));
    for thread in exact {
        thread.join().unwrap();
    }
    assert_eq!(counts.join().unwrap(), VALUES);
}

#[test]
fn stress_receivers_that_come_and_go_take_nothing_from_those_who_stay() {
    let _alarm = alarm();
    let mut rng = Rng::printed();
    const VALUES: u64 = 20_000;
    let token = Arc::new(());
    for capacity in [1, 3] {
        let (sender, stays) = channel(capacity);
        let (over, came) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // What it gets and what it is told that it has lost are all numbers in a row.
        let follow =
            |receiver: &mut Receiver<(u64, Arc<()>)>, next: &mut Option<u64>| match receiver
                .try_recv()
            {
                Ok((n, _)) => {
                    assert_eq!(n, next.unwrap_or(n));
                    *next = Some(n + 1);
                    true
                }
                Err(TryRecvError::Lagged(lost)) => {
                    assert!(lost >= 1);
                    *next = next.map(|next| next + lost);
                    true
                }
                Err(TryRecvError::Empty) => true,
                Err(TryRecvError::Closed) => false,
            };
        std::thread::scope(|scope| {
            let steady = scope.spawn(|| {
                let (mut receiver, mut next) = (stays, Some(0));
                while follow(&mut receiver, &mut next) {}
                next
            });
            let churners: Vec<_> = (0..2)
                .map(|_| {
                    let (subscribe, mut rng, over) = (sender.downgrade(), rng.fork(), over.clone());
                    let came = came.clone();
                    scope.spawn(move || {
                        while over.load(Ordering::Relaxed) == 0 {
                            let Some(sender) = subscribe.upgrade() else {
                                break;
                            };
                            let (mut receiver, mut next) = (sender.subscribe(), None);
                            drop(sender);
                            for _ in 0..rng.below(6) {
                                follow(&mut receiver, &mut next);
                            }
                            came.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            // However late they start, some come and go meanwhile.
            let mut sent = 0;
            while sent < VALUES || came.load(Ordering::Relaxed) < 20 {
                assert!(sender.send((sent, token.clone())).unwrap() >= 1);
                sent += 1;
            }
            over.store(1, Ordering::Relaxed);
            drop(sender);
            for churner in churners {
                churner.join().unwrap();
            }
            assert_eq!(steady.join().unwrap(), Some(sent));
        });
        assert_eq!(Arc::strong_count(&token), 1);
    }
}
