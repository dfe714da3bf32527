//! `select!` over sends and receives: of several cases exactly one happens, also if the select is dropped.

mod chan_support;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use chan_support::{Random, alarm, channel, counted, driven, everywhere, rounds, seed, waiting};
use futures::FutureExt;
use gopark::chan::{self, Receiver, Sender};

/// Counted at the moment of the choice, which a select that is dropped may not live to see: then the
/// channel's own count is what tells.
async fn send_by_select(
    channels: Vec<Sender<usize>>,
    messages: usize,
    mut random: Random,
) -> (usize, Vec<usize>) {
    let mut sent = 0;
    for message in 0..messages {
        let (a, b) = (&channels[0], &channels[1]);
        let select = async {
            gopark::select! {
                done = a.send(message) => done.unwrap(),
                done = b.send(message) => done.unwrap(),
                done = a.send(message) => done.unwrap(),
            }
        };
        if random.below(4) > 0 {
            select.await;
            sent += 1;
            continue;
        }
        // Dropped: then it has happened, or not, and never twice; it is left out of the sum.
        let mut select = Box::pin(select);
        if futures::poll!(&mut select).is_ready() {
            sent += 1;
        } else {
            for _ in 0..random.below(3) {
                gopark::yield_now().await;
            }
            drop(select);
        }
    }
    (sent, Vec::new())
}

async fn receive_by_select(channels: Vec<Receiver<usize>>) -> (usize, Vec<usize>) {
    let mut got = Vec::new();
    let (mut a, mut b) = (true, true);
    while a || b {
        gopark::select! {
            message = channels[0].recv(), if a => match message {
                Ok(message) => got.push(message),
                Err(_) => a = false,
            },
            message = channels[1].recv(), if b => match message {
                Ok(message) => got.push(message),
                Err(_) => b = false,
            },
        }
    }
    (0, got)
}

#[test]
fn each_selection_of_a_send_is_one_delivery_also_when_selects_are_dropped() {
    let _alarm = alarm();
    let messages = rounds(10_000);
    let seed = seed();
    for capacity in [0, 1, 3] {
        everywhere(
            || {
                let mut random = Random::new(seed);
                let (tx_a, rx_a) = channel(capacity);
                let (tx_b, rx_b) = channel(capacity);
                let (tx, rx) = (vec![tx_a, tx_b], vec![rx_a, rx_b]);
                vec![
                    send_by_select(tx.clone(), messages, random.fork()).boxed(),
                    send_by_select(tx, messages, random.fork()).boxed(),
                    receive_by_select(rx.clone()).boxed(),
                    receive_by_select(rx).boxed(),
                ]
            },
            |results| {
                let sent: usize = results.iter().map(|(sent, _)| sent).sum();
                let mut got: Vec<_> = results.into_iter().flat_map(|(_, got)| got).collect();
                got.sort_unstable();
                // Each of the two senders has sent each number once at most.
                assert!(
                    got.windows(3).all(|three| three[0] < three[2]),
                    "sent twice"
                );
                assert!(
                    got.len() >= sent,
                    "{sent} were sent, {} received",
                    got.len()
                );
            },
        );
    }
}

