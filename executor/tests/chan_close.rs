//! The end of a channel, by `close` or with the last handle of a side.

mod chan_support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chan_support::{CAPACITIES, alarm, channel, rounds, waiting};
use futures::FutureExt;
use gopark::chan;

#[test]
fn a_closed_channel_still_gives_what_is_in_it() {
    for by_drop in [false, true] {
        let (tx, rx) = chan::bounded(3);
        tx.try_send(1).unwrap();
        tx.try_send(2).unwrap();
        if by_drop {
            drop(tx);
        } else {
            assert!(tx.close());
            assert_eq!(tx.try_send(3).unwrap_err().into_inner(), 3);
            assert!(tx.try_send(3).unwrap_err().is_disconnected());
        }
        assert!(rx.is_closed());
        assert_eq!(rx.recv().now_or_never(), Some(Ok(1)));
        assert_eq!(rx.try_recv(), Ok(2));
        assert!(rx.try_recv().unwrap_err().is_disconnected());
        assert_eq!(rx.recv().now_or_never(), Some(Err(chan::RecvError)));
    }
}

#[test]
fn only_the_first_close_closes() {
    let (tx, rx) = chan::bounded::<()>(1);
    assert!(!tx.is_closed());
    assert!(tx.close());
    assert!(!tx.close());
    assert!(!rx.close());
    let (tx, rx) = chan::bounded::<()>(1);
    assert!(rx.close());
    assert!(!tx.close());
}

#[test]
fn senders_that_wait_get_their_messages_back() {
    for capacity in [0, 1] {
        let (tx, rx) = channel(capacity);
        for n in 0..capacity {
            tx.try_send(n).unwrap();
        }
        let sends: Vec<_> = (10..15).map(|n| waiting(tx.send(n))).collect();
        assert!(rx.close());
        for (n, send) in sends.into_iter().enumerate() {
            assert_eq!(send.woken().unwrap_err().into_inner(), 10 + n);
        }
        assert_eq!(rx.drain().count(), capacity);
    }
}

#[test]
fn receivers_that_wait_learn_of_the_end() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel::<u8>(capacity);
        let receives: Vec<_> = (0..5).map(|_| waiting(rx.recv())).collect();
        drop(tx);
        for receive in receives {
            assert_eq!(receive.woken(), Err(chan::RecvError));
        }
    }
}

#[test]
fn a_send_that_was_taken_has_happened_although_the_channel_was_closed_since() {
    let (tx, rx) = chan::rendezvous();
    let send = waiting(tx.send(1));
    assert_eq!(rx.try_recv(), Ok(1));
    drop(rx);
    assert_eq!(send.woken(), Ok(()));
}

#[test]
fn closed_waits_for_the_end_whoever_brings_it() {
    for end in 0..3 {
        let (tx, rx) = chan::bounded::<u8>(1);
        let other = tx.clone();
        let gone = waiting(tx.closed());
        let dropped = waiting(tx.closed());
        let closed = waiting(tx.closed());
        drop(dropped);
        match end {
            0 => drop(rx),
            1 => assert!(rx.close()),
            _ => assert!(other.close()),
        }
        gone.woken();
        closed.woken();
        assert_eq!(tx.closed().now_or_never(), Some(()));
    }
}

#[test]
fn with_the_last_receiver_messages_are_dropped_at_once() {
    let (tx, rx) = chan::unbounded();
    let message = std::sync::Arc::new(());
    for _ in 0..5 {
        tx.try_send(message.clone()).unwrap();
    }
    let other = rx.clone();
    drop(rx);
    assert_eq!(std::sync::Arc::strong_count(&message), 6);
    drop(other);
    assert_eq!(std::sync::Arc::strong_count(&message), 1);
    assert!(tx.is_closed());
}

/// Once a receiver was told of the end, no send succeeds.
#[test]
fn no_send_succeeds_after_a_receiver_has_seen_the_end() {
    let _alarm = alarm();
    for round in 0..rounds(4000) {
        let (tx, rx) = channel(round % 3);
        let ended = AtomicBool::new(false);
        let (sent, got) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let late = ended.load(Ordering::SeqCst);
                        match tx.try_send(()) {
                            Ok(()) => {
                                assert!(!late, "sent after the end was seen");
                                sent.fetch_add(1, Ordering::SeqCst);
                            }
                            Err(error) if error.is_disconnected() => return,
                            Err(_) => std::thread::yield_now(),
                        }
                    }
                });
            }
            scope.spawn(|| {
                while rx.recv_blocking().is_ok() {
                    if got.fetch_add(1, Ordering::SeqCst) == 5 {
                        tx.close();
                    }
                }
                ended.store(true, Ordering::SeqCst);
            });
        });
        assert_eq!(sent.into_inner(), got.into_inner());
    }
}

#[test]
fn a_close_leaves_no_sleeper_behind() {
    let _alarm = alarm();
    for round in 0..rounds(2000) {
        let (tx, rx) = channel(round % 2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| while tx.send_blocking(0).is_ok() {});
                scope.spawn(|| while rx.recv_blocking().is_ok() {});
            }
            scope.spawn(|| futures::executor::block_on(tx.closed()));
            for _ in 0..round % 64 {
                std::hint::spin_loop();
            }
            assert!(rx.close());
        });
    }
}
