//! Permits: places that are kept, given back, and passed on.

mod chan_support;

use std::pin::pin;
use std::task::Poll;

use chan_support::{alarm, driven, everywhere, waiting};
use futures::FutureExt;
use gopark::chan;

#[test]
fn a_place_that_is_reserved_is_nobody_elses() {
    let (tx, rx) = chan::bounded(2);
    let permit = tx.try_reserve().unwrap();
    tx.try_send(1).unwrap();
    assert!(tx.try_send(2).unwrap_err().is_full());
    assert!(tx.try_reserve().unwrap_err().is_full());
    assert!(tx.is_full());
    permit.send(3).unwrap();
    assert_eq!(rx.drain().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_permit_that_is_dropped_gives_its_place_to_the_first_that_waits() {
    let (tx, rx) = chan::bounded(1);
    let permit = tx.try_reserve().unwrap();
    let send = waiting(tx.send(1));
    let reserve = waiting(tx.reserve());
    drop(permit);
    assert_eq!(send.woken(), Ok(()));
    assert_eq!(reserve.wakes(), 0);
    assert_eq!(rx.try_recv(), Ok(1));
    reserve.woken().unwrap().send(2).unwrap();
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn a_reservation_that_was_granted_and_is_dropped_passes_its_place_on() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(0).unwrap();
    let first = waiting(tx.reserve());
    let second = waiting(tx.reserve());
    assert_eq!(rx.try_recv(), Ok(0));
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    second.woken().unwrap().send(1).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(tx.try_reserve().is_ok());
}

#[test]
fn a_reservation_that_waits_and_is_dropped_leaves_no_trace() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(0).unwrap();
    let first = waiting(tx.reserve());
    let second = waiting(tx.reserve());
    drop(first);
    assert_eq!(rx.try_recv(), Ok(0));
    assert!(second.woken().is_ok());
    tx.try_send(1).unwrap();
}

/// A message that goes to a receiver that waits leaves the permit's place free.
#[test]
fn the_place_of_a_permit_whose_message_is_promised_goes_to_the_next() {
    let (tx, rx) = chan::bounded(1);
    let permit = tx.try_reserve().unwrap();
    let next = waiting(tx.reserve());
    let receive = waiting(rx.recv());
    permit.send(1).unwrap();
    next.woken().unwrap().send(2).unwrap();
    assert_eq!(receive.woken(), Ok(1));
    assert_eq!(rx.try_recv(), Ok(2));
}

/// A reservation needs a place, which a send that meets a receiver does not.
#[test]
fn a_send_behind_a_reservation_meets_a_receiver() {
    for capacity in [0, 1] {
        let (tx, rx) = chan::bounded(capacity);
        let permit = tx.try_reserve();
        assert_eq!(permit.is_ok(), capacity > 0);
        let reserve = waiting(tx.reserve());
        let send = waiting(tx.send(1));
        assert_eq!(rx.try_recv(), Ok(1), "capacity {capacity}");
        assert_eq!(send.woken(), Ok(()));
        assert_eq!(reserve.wakes(), 0);
    }
}

/// Whoever waits is served, in whichever way a permit ends.
#[test]
fn receivers_and_senders_do_not_wait_for_each_other_once_a_permit_is_gone() {
    for capacity in [0, 1] {
        for used in [false, true] {
            let (tx, rx) = chan::bounded(capacity);
            let permit = tx.try_reserve().ok();
            let mut reserve = waiting(tx.reserve());
            let mut send = waiting(tx.send(1));
            let mut first = driven(rx.recv());
            let mut second = driven(rx.recv());
            let mut got = Vec::new();
            let mut take = |polled: Poll<Result<i32, _>>| {
                if let Poll::Ready(value) = polled {
                    got.push(value.unwrap());
                    true
                } else {
                    false
                }
            };
            let done = [take(first.poll()), take(second.poll())];
            drop(permit);
            let Poll::Ready(granted) = reserve.poll() else {
                panic!("a place is free, or a receiver waits; capacity {capacity}");
            };
            let granted = granted.unwrap();
            if used {
                granted.send(2).unwrap();
            } else {
                drop(granted);
            }
            assert_eq!(send.poll(), Poll::Ready(Ok(())));
            if !done[0] {
                take(first.poll());
            }
            if !done[1] {
                take(second.poll());
            }
            got.sort_unstable();
            assert_eq!(got, if used { vec![1, 2] } else { vec![1] });
        }
    }
}

#[test]
fn at_capacity_0_a_place_is_a_receiver_that_waits() {
    let (tx, rx) = chan::rendezvous();
    assert!(tx.try_reserve().unwrap_err().is_full());
    let receive = waiting(rx.recv());
    let permit = tx.try_reserve().unwrap();
    // The receiver is spoken for.
    assert!(tx.try_reserve().unwrap_err().is_full());
    permit.send(1).unwrap();
    assert_eq!(receive.woken(), Ok(1));
}

#[test]
fn at_capacity_0_reservations_are_granted_one_for_each_receiver() {
    let (tx, rx) = chan::rendezvous();
    let first = waiting(tx.reserve());
    let second = waiting(tx.reserve());
    let receive = waiting(rx.recv());
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    let other = waiting(rx.recv());
    first.woken().unwrap().send(1).unwrap();
    second.woken().unwrap().send(2).unwrap();
    assert_eq!(receive.woken(), Ok(1));
    assert_eq!(other.woken(), Ok(2));
}

/// The receiver has gone that a permit at capacity 0 was granted for: its message waits for another.
#[test]
fn at_capacity_0_a_permit_outlives_its_receiver() {
    let (tx, rx) = chan::rendezvous();
    let receive = waiting(rx.recv());
    let permit = tx.try_reserve().unwrap();
    drop(receive);
    permit.send(1).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(tx.try_send(2).unwrap_err().is_full());
}

#[test]
fn a_close_ends_reservations_and_makes_permits_useless() {
    for capacity in [0, 1] {
        let (tx, rx) = chan::bounded(capacity);
        let receive = (capacity == 0).then(|| waiting(rx.recv()));
        let permit = tx.try_reserve().unwrap();
        let waits = waiting(tx.reserve());
        assert!(rx.close());
        assert!(waits.woken().is_err());
        assert!(receive.is_none_or(|receive| receive.woken().is_err()));
        assert_eq!(permit.send(1).unwrap_err().into_inner(), 1);
        assert!(tx.try_reserve().unwrap_err().is_disconnected());
        assert!(rx.try_recv().unwrap_err().is_disconnected());
    }
}

#[test]
fn an_owned_permit_keeps_its_sender() {
    let (tx, rx) = chan::bounded(1);
    let permit = tx.reserve_owned().now_or_never().unwrap().unwrap();
    assert_eq!(rx.sender_count(), 1);
    let tx = permit.send(1).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));
    let permit = tx.reserve_owned().now_or_never().unwrap().unwrap();
    let tx = permit.release();
    assert_eq!(rx.sender_count(), 1);
    tx.try_send(2).unwrap();
    let waits = waiting(tx.clone().reserve_owned());
    drop(waits);
    assert_eq!(rx.sender_count(), 1);
    drop(tx);
    assert_eq!(rx.try_recv(), Ok(2));
    assert!(rx.try_recv().unwrap_err().is_disconnected());
}

