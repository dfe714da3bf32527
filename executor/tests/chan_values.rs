//! Messages of all kinds: each is dropped once, in every way that it can take, and none is where it
//! should not be.

mod chan_support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chan_support::{CAPACITIES, alarm, channel, driven, rounds, waiting};
use futures::FutureExt;
use gopark::chan::{self, Receiver, Sender};

/// How many there are, and how many went twice.
#[derive(Default)]
struct Census {
    living: AtomicUsize,
    born: AtomicUsize,
}

struct Message {
    census: Arc<Census>,
    alive: bool,
    number: usize,
}

impl Census {
    fn message(self: &Arc<Self>) -> Message {
        self.living.fetch_add(1, Ordering::SeqCst);
        Message {
            census: self.clone(),
            alive: true,
            number: self.born.fetch_add(1, Ordering::SeqCst),
        }
    }

    fn living(&self) -> usize {
        self.living.load(Ordering::SeqCst)
    }
}

impl Message {
    fn check(&self) -> usize {
        assert!(self.alive);
        self.number
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        assert!(std::mem::replace(&mut self.alive, false), "dropped twice");
        self.census.living.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.number.fmt(f)
    }
}

/// Runs `f` on a channel that is full, and a census; afterwards nothing is alive.
fn in_the_end_nothing_lives(f: impl Fn(&Arc<Census>, Sender<Message>, Receiver<Message>)) {
    for capacity in [0, 1, 3] {
        let census = Arc::default();
        let (tx, rx) = channel(capacity);
        while !tx.is_full() {
            tx.try_send(Census::message(&census)).unwrap();
        }
        f(&census, tx, rx);
        assert_eq!(census.living(), 0, "capacity {capacity}");
    }
}

#[test]
fn messages_that_are_left_go_with_the_channel() {
    in_the_end_nothing_lives(|_, tx, rx| drop((tx, rx)));
    in_the_end_nothing_lives(|_, tx, rx| drop((rx, tx)));
}

#[test]
fn sends_that_are_dropped_drop_their_message_unless_it_is_sent() {
    in_the_end_nothing_lives(|census, tx, rx| {
        let before = census.living();
        // Never polled.
        drop(tx.send(census.message()));
        assert_eq!(census.living(), before);
        // Waits.
        drop(waiting(tx.send(census.message())));
        assert_eq!(census.living(), before);
        // Sent, and not told so.
        let sent = waiting(tx.send(census.message()));
        let first = rx.try_recv().unwrap();
        drop(sent);
        assert_eq!(census.living(), before + 1);
        first.check();
        // Told so.
        drop(first);
        let sent = waiting(tx.send(census.message()));
        let second = rx.try_recv().unwrap();
        sent.woken().unwrap();
        second.check();
        // Closed, told so or not.
        let sends = [
            waiting(tx.send(census.message())),
            waiting(tx.send(census.message())),
        ];
        drop(second);
        rx.close();
        let [told, dropped] = sends;
        drop(dropped);
        told.woken().unwrap_err().into_inner().check();
        drop(tx.send(census.message()).now_or_never());
    });
}

#[test]
fn other_sends_give_back_what_they_do_not_send() {
    in_the_end_nothing_lives(|census, tx, rx| {
        tx.try_send(census.message())
            .unwrap_err()
            .into_inner()
            .check();
        tx.force_send(census.message()).unwrap().unwrap().check();
        let timed = tx.send_timeout_blocking(census.message(), Duration::ZERO);
        timed.unwrap_err().into_inner().check();
        let mut slot = Some(census.message());
        drop(waiting(tx.send_opt(&mut slot)));
        slot.as_ref().unwrap().check();
        let many = waiting(tx.send_many((0..100).map(|_| census.message())));
        drop(many);
        let many = waiting(tx.send_many((0..100).map(|_| census.message())));
        rx.try_recv().unwrap().check();
        rx.close();
        let back = many.woken().unwrap_err().into_iter();
        for message in back {
            message.check();
        }
    });
}

#[test]
fn receives_that_are_dropped_drop_no_message() {
    in_the_end_nothing_lives(|census, tx, rx| {
        rx.try_iter().for_each(drop);
        let receive = waiting(rx.recv());
        tx.try_send(census.message()).unwrap();
        drop(receive);
        rx.try_recv().unwrap().check();
        // Promised, and the channel goes.
        let receive = waiting(rx.recv());
        tx.try_send(census.message()).unwrap();
        drop(tx);
        drop(receive);
        assert_eq!(census.living(), 1);
    });
}

