//! A channel is a queue: random operations, polled by hand in random order and dropped at any stage, and beside
//! them a specification that a child could check. After each step both say the same.
//!
//! The specification knows no promises between certain messages and certain receives. It is one queue, a
//! list of receives that are each owed *a* message, and a line at each end.

mod chan_support;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use chan_support::{Random, alarm, channel, rounds, seed};
use futures::FutureExt;
use gopark::chan::{self, Permit, Permits, Receiver, Sender};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Wants {
    ToReceive,
    ToSend(u32),
    Places(usize),
}

/// What a step gave.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Got {
    Waits,
    Message(u32),
    Sent,
    Places(usize),
    Closed,
    Full,
    Empty,
}

/// The specification. Operations that wait have numbers.
#[derive(Default, Debug)]
struct Queue {
    capacity: usize,
    messages: VecDeque<u32>,
    /// Receives that wait, and those that are owed a message.
    receives: VecDeque<usize>,
    owed: Vec<usize>,
    /// Sends and reservations that wait, and those that were served.
    line: VecDeque<(usize, Wants)>,
    served: Vec<usize>,
    /// Places that are kept.
    kept: usize,
    closed: bool,
}

impl Queue {
    fn free_messages(&self) -> usize {
        self.messages.len() - self.owed.len()
    }

    fn used(&self) -> usize {
        self.free_messages() + self.kept
    }

    /// What follows by itself: who waits is served as far as that can be done.
    fn settle(&mut self) {
        while self.free_messages() > 0 && !self.receives.is_empty() {
            self.owed.extend(self.receives.pop_front());
        }
        if self.closed {
            self.served
                .extend(self.line.drain(..).map(|(number, _)| number));
            return;
        }
        while let Some(&(number, wants)) = self.line.front() {
            match wants {
                Wants::ToSend(message) if self.places() > 0 => self.messages.push_back(message),
                Wants::Places(count) if self.capacity > 0 && count <= self.places() => {
                    self.kept += count;
                }
                _ => break,
            }
            self.line.pop_front();
            self.served.push(number);
        }
        // At capacity 0 a place is a receiver that waits, and sends stand in no reservation's way.
        while self.capacity == 0 {
            let mut reservations = self.line.iter().enumerate();
            let first = reservations.find_map(|(at, &(_, wants))| match wants {
                Wants::Places(count) => Some((at, count)),
                _ => None,
            });
            let Some((at, count)) = first.filter(|(_, count)| *count <= self.places()) else {
                break;
            };
            let (number, _) = self.line.remove(at).unwrap();
            self.served.push(number);
            self.kept += count;
        }
    }

    /// How many places are free; at capacity 0, to be reserved.
    fn places(&self) -> usize {
        match self.capacity {
            0 => self.receives.len().saturating_sub(self.kept),
            capacity => capacity.saturating_sub(self.used()),
        }
    }

    /// Whether who comes now must wait for those that wait.
    fn has_line(&self, of: impl Fn(Wants) -> bool) -> bool {
        self.line.iter().any(|&(_, wants)| of(wants))
    }

    /// Whether a message that meets no receiver finds no place.
    fn is_full(&self) -> bool {
        self.capacity == 0 || self.places() == 0 || !self.line.is_empty()
    }

    fn receive(&mut self) -> Got {
        let is_send = |(_, wants): &(usize, Wants)| matches!(wants, Wants::ToSend(_));
        if self.free_messages() == 0
            && let Some(at) = self.line.iter().position(is_send)
            && let (number, Wants::ToSend(message)) = self.line.remove(at).unwrap()
        {
            self.served.push(number);
            self.messages.push_back(message);
        }
        let got = match self.messages.front() {
            Some(&oldest) if self.free_messages() > 0 => Got::Message(oldest),
            None if self.closed => Got::Closed,
            _ => return Got::Empty,
        };
        self.messages.pop_front();
        self.settle();
        got
    }

    fn send(&mut self, message: u32) -> Got {
        if self.closed {
            return Got::Closed;
        }
        if self.receives.is_empty() && self.is_full() {
            return Got::Full;
        }
        self.messages.push_back(message);
        self.settle();
        Got::Sent
    }

    fn reserve(&mut self, count: usize) -> Got {
        if self.closed {
            return Got::Closed;
        }
        // A send that waits beside a receiver is of one select with it.
        let is_many = |wants| matches!(wants, Wants::Places(_));
        let waits = if self.capacity == 0 {
            self.has_line(is_many)
        } else {
            !self.line.is_empty()
        };
        if waits || count > self.places() {
            return Got::Full;
        }
        self.kept += count;
        Got::Places(count)
    }

