//! Linearizability: whatever threads do to a channel at the same time, there is an order of the same
//! operations, one after the other, that gives each what it got, and in which an operation that ended
//! before another began comes first (Wing and Gong: all orders are tried, dead ends remembered).
//!
//! The channel in that order is a queue, at any capacity. Only a receive that waits makes it more: a message
//! may be put in for it beyond the capacity, and then one message, whichever comes first, is kept for it.

mod chan_support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};
use std::time::Duration;

use chan_support::{Random, alarm, channel, driven, rounds, seed};
use gopark::chan::{Receiver, Sender};

const THREADS: usize = 3;
const MOST: usize = 8;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Op {
    Send(usize),
    TrySend(usize),
    Recv,
    TryRecv,
    /// A receive that is polled once, perhaps has something promised, and is dropped.
    DroppedRecv,
    /// A place, and then the message that is sent into it.
    Reserve,
    SendReserved(usize),
    Close,
    Len,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Got {
    Done,
    Message(usize),
    /// Full, empty, or given up.
    Nothing,
    Closed,
    Closes(bool),
    Length(usize),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    op: Op,
    got: Got,
    began: usize,
    ended: usize,
}

fn perform(op: Op, tx: &Sender<usize>, rx: &Receiver<usize>) -> Got {
    let received = |message: Result<usize, _>| message.map_or(Got::Closed, Got::Message);
    match op {
        Op::Send(message) => match tx.send_blocking(message) {
            Ok(()) => Got::Done,
            Err(_) => Got::Closed,
        },
        Op::TrySend(message) => match tx.try_send(message) {
            Ok(()) => Got::Done,
            Err(error) if error.is_full() => Got::Nothing,
            Err(_) => Got::Closed,
        },
        Op::Recv => received(rx.recv_blocking()),
        Op::TryRecv => match rx.try_recv() {
            Ok(message) => Got::Message(message),
            Err(error) if error.is_empty() => Got::Nothing,
            Err(_) => Got::Closed,
        },
        Op::DroppedRecv => match driven(rx.recv()).poll() {
            std::task::Poll::Ready(message) => received(message),
            std::task::Poll::Pending => Got::Nothing,
        },
        Op::Close => Got::Closes(tx.close()),
        Op::Len => Got::Length(rx.len()),
        Op::Reserve | Op::SendReserved(_) => unreachable!("see `perform_reserved`"),
    }
}

/// Reserves a place, and sends into it: two events.
fn perform_reserved(
    message: usize,
    tx: &Sender<usize>,
    mut timed: impl FnMut(Op, &mut dyn FnMut() -> Got),
) {
    let mut permit = None;
    timed(Op::Reserve, &mut || {
        permit = futures::executor::block_on(tx.reserve()).ok();
        permit.as_ref().map_or(Got::Closed, |_| Got::Done)
    });
    if permit.is_some() {
        timed(Op::SendReserved(message), &mut || {
            let sent = permit.take().unwrap().send(message);
            sent.map_or(Got::Closed, |()| Got::Done)
        });
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Model {
    queue: Vec<usize>,
    reserved: usize,
    closed: bool,
}

impl Model {
    /// Whether `op` may have got this now; and if so, does it. `waiting`: how many receives may wait.
    fn allows(&mut self, event: &Event, capacity: usize, waiting: usize) -> bool {
        let length = self.queue.len();
        // As few as there can be beside those that are kept for receives.
        let used = length.saturating_sub(waiting) + self.reserved;
        match (event.op, event.got) {
            (Op::Send(message) | Op::TrySend(message), Got::Done) => {
                self.queue.push(message);
                !self.closed && (length < waiting || used < capacity)
            }
            (Op::Send(_) | Op::TrySend(_) | Op::Reserve, Got::Closed) => self.closed,
            (Op::TrySend(_), Got::Nothing) => !self.closed && length + self.reserved >= capacity,
            (Op::Reserve, Got::Done) => {
                self.reserved += 1;
                !self.closed && (used < capacity || capacity == 0 && waiting >= self.reserved)
            }
            (Op::SendReserved(message), got) => {
                self.reserved -= 1;
                if got == Got::Done {
                    self.queue.push(message);
                }
                self.closed == (got == Got::Closed)
            }
            (_, Got::Message(message)) => length > 0 && self.queue.remove(0) == message,
            (Op::TryRecv, Got::Nothing) => length <= waiting && !(self.closed && length == 0),
            // It found nothing when it began to wait; what was promised to it since, it leaves.
            (Op::DroppedRecv, Got::Nothing) => true,
            (_, Got::Closed) => self.closed && length == 0,
            (Op::Close, Got::Closes(closes)) => closes != std::mem::replace(&mut self.closed, true),
            (Op::Len, Got::Length(said)) => {
                (0..=waiting.min(length)).any(|kept| said == (length - kept).min(capacity))
            }
            _ => unreachable!("{event:?}"),
        }
    }
}

struct Search<'a> {
    events: &'a [Event],
    capacity: usize,
    dead: HashSet<(u32, Model)>,
}

impl Search<'_> {
    fn explains(&mut self, done: u32, model: &Model) -> bool {
        if done.count_ones() as usize == self.events.len() {
            return true;
        }
        if self.dead.contains(&(done, model.clone())) {
            return false;
        }
        let left = || (0..self.events.len()).filter(|at| done >> at & 1 == 0);
        let first_end = left().map(|at| self.events[at].ended).min().unwrap();
        let open: Vec<_> = left()
            .filter(|&at| self.events[at].began < first_end)
            .collect();
        let waits = |at: &&usize| matches!(self.events[**at].op, Op::Recv | Op::DroppedRecv);
        let waiting = open.iter().filter(waits).count();
        for &at in &open {
            let event = &self.events[at];
            let mut next = model.clone();
            if next.allows(event, self.capacity, waiting) && self.explains(done | 1 << at, &next) {
                return true;
            }
            // A send that waits meets a receive: its message comes in and the oldest goes, in one step.
            let Op::Send(message) = event.op else {
                continue;
            };
            let sent = event.got == Got::Done && !model.closed;
            for &other in open.iter().filter(|_| sent) {
                let others = waiting - usize::from(waits(&&other));
                let mut next = model.clone();
                next.queue.push(message);
                let Got::Message(got) = self.events[other].got else {
                    continue;
                };
                let takes = next.queue.remove(0) == got && model.queue.len() <= others;
                if takes && self.explains(done | 1 << at | 1 << other, &next) {
                    return true;
                }
            }
        }
        self.dead.insert((done, model.clone()));
        false
    }
}

fn random_op(random: &mut Random, next: &mut usize) -> Op {
    *next += 1;
    match random.below(17) {
        0..4 => Op::Send(*next),
        16 => Op::Reserve,
        4..6 => Op::TrySend(*next),
        6..10 => Op::Recv,
        10..12 => Op::TryRecv,
        12..14 => Op::DroppedRecv,
        14 => Op::Len,
        _ if random.below(4) == 0 => Op::Close,
        _ => Op::Len,
    }
}

/// What threads did, and got.
fn record(random: &mut Random, capacity: usize) -> Vec<Event> {
    let (tx, rx) = channel(capacity);
    let clock = AtomicUsize::new(0);
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    let timed = |op, perform: &mut dyn FnMut() -> Got| {
        let began = tick();
        let got = perform();
        Event {
            op,
            got,
            began,
            ended: tick(),
        }
    };
    let mut number = 0;
    let start = Barrier::new(THREADS + 1);
    let (end, ended) = mpsc::channel();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let ops: Vec<_> = (0..1 + random.below(MOST))
                    .map(|_| (random_op(random, &mut number), number, random.below(60)))
                    .collect();
                let (tx, rx, start, timed, end) = (&tx, &rx, &start, &timed, end.clone());
                scope.spawn(move || {
                    start.wait();
                    let mut events = Vec::new();
                    for (op, number, pause) in ops {
                        (0..pause).for_each(|_| std::hint::spin_loop());
                        let mut record = |op, f: &mut dyn FnMut() -> Got| events.push(timed(op, f));
                        match op {
                            Op::Reserve => perform_reserved(number, tx, record),
                            _ => record(op, &mut || perform(op, tx, rx)),
                        }
                    }
                    end.send(()).unwrap();
                    events
                })
            })
            .collect();
        start.wait();
        // Those that still wait then must have a reason; the close lets them go.
        let is_over = |_| ended.recv_timeout(Duration::from_micros(200)).is_ok();
        let _ = (0..THREADS).all(is_over);
        let close = timed(Op::Close, &mut || perform(Op::Close, &tx, &rx));
        let done = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        let mut events: Vec<_> = done.chain([close]).collect();
        // What is left is there, in order.
        while let Ok(message) = rx.try_recv() {
            let began = tick();
            events.push(Event {
                op: Op::TryRecv,
                got: Got::Message(message),
                began,
                ended: tick(),
            });
        }
        events.push(timed(Op::Len, &mut || perform(Op::Len, &tx, &rx)));
        events
    })
}