/// As above, and every select is asked whether it has happened: the counts are the same.
#[test]
fn selections_and_deliveries_are_as_many() {
    let _alarm = alarm();
    let (tx_a, rx_a) = chan::rendezvous();
    let (tx_b, rx_b) = chan::rendezvous();
    let messages = rounds(20_000);
    let deliveries = AtomicUsize::new(0);
    let selections = std::thread::scope(|scope| {
        for rx in [&rx_a, &rx_b] {
            let deliveries = &deliveries;
            scope.spawn(move || {
                while rx.recv_blocking().is_ok() {
                    deliveries.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut selections = 0;
        for message in 0..messages {
            let (mut a, mut b) = (Some(message), Some(message));
            let mut select = driven(async {
                gopark::select! {
                    done = tx_a.send_opt(&mut a) => done.unwrap(),
                    done = tx_b.send_opt(&mut b) => done.unwrap(),
                }
            });
            if select.poll().is_pending() {
                for _ in 0..message % 40 {
                    std::hint::spin_loop();
                }
            }
            drop(select);
            // `send_opt` leaves what was not sent.
            let gone = usize::from(a.is_none()) + usize::from(b.is_none());
            assert!(gone <= 1, "both were sent");
            selections += gone;
        }
        drop((tx_a, tx_b));
        selections
    });
    assert_eq!(deliveries.into_inner(), selections);
}

#[test]
fn a_select_that_was_fired_and_is_dropped_passes_its_promise_on() {
    let (tx, rx) = chan::bounded(1);
    let (_other_tx, other) = chan::bounded::<u8>(1);
    let select = waiting(async {
        gopark::select! {
            got = rx.recv() => got,
            got = other.recv() => got,
        }
    });
    let receive = waiting(rx.recv());
    tx.try_send(1).unwrap();
    assert_eq!((select.wakes(), receive.wakes()), (1, 0));
    drop(select);
    assert_eq!(receive.woken(), Ok(1));
}

#[test]
fn a_select_leaves_every_queue_when_one_case_is_chosen() {
    let channels: Vec<_> = (0..4).map(|_| chan::rendezvous::<usize>()).collect();
    for chosen in 0..4 {
        let select = waiting(async {
            gopark::select! {
                got = channels[0].1.recv() => got,
                got = channels[1].1.recv() => got,
                got = channels[2].1.recv() => got,
                got = channels[3].1.recv() => got,
            }
        });
        channels[chosen].0.try_send(chosen).unwrap();
        // The others find nobody any more, before and after the select knows.
        for (tx, _) in &channels {
            assert!(tx.try_send(9).unwrap_err().is_full());
        }
        assert_eq!(select.woken(), Ok(chosen));
        for (tx, _) in &channels {
            assert!(tx.try_send(9).unwrap_err().is_full());
        }
    }
}

/// Go's select3: "send and receive on one unbuffered channel" blocks.
#[test]
fn the_cases_of_one_select_never_meet_each_other() {
    let (tx, rx) = chan::rendezvous();
    let mut select = waiting(async {
        gopark::select! {
            sent = tx.send(1) => { sent.unwrap(); 0 }
            got = rx.recv() => got.unwrap(),
        }
    });
    assert!(select.poll().is_pending());
    assert_eq!(select.wakes(), 0);
    // Others meet either of them, and only one.
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(tx.try_send(2).unwrap_err().is_full());
    assert_eq!(select.woken(), 0);
}

#[test]
fn a_reservation_is_not_granted_for_a_receive_of_its_own_select() {
    let (tx, rx) = chan::rendezvous::<u8>();
    let select = waiting(async {
        gopark::select! {
            permit = tx.reserve() => { drop(permit); 1 }
            _ = rx.recv() => 2,
        }
    });
    assert_eq!(select.wakes(), 0);
    drop(select);
    let select = waiting(async {
        gopark::select! {
            _ = rx.recv() => 2,
            permit = tx.reserve() => { drop(permit); 1 }
        }
    });
    assert_eq!(select.wakes(), 0);
    tx.try_send(1).unwrap();
    assert_eq!(select.woken(), 2);
}

#[test]
fn one_channel_may_be_in_many_cases() {
    let (tx, rx) = chan::bounded(1);
    let select = waiting(async {
        gopark::select! {
            got = rx.recv() => got,
            got = rx.recv() => got,
            got = rx.recv() => got,
        }
    });
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(select.woken(), Ok(1));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn selects_that_face_each_other_in_a_ring_go_on() {
    let _alarm = alarm();
    let trips = rounds(10_000);
    everywhere(
        || {
            let (tx_a, rx_a) = chan::rendezvous();
            let (tx_b, rx_b) = chan::rendezvous();
            // Each sends on one and receives from the other, whichever comes first.
            let one = async move {
                let (mut sent, mut got) = (0, 0);
                while sent < trips || got < trips {
                    gopark::select! {
                        done = tx_a.send(()), if sent < trips => { done.unwrap(); sent += 1 }
                        message = rx_b.recv(), if got < trips => { message.unwrap(); got += 1 }
                    }
                }
                got
            };
            let other = async move {
                let (mut sent, mut got) = (0, 0);
                while sent < trips || got < trips {
                    gopark::select! {
                        message = rx_a.recv(), if got < trips => { message.unwrap(); got += 1 }
                        done = tx_b.send(()), if sent < trips => { done.unwrap(); sent += 1 }
                    }
                }
                got
            };
            vec![one.boxed(), other.boxed()]
        },
        |got| assert_eq!(got, [trips, trips]),
    );
}

/// Ready once, and never asked again.
struct Once(Option<usize>);

impl Future for Once {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        cx.waker().wake_by_ref();
        Poll::Ready(self.0.take().expect("an output was lost: polled once more"))
    }
}

#[test]
fn the_output_of_a_future_is_not_lost_to_a_channel() {
    let _alarm = alarm();
    let (tx, rx) = chan::unbounded();
    let (mut received, mut outputs) = (0, 0);
    for round in 0..2000 {
        tx.try_send(()).unwrap();
        let mut once = Once(Some(round));
        let by_channel = gopark::select_blocking! {
            got = rx.recv() => {
                got.unwrap();
                true
            }
            output = &mut once => {
                assert_eq!(output, round);
                false
            }
        };
        // If it was not chosen it was not polled to its end.
        assert_eq!(once.0.is_some(), by_channel);
        received += usize::from(by_channel);
        outputs += usize::from(!by_channel);
    }
    assert_eq!(rx.len(), outputs);
    assert!(received > 800 && outputs > 800, "{received} and {outputs}");
}

#[test]
fn a_join_handle_by_reference_stays() {
    gopark::block_on(async {
        let (tx, rx) = chan::rendezvous::<u8>();
        let (go, gone) = chan::rendezvous::<()>();
        let mut task = gopark::spawn(async move { gone.recv().await.is_ok() });
        let send = gopark::spawn(async move { tx.send(1).await });
        gopark::select! {
            got = rx.recv() => assert_eq!(got, Ok(1)),
            _ = &mut task => unreachable!(),
        }
        go.send(()).await.unwrap();
        gopark::select! {
            output = &mut task => assert!(output.unwrap()),
            _ = chan::never::<()>() => unreachable!(),
        }
        send.await.unwrap().unwrap();
    });
}

#[test]
fn a_select_with_a_changed_waker_wakes_the_last() {
    let (tx, rx) = chan::bounded(1);
    let mut select = driven(async {
        gopark::select! {
            got = rx.recv() => got,
            _ = chan::never::<()>() => unreachable!(),
        }
    });
    let wakers = [counted(), counted()];
    for (_, waker) in &wakers {
        assert!(select.poll_with(waker).is_pending());
    }
    tx.try_send(1).unwrap();
    assert_eq!(wakers.each_ref().map(|(wakes, _)| wakes.get()), [0, 1]);
    assert_eq!(select.poll(), Poll::Ready(Ok(1)));
}
