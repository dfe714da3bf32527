//! Channels on plain threads, and blocked on inside tasks.

mod chan_support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chan_support::{CAPACITIES, alarm, channel, every_kind, rounds};
use gopark::chan;
use gopark::time::Instant;

#[test]
fn threads_send_and_receive_all() {
    let _alarm = alarm();
    let messages = rounds(20_000);
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let (count, sum) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let tx = tx.clone();
                scope.spawn(move || (0..messages).for_each(|n| tx.send_blocking(n).unwrap()));
            }
            drop(tx);
            for _ in 0..2 {
                scope.spawn(|| {
                    for message in &rx {
                        count.fetch_add(1, Ordering::Relaxed);
                        sum.fetch_add(message, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 3 * messages);
        assert_eq!(sum.into_inner(), 3 * messages * (messages - 1) / 2);
    }
}

#[test]
fn iterators_end_with_the_channel() {
    let (tx, rx) = chan::bounded(3);
    for n in 0..3 {
        tx.try_send(n).unwrap();
    }
    assert_eq!(rx.try_iter().take(1).collect::<Vec<_>>(), [0]);
    drop(tx);
    assert_eq!(rx.iter().take(1).collect::<Vec<_>>(), [1]);
    let mut rest = rx.into_iter();
    assert_eq!(
        (rest.next(), rest.next(), rest.next()),
        (Some(2), None, None)
    );
}

#[test]
fn a_time_that_is_up_ends_the_wait_and_leaves_no_trace() {
    let short = Duration::from_millis(1);
    let (tx, rx) = chan::rendezvous();
    assert!(rx.recv_timeout_blocking(short).unwrap_err().is_timeout());
    assert!(
        rx.recv_deadline_blocking(Instant::now())
            .unwrap_err()
            .is_timeout()
    );
    assert!(tx.try_send(0).unwrap_err().is_full(), "nobody waits");
    let error = tx.send_timeout_blocking(1, short).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.into_inner(), 1);
    let error = tx.send_deadline_blocking(2, Instant::now()).unwrap_err();
    assert_eq!(error.into_inner(), 2);
    assert!(rx.try_recv().unwrap_err().is_empty());
    drop(rx);
    assert!(
        tx.send_timeout_blocking(3, short)
            .unwrap_err()
            .is_disconnected()
    );
}

#[test]
fn a_message_that_comes_in_time_is_received() {
    let _alarm = alarm();
    let long = Duration::from_secs(100);
    let (tx, rx) = chan::rendezvous();
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(rx.recv_timeout_blocking(long), Ok(1)));
        tx.send_timeout_blocking(1, long).unwrap();
    });
}

/// Sends that time out against receives that take: each message is with one side.
#[test]
fn timeouts_lose_nothing() {
    let _alarm = alarm();
    let (tx, rx) = chan::rendezvous();
    let (mut sent, got) = (0, AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                match rx.recv_timeout_blocking(Duration::from_micros(60)) {
                    Ok(()) => got.fetch_add(1, Ordering::Relaxed),
                    Err(error) if error.is_timeout() => 0,
                    Err(_) => return,
                };
            }
        });
        for _ in 0..rounds(8000) {
            sent += usize::from(
                tx.send_timeout_blocking((), Duration::from_micros(50))
                    .is_ok(),
            );
        }
        tx.close();
    });
    assert_eq!(sent, got.into_inner());
}

/// Every task blocks its thread, more of them than there are processors: each gives its own up.
#[test]
fn tasks_that_block_give_their_processor_up() {
    let _alarm = alarm();
    for runtime in every_kind().into_iter().take(2) {
        runtime.block_on(async {
            let (there, from_there) = chan::rendezvous();
            let (back, from_back) = chan::rendezvous();
            let echo = gopark::spawn(async move {
                for message in from_there.iter() {
                    back.send_blocking(message + 1).unwrap();
                }
            });
            let ask = gopark::spawn(async move {
                for n in 0..200 {
                    there.send_blocking(n).unwrap();
                    assert_eq!(from_back.recv_blocking(), Ok(n + 1));
                }
            });
            let select = gopark::spawn(async {
                let (tx, rx) = chan::rendezvous::<u8>();
                let sender = gopark::spawn(async move { tx.send(1).await });
                gopark::select_blocking! {
                    got = rx.recv() => assert_eq!(got, Ok(1)),
                    _ = chan::never::<()>() => unreachable!(),
                }
                sender.await.unwrap().unwrap();
            });
            for task in [echo, ask, select] {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn a_wait_within_a_wait_has_a_parker_of_its_own() {
    let _alarm = alarm();
    let (tx, rx) = chan::rendezvous();
    let (inner_tx, inner_rx) = chan::rendezvous();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            inner_tx.send_blocking(1).unwrap();
            tx.send_blocking(2).unwrap();
        });
        gopark::select_blocking! {
            got = async {
                let inner = inner_rx.recv_blocking().unwrap();
                inner + rx.recv().await.unwrap()
            } => assert_eq!(got, 3),
        }
    });
}

/// Rounds of a question and its answer between two threads, and how long they took.
fn rounds_of(ask: impl Fn(usize), mut answer: impl FnMut() + Send) -> Duration {
    const ROUNDS: usize = 100;
    std::thread::scope(|scope| {
        scope.spawn(move || (0..ROUNDS).for_each(|_| answer()));
        let start = Instant::now();
        (0..ROUNDS).for_each(ask);
        start.elapsed()
    })
}

/// Where others compute on every processor, a thread that lets others run gives a time slice away each time.
#[test]
fn threads_that_wait_for_each_other_on_a_busy_machine_do_not_give_their_time_away() {
    let _alarm = alarm();
    let (to, from) = chan::bounded(1);
    let (back, answers) = chan::bounded(1);
    let (std_to, std_from) = std::sync::mpsc::sync_channel(1);
    let (std_back, std_answers) = std::sync::mpsc::sync_channel(1);
    let std_from = Mutex::new(std_from);
    let done = AtomicBool::new(false);
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        // By turns, so that both meet the same noise.
        for _ in 0..10 {
            ours += rounds_of(
                |n| {
                    to.send_blocking(n).unwrap();
                    assert_eq!(answers.recv_blocking(), Ok(n));
                },
                || back.send_blocking(from.recv_blocking().unwrap()).unwrap(),
            );
            theirs += rounds_of(
                |n| {
                    std_to.send(n).unwrap();
                    assert_eq!(std_answers.recv(), Ok(n));
                },
                || {
                    std_back
                        .send(std_from.lock().unwrap().recv().unwrap())
                        .unwrap()
                },
            );
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("{ours:?}, by std's {theirs:?}");
    // It was twenty times as long, some ten seconds. One yield in a while finds out.
    assert!(
        ours < 4 * theirs + Duration::from_secs(1),
        "{ours:?}, std's: {theirs:?}"
    );
}
