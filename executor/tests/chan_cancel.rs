//! Operations on channels that are given up, at every stage: nothing is lost, doubled or left behind.

mod chan_support;

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use chan_support::{
    CAPACITIES, Random, alarm, channel, counted, driven, everywhere, rounds, seed, waiting,
};
use futures::{FutureExt, Stream, StreamExt};
use gopark::chan::{self, Receiver, Sender};

/// Receives once, or gives it up at a random stage.
async fn receive_or_not(rx: &Receiver<usize>, random: &mut Random) -> Option<Option<usize>> {
    match random.below(6) {
        // Polled once, and dropped.
        0 => rx.recv().now_or_never().map(Result::ok),
        // Polled, perhaps fired meanwhile, and dropped.
        1 => {
            let mut receive = pin!(rx.recv());
            if let Poll::Ready(received) = futures::poll!(&mut receive) {
                return Some(received.ok());
            }
            for _ in 0..random.below(4) {
                gopark::yield_now().await;
            }
            None
        }
        2 => gopark::select! {
            received = rx.recv() => Some(received.ok()),
            () = gopark::yield_now() => None,
        },
        3 => futures::select! {
            received = rx.recv().fuse() => Some(received.ok()),
            () = gopark::yield_now().fuse() => None,
        },
        4 => {
            let mut buffer = Vec::new();
            let count = rx.recv_many(&mut buffer, 1).now_or_never();
            count.map(|_| buffer.pop())
        }
        _ => Some(rx.recv().await.ok()),
    }
}

async fn send_all(tx: Sender<usize>, messages: usize) -> Vec<usize> {
    for message in 0..messages {
        tx.send(message).await.unwrap();
    }
    Vec::new()
}

async fn receive_all(rx: Receiver<usize>, mut random: Random) -> Vec<usize> {
    let mut got = Vec::new();
    loop {
        match receive_or_not(&rx, &mut random).await {
            Some(Some(message)) => got.push(message),
            Some(None) => return got,
            None => {}
        }
    }
}

#[test]
fn receives_dropped_at_any_stage_lose_nothing_and_keep_the_order() {
    let _alarm = alarm();
    let messages = rounds(20_000);
    let seed = seed();
    for capacity in CAPACITIES {
        everywhere(
            || {
                let (tx, rx) = channel(capacity);
                let receive = receive_all(rx, Random::new(seed));
                vec![send_all(tx, messages).boxed(), receive.boxed()]
            },
            |got| {
                let expected: Vec<_> = (0..messages).collect();
                assert!(got[1] == expected, "capacity {capacity}: {:?}", got[1]);
            },
        );
    }
}

#[test]
fn several_receivers_that_drop_their_receives_get_each_message_once() {
    let _alarm = alarm();
    let messages = rounds(10_000);
    let mut random = Random::new(seed());
    for capacity in CAPACITIES {
        let seeds = [random.next(), random.next(), random.next()];
        everywhere(
            || {
                let (tx, rx) = channel(capacity);
                let mut all = vec![send_all(tx.clone(), messages).boxed()];
                all.push(send_all(tx, messages).boxed());
                for seed in seeds {
                    all.push(receive_all(rx.clone(), Random::new(seed)).boxed());
                }
                all
            },
            |got| {
                let mut got: Vec<_> = got.into_iter().flatten().collect();
                got.sort_unstable();
                let expected: Vec<_> = (0..2 * messages).map(|n| n / 2).collect();
                assert!(
                    got == expected,
                    "capacity {capacity}: {} messages",
                    got.len()
                );
            },
        );
    }
}