#[test]
fn several_places_are_kept_for_their_permits_and_given_back() {
    let (tx, rx) = chan::bounded(3);
    let permits = tx.reserve_many(2).now_or_never().unwrap().unwrap();
    assert_eq!(permits.len(), 2);
    let waits = waiting(tx.reserve_many(2));
    // It holds the third place meanwhile.
    assert!(tx.is_full());
    drop(waits);
    assert!(!tx.is_full());
    for (number, permit) in permits.enumerate() {
        permit.send(number).unwrap();
    }
    assert_eq!(rx.drain().collect::<Vec<_>>(), [0, 1]);
    let mut permits = tx.reserve_many(3).now_or_never().unwrap().unwrap();
    let first = permits.next().unwrap();
    drop(permits);
    assert!(tx.reserve_many(2).now_or_never().unwrap().is_ok());
    drop(first);
    assert!(tx.reserve_many(3).now_or_never().unwrap().is_ok());
}

#[test]
fn two_reservations_of_all_places_are_served_one_after_the_other() {
    let (tx, rx) = chan::bounded(2);
    tx.try_send(0).unwrap();
    tx.try_send(1).unwrap();
    let first = waiting(tx.reserve_many(2));
    let second = waiting(tx.reserve_many(2));
    assert_eq!(rx.try_recv(), Ok(0));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    let mut permits = first.woken().unwrap();
    permits.next().unwrap().send(2).unwrap();
    drop(permits);
    assert_eq!(second.wakes(), 0);
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(second.woken().unwrap().len(), 2);
}

