//! Handles: clones, weak ones, counts, and the orders in which they go.

mod chan_support;

use chan_support::{alarm, rounds, waiting};
use gopark::chan;

#[test]
fn handles_are_counted() {
    let (tx, rx) = chan::bounded::<u8>(1);
    assert_eq!((rx.sender_count(), tx.receiver_count()), (1, 1));
    let (more_tx, more_rx) = (tx.clone(), rx.clone());
    let (weak_tx, weak_rx) = (tx.downgrade(), rx.downgrade());
    assert_eq!((rx.sender_count(), tx.receiver_count()), (2, 2));
    drop(weak_tx.upgrade().unwrap());
    drop(weak_rx.upgrade().unwrap());
    assert_eq!((tx.sender_count(), rx.receiver_count()), (2, 2));
    drop((more_tx, more_rx));
    assert_eq!((tx.sender_count(), rx.receiver_count()), (1, 1));
}

#[test]
fn a_channel_is_the_same_for_all_its_handles() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let (other_tx, other_rx) = chan::bounded::<u8>(1);
    assert!(tx.same_channel(&tx.clone()) && rx.same_channel(&rx.clone()));
    assert!(tx.same_channel(&tx.downgrade().upgrade().unwrap()));
    assert!(!tx.same_channel(&other_tx) && !rx.same_channel(&other_rx));
}

#[test]
fn a_weak_sender_keeps_nothing_open() {
    let (tx, rx) = chan::bounded(1);
    let weak = tx.downgrade();
    weak.upgrade().unwrap().try_send(1).unwrap();
    assert!(!rx.is_closed());
    drop(tx);
    assert!(rx.is_closed());
    assert!(weak.upgrade().is_none());
    let twin = weak.clone();
    assert!(twin.upgrade().is_none() && weak.upgrade().is_none());
    assert_eq!(rx.try_recv(), Ok(1));
}

#[test]
fn a_weak_receiver_keeps_no_message() {
    let (tx, rx) = chan::bounded(1);
    let weak = rx.downgrade();
    tx.try_send(1).unwrap();
    assert_eq!(weak.upgrade().unwrap().try_recv(), Ok(1));
    assert!(!tx.is_closed());
    drop(rx);
    assert!(tx.is_closed());
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_closed_channel_can_still_be_upgraded_to() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let (weak_tx, weak_rx) = (tx.downgrade(), rx.downgrade());
    rx.close();
    assert!(weak_tx.upgrade().unwrap().is_closed());
    assert!(weak_rx.upgrade().unwrap().is_closed());
}

/// Handles and messages in any order: what is in the channel goes once with the last receiver.
#[test]
fn handles_may_go_in_any_order() {
    const HANDLES: usize = 4;
    for order in 0..HANDLES.pow(4) {
        let message = std::sync::Arc::new(());
        let (tx, rx) = chan::bounded(2);
        tx.try_send(message.clone()).unwrap();
        let (tx2, rx2) = (tx.clone(), rx.clone());
        let (mut txs, mut rxs) = ([Some(tx), Some(tx2)], [Some(rx), Some(rx2)]);
        let mut order = order;
        for _ in 0..HANDLES {
            match order % HANDLES {
                0 | 1 => drop(txs[order % HANDLES].take()),
                at => drop(rxs[at - 2].take()),
            }
            order /= HANDLES;
            let receivers = rxs.iter().flatten().count();
            assert_eq!(
                std::sync::Arc::strong_count(&message),
                1 + usize::from(receivers > 0)
            );
            for tx in txs.iter().flatten() {
                assert_eq!(tx.is_closed(), receivers == 0);
            }
            let senders = txs.iter().flatten().count();
            for rx in rxs.iter().flatten() {
                assert_eq!(rx.is_closed(), senders == 0);
            }
        }
    }
}

/// The last sender goes while a weak one is upgraded: the channel is closed, or the upgrade has succeeded.
#[test]
fn an_upgrade_races_with_the_last_drop() {
    let _alarm = alarm();
    for _ in 0..rounds(4000) {
        let (tx, rx) = chan::bounded(1);
        let weak = tx.downgrade();
        let weak_rx = rx.downgrade();
        std::thread::scope(|scope| {
            let upgrade = scope.spawn(move || {
                let upgraded = weak.upgrade()?;
                upgraded.try_send(1).unwrap();
                Some(())
            });
            drop(tx);
            let upgraded = upgrade.join().unwrap().is_some();
            assert_eq!(rx.try_recv().is_ok(), upgraded);
            assert!(rx.try_recv().unwrap_err().is_disconnected());
            let other = scope.spawn(move || weak_rx.upgrade().is_some());
            drop(rx);
            other.join().unwrap();
        });
    }
}

#[test]
fn what_waits_does_not_count_as_a_handle() {
    let (tx, rx) = chan::rendezvous::<u8>();
    let receive = waiting(rx.recv());
    assert_eq!(tx.receiver_count(), 1);
    drop(tx);
    assert!(receive.woken().is_err());
}

#[test]
fn handles_and_futures_can_be_sent_and_shared() {
    fn shared<T: Send + Sync>(_: &T) {}
    fn unpin<T: Unpin>(_: &T) {}
    let (tx, rx) = chan::bounded::<std::cell::Cell<u8>>(1);
    shared(&tx);
    shared(&rx);
    unpin(&tx);
    unpin(&rx);
    shared(&rx.recv());
    shared(&tx.send(std::cell::Cell::new(0)));
    shared(&tx.reserve());
    shared(&tx.closed());
    shared(&tx.try_reserve().unwrap());
    shared(&tx.downgrade());
    shared(&rx.downgrade());
    assert!(format!("{tx:?} {rx:?}").contains("Sender"));
}

#[test]
fn handles_may_be_used_across_a_panic() {
    let (tx, rx) = chan::bounded(2);
    let panicked = std::panic::catch_unwind(|| {
        tx.try_send(std::cell::Cell::new(1)).unwrap();
        assert_eq!(rx.try_recv().unwrap().get(), 2);
    });
    assert!(panicked.is_err());
    tx.try_send(std::cell::Cell::new(3)).unwrap();
    assert_eq!(rx.try_recv().unwrap().get(), 3);
}
