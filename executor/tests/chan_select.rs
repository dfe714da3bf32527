//! `select!`: what it chooses, and that it is exactly one.

use std::time::Duration;

use gopark::chan;

#[gopark::test]
async fn the_case_that_is_ready_is_chosen() {
    let (tx, rx) = chan::bounded(1);
    let (full, _keep) = chan::bounded(0);
    tx.try_send(1).unwrap();
    let chosen = gopark::select! {
        message = rx.recv() => message.unwrap(),
        sent = full.send(2) => { sent.unwrap(); 0 }
        _ = chan::never::<()>() => 3,
    };
    assert_eq!(chosen, 1);
}

#[gopark::test]
async fn the_default_is_chosen_if_nothing_is_ready() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let chosen = gopark::select! {
        _ = rx.recv() => 1,
        default => 2,
    };
    assert_eq!(chosen, 2);
    tx.try_send(0).unwrap();
    let chosen = gopark::select! {
        _ = rx.recv() => 1,
        default => 2
    };
    assert_eq!(chosen, 1);
}

#[gopark::test]
async fn a_select_waits_for_what_comes_first() {
    let (a, rx_a) = chan::rendezvous();
    let (_b, rx_b) = chan::rendezvous::<u8>();
    let sender = gopark::spawn(async move { a.send("a").await });
    let said = gopark::select! {
        message = rx_a.recv() => message.unwrap(),
        _ = rx_b.recv() => "b",
    };
    assert_eq!(said, "a");
    sender.await.unwrap().unwrap();
}

#[gopark::test]
async fn two_selects_face_each_other_and_both_go_on() {
    let (tx, rx) = chan::rendezvous();
    let (never, _keep) = chan::rendezvous::<u8>();
    let sender = gopark::spawn(async move {
        gopark::select! {
            sent = tx.send(7) => sent.unwrap(),
            _ = never.send(0) => unreachable!(),
        }
    });
    let got = gopark::select! {
        message = rx.recv() => message.unwrap(),
        _ = chan::after(Duration::from_secs(60)) => unreachable!(),
    };
    assert_eq!(got, 7);
    sender.await.unwrap();
}

#[gopark::test]
async fn futures_and_handles_are_cases() {
    let mut task = gopark::spawn(async { 5 });
    let (_tx, rx) = chan::rendezvous::<u8>();
    let got = gopark::select! {
        _ = rx.recv() => 0,
        output = &mut task => output.unwrap(),
        _ = gopark::time::sleep(Duration::from_secs(60)), if true => 1,
    };
    assert_eq!(got, 5);
}

#[gopark::test]
async fn a_case_whose_condition_is_false_is_not_even_evaluated() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(1).unwrap();
    let evaluated = std::cell::Cell::new(false);
    let chosen = gopark::select! {
        biased;
        _ = { evaluated.set(true); rx.recv() }, if false => 1,
        message = rx.recv(), if rx.len() == 1 => message.unwrap() + 1,
    };
    assert_eq!(chosen, 2);
    assert!(!evaluated.get());
}

#[test]
fn a_thread_selects() {
    let (tx, rx) = chan::rendezvous();
    let sender = std::thread::spawn(move || tx.send_blocking(1));
    let got = gopark::select_blocking! {
        message = rx.recv() => message,
        _ = chan::after(Duration::from_secs(60)) => unreachable!(),
    };
    assert_eq!(got, Ok(1));
    sender.join().unwrap().unwrap();
}

#[gopark::test(flavor = "multi_thread", procs = 2)]
async fn each_selection_is_one_delivery() {
    const EACH: usize = 20_000;
    let (tx_a, rx_a) = chan::rendezvous();
    let (tx_b, rx_b) = chan::bounded(1);
    let sender = |tag: usize| {
        let (tx_a, tx_b) = (tx_a.clone(), tx_b.clone());
        gopark::spawn(async move {
            let mut sent = 0;
            for number in 0..EACH {
                gopark::select! {
                    done = tx_a.send(tag * EACH + number) => done.unwrap(),
                    done = tx_b.send(tag * EACH + number) => done.unwrap(),
                }
                sent += 1;
            }
            sent
        })
    };
    let senders = [sender(0), sender(1), sender(2)];
    drop((tx_a, tx_b));
    let receiver = |rx_a: chan::Receiver<usize>, rx_b: chan::Receiver<usize>| {
        gopark::spawn(async move {
            let mut got = Vec::new();
            let (mut a, mut b) = (true, true);
            while a || b {
                gopark::select! {
                    message = rx_a.recv(), if a => match message {
                        Ok(number) => got.push(number),
                        Err(_) => a = false,
                    },
                    message = rx_b.recv(), if b => match message {
                        Ok(number) => got.push(number),
                        Err(_) => b = false,
                    },
                }
            }
            got
        })
    };
    let receivers = [receiver(rx_a.clone(), rx_b.clone()), receiver(rx_a, rx_b)];
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    let mut got = Vec::new();
    for receiver in receivers {
        got.extend(receiver.await.unwrap());
    }
    got.sort_unstable();
    assert_eq!(sent, 3 * EACH);
    assert_eq!(got, (0..3 * EACH).collect::<Vec<_>>());
}

/// "select acts on the state of the channels at one moment, not over a smeared time window".
#[test]
fn a_token_that_hops_is_always_somewhere() {
    use std::sync::atomic::{AtomicBool, Ordering};
    const CHANNELS: usize = 8;
    let channels: Vec<_> = (0..CHANNELS).map(|_| chan::bounded::<()>(1)).collect();
    channels[0].0.try_send(()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The token is in the next channel before it leaves the last.
            for at in (0..CHANNELS).cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                channels[(at + 1) % CHANNELS].0.send_blocking(()).unwrap();
                channels[at].1.recv_blocking().unwrap();
            }
        });
        for _ in 0..100_000 {
            let mut select = chan::Select::new();
            for (_, rx) in &channels {
                select.recv(rx);
            }
            let chosen = select.try_select().map(|selected| selected.index());
            let at = chosen.expect("some channel is full at any moment");
            channels[at].0.try_send(()).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}