#[test]
fn a_promise_passes_from_receiver_to_receiver_and_keeps_its_place() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let first = waiting(rx.recv());
        let second = waiting(rx.recv());
        let third = waiting(rx.recv());
        tx.try_send(1).unwrap();
        tx.try_send(2).unwrap();
        assert_eq!((first.wakes(), second.wakes(), third.wakes()), (1, 1, 0));
        drop(first);
        assert_eq!(third.wakes(), 1);
        drop(second);
        // Nobody else waits: one message is anybody's, and it is the first.
        assert_eq!(rx.try_recv(), Ok(1));
        assert!(rx.try_recv().unwrap_err().is_empty());
        assert_eq!(third.woken(), Ok(2));
    }
}

#[test]
fn a_promise_that_nobody_takes_up_is_received_by_whoever_comes() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let receive = waiting(rx.recv());
        tx.try_send(1).unwrap();
        assert!(rx.try_recv().unwrap_err().is_empty(), "it is promised");
        drop(receive);
        assert_eq!(rx.len(), capacity.min(1));
        assert_eq!(rx.recv().now_or_never(), Some(Ok(1)));
        // The capacity is what it was.
        assert_eq!(tx.is_full(), capacity == 0);
    }
}

#[test]
fn a_stream_that_is_dropped_passes_its_promise_on() {
    let (tx, rx) = chan::bounded(1);
    let mut stream = rx.clone();
    let (wakes, waker) = counted();
    let mut cx = Context::from_waker(&waker);
    assert!(pin!(&mut stream).poll_next(&mut cx).is_pending());
    let receive = waiting(rx.recv());
    tx.try_send(1).unwrap();
    assert_eq!((wakes.get(), receive.wakes()), (1, 0));
    drop(stream);
    assert_eq!(receive.woken(), Ok(1));
}

#[test]
fn of_a_stream_a_dropped_next_loses_nothing() {
    let (tx, mut rx) = chan::bounded(1);
    assert!(rx.next().now_or_never().is_none());
    tx.try_send(1).unwrap();
    assert_eq!(rx.next().now_or_never(), Some(Some(1)));
}

#[test]
fn a_promise_is_kept_although_the_channel_is_closed() {
    let (tx, rx) = chan::bounded(1);
    let first = waiting(rx.recv());
    let second = waiting(rx.recv());
    tx.try_send(1).unwrap();
    drop(tx);
    // The second may still get what the first leaves.
    assert_eq!(second.wakes(), 0);
    assert!(rx.try_recv().unwrap_err().is_empty());
    drop(first);
    assert_eq!(second.woken(), Ok(1));
    assert!(rx.try_recv().unwrap_err().is_disconnected());
}

#[test]
fn the_last_promise_of_a_closed_channel_ends_who_waits_behind_it() {
    let (tx, rx) = chan::bounded(1);
    let first = waiting(rx.recv());
    let second = waiting(rx.recv());
    tx.try_send(1).unwrap();
    drop(tx);
    assert_eq!(first.woken(), Ok(1));
    assert!(second.woken().is_err());
}

/// Polled no more, and not dropped: it keeps the one message that it was promised.
#[test]
fn a_forgotten_receive_keeps_one_message_only() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let forgotten = waiting(rx.recv());
        tx.try_send(0).unwrap();
        for message in 1..10 {
            let receive = waiting(rx.recv());
            assert_eq!(tx.send(message).now_or_never(), Some(Ok(())));
            assert_eq!(receive.wakes(), 1);
            drop(receive);
            // What was kept is a place in the order, and no certain message.
            assert_eq!(rx.try_recv(), Ok(message - 1));
        }
        assert!(rx.try_recv().unwrap_err().is_empty());
        assert_eq!(forgotten.woken(), Ok(9));
    }
}

/// `mem::forget` of a boxed receive: its memory stays, and so does its claim.
#[test]
fn a_leaked_receive_does_no_harm_when_the_channel_goes() {
    for promised in [false, true] {
        let (tx, rx) = chan::bounded(1);
        std::mem::forget(waiting(rx.recv()));
        if promised {
            tx.try_send(1).unwrap();
        }
        drop(rx);
        assert!(tx.is_closed());
        assert_eq!(tx.len(), 0);
        assert!(tx.try_send(2).unwrap_err().is_disconnected());
    }
}

