//! The order of messages, and of those who wait for them.

mod chan_support;

use chan_support::{CAPACITIES, alarm, channel, everywhere, rounds, waiting};
use futures::FutureExt;
use gopark::chan;

#[test]
fn one_receiver_gets_messages_in_the_order_of_each_sender() {
    let _alarm = alarm();
    let messages = rounds(20_000);
    for capacity in CAPACITIES {
        everywhere(
            || {
                let (tx, rx) = channel(capacity);
                let mut all = Vec::new();
                for sender in 0..3 {
                    let tx = tx.clone();
                    let send = async move {
                        for message in 0..messages {
                            tx.send((sender, message)).await.unwrap();
                        }
                        0
                    };
                    all.push(send.boxed());
                }
                let receive = async move {
                    let mut next = [0; 3];
                    while let Ok((sender, message)) = rx.recv().await {
                        assert_eq!(message, next[sender], "of sender {sender}");
                        next[sender] += 1;
                    }
                    next.iter().sum::<usize>()
                };
                all.push(receive.boxed());
                all
            },
            |counts| assert_eq!(counts[3], 3 * messages),
        );
    }
}

/// A receive that waited is owed a message, not the one that woke it: who comes first gets the oldest.
#[test]
fn whoever_receives_first_gets_the_oldest_message() {
    for capacity in [0, 1, 2] {
        let (tx, rx) = channel(capacity);
        let first = waiting(rx.recv());
        // No place is left, so that what is sent later waits.
        let permits: Vec<_> = (0..capacity).map(|_| tx.try_reserve().unwrap()).collect();
        tx.try_send(0).unwrap();
        let send = waiting(tx.send(1));
        assert_eq!(rx.recv().now_or_never(), Some(Ok(0)), "capacity {capacity}");
        assert_eq!(send.woken(), Ok(()));
        let third = waiting(rx.recv());
        tx.try_send(2).unwrap();
        assert_eq!(third.woken(), Ok(1));
        assert_eq!(first.woken(), Ok(2));
        drop(permits);
    }
}

#[test]
fn what_a_dropped_receive_was_owed_is_received_in_its_turn() {
    let (tx, rx) = chan::rendezvous();
    let receive = waiting(rx.recv());
    tx.try_send(0).unwrap();
    let send = waiting(tx.send(1));
    assert_eq!(rx.try_recv(), Ok(0));
    drop(receive);
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(send.woken(), Ok(()));
}

#[test]
fn a_channel_never_says_that_it_holds_more_than_its_capacity() {
    for capacity in [0, 1, 1000] {
        let (tx, rx) = channel(capacity);
        let receives: Vec<_> = (0..3).map(|_| waiting(rx.recv())).collect();
        let mut sent = 0;
        while tx.try_send(sent).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, capacity + 3);
        for receive in receives {
            assert_eq!((rx.len(), tx.len()), (capacity, capacity));
            assert_eq!((rx.is_empty(), rx.is_full()), (capacity == 0, true));
            drop(receive);
        }
        // Nobody is owed anything now, and there is more than it holds.
        assert_eq!((rx.len(), rx.is_full()), (capacity, true));
        assert_eq!(rx.drain().count(), capacity + 3);
        assert_eq!((rx.len(), rx.is_full()), (0, capacity == 0));
    }
}

#[test]
fn senders_that_wait_are_served_in_order() {
    for capacity in [0, 1, 3] {
        let (tx, rx) = channel(capacity);
        for message in 0..capacity {
            tx.try_send(message).unwrap();
        }
        let senders: Vec<_> = (0..5).map(|n| waiting(tx.send(capacity + n))).collect();
        for n in 0..5 {
            assert_eq!(rx.try_recv(), Ok(n));
            for (place, sender) in senders.iter().enumerate() {
                assert_eq!(sender.wakes(), usize::from(place <= n), "{place}");
            }
            // There is no room for anybody who comes later.
            assert!(tx.is_full());
        }
        assert_eq!(
            rx.try_iter().collect::<Vec<_>>(),
            (5..5 + capacity).collect::<Vec<_>>()
        );
        for sender in senders {
            assert_eq!(sender.woken(), Ok(()));
        }
    }
}