/// Tasks that each want all places, and one that takes them.
#[test]
fn tasks_that_reserve_all_places_of_a_channel_do_not_wait_for_each_other() {
    let _alarm = alarm();
    const EACH: usize = 500;
    for capacity in [2, 3] {
        everywhere(
            move || {
                let (tx, rx) = chan::bounded(capacity);
                let mut all = Vec::new();
                for sender in 0..3 {
                    let tx = tx.clone();
                    let send = async move {
                        for round in 0..EACH {
                            let permits = tx.reserve_many(2).await.unwrap();
                            for (half, permit) in permits.enumerate() {
                                permit.send((sender, round, half)).unwrap();
                            }
                        }
                        0
                    };
                    all.push(send.boxed());
                }
                let receive = async move {
                    let mut got = 0;
                    while rx.recv().await.is_ok() {
                        got += 1;
                    }
                    got
                };
                all.push(receive.boxed());
                all
            },
            |got| assert_eq!(got[3], 3 * 2 * EACH),
        );
    }
}

#[test]
fn who_comes_after_a_reservation_of_several_gets_nothing_before_it() {
    let (tx, rx) = chan::bounded(3);
    let permit = tx.try_reserve().unwrap();
    let several = waiting(tx.reserve_many(3));
    // There would be room for one.
    assert!(tx.try_send(0).unwrap_err().is_full());
    assert!(tx.try_reserve().unwrap_err().is_full());
    let send = waiting(tx.send(1));
    let one = waiting(tx.reserve());
    let pair = waiting(tx.reserve_many(2));
    drop(permit);
    assert_eq!((several.wakes(), send.wakes(), one.wakes()), (1, 0, 0));
    drop(several.woken().unwrap());
    // All three places pass on at once: to two that need one each, and one of them to one that needs two.
    assert_eq!(send.woken(), Ok(()));
    let one = one.woken().unwrap();
    assert_eq!(pair.wakes(), 0);
    drop(one);
    let mut pair = pair.woken().unwrap();
    pair.next().unwrap().send(2).unwrap();
    pair.next().unwrap().send(3).unwrap();
    assert_eq!(rx.drain().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_reservation_of_several_that_is_dropped_gives_what_it_had_to_those_behind() {
    for served in [false, true] {
        let (tx, _rx) = chan::bounded::<u8>(3);
        let permit = tx.try_reserve().unwrap();
        let several = waiting(tx.reserve_many(3));
        let one = waiting(tx.reserve());
        let pair = waiting(tx.reserve_many(2));
        let permit = (!served).then_some(permit);
        assert_eq!(several.wakes(), usize::from(served));
        drop(several);
        let one = one.woken().unwrap();
        if served {
            assert_eq!(pair.wakes(), 1);
        } else {
            assert_eq!(pair.wakes(), 0);
            drop((one, permit));
        }
        assert_eq!(pair.woken().unwrap().len(), 2);
    }
}

#[test]
fn more_places_than_there_are_is_an_error_at_once_that_names_both_numbers() {
    let (tx, rx) = chan::bounded::<u8>(2);
    let error = tx.reserve_many(3).now_or_never().unwrap().unwrap_err();
    assert!(error.is_too_many());
    let text = error.to_string();
    assert!(text.contains('3') && text.contains('2'), "{text}");
    assert!(
        tx.reserve_many(0)
            .now_or_never()
            .unwrap()
            .unwrap()
            .next()
            .is_none()
    );
    let waits = tx.reserve_many(2).now_or_never().unwrap().unwrap();
    let second = waiting(tx.reserve_many(1));
    rx.close();
    assert!(second.woken().unwrap_err().is_disconnected());
    drop(waits);
    assert!(
        tx.reserve_many(1)
            .now_or_never()
            .unwrap()
            .unwrap_err()
            .is_disconnected()
    );
    let (tx, _rx) = chan::unbounded::<u8>();
    assert_eq!(
        tx.reserve_many(1 << 40)
            .now_or_never()
            .unwrap()
            .unwrap()
            .len(),
        1 << 40
    );
}

#[test]
fn at_capacity_0_several_places_are_as_many_receivers_that_wait() {
    let (tx, rx) = chan::rendezvous();
    let pair = waiting(tx.reserve_many(2));
    let one = waiting(tx.reserve());
    let first = waiting(rx.recv());
    assert_eq!((pair.wakes(), one.wakes()), (0, 0), "the pair comes first");
    assert!(tx.try_reserve().unwrap_err().is_full());
    let second = waiting(rx.recv());
    assert_eq!((pair.wakes(), one.wakes()), (1, 0));
    for (message, permit) in pair.woken().unwrap().enumerate() {
        permit.send(message).unwrap();
    }
    assert_eq!((first.woken(), second.woken()), (Ok(0), Ok(1)));
    let pair = waiting(tx.reserve_many(2));
    let third = waiting(rx.recv());
    // It came before the pair.
    one.woken().unwrap().send(2).unwrap();
    assert_eq!(third.woken(), Ok(2));
    let fourth = waiting(rx.recv());
    let one = waiting(tx.reserve());
    assert_eq!(one.wakes(), 0);
    drop(pair);
    one.woken().unwrap().send(3).unwrap();
    assert_eq!(fourth.woken(), Ok(3));
}

/// Reservations in another crate's select, of which all may be granted: nothing is sent twice.
#[test]
fn reservations_in_anybodys_select_send_each_message_once() {
    let _alarm = alarm();
    const EACH: usize = 2000;
    for capacity in [0, 1, 3] {
        everywhere(
            move || {
                let (tx_a, rx_a) = chan::bounded(capacity);
                let (tx_b, rx_b) = chan::bounded(capacity);
                let mut all = Vec::new();
                for tag in 0..2 {
                    let (tx_a, tx_b) = (tx_a.clone(), tx_b.clone());
                    let send = async move {
                        for number in 0..EACH {
                            let mut a = pin!(tx_a.reserve().fuse());
                            let mut b = pin!(tx_b.reserve().fuse());
                            futures::select! {
                                permit = a => permit.unwrap().send(tag * EACH + number).unwrap(),
                                permit = b => permit.unwrap().send(tag * EACH + number).unwrap(),
                            }
                        }
                        Vec::new()
                    };
                    all.push(send.boxed());
                }
                for rx in [rx_a, rx_b] {
                    let receive = async move {
                        let mut got = Vec::new();
                        while let Ok(message) = rx.recv().await {
                            got.push(message);
                        }
                        got
                    };
                    all.push(receive.boxed());
                }
                all
            },
            |got| {
                let mut got: Vec<_> = got.into_iter().flatten().collect();
                got.sort_unstable();
                assert_eq!(got, (0..2 * EACH).collect::<Vec<_>>());
            },
        );
    }
}