#[test]
fn a_leaked_select_gives_its_cases_back_to_the_next() {
    let (tx, rx) = chan::bounded(1);
    let (to_full, from_full) = chan::bounded(1);
    to_full.try_send("first").unwrap();
    let mut select = chan::Select::new();
    let (receive, send) = (select.recv(&rx), select.send(&to_full, "second"));
    std::mem::forget(waiting(select.select()));
    let mut other = waiting(select.select());
    tx.try_send(1).unwrap();
    let Poll::Ready(mut selected) = other.poll() else {
        panic!("a message has come");
    };
    assert_eq!(selected.index(), receive);
    assert_eq!(selected.recv(&rx), Ok(1));
    drop((selected, other));
    // The send of the leaked one happens, or that of the next, but not both.
    std::mem::forget(waiting(select.select()));
    assert_eq!(from_full.try_recv(), Ok("first"));
    let mut selected = select
        .select()
        .now_or_never()
        .expect("there is room, or it is done");
    assert_eq!(selected.index(), send);
    assert_eq!(selected.send(&to_full), Ok(()));
    drop((selected, select));
    assert_eq!(from_full.drain().collect::<Vec<_>>(), ["second"]);
}

#[test]
fn only_the_last_waker_is_woken() {
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let mut receive = driven(rx.recv());
        let wakers = [counted(), counted(), counted()];
        for (_, waker) in &wakers {
            assert!(receive.poll_with(waker).is_pending());
            assert!(receive.poll_with(waker).is_pending());
        }
        tx.try_send(1).unwrap();
        assert_eq!(wakers.each_ref().map(|(wakes, _)| wakes.get()), [0, 0, 1]);
    }
}

#[test]
fn only_the_last_waker_of_a_send_a_reservation_and_a_select_is_woken() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(0).unwrap();
    let wakers = [counted(), counted()];
    let mut send = driven(tx.send(1));
    let mut reserve = driven(tx.reserve());
    let mut select = driven(async {
        gopark::select! {
            sent = tx.send(2) => sent.unwrap(),
            _ = chan::never::<()>() => unreachable!(),
        }
    });
    let mut closed = driven(tx.closed());
    for (_, waker) in &wakers {
        assert!(send.poll_with(waker).is_pending());
        assert!(reserve.poll_with(waker).is_pending());
        assert!(select.poll_with(waker).is_pending());
        assert!(closed.poll_with(waker).is_pending());
    }
    let woken = || wakers.each_ref().map(|(wakes, _)| wakes.get());
    assert_eq!(rx.try_recv(), Ok(0));
    assert_eq!(woken(), [0, 1]);
    assert!(send.poll().is_ready());
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(woken(), [0, 2]);
    assert!(reserve.poll().is_ready());
    assert_eq!(woken(), [0, 3]);
    assert!(select.poll().is_ready());
    rx.close();
    assert_eq!(woken(), [0, 4]);
}

/// The waker changes as the message comes: the one that was left last is woken, or the poll that left it
/// sees the message.
#[test]
fn a_waker_that_changes_while_a_message_comes_misses_nothing() {
    let _alarm = alarm();
    let (tx, rx) = chan::rendezvous::<usize>();
    let turn = AtomicUsize::new(0);
    let rounds = rounds(8_000);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                while turn.load(Ordering::SeqCst) <= round {
                    std::hint::spin_loop();
                    std::thread::yield_now();
                }
                // The receiver waits: this finds it.
                tx.try_send(round).unwrap();
            }
        });
        for round in 0..rounds {
            let mut receive = waiting(rx.recv());
            turn.store(round + 1, Ordering::SeqCst);
            let (wakes, waker) = loop {
                let (wakes, waker) = counted();
                match receive.poll_with(&waker) {
                    Poll::Ready(got) => {
                        assert_eq!(got, Ok(round));
                        break (None, waker);
                    }
                    Poll::Pending if round % 2 == 0 => break (Some(wakes), waker),
                    Poll::Pending => {}
                }
            };
            if let Some(wakes) = wakes {
                while wakes.get() == 0 {
                    std::thread::yield_now();
                }
                assert_eq!(receive.poll_with(&waker), Poll::Ready(Ok(round)));
            }
        }
    });
}