    /// A poll of an operation: `first`, or it waits or was served.
    fn poll(&mut self, number: usize, wants: Wants, first: bool) -> Got {
        let is = |other: &usize| *other == number;
        if let Some(at) = self.owed.iter().position(is) {
            self.owed.remove(at);
            let oldest = self.messages.pop_front().unwrap();
            self.settle();
            return Got::Message(oldest);
        }
        if let Some(at) = self.served.iter().position(is) {
            self.served.remove(at);
            return match wants {
                // The close comes after all that was served before it: `close`.
                Wants::Places(count) => Got::Places(count),
                _ => Got::Sent,
            };
        }
        if !first {
            return match (self.closed, self.messages.is_empty(), wants) {
                (true, _, Wants::ToSend(_) | Wants::Places(_)) => Got::Closed,
                (true, true, Wants::ToReceive) => {
                    self.receives.retain(|other| *other != number);
                    Got::Closed
                }
                _ => Got::Waits,
            };
        }
        let got = match wants {
            Wants::ToReceive => self.receive(),
            Wants::ToSend(message) => self.send(message),
            Wants::Places(count) => self.reserve(count),
        };
        match (got, wants) {
            (Got::Empty, _) => self.receives.push_back(number),
            (Got::Full, _) => self.line.push_back((number, wants)),
            _ => return got,
        }
        self.settle();
        Got::Waits
    }

    /// An operation is dropped: what it was owed, and what it was granted, is anybody's.
    fn drop_one(&mut self, number: usize, wants: Wants) {
        self.receives.retain(|other| *other != number);
        self.line.retain(|(other, _)| *other != number);
        self.owed.retain(|other| *other != number);
        if let Some(at) = self.served.iter().position(|other| *other == number) {
            self.served.remove(at);
            if let Wants::Places(count) = wants {
                self.kept -= count;
            }
        }
        self.settle();
    }

    fn close(&mut self) {
        // Those that wait get nothing more.
        self.line.clear();
        self.closed = true;
    }
}

type Op<'a> = Pin<Box<dyn Future<Output = Done<'a>> + 'a>>;

enum Done<'a> {
    Got(Got),
    Place(Permit<'a, u32>),
    Places(Permits<'a, u32>),
}

struct Waiting<'a> {
    number: usize,
    wants: Wants,
    op: Op<'a>,
    polled: bool,
}

fn begin<'a>(
    wants: Wants,
    random: &mut Random,
    tx: &'a Sender<u32>,
    rx: &'a Receiver<u32>,
) -> Op<'a> {
    let received = |got: Result<u32, _>| Done::Got(got.map_or(Got::Closed, Got::Message));
    let sent = |sent: Result<(), _>| Done::Got(sent.map_or(Got::Closed, |()| Got::Sent));
    let granted = |got: Result<_, _>| got.map_or(Done::Got(Got::Closed), Done::Place);
    // Alone, or in a select.
    match (wants, random.coin()) {
        (Wants::ToReceive, true) => Box::pin(rx.recv().map(received)),
        (Wants::ToReceive, false) => Box::pin(async move {
            gopark::select! {
                got = rx.recv() => received(got),
                _ = chan::never::<()>() => unreachable!(),
            }
        }),
        (Wants::ToSend(message), true) => {
            Box::pin(tx.send(message).map(move |done| sent(done.map_err(drop))))
        }
        (Wants::ToSend(message), false) => Box::pin(async move {
            gopark::select! {
                done = tx.send(message) => sent(done.map_err(drop)),
                _ = chan::never::<()>() => unreachable!(),
            }
        }),
        (Wants::Places(2..), _) | (Wants::Places(_), true) if !is_one(wants, random) => {
            let Wants::Places(count) = wants else {
                unreachable!()
            };
            let got = tx.reserve_many(count);
            Box::pin(got.map(|got| got.map_or(Done::Got(Got::Closed), Done::Places)))
        }
        (Wants::Places(_), true) => Box::pin(tx.reserve().map(granted)),
        (Wants::Places(_), false) => Box::pin(async move {
            gopark::select! {
                got = tx.reserve() => granted(got),
                _ = chan::never::<()>() => unreachable!(),
            }
        }),
    }
}

/// Whether a reservation is to be made as one of one place.
fn is_one(wants: Wants, random: &mut Random) -> bool {
    wants == Wants::Places(1) && random.coin()
}

/// What both halves say of their channel.
fn compare(queue: &Queue, rx: &Receiver<u32>) {
    let len = queue.free_messages().min(queue.capacity);
    assert_eq!(rx.len(), len, "len");
    assert_eq!(rx.is_empty(), len == 0, "is_empty");
    assert_eq!(rx.is_full(), queue.is_full(), "is_full");
    assert!(rx.capacity().is_none_or(|capacity| rx.len() <= capacity));
}

