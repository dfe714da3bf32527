//! The broadcast channel: `shared`, `ring` and `value` of `executor/src/sync/broadcast`, who sends against who
//! receives, and receivers against each other.
//!
//! Besides its own claim every model checks that each value is dropped once (its count of references is one in
//! the end), and that nobody reads a value which another has got itself (loom's cell).
//!
//! loom never lets a load see a store that is still to come. So no model shows why the exchange of a claim is a
//! Release and that of a loss an Acquire (*claim against the next value*): without them a processor may read
//! the pointer after the claim.

#[path = "../../executor/src/sync/broadcast/error.rs"]
mod error;
#[path = "../../executor/src/sync/broadcast/ring.rs"]
mod ring;
#[path = "../../executor/src/sync/broadcast/shared.rs"]
mod shared;
#[path = "../../executor/src/sync/broadcast/value.rs"]
mod value;

use error::TryRecvError;

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::Arc,
        task::{Poll, Waker},
    };

    use loom::thread;

    use super::{
        TryRecvError,
        shared::{Policy, Refused, Shared},
    };
    use crate::{
        check::{check, check_either, race},
        count::Count,
        gate::Place,
    };

    /// Allocated, so that a model sees a value that is dropped twice or not at all.
    type Value = Arc<u64>;

    /// The values of a model, numbered as they are sent.
    struct Values(Vec<Value>);

    impl Values {
        fn new(count: u64) -> Arc<Self> {
            Arc::new(Self((0..count).map(Arc::new).collect()))
        }

        fn get(&self, n: u64) -> Value {
            self.0[n as usize].clone()
        }

        fn assert_none_left(&self) {
            for value in &self.0 {
                assert_eq!(Arc::strong_count(value), 1, "a value was not dropped");
            }
        }
    }

    type Chan = Arc<Shared<Value>>;

    fn send(chan: &Chan, value: Value) -> usize {
        match chan.send(value) {
            Ok(receivers) => receivers,
            Err(Refused::NoReceiver(_)) => 0,
            Err(Refused::Full(_)) => panic!("no model fills a lossless channel with this"),
        }
    }

    /// A receiver as its owner would have it.
    struct Receiver {
        chan: Chan,
        next: u64,
    }

    impl Receiver {
        fn new(chan: &Chan) -> Self {
            let next = chan.add_receiver();
            let chan = chan.clone();
            Self { chan, next }
        }

        /// The number of the value it receives, after it has said how many it has lost.
        fn receive(&mut self) -> Result<u64, TryRecvError> {
            let before = self.next;
            match self.chan.take(&mut self.next) {
                Ok(share) => {
                    let value = *share.own();
                    assert_eq!(value, before);
                    Ok(value)
                }
                Err(TryRecvError::Lagged(count)) => {
                    assert!(count > 0);
                    assert_eq!(self.next, before + count);
                    Err(TryRecvError::Lagged(count))
                }
                Err(error) => Err(error),
            }
        }

        /// All that is there for it. It is told of each number once, be it received or lost.
        fn receive_all(&mut self) -> Vec<u64> {
            let mut got = Vec::new();
            loop {
                match self.receive() {
                    Ok(n) => got.push(n),
                    Err(TryRecvError::Lagged(_)) => {}
                    Err(_) => return got,
                }
            }
        }
    }

    impl Drop for Receiver {
        fn drop(&mut self) {
            self.chan.remove_receiver(self.next);
        }
    }

    #[test]
    fn two_who_claim_one_value_both_get_it() {
        check(3, || {
            let (chan, values) = (Shared::new(1, Policy::Lossy), Values::new(1));
            let (mut one, mut two) = (Receiver::new(&chan), Receiver::new(&chan));
            assert_eq!(send(&chan, values.get(0)), 2);
            let other = thread::spawn(move || assert_eq!(two.receive(), Ok(0)));
            assert_eq!(one.receive(), Ok(0));
            other.join().unwrap();
            assert_eq!(chan.len(), 0);
            values.assert_none_left();
        });
    }

    #[test]
    fn a_value_is_claimed_or_lost() {
        check_either(3, |left| {
            let (chan, values) = (Shared::new(1, Policy::Lossy), Values::new(2));
            let mut receiver = Receiver::new(&chan);
            assert_eq!(send(&chan, values.get(0)), 1);
            let receives = move || {
                let first = receiver.receive();
                assert!(matches!(first, Ok(0) | Err(TryRecvError::Lagged(1))));
                receiver
            };
            let (mut receiver, ()) = race(left, receives, {
                let values = values.clone();
                move || assert_eq!(send(&chan, values.get(1)), 1)
            });
            assert_eq!(receiver.receive(), Ok(1));
            assert_eq!(receiver.receive(), Err(TryRecvError::Empty));
            values.assert_none_left();
        });
    }

    #[test]
    fn the_place_of_a_value_is_used_again_while_it_is_received() {
        check_either(3, |left| {
            let (chan, values) = (Shared::new(1, Policy::Lossy), Values::new(3));
            let mut receiver = Receiver::new(&chan);
            assert_eq!(send(&chan, values.get(0)), 1);
            let receives = move || {
                let got = receiver.receive_all();
                (receiver, got)
            };
            let ((mut receiver, mut got), ()) = race(left, receives, {
                let values = values.clone();
                move || {
                    assert_eq!(send(&chan, values.get(1)), 1);
                    assert_eq!(send(&chan, values.get(2)), 1);
                }
            });
            got.extend(receiver.receive_all());
            assert!(got.is_sorted() && got.last() == Some(&2));
            values.assert_none_left();
        });
    }

    #[test]
    fn one_clones_what_is_lost_for_another() {
        check(2, || {
            let (chan, values) = (Shared::new(1, Policy::Lossy), Values::new(2));
            let (mut one, mut two) = (Receiver::new(&chan), Receiver::new(&chan));
            assert_eq!(send(&chan, values.get(0)), 2);
            let one = thread::spawn(move || {
                let _ = one.receive();
                one
            });
            let two = thread::spawn(move || {
                let _ = two.receive();
                two
            });
            assert_eq!(send(&chan, values.get(1)), 2);
            for receiver in [one, two] {
                let mut receiver = receiver.join().unwrap();
                assert_eq!(receiver.receive_all(), [1]);
            }
            assert_eq!(chan.len(), 0);
            values.assert_none_left();
        });
    }

    #[test]
    fn who_goes_leaves_nothing_behind() {
        check_either(3, |left| {
            let (chan, values) = (Shared::new(2, Policy::Lossy), Values::new(3));
            let receiver = Receiver::new(&chan);
            send(&chan, values.get(0));
            send(&chan, values.get(1));
            race(left, move || drop(receiver), {
                let (chan, values) = (chan.clone(), values.clone());
                move || {
                    send(&chan, values.get(2));
                }
            });
            assert_eq!((chan.len(), chan.receiver_count()), (0, 0));
            values.assert_none_left();
        });
    }

    #[test]
    fn who_goes_takes_nothing_that_is_sent_without_it() {
        check_either(3, |left| {
            let (chan, values) = (Shared::new(1, Policy::Lossy), Values::new(1));
            let (mut stays, goes) = (Receiver::new(&chan), Receiver::new(&chan));
            race(left, move || drop(goes), {
                let (chan, values) = (chan.clone(), values.clone());
                move || assert!(send(&chan, values.get(0)) >= 1)
            });
            assert_eq!(stays.receive(), Ok(0));
            assert_eq!(chan.len(), 0);
            values.assert_none_left();
        });
    }

    #[test]
    fn one_comes_while_another_receives_and_a_third_goes() {
        check(2, || {
            let (chan, values) = (Shared::new(2, Policy::Lossy), Values::new(2));
            let (mut stays, goes) = (Receiver::new(&chan), Receiver::new(&chan));
            assert_eq!(send(&chan, values.get(0)), 2);
            let goes = thread::spawn(move || drop(goes));
            let comes = thread::spawn({
                let chan = chan.clone();
                move || Receiver::new(&chan)
            });
            assert_eq!(stays.receive(), Ok(0));
            goes.join().unwrap();
            let mut comes = comes.join().unwrap();
            assert_eq!(chan.len(), 0);
            assert_eq!(send(&chan, values.get(1)), 2);
            assert_eq!(comes.receive(), Ok(1));
            assert_eq!(stays.receive(), Ok(1));
            values.assert_none_left();
        });
    }

    /// What `lossless::Sending` does at a poll.
    fn poll_send(
        chan: &Chan,
        value: &Value,
        place: &mut Pin<Box<Place<'static>>>,
        waker: &Waker,
    ) -> Poll<()> {
        loop {
            let before = chan.room.load();
            match chan.send(value.clone()) {
                Ok(_) => return Poll::Ready(()),
                Err(Refused::NoReceiver(_)) => panic!("there is one"),
                Err(Refused::Full(_)) => {}
            }
            let changed = |word| (word != before).then_some(());
            if place.as_mut().poll(waker, changed).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// One waits for room, and `makes_room` is what the receiver does meanwhile.
    fn room(preemptions: usize, makes_room: fn(Receiver) -> Option<Receiver>) {
        check_either(preemptions, move |left| {
            // Leaked, so that a place can be kept while threads come and go; what it holds is counted.
            let (chan, values) = (Shared::new(1, Policy::Lossless), Values::new(2));
            let chan: &'static Chan = Box::leak(Box::new(chan));
            let (receiver, stays) = (Receiver::new(chan), Receiver::new(chan));
            assert_eq!(send(chan, values.get(0)), 2);
            let mut stays = stays;
            assert_eq!(stays.receive(), Ok(0));
            let (count, waker) = Count::pair();
            let mut place = Box::pin(Place::new(&chan.room));
            let value = values.get(1);
            let sends = move || {
                let polled = poll_send(chan, &value, &mut place, &waker);
                (place, polled, waker, value)
            };
            let ((mut place, polled, waker, value), receiver) =
                race(left, sends, move || makes_room(receiver));
            if polled.is_pending() {
                assert!(count.wakes() > 0, "a sender waits beside the room");
                assert!(poll_send(chan, &value, &mut place, &waker).is_ready());
            }
            drop((place, waker, value, receiver));
            assert_eq!(stays.receive(), Ok(1));
            drop(stays);
            assert_eq!(count.wakes_in_all(), usize::from(polled.is_pending()));
            values.assert_none_left();
        });
    }

    #[test]
    fn who_waits_for_room_is_woken_by_the_last_that_receives() {
        room(3, |mut receiver| {
            assert_eq!(receiver.receive(), Ok(0));
            Some(receiver)
        });
    }

    #[test]
    fn who_waits_for_room_is_woken_by_who_goes() {
        room(3, |receiver| {
            drop(receiver);
            None
        });
    }
}
