//! Many messages at once.

mod chan_support;

use chan_support::{CAPACITIES, alarm, channel, everywhere, rounds, waiting};
use futures::FutureExt;
use gopark::chan;

#[test]
fn recv_many_takes_what_is_there_up_to_the_limit() {
    let (tx, rx) = chan::unbounded();
    for n in 0..300 {
        tx.try_send(n).unwrap();
    }
    let mut buffer = vec![-1];
    assert_eq!(rx.recv_many(&mut buffer, 0).now_or_never(), Some(0));
    assert_eq!(rx.recv_many(&mut buffer, 130).now_or_never(), Some(130));
    assert_eq!(rx.recv_many(&mut buffer, 1000).now_or_never(), Some(170));
    assert_eq!(buffer, (-1..300).collect::<Vec<_>>());
    assert_eq!(rx.recv_many(&mut buffer, 1).now_or_never(), None);
    drop(tx);
    assert_eq!(rx.recv_many(&mut buffer, 1).now_or_never(), Some(0));
}

#[test]
fn recv_many_that_waits_gets_all_that_came() {
    let (tx, rx) = chan::bounded(2);
    let mut buffer = Vec::new();
    let receive = waiting(rx.recv_many(&mut buffer, 10));
    for n in 0..3 {
        tx.try_send(n).unwrap();
    }
    let send = waiting(tx.send(3));
    assert_eq!(receive.woken(), 4);
    assert_eq!(send.woken(), Ok(()));
    assert_eq!(buffer, [0, 1, 2, 3]);
}

#[test]
fn recv_many_takes_no_promise_of_another() {
    let (tx, rx) = chan::bounded(4);
    let receive = waiting(rx.recv());
    for n in 0..3 {
        tx.try_send(n).unwrap();
    }
    let mut buffer = Vec::new();
    assert_eq!(rx.recv_many(&mut buffer, 10).now_or_never(), Some(2));
    assert_eq!((buffer, receive.woken()), (vec![0, 1], Ok(2)));
}

#[test]
fn a_drain_takes_what_was_there_when_it_began() {
    let (tx, rx) = chan::unbounded();
    for n in 0..100 {
        tx.try_send(n).unwrap();
    }
    let mut drain = rx.drain();
    assert_eq!(drain.next(), Some(0));
    for n in 100..200 {
        tx.try_send(n).unwrap();
    }
    assert_eq!(drain.collect::<Vec<_>>(), (1..100).collect::<Vec<_>>());
    drop(rx.drain());
    assert!(rx.is_empty());
}

#[test]
fn a_drain_lets_senders_that_wait_go_on() {
    let (tx, rx) = chan::bounded(2);
    tx.try_send(0).unwrap();
    tx.try_send(1).unwrap();
    let sends: Vec<_> = (2..6).map(|n| waiting(tx.send(n))).collect();
    assert_eq!(rx.drain().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(
        sends.iter().map(|send| send.wakes()).collect::<Vec<_>>(),
        [1, 1, 0, 0]
    );
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [2, 3, 4, 5]);
    for send in sends {
        send.woken().unwrap();
    }
}

#[test]
fn send_many_sends_all_in_order_and_counts_them() {
    let _alarm = alarm();
    let messages = rounds(20_000);
    for capacity in CAPACITIES {
        everywhere(
            || {
                let (tx, rx) = channel(capacity);
                let send = async move { tx.send_many(0..messages).await.unwrap() };
                let receive = async move {
                    let (mut buffer, mut next) = (Vec::new(), 0);
                    while rx.recv_many(&mut buffer, 1 + next % 100).await > 0 {
                        for message in buffer.drain(..) {
                            assert_eq!(message, next);
                            next += 1;
                        }
                    }
                    next
                };
                vec![send.boxed(), receive.boxed()]
            },
            |counts| assert_eq!(counts, [messages, messages]),
        );
    }
}

#[test]
fn send_many_gives_back_what_was_not_sent() {
    let (tx, rx) = chan::bounded(2);
    let mut messages = 0..100;
    let send = waiting(tx.send_many(messages.by_ref()));
    assert_eq!(rx.try_recv(), Ok(0));
    rx.close();
    let back = send.woken().unwrap_err().into_iter();
    let received: Vec<_> = rx.try_iter().collect();
    let all: Vec<_> = received.into_iter().chain(back).collect();
    assert_eq!(all, (1..100).collect::<Vec<_>>());
    assert_eq!(messages.next(), None);
    assert_eq!(tx.send_many([]).now_or_never().unwrap().unwrap(), 0);
}

/// By value the iterator would be gone, and with it all that had not been taken from it.
#[test]
fn send_many_gives_the_iterator_back_with_what_was_not_sent() {
    for capacity in [0, 1, 100] {
        let (tx, rx) = chan::bounded(capacity);
        rx.close();
        let all: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let error = tx.send_many(all.clone()).now_or_never().unwrap();
        let error = error.unwrap_err();
        assert_eq!(error.sent(), 0);
        assert_eq!(error.into_iter().collect::<Vec<_>>(), all);
    }
    let (tx, rx) = chan::bounded(3);
    let send = waiting(tx.send_many(0..100));
    assert_eq!(rx.try_recv(), Ok(0));
    rx.close();
    let error = send.woken().unwrap_err();
    assert_eq!(error.sent(), 4);
    assert_eq!(
        error.to_string(),
        "sending on a closed channel after 4 messages"
    );
    assert!(error.into_iter().eq(4..100));
}

/// Each message leaves a room, or wakes a receiver.
#[test]
fn send_many_wakes_as_many_receivers_as_it_has_messages() {
    let (tx, rx) = chan::rendezvous();
    let receives: Vec<_> = (0..5).map(|_| waiting(rx.recv())).collect();
    assert_eq!(tx.send_many(0..3).now_or_never().unwrap().unwrap(), 3);
    let wakes: Vec<_> = receives.iter().map(|receive| receive.wakes()).collect();
    assert_eq!(wakes, [1, 1, 1, 0, 0]);
}