fn history(random: &mut Random, capacity: usize, say: bool) {
    let (tx, rx) = channel(capacity);
    let mut queue = Queue {
        capacity,
        ..Queue::default()
    };
    let mut ops: Vec<Waiting<'_>> = Vec::new();
    let mut permits: Vec<Permit<'_, u32>> = Vec::new();
    let mut several: Vec<Permits<'_, u32>> = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    for step in 0..60 {
        let message = step as u32;
        let (what, expected, got) = match random.below(20) {
            0..6 => {
                let wants = match random.below(5) {
                    0 | 1 => Wants::ToReceive,
                    2 | 3 => Wants::ToSend(message),
                    _ => Wants::Places(
                        1 + random.below(if capacity == 0 { 3 } else { capacity.min(3) }),
                    ),
                };
                ops.push(Waiting {
                    number: step,
                    wants,
                    op: begin(wants, random, &tx, &rx),
                    polled: false,
                });
                continue;
            }
            6..13 if !ops.is_empty() => {
                let at = random.below(ops.len());
                let Waiting {
                    number,
                    wants,
                    op,
                    polled,
                } = &mut ops[at];
                let expected = queue.poll(*number, *wants, !std::mem::replace(polled, true));
                let got = match op.as_mut().poll(&mut cx) {
                    Poll::Pending => Got::Waits,
                    Poll::Ready(Done::Got(got)) => got,
                    Poll::Ready(Done::Place(permit)) => {
                        permits.push(permit);
                        Got::Places(1)
                    }
                    Poll::Ready(Done::Places(places)) => {
                        let count = places.len();
                        several.push(places);
                        Got::Places(count)
                    }
                };
                let what = format!("poll {number}, {wants:?}");
                if got != Got::Waits {
                    drop(ops.swap_remove(at));
                }
                (what, expected, got)
            }
            13 if !several.is_empty() => {
                let mut places = several.swap_remove(random.below(several.len()));
                permits.extend(places.by_ref().take(random.below(3)));
                queue.kept -= places.len();
                queue.settle();
                drop(places);
                (
                    "drop the rest of several permits".into(),
                    Got::Sent,
                    Got::Sent,
                )
            }
            13..15 if !ops.is_empty() => {
                let op = ops.swap_remove(random.below(ops.len()));
                queue.drop_one(op.number, op.wants);
                (format!("drop {}", op.number), Got::Sent, Got::Sent)
            }
            15 if !permits.is_empty() => {
                let permit = permits.swap_remove(random.below(permits.len()));
                queue.kept -= 1;
                if random.coin() {
                    let expected = if queue.closed { Got::Closed } else { Got::Sent };
                    if !queue.closed {
                        queue.messages.push_back(message);
                    }
                    queue.settle();
                    let sent = permit.send(message);
                    let got = sent.map_or(Got::Closed, |()| Got::Sent);
                    (format!("send {message} by a permit"), expected, got)
                } else {
                    queue.settle();
                    drop(permit);
                    ("drop a permit".into(), Got::Sent, Got::Sent)
                }
            }
            16 => {
                let got = match tx.try_send(message) {
                    Ok(()) => Got::Sent,
                    Err(error) if error.is_full() => Got::Full,
                    Err(_) => Got::Closed,
                };
                (format!("try_send {message}"), queue.send(message), got)
            }
            17 | 18 => {
                let got = match rx.try_recv() {
                    Ok(message) => Got::Message(message),
                    Err(error) if error.is_empty() => Got::Empty,
                    Err(_) => Got::Closed,
                };
                ("try_recv".into(), queue.receive(), got)
            }
            19 if random.below(8) == 0 => {
                queue.close();
                rx.close();
                ("close".into(), Got::Sent, Got::Sent)
            }
            _ => continue,
        };
        if say {
            eprintln!("{what}: {got:?}");
        }
        assert_eq!(got, expected, "{what}; {queue:?}");
        compare(&queue, &rx);
    }
}

#[test]
fn a_channel_is_a_queue_whoever_waits_and_whoever_gives_up() {
    let _alarm = alarm();
    let mut random = Random::new(seed());
    for round in 0..rounds(80_000) {
        let capacity = [0, 1, 2, 3, usize::MAX][round % 5];
        let one = random.fork();
        let run = |say| history(&mut one.clone(), capacity, say);
        if std::panic::catch_unwind(|| run(false)).is_err() {
            eprintln!("capacity {capacity}:");
            run(true);
        }
    }
}