#[test]
fn a_send_that_is_cancelled_tells_whether_it_has_happened() {
    let (tx, rx) = chan::rendezvous();
    let mut fresh = pin!(tx.send(1));
    assert_eq!(fresh.as_mut().cancel(), Some(1));
    assert_eq!(fresh.as_mut().cancel(), None);
    let mut waits = waiting(tx.send(2));
    assert_eq!(waits.future.as_mut().cancel(), Some(2));
    assert!(rx.try_recv().unwrap_err().is_empty());
    let mut sent = waiting(tx.send(3));
    assert_eq!(rx.try_recv(), Ok(3));
    assert_eq!(sent.future.as_mut().cancel(), None);
    let mut closed = waiting(tx.send(4));
    rx.close();
    assert_eq!(closed.future.as_mut().cancel(), Some(4));
}

#[test]
fn sends_cancelled_in_a_race_are_received_or_come_back() {
    let _alarm = alarm();
    let messages = rounds(40_000);
    for capacity in [0, 1] {
        let (tx, rx) = channel(capacity);
        let (sent, got) = std::thread::scope(|scope| {
            let receiver = scope.spawn(|| {
                let mut got = Vec::new();
                loop {
                    match rx.try_recv() {
                        Ok(message) => got.push(message),
                        Err(error) if error.is_empty() => std::hint::spin_loop(),
                        Err(_) => return got,
                    }
                }
            });
            let mut sent = Vec::new();
            for message in 0..messages {
                let mut send = driven(tx.send(message));
                if send.poll().is_ready() {
                    sent.push(message);
                    continue;
                }
                for _ in 0..message % 50 {
                    std::hint::spin_loop();
                }
                match send.future.as_mut().cancel() {
                    Some(back) => assert_eq!(back, message),
                    None => sent.push(message),
                }
            }
            tx.close();
            (sent, receiver.join().unwrap())
        });
        assert!(sent == got, "{} sent, {} received", sent.len(), got.len());
    }
}

#[test]
fn send_opt_leaves_what_is_not_sent() {
    let (tx, rx) = chan::bounded(1);
    let mut slot = Some(1);
    assert_eq!(tx.send_opt(&mut slot).now_or_never(), Some(Ok(())));
    assert_eq!(slot.replace(2), None);
    assert!(tx.send_opt(&mut slot).now_or_never().is_none());
    assert_eq!(slot, Some(2));
    drop(tx.send_opt(&mut slot));
    let send = waiting(tx.send_opt(&mut slot));
    rx.close();
    assert!(send.woken().is_err());
    assert_eq!(slot, Some(2));
}

/// A waker whose clone looks into the channel: it is cloned outside the lock.
#[test]
fn wakers_may_use_the_channel() {
    use std::sync::Arc;
    use std::task::Wake;
    struct Looks(Receiver<u8>);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            assert_eq!(self.0.sender_count(), 1);
            let _ = self.0.len();
        }
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = self.0.len();
        }
    }
    let (tx, rx) = chan::bounded(1);
    let mut receive = driven(rx.recv());
    for _ in 0..3 {
        // Nobody else keeps the waker: the channel drops it when another comes.
        let waker = Waker::from(Arc::new(Looks(rx.clone())));
        assert!(receive.poll_with(&waker).is_pending());
    }
    tx.try_send(1).unwrap();
    assert_eq!(receive.poll(), Poll::Ready(Ok(1)));
}
