//! One channel, used in every way at once: awaited, tried, with a limit, in a select, on plain threads, and given up at
//! random. Each message that was sent is received once; of one sender by one receiver they come in order.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use gopark::chan::{self, Receiver, Sender, TryRecvError, TrySendError};
use gopark::time::{sleep, timeout};

use crate::options::Options;
use crate::random::Random;
use crate::shape::{Shape, end};

/// A message: who sent it, and which of his it is.
type Message = (usize, u64);

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let runtime = Shape::any(random, options).lenient().build();
    let capacity = [Some(0), Some(1), Some(2), Some(7), None][random.below(5)];
    let (sender, receiver) = capacity.map_or_else(chan::unbounded, chan::bounded);
    let (senders, receivers) = (random.within(1..5), random.within(1..5));
    let each = random.within(10..400) as u64;
    let sent = Arc::new(AtomicU64::new(0));
    let received = Arc::new(Mutex::new(vec![0_u64; senders]));

    let mut threads = Vec::new();
    let mut tasks = Vec::new();
    for me in 0..senders {
        let (sender, sent, steps) = (sender.clone(), sent.clone(), random.fork());
        if random.one_in(4) {
            threads.push(thread::spawn(move || {
                for number in 0..each {
                    if sender.send_blocking((me, number)).is_err() {
                        return Err("the channel closed before its senders had gone".to_owned());
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        } else {
            tasks.push(runtime.spawn(send_all(sender, me, each, sent, steps)));
        }
    }
    drop(sender);
    for _ in 0..receivers {
        let (receiver, received) = (receiver.clone(), received.clone());
        if random.one_in(4) {
            threads.push(thread::spawn(move || {
                let mut order = Order::new(senders);
                while let Ok(message) = receiver.recv_blocking() {
                    order.check(message, &received)?;
                }
                Ok(())
            }));
        } else {
            let steps = random.fork();
            tasks.push(runtime.spawn(receive_all(receiver, senders, received, capacity, steps)));
        }
    }
    drop(receiver);
    runtime.block_on(async move {
        for task in tasks {
            task.await.map_err(|error| error.to_string())??;
        }
        Ok::<(), String>(())
    })?;
    for thread in threads {
        thread
            .join()
            .map_err(|_| "a thread panicked".to_owned())??;
    }
    let sent = sent.load(Ordering::Relaxed);
    let received: u64 = received.lock().expect("nobody panicked").iter().sum();
    if sent != received {
        return Err(format!("{sent} messages were sent and {received} received"));
    }
    end(runtime, random)
}

async fn send_all(
    sender: Sender<Message>,
    me: usize,
    each: u64,
    sent: Arc<AtomicU64>,
    mut random: Random,
) -> Result<(), String> {
    let closed = || "the channel closed before its senders had gone".to_owned();
    for number in 0..each {
        let mut message = Some((me, number));
        while let Some(again) = message.take() {
            match random.below(6) {
                0 => match sender.try_send(again) {
                    Ok(()) => {}
                    Err(TrySendError::Full(back)) => {
                        message = Some(back);
                        gopark::yield_now().await;
                    }
                    Err(_) => return Err(closed()),
                },
                1 => {
                    message = Some(again);
                    // Given up or done: the slot tells which.
                    let limit = random.micros(200);
                    if let Ok(Err(_)) = timeout(limit, sender.send_opt(&mut message)).await {
                        return Err(closed());
                    }
                }
                2 => {
                    // A permit that is given up gives its place back.
                    drop(timeout(random.micros(50), sender.reserve()).await);
                    message = Some(again);
                }
                3 => {
                    let permit = sender.reserve().await.map_err(|_| closed())?;
                    permit.send(again).map_err(|_| closed())?;
                }
                _ => sender.send(again).await.map_err(|_| closed())?,
            }
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn receive_all(
    receiver: Receiver<Message>,
    senders: usize,
    received: Arc<Mutex<Vec<u64>>>,
    capacity: Option<usize>,
    mut random: Random,
) -> Result<(), String> {
    let mut order = Order::new(senders);
    loop {
        if capacity.is_some_and(|capacity| receiver.len() > capacity) {
            return Err(format!(
                "{} messages lie in a channel of {capacity:?}",
                receiver.len()
            ));
        }
        let message = match random.below(5) {
            0 => match receiver.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Empty) => {
                    gopark::yield_now().await;
                    continue;
                }
                Err(_) => return Ok(()),
            },
            1 => match timeout(random.micros(200), receiver.recv()).await {
                Ok(Ok(message)) => message,
                Ok(Err(_)) => return Ok(()),
                Err(_) => continue,
            },
            2 => {
                let mut limit = std::pin::pin!(sleep(random.micros(200)));
                let got = gopark::select! {
                    got = receiver.recv() => Some(got),
                    _ = limit.as_mut() => None,
                };
                match got {
                    Some(Ok(message)) => message,
                    Some(Err(_)) => return Ok(()),
                    None => continue,
                }
            }
            _ => match receiver.recv().await {
                Ok(message) => message,
                Err(_) => return Ok(()),
            },
        };
        order.check(message, &received)?;
    }
}

/// Which message of each sender one receiver has seen last.
struct Order(Vec<Option<u64>>);

impl Order {
    fn new(senders: usize) -> Self {
        Self(vec![None; senders])
    }

    fn check(&mut self, (from, number): Message, received: &Mutex<Vec<u64>>) -> Result<(), String> {
        let last = &mut self.0[from];
        if last.is_some_and(|last| last >= number) {
            return Err(format!(
                "message {number} of sender {from} came after {last:?}"
            ));
        }
        *last = Some(number);
        received.lock().expect("nobody panics with it held")[from] += 1;
        Ok(())
    }
}
