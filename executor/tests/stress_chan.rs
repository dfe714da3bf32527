//! Channels under everything at once: tasks and threads that send, receive, select, reserve, give up and
//! close, at random. No message is lost or doubled, and all that was ever made is dropped.
//!
//! `GOPARK_STRESS_SEED` repeats a run as far as threads allow; `GOPARK_STRESS_SECONDS` makes it longer.

mod chan_support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chan_support::{Random, child, current, multi, scale, seed, waiting};
use futures::FutureExt;
use gopark::chan::{self, Receiver, Sender};
use gopark::time::timeout;

/// The books of one channel's life.
#[derive(Default)]
struct Books {
    made: AtomicU64,
    dropped: AtomicU64,
    /// Sends that said so; those that were given up may have happened, too.
    sent: AtomicU64,
    given_up: AtomicU64,
    received: Mutex<Vec<u64>>,
}

struct Message(u64, Arc<Books>);

impl Books {
    fn message(self: &Arc<Self>) -> Message {
        Message(self.made.fetch_add(1, Ordering::SeqCst), self.clone())
    }

    fn count(count: &AtomicU64) {
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn receive(&self, message: &Message) {
        self.received.lock().unwrap().push(message.0);
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        Books::count(&self.1.dropped);
    }
}

type Channels = Arc<[(Sender<Message>, Receiver<Message>); 2]>;

async fn send(channels: &Channels, books: &Arc<Books>, random: &mut Random) -> bool {
    let (a, b) = (&channels[0].0, &channels[1].0);
    let message = books.message();
    let sent = match random.below(9) {
        0 => a.send(message).await.is_ok(),
        1 => a.try_send(message).is_ok(),
        2 => match b.reserve().await {
            Ok(permit) if random.coin() => permit.send(message).is_ok(),
            _ => false,
        },
        3 => match a.send(message).now_or_never() {
            Some(sent) => sent.is_ok(),
            None => {
                Books::count(&books.given_up);
                return true;
            }
        },
        4 => {
            let mut slot = Some(message);
            let _ = timeout(Duration::from_micros(50), b.send_opt(&mut slot)).await;
            slot.is_none()
        }
        5 => b
            .send_timeout(message, Duration::from_micros(50))
            .await
            .is_ok(),
        6 => gopark::select! {
            sent = a.send(message) => sent.is_ok(),
            sent = b.send(books.message()) => sent.is_ok(),
            () = gopark::yield_now() => false,
        },
        7 => gopark::select! {
            sent = a.send(message) => sent.is_ok(),
            default => false,
        },
        _ => gopark::select! {
            sent = a.send(message) => sent.is_ok(),
            permit = b.reserve() => permit.is_ok_and(|permit| permit.send(books.message()).is_ok()),
        },
    };
    if sent {
        Books::count(&books.sent);
    }
    !a.is_closed() || !b.is_closed()
}

async fn receive(channels: &Channels, books: &Arc<Books>, random: &mut Random) -> bool {
    let (a, b) = (&channels[0].1, &channels[1].1);
    let mut buffer = Vec::new();
    let got = match random.below(8) {
        0 => a.recv().await.ok(),
        1 => b.try_recv().ok(),
        2 => a.recv().now_or_never().and_then(Result::ok),
        3 => timeout(Duration::from_micros(50), b.recv())
            .await
            .ok()
            .and_then(Result::ok),
        4 => {
            b.recv_many(&mut buffer, 3).now_or_never();
            None
        }
        5 => gopark::select! {
            got = a.recv() => got.ok(),
            got = b.recv() => got.ok(),
        },
        6 => futures::select! {
            got = a.recv().fuse() => got.ok(),
            got = b.recv().fuse() => got.ok(),
            () = gopark::yield_now().fuse() => None,
        },
        _ => {
            let mut list = chan::Select::new();
            list.recv(a);
            list.recv(b);
            list.try_select()
                .and_then(|mut selected| match selected.index() {
                    0 => selected.recv(a).ok(),
                    _ => selected.recv(b).ok(),
                })
        }
    };
    for message in got.iter().chain(&buffer) {
        books.receive(message);
    }
    !a.is_closed() || !b.is_closed()
}

async fn live(channels: Channels, books: Arc<Books>, mut random: Random) {
    let sends = random.coin();
    loop {
        let goes_on = if sends {
            send(&channels, &books, &mut random).await
        } else {
            receive(&channels, &books, &mut random).await
        };
        if !goes_on {
            return;
        }
        if random.below(8) == 0 {
            gopark::yield_now().await;
        }
    }
}

/// The life of two channels: until they are closed.
fn round(mut random: Random) -> u64 {
    let books: Arc<Books> = Arc::default();
    let capacity = |random: &mut Random| [0, 1, 3, usize::MAX][random.below(4)];
    let channels: Channels = Arc::new([
        chan_support::channel(capacity(&mut random)),
        chan_support::channel(capacity(&mut random)),
    ]);
    let runtime = if random.below(4) == 0 {
        current()
    } else {
        multi(1 + random.below(3))
    };
    let threads: Vec<_> = (0..random.below(3))
        .map(|_| {
            let life = live(channels.clone(), books.clone(), random.fork());
            let handle = runtime.handle().clone();
            std::thread::spawn(move || {
                let _inside = handle.enter();
                futures::executor::block_on(life);
            })
        })
        .collect();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..2 + random.below(8))
            .map(|_| gopark::spawn(live(channels.clone(), books.clone(), random.fork())))
            .collect();
        gopark::time::sleep(Duration::from_millis(1 + random.below(10) as u64)).await;
        for (tx, _) in channels.iter() {
            assert!(tx.close());
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    for thread in threads {
        thread.join().unwrap();
    }
    for (_, rx) in channels.iter() {
        rx.drain().for_each(|message| books.receive(&message));
        assert!(rx.try_recv().is_err_and(|error| error.is_disconnected()));
    }
    drop(channels);
    drop(runtime);
    let mut received = std::mem::take(&mut *books.received.lock().unwrap());
    let count = received.len() as u64;
    received.sort_unstable();
    received.dedup();
    assert_eq!(received.len() as u64, count, "received twice");
    let sent = books.sent.load(Ordering::SeqCst);
    let given_up = books.given_up.load(Ordering::SeqCst);
    assert!(
        sent <= count && count <= sent + given_up,
        "{sent} and {given_up}: {count}"
    );
    assert_eq!(
        books.made.load(Ordering::SeqCst),
        books.dropped.load(Ordering::SeqCst)
    );
    count
}

#[test]
fn nothing_is_lost_or_doubled_in_a_storm_of_channels() {
    let _alarm = chan_support::alarm();
    let end = Instant::now() + Duration::from_secs(scale("GOPARK_STRESS_SECONDS", 3));
    let mut random = Random::new(seed());
    let (mut rounds, mut messages) = (0, 0);
    while Instant::now() < end {
        messages += round(random.fork());
        rounds += 1;
    }
    println!("{rounds} rounds, {messages} messages");
    assert!(messages > 0);
}

/// Operations that wait and are given up leave nothing behind.
#[cfg(target_os = "linux")]
#[test]
fn operations_that_are_given_up_cost_no_memory() {
    use chan_support::proc;
    const NAME: &str = "operations_that_are_given_up_cost_no_memory";
    child::isolated(NAME, || {
        let operations = if cfg!(debug_assertions) {
            500_000
        } else {
            10_000_000
        };
        let (tx, rx) = chan::bounded::<u64>(1);
        let other = chan::never::<u64>();
        let one = |number: u64| match number % 5 {
            0 => drop(waiting(rx.recv())),
            1 => {
                let select = waiting(async {
                    gopark::select! {
                        _ = rx.recv() => (),
                        _ = other.recv() => (),
                    }
                });
                tx.try_send(number).unwrap();
                drop(select);
                rx.try_recv().unwrap();
            }
            2 => {
                tx.try_send(number).unwrap();
                drop(waiting(tx.send(number)));
                rx.try_recv().unwrap();
            }
            3 => {
                tx.try_send(number).unwrap();
                drop(waiting(tx.reserve()));
                drop(waiting(tx.closed()));
                rx.try_recv().unwrap();
            }
            _ => {
                let receive = waiting(rx.recv());
                tx.try_send(number).unwrap();
                drop(receive);
                rx.try_recv().unwrap();
            }
        };
        (0..10_000).for_each(one);
        let before = proc::resident();
        (0..operations).for_each(one);
        let grown = proc::resident().saturating_sub(before);
        // A word for each would be four megabytes in a debug build.
        assert!(grown < 1 << 20, "{grown} bytes");
    });
}