#[test]
fn every_history_of_a_channel_has_an_order() {
    let _alarm = alarm();
    let mut random = Random::new(seed());
    let mut met = [0; 3];
    for round in 0..rounds(20_000) {
        let capacity = round % 3;
        let seed = random.next();
        let events = record(&mut Random::new(seed), capacity);
        let model = Model {
            queue: Vec::new(),
            reserved: 0,
            closed: false,
        };
        let mut search = Search {
            events: &events,
            capacity,
            dead: HashSet::new(),
        };
        let explained = events.len() > 31 || search.explains(0, &model);
        if !explained {
            let mut events = events.clone();
            events.sort_by_key(|event| event.began);
            events.iter().for_each(|event| eprintln!("{event:?}"));
            panic!("no order explains this history, of capacity {capacity}");
        }
        let overlap = events.iter().any(|one| {
            let during = |other: &Event| one.began < other.began && other.began < one.ended;
            events.iter().any(during)
        });
        met[capacity] += usize::from(overlap);
    }
    // The threads did meet.
    assert!(met.iter().all(|&met| met > 50), "{met:?}");
}

/// The checker itself: histories without an order are refused.
#[test]
fn the_checker_refuses_what_cannot_be() {
    let check = |capacity, events: &[(Op, Got, usize, usize)]| {
        let make = |&(op, got, began, ended): &_| Event {
            op,
            got,
            began,
            ended,
        };
        let events: Vec<_> = events.iter().map(make).collect();
        let model = Model {
            queue: Vec::new(),
            reserved: 0,
            closed: false,
        };
        Search {
            events: &events,
            capacity,
            dead: HashSet::new(),
        }
        .explains(0, &model)
    };
    let sent = [
        (Op::Send(1), Got::Done, 0, 1),
        (Op::Send(2), Got::Done, 2, 3),
    ];
    let taken = |number, began| (Op::TryRecv, Got::Message(number), began, began + 1);
    let both = |first, second| [sent[0], sent[1], taken(first, 4), taken(second, 6)];
    assert!(check(2, &both(1, 2)));
    assert!(!check(2, &both(2, 1)), "out of order");
    assert!(!check(2, &both(1, 1)), "twice");
    assert!(!check(1, &both(1, 2)), "beyond the capacity");
    let lost = (Op::TryRecv, Got::Nothing, 4, 5);
    assert!(!check(2, &[sent[0], lost]), "lost");
    assert!(!check(0, &sent[..1]), "nobody took it");
    assert!(check(0, &[sent[0], taken(1, 0)]), "from hand to hand");
    let dropped = (Op::DroppedRecv, Got::Nothing, 0, 9);
    let passed = |first, second| {
        let send = (Op::Send(2), Got::Done, 2, 8);
        [dropped, sent[0], send, taken(first, 6), taken(second, 10)]
    };
    assert!(check(0, &passed(1, 2)));
    assert!(!check(0, &passed(2, 1)), "past what was kept for another");
    let place = (Op::Reserve, Got::Done, 0, 1);
    assert!(!check(1, &[place, sent[1]]), "into a place that is kept");
    let closed = (Op::Close, Got::Closes(true), 0, 1);
    assert!(!check(2, &[closed, sent[1]]), "sent after the end");
    assert!(
        !check(2, &[closed, (Op::Close, Got::Closes(true), 2, 3)]),
        "closed twice"
    );
    let end = (Op::Recv, Got::Closed, 4, 5);
    assert!(
        !check(2, &[sent[0], (Op::Close, Got::Closes(true), 2, 3), end]),
        "the end before the last"
    );
    assert!(
        !check(2, &[sent[0], (Op::Len, Got::Length(0), 2, 3)]),
        "a wrong length"
    );
}