#[test]
fn receivers_that_wait_are_served_in_order() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let receivers: Vec<_> = (0..5).map(|_| waiting(rx.recv())).collect();
        for n in 0..5 {
            tx.try_send(n).unwrap();
            for (place, receiver) in receivers.iter().enumerate() {
                assert_eq!(receiver.wakes(), usize::from(place <= n), "{place}");
            }
        }
        for (n, receiver) in receivers.into_iter().enumerate() {
            assert_eq!(receiver.woken(), Ok(n));
        }
    }
}

#[test]
fn nobody_takes_what_was_promised_to_another() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let receiver = waiting(rx.recv());
        tx.try_send(1).unwrap();
        assert!(rx.try_recv().unwrap_err().is_empty());
        assert!(rx.recv().now_or_never().is_none());
        assert_eq!(rx.drain().count(), 0);
        let chosen = gopark::select_blocking! {
            _ = rx.recv() => 1,
            default => 2,
        };
        assert_eq!(chosen, 2);
        assert_eq!(receiver.woken(), Ok(1));
    }
}

/// Go: a receiver that finds senders waiting takes the head of the buffer, and the first sender's message
/// becomes its tail.
#[test]
fn the_message_of_a_sender_that_waits_goes_to_the_tail() {
    let (tx, rx) = chan::bounded(2);
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    let third = waiting(tx.send(3));
    let fourth = waiting(tx.send(4));
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(tx.try_send(9).unwrap_err().is_full(), "the place is taken");
    assert_eq!((third.wakes(), fourth.wakes(), rx.len()), (1, 0, 2));
    assert_eq!(rx.drain().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(rx.try_recv(), Ok(4));
    assert_eq!(fourth.woken(), Ok(()));
}

#[test]
fn who_stops_waiting_leaves_the_order_of_the_others_alone() {
    for leaves in 0..5 {
        let (tx, rx) = chan::rendezvous();
        let mut senders: Vec<_> = (0..5).map(|n| Some(waiting(tx.send(n)))).collect();
        senders[leaves] = None;
        let expected: Vec<_> = (0..5).filter(|&n| n != leaves).collect();
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), expected);

        let mut receivers: Vec<_> = (0..5).map(|_| Some(waiting(rx.recv()))).collect();
        receivers[leaves] = None;
        for n in expected {
            tx.try_send(n).unwrap();
            assert_eq!(receivers[n].take().unwrap().woken(), Ok(n));
        }
        assert!(tx.try_send(9).unwrap_err().is_full());
    }
}

#[test]
fn a_channel_of_capacity_c_holds_c() {
    for capacity in [0, 1, 3, 1000] {
        let (tx, rx) = channel(capacity);
        assert_eq!(tx.capacity(), Some(capacity));
        for n in 0..capacity {
            assert_eq!((tx.len(), tx.is_full()), (n, false));
            tx.try_send(n).unwrap();
        }
        assert!(tx.is_full() && rx.is_full());
        assert_eq!(tx.try_send(0).unwrap_err().into_inner(), 0);
        assert_eq!(rx.len(), capacity);
    }
    let (tx, rx) = chan::unbounded();
    assert_eq!(rx.capacity(), None);
    for n in 0..10_000 {
        tx.try_send(n).unwrap();
    }
    assert!(!rx.is_full());
    assert_eq!(rx.len(), 10_000);
    assert_eq!(tx.is_empty(), rx.is_empty());
}

#[test]
fn force_send_pushes_the_oldest_out() {
    let (tx, rx) = chan::bounded(2);
    let pushed: Vec<_> = (0..5).map(|n| tx.force_send(n).unwrap()).collect();
    assert_eq!(pushed, [None, None, Some(0), Some(1), Some(2)]);
    assert_eq!(rx.drain().collect::<Vec<_>>(), [3, 4]);
    let receiver = waiting(rx.recv());
    assert_eq!(tx.force_send(5), Ok(None));
    tx.try_send(6).unwrap();
    tx.try_send(7).unwrap();
    // One of the three is promised.
    assert_eq!(tx.force_send(8), Ok(Some(5)));
    assert_eq!(receiver.woken(), Ok(6));

    let (tx, rx) = chan::rendezvous();
    assert_eq!(tx.force_send(1), Ok(Some(1)));
    let receiver = waiting(rx.recv());
    assert_eq!(tx.force_send(2), Ok(None));
    assert_eq!(tx.force_send(3), Ok(Some(3)));
    assert_eq!(receiver.woken(), Ok(2));
    rx.close();
    assert_eq!(tx.force_send(4).unwrap_err().into_inner(), 4);
}
