//! `select!`: each case has the same chance, whether it is ready at once or waited for.

mod chan_support;

use std::future::Future;

use chan_support::{CAPACITIES, about_equal, alarm, channel, rounds, waiting};
use gopark::chan;

/// How often each case was chosen by the selects of `make`, each of which waits until `serve` has been called.
fn chosen_after_waiting<F: Future<Output = usize>>(
    cases: usize,
    mut make: impl FnMut() -> F,
    mut serve: impl FnMut(),
) -> Vec<u32> {
    let mut counts = vec![0; cases];
    for _ in 0..rounds(20_000) {
        let select = waiting(make());
        serve();
        counts[select.woken()] += 1;
    }
    counts
}

#[test]
fn of_sends_that_wait_at_one_channel_each_is_as_likely_to_be_received() {
    for capacity in [0, 1] {
        let (tx, rx) = channel(capacity);
        if capacity > 0 {
            tx.try_send(3).unwrap();
        }
        let mut last = 0;
        let counts = chosen_after_waiting(
            3,
            || async {
                gopark::select! {
                    sent = tx.send(0) => { sent.unwrap(); 0 }
                    sent = tx.send(1) => { sent.unwrap(); 1 }
                    sent = tx.send(2) => { sent.unwrap(); 2 }
                }
            },
            || last = rx.try_recv().unwrap(),
        );
        assert!(last <= 3);
        about_equal(&counts);
    }
}

#[test]
fn of_receives_that_wait_at_one_channel_each_is_as_likely_to_be_served() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let other = chan::never::<u8>();
        let counts = chosen_after_waiting(
            3,
            || async {
                gopark::select! {
                    got = rx.recv() => { got.unwrap(); 0 }
                    _ = other.recv() => unreachable!(),
                    got = rx.recv() => { got.unwrap(); 1 }
                    got = rx.recv(), if !rx.is_closed() => { got.unwrap(); 2 }
                }
            },
            || tx.try_send(()).unwrap(),
        );
        about_equal(&counts);
    }
}

#[test]
fn of_reservations_that_wait_at_one_channel_each_is_as_likely_to_be_granted() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(()).unwrap();
    let counts = chosen_after_waiting(
        2,
        || async {
            gopark::select! {
                permit = tx.reserve() => { permit.unwrap().send(()).unwrap(); 0 }
                permit = tx.reserve() => { permit.unwrap().send(()).unwrap(); 1 }
            }
        },
        || rx.try_recv().unwrap(),
    );
    about_equal(&counts);
}

/// A future makes the select queue its cases anew at each poll.
#[test]
fn the_chances_are_the_same_beside_a_future() {
    let (tx, rx) = chan::rendezvous();
    let counts = chosen_after_waiting(
        2,
        || async {
            gopark::select! {
                () = std::future::pending() => unreachable!(),
                sent = tx.send(0) => { sent.unwrap(); 0 }
                sent = tx.send(1) => { sent.unwrap(); 1 }
            }
        },
        || assert!(rx.try_recv().is_ok()),
    );
    about_equal(&counts);
}

#[test]
fn a_list_that_waits_gives_the_same_chances() {
    let (tx, rx) = chan::rendezvous();
    for (cases, times) in [(2, 20_000), (5, 20_000), (100, 40_000)] {
        let mut counts = vec![0; cases];
        for _ in 0..rounds(times) {
            let mut list = chan::Select::new();
            for number in 0..cases {
                list.send(&tx, number);
            }
            let mut select = waiting(async { list.select().await.index() });
            let got = rx.try_recv().unwrap();
            assert_eq!(select.poll(), std::task::Poll::Ready(got));
            counts[got] += 1;
        }
        about_equal(&counts);
    }
    let mut counts = [0; 2];
    for _ in 0..rounds(20_000) {
        let mut list = chan::Select::new();
        list.recv(&rx);
        list.recv(&rx);
        let select = waiting(async { list.select().await.index() });
        tx.try_send(0).unwrap();
        counts[select.woken()] += 1;
    }
    about_equal(&counts);
}

#[test]
fn two_that_are_ready_among_many_have_the_same_chance() {
    for (cases, one, other) in [(64, 62, 63), (64, 0, 40), (300, 298, 299), (300, 0, 299)] {
        let ready = chan::tick(std::time::Duration::ZERO);
        let never = chan::never();
        let mut counts = [0; 2];
        for _ in 0..rounds(10_000) {
            let mut list = chan::Select::new();
            for number in 0..cases {
                let is_ready = number == one || number == other;
                list.recv(if is_ready { &ready } else { &never });
            }
            counts[usize::from(list.try_select().unwrap().index() == one)] += 1;
        }
        about_equal(&counts);
    }
}

#[test]
fn a_biased_select_that_waits_has_its_first_case_served() {
    let (tx, rx) = chan::rendezvous();
    let counts = chosen_after_waiting(
        3,
        || async {
            gopark::select! {
                biased;
                sent = tx.send(0) => { sent.unwrap(); 0 }
                sent = tx.send(1) => { sent.unwrap(); 1 }
                sent = tx.send(2) => { sent.unwrap(); 2 }
            }
        },
        || assert_eq!(rx.try_recv(), Ok(0)),
    );
    assert_eq!(counts[1..], [0, 0]);
    let mut list = chan::Select::new_biased();
    let (first, _) = (list.send(&tx, 5), list.send(&tx, 6));
    let select = waiting(async { list.select().await.index() });
    assert_eq!(rx.try_recv(), Ok(5));
    assert_eq!(select.woken(), first);
}

/// Go's own test: a receiver that drains what a select sends, bit by bit.
#[test]
fn bits_that_a_select_sends_to_a_thread_are_random() {
    let _alarm = alarm();
    for capacity in [0, 1, 3] {
        let (tx, rx) = channel(capacity);
        let receiver = std::thread::spawn(move || {
            let mut counts = [0; 2];
            for bit in &rx {
                counts[bit] += 1;
            }
            counts
        });
        for _ in 0..rounds(10_000) {
            gopark::select_blocking! {
                sent = tx.send(0) => sent.unwrap(),
                sent = tx.send(1) => sent.unwrap(),
            }
        }
        drop(tx);
        about_equal(&receiver.join().unwrap());
    }
}