#[test]
fn permits_drop_what_they_cannot_send() {
    in_the_end_nothing_lives(|census, tx, rx| {
        rx.try_iter().for_each(drop);
        let receive = waiting(rx.recv());
        let permit = tx.try_reserve().unwrap();
        permit.send(census.message()).unwrap();
        receive.woken().unwrap().check();
        let receive = waiting(rx.recv());
        let permit = tx.try_reserve().unwrap();
        rx.close();
        drop(receive);
        permit
            .send(census.message())
            .unwrap_err()
            .into_inner()
            .check();
    });
}

#[test]
fn selects_drop_the_values_of_the_losers_before_the_body_runs() {
    in_the_end_nothing_lives(|census, tx, rx| {
        let (other, from_other) = chan::bounded(1);
        let before = census.living();
        let won = gopark::select_blocking! {
            _ = tx.send(census.message()) => false,
            sent = other.send(census.message()) => {
                sent.unwrap();
                assert_eq!(census.living(), before + 1);
                true
            }
        };
        assert!(won);
        from_other.try_recv().unwrap().check();
        // Dropped while it waits; and after one of its sends was taken.
        let select = |message: Message, another: Message| {
            waiting(async {
                gopark::select! {
                    sent = tx.send(message) => sent.unwrap(),
                    sent = tx.send(another) => sent.unwrap(),
                }
            })
        };
        drop(select(census.message(), census.message()));
        assert_eq!(census.living(), before);
        let taken = select(census.message(), census.message());
        let first = rx.try_recv().unwrap();
        drop(taken);
        first.check();
        drop(first);
        // In a list: removed, dropped, and left.
        let mut list = chan::Select::new();
        let removed = list.send(&tx, census.message());
        list.send(&tx, census.message());
        assert!(list.remove(removed));
        assert!(list.try_select().is_none());
    });
}

#[test]
fn a_storm_of_messages_leaves_none_behind() {
    let _alarm = alarm();
    for capacity in CAPACITIES {
        let census: Arc<Census> = Arc::default();
        let (tx, rx) = channel(capacity);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (tx, census) = (tx.clone(), census.clone());
                scope.spawn(move || {
                    for round in 0..rounds(8000) {
                        let mut send = driven(tx.send(census.message()));
                        if send.poll().is_pending() && round % 3 > 0 {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            drop(tx);
            for _ in 0..2 {
                let rx = rx.clone();
                scope.spawn(move || {
                    loop {
                        let mut receive = driven(rx.recv());
                        let _ = receive.poll();
                        std::thread::yield_now();
                        if let std::task::Poll::Ready(received) = driven(rx.recv()).poll() {
                            let Ok(message) = received else { return };
                            message.check();
                        }
                    }
                });
            }
        });
        drop(rx);
        assert_eq!(census.living(), 0, "capacity {capacity}");
    }
}

/// Panics when it is dropped, once.
struct Bomb(bool, Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        if std::mem::replace(&mut self.0, false) && !std::thread::panicking() {
            panic!("this message panics in its drop");
        }
    }
}

#[test]
fn a_panic_in_the_drop_of_a_message_reaches_who_drops_it_and_holds_no_lock() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let bomb = |panics| Bomb(panics, dropped.clone());
    let panics = |f: &mut dyn FnMut()| assert!(catch_unwind(AssertUnwindSafe(f)).is_err());

    // With the last receiver: all go.
    let (tx, rx) = chan::unbounded();
    for n in 0..5 {
        tx.try_send(bomb(n == 2)).ok().unwrap();
    }
    let mut rx = Some(rx);
    panics(&mut || drop(rx.take()));
    assert_eq!(dropped.swap(0, Ordering::SeqCst), 5);
    assert!(tx.is_closed());

    // With a send that waits.
    let (tx, rx) = chan::rendezvous();
    let mut send = Some(waiting(tx.send(bomb(true))));
    panics(&mut || drop(send.take()));
    assert!(rx.try_recv().is_err());
    drop(waiting(tx.send(bomb(false))));

    // In a drain, which takes the rest.
    let (tx, rx) = chan::unbounded();
    for n in 0..5 {
        tx.try_send(bomb(n == 2)).ok().unwrap();
    }
    dropped.store(0, Ordering::SeqCst);
    panics(&mut || rx.drain().for_each(drop));
    assert_eq!(dropped.load(Ordering::SeqCst), 5);
    tx.try_send(bomb(false)).ok().unwrap();
    assert_eq!(rx.len(), 1);

    // The value of a case that lost.
    let (full, _keep) = chan::rendezvous();
    panics(&mut || {
        gopark::select_blocking! {
            _ = full.send(bomb(true)) => unreachable!(),
            _ = rx.recv() => unreachable!("the panic comes before the body"),
        }
    });
    assert!(full.try_send(bomb(false)).unwrap_err().is_full());
}

#[test]
fn an_iterator_that_panics_in_send_many_leaves_the_channel_alone() {
    let (tx, rx) = chan::bounded(8);
    let messages = (0..).inspect(|&n| assert!(n < 3, "this iterator panics"));
    let panicked = catch_unwind(AssertUnwindSafe(|| tx.send_many(messages).now_or_never()));
    assert!(panicked.is_err());
    tx.try_send(7).unwrap();
    assert_eq!(rx.drain().next(), Some(7));
}

#[test]
fn messages_without_size_are_counted() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let waits = waiting(rx.recv());
        tx.try_send(()).unwrap();
        assert_eq!(waits.woken(), Ok(()));
        let sends: Vec<_> = (0..5).map(|_| driven(tx.send(()))).collect();
        for mut send in sends {
            let _ = send.poll();
            assert_eq!(rx.try_recv(), Ok(()));
        }
        assert!(rx.try_recv().unwrap_err().is_empty());
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(align(256))]
struct Aligned(u8);

#[test]
fn messages_stand_where_their_alignment_wants_them() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let mut sends: Vec<_> = (0..5).map(|n| driven(tx.send(Aligned(n)))).collect();
        for send in &mut sends {
            let _ = send.poll();
        }
        for n in 0..5 {
            let received = rx.try_recv().unwrap();
            assert_eq!((&raw const received).addr() % 256, 0);
            assert_eq!(received, Aligned(n));
        }
    }
}

#[test]
fn large_messages_come_through_whole() {
    let _alarm = alarm();
    const SIZE: usize = 64 * 1024;
    let whole = |n: u8| -> [u8; SIZE] { std::array::from_fn(|at| n.wrapping_add(at as u8)) };
    std::thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(move || {
            for capacity in CAPACITIES {
                let (tx, rx) = channel(capacity);
                let sender = std::thread::Builder::new()
                    .stack_size(16 << 20)
                    .spawn(move || (0..20).for_each(|n| tx.send_blocking(whole(n)).unwrap()))
                    .unwrap();
                for n in 0..20 {
                    assert!(rx.recv_blocking() == Ok(whole(n)));
                }
                sender.join().unwrap();
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

/// A clone of a message is nothing that a channel makes.
#[test]
fn messages_are_moved_and_never_cloned() {
    #[derive(Debug)]
    struct NoClone(u8);
    impl Clone for NoClone {
        fn clone(&self) -> Self {
            panic!("a channel clones nothing")
        }
    }
    let (tx, rx) = chan::bounded(1);
    let more = tx.clone();
    more.try_send(NoClone(1)).unwrap();
    assert!(more.same_channel(&tx));
    let mut send = pin!(tx.send(NoClone(2)));
    assert!(send.as_mut().now_or_never().is_none());
    let other = rx.clone();
    assert_eq!(other.try_recv().unwrap().0, 1);
    assert!(other.same_channel(&rx));
}

/// Each panics when it is dropped. Two panics at a time would end the process.
#[test]
fn messages_that_panic_when_they_are_dropped_are_all_dropped() {
    struct Panics<'a>(&'a AtomicUsize);
    impl Drop for Panics<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a message panics");
        }
    }
    let dropped = AtomicUsize::new(0);
    let (tx, rx) = chan::bounded(3);
    (0..3).for_each(|_| tx.try_send(Panics(&dropped)).ok().unwrap());
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(rx)));
    let payload = panicked.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"a message panics"));
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
    // And while the thread panics for another reason.
    let (tx, rx) = chan::bounded(3);
    (0..3).for_each(|_| tx.try_send(Panics(&dropped)).ok().unwrap());
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _rx = rx;
        panic!("another reason");
    }));
    let payload = panicked.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"another reason"));
    assert_eq!(dropped.load(Ordering::Relaxed), 6);
}
