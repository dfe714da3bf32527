//! Models of `executor/src/chan/{lock,op,state}.rs`: who waits at a channel, who fires it, and who goes.
//!
//! The futures around them are stand-ins (`steps.rs`). The cells in the real files are not loom's, so each
//! model leaves a cell of its own where a race would be: in the waker, and beside what is sent.

#[path = "../../../executor/src/chan/lock.rs"]
pub(crate) mod lock;
#[path = "../../../executor/src/chan/op.rs"]
mod op;
mod place;
#[path = "../../../executor/src/chan/state.rs"]
mod state;
#[cfg(test)]
mod steps;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use loom::cell::UnsafeCell;
    use loom::thread;

    use super::lock::{Everywhere, Lock};
    use super::op::{Fired, Op};
    use super::state::NotReceived;
    use super::steps::{
        Alone, Chan, Select, Sleeper, chan, close, give_back, share, try_recv, try_send,
    };
    use crate::check::check;

    type Counted = Lock<UnsafeCell<u32>>;

    fn enter(lock: &Counted) {
        // SAFETY: (1) the lock is held; loom watches.
        lock.lock().with_mut(|count| unsafe { *count += 1 });
    }

    fn entered(lock: &Counted) -> u32 {
        // SAFETY: (1) the lock is held; loom watches.
        lock.lock().with(|count| unsafe { *count })
    }

    /// A lock that each thread owns which takes it twice in a row, as this one has.
    fn owned() -> Counted {
        let lock = Lock::with_needed(UnsafeCell::new(0), 1);
        enter(&lock);
        enter(&lock);
        assert!(lock.is_mine());
        lock
    }

    #[test]
    fn the_lock_lets_one_in_at_a_time() {
        check(3, || {
            let shared = share(Lock::new(UnsafeCell::new(0)));
            let other = thread::spawn({
                let shared = shared.clone();
                move || (0..2).for_each(|_| enter(&shared.0))
            });
            enter(&shared.0);
            other.join().unwrap();
            assert_eq!(entered(&shared.0), 3);
        });
    }

    #[test]
    fn an_owner_is_not_inside_when_another_is() {
        check(3, || {
            let shared = share(owned());
            let other = thread::spawn({
                let shared = shared.clone();
                move || enter(&shared.0)
            });
            enter(&shared.0);
            enter(&shared.0);
            other.join().unwrap();
            assert_eq!(entered(&shared.0), 5);
        });
    }

    #[test]
    fn who_revokes_may_become_the_owner() {
        check(3, || {
            let shared = share(owned());
            let other = thread::spawn({
                let shared = shared.clone();
                move || (0..3).for_each(|_| enter(&shared.0))
            });
            enter(&shared.0);
            other.join().unwrap();
            assert_eq!(entered(&shared.0), 6);
        });
    }

    /// Then what says that the owner has gone out is that it went into the other.
    #[test]
    fn who_revokes_may_find_the_owner_inside_another_lock() {
        check(3, || {
            let shared = share([owned(), owned()]);
            let other = thread::spawn({
                let shared = shared.clone();
                move || enter(&shared.0[0])
            });
            enter(&shared.0[0]);
            enter(&shared.0[1]);
            other.join().unwrap();
            assert_eq!(entered(&shared.0[0]), 4);
        });
    }

    /// A look over two locks is one: it sees nothing of the second entry without the first.
    #[test]
    fn an_owner_is_inside_of_all_its_locks_at_once() {
        check(3, || {
            let shared = share([owned(), owned()]);
            let other = thread::spawn({
                let shared = shared.clone();
                move || shared.0.iter().for_each(enter)
            });
            let everywhere = Everywhere::enter().unwrap();
            let [a, b] = &shared.0;
            if everywhere.holds(a.raw()) && everywhere.holds(b.raw()) {
                let seen = [a, b].map(|lock| {
                    // SAFETY: (1) the lock is held.
                    let count = unsafe { lock.value() };
                    // SAFETY: (1) as above; loom watches.
                    count.with(|count| unsafe { *count })
                });
                assert_ne!(seen, [2, 3], "the look was smeared over time");
            }
            drop(everywhere);
            other.join().unwrap();
            assert_eq!([entered(a), entered(b)], [3, 3]);
        });
    }

    #[test]
    fn an_owner_that_holds_the_lock_by_the_exchange_is_not_joined() {
        check(3, || {
            let shared = share(owned());
            let other = thread::spawn({
                let shared = shared.clone();
                move || enter(&shared.0)
            });
            // Beyond the places: as a select takes the fifth of its locks.
            let entry = shared.0.raw().acquire(super::lock::PLACES);
            // SAFETY: (1) the lock is held; loom watches.
            unsafe { shared.0.value() }.with_mut(|count| unsafe { *count += 1 });
            // SAFETY: (1) taken above.
            unsafe { shared.0.raw().release(entry) };
            other.join().unwrap();
            assert_eq!(entered(&shared.0), 4);
        });
    }

    #[test]
    fn a_receive_that_is_dropped_as_its_message_comes_passes_it_on() {
        check(3, || {
            let shared = share(chan(0));
            let chan = &shared.0;
            let sleepers = [Sleeper::new(), Sleeper::new()];
            let (first, second) = (Alone::new(), Alone::new());
            assert!(first.recv(chan, &sleepers[0]).is_none());
            assert!(second.recv(chan, &sleepers[1]).is_none());
            let sender = thread::spawn({
                let shared = shared.clone();
                move || try_send(&shared.0, 7).unwrap()
            });
            first.withdraw(chan);
            let what = second.wait(&sleepers[1]);
            assert_eq!(second.conclude(chan, what), Ok(7));
            sender.join().unwrap();
            assert_eq!(chan.lock().len(), 0);
        });
    }

    /// A receive waits, is promised a message, and is dropped; a send waits behind that, and another receives.
    #[test]
    fn a_receive_that_meets_a_send_takes_what_was_sent_before() {
        check(3, || {
            let shared = share(chan(0));
            let chan = &shared.0;
            let sleepers = [Sleeper::new(), Sleeper::new()];
            let (first, send) = (Alone::new(), Alone::new());
            assert!(first.recv(chan, &sleepers[0]).is_none());
            try_send(chan, 0).unwrap();
            assert!(send.send(chan, 1, &sleepers[1]).is_none());
            let other = thread::spawn({
                let shared = shared.clone();
                move || try_recv(&shared.0)
            });
            first.withdraw(chan);
            let mut got = vec![other.join().unwrap().unwrap()];
            got.extend(try_recv(chan));
            assert_eq!(got, [0, 1]);
            assert_eq!(send.wait(&sleepers[1]), Fired::Sent);
            drop(send);
        });
    }

    #[test]
    fn a_receive_that_is_polled_with_another_waker_is_woken_or_sees_the_message() {
        check(3, || {
            let shared = share((chan(1), UnsafeCell::new(0)));
            let (chan, beside) = &shared.0;
            let receive = Alone::new();
            assert!(receive.recv(chan, &Sleeper::new()).is_none());
            let sender = thread::spawn({
                let shared = shared.clone();
                move || {
                    // SAFETY: (1) loom watches.
                    shared.0.1.with_mut(|beside| unsafe { *beside = 1 });
                    try_send(&shared.0.0, 7).unwrap();
                }
            });
            // Made meanwhile: who fires must not have it before it is left.
            let sleeper = Sleeper::new();
            let what = match receive.rewake(chan, &sleeper) {
                Some(what) => what,
                None => receive.wait(&sleeper),
            };
            assert_eq!(receive.conclude(chan, what), Ok(7));
            // SAFETY: (1) loom watches: what was done before the send is seen after the receive.
            assert_eq!(beside.with(|beside| unsafe { *beside }), 1);
            sender.join().unwrap();
        });
    }

    #[test]
    fn a_select_that_is_polled_with_another_waker_is_woken_or_sees_the_message() {
        check(3, || {
            let shared = share([chan(0), chan(0)]);
            let select = Select::begin(&shared.0, &Sleeper::new());
            let sender = thread::spawn({
                let shared = shared.clone();
                move || try_send(&shared.0[1], 7).unwrap()
            });
            // As above.
            let sleeper = Sleeper::new();
            if select.op.rewake(&Waker::from(sleeper.clone())).is_none() {
                select.wait(&sleeper);
            }
            assert_eq!(select.finish(&shared.0, true), Some(7));
            sender.join().unwrap();
        });
    }

    #[test]
    fn of_two_channels_that_fire_a_select_one_commits() {
        check(3, || {
            let shared = share([chan(0), chan(0)]);
            let sleeper = Sleeper::new();
            let select = Select::begin(&shared.0, &sleeper);
            let sender = thread::spawn({
                let shared = shared.clone();
                move || try_send(&shared.0[1], 1).is_ok()
            });
            let here = try_send(&shared.0[0], 0).is_ok();
            let there = sender.join().unwrap();
            assert!(here != there, "both were sent, or neither");
            select.wait(&sleeper);
            assert_eq!(select.finish(&shared.0, true), Some(u32::from(there)));
            assert!(try_send(&shared.0[0], 2).is_err());
        });
    }

    #[test]
    fn a_select_that_is_dropped_while_two_channels_fire_it_loses_nothing() {
        check(2, || {
            let shared = share([chan(0), chan(0)]);
            let sleeper = Sleeper::new();
            let select = Select::begin(&shared.0, &sleeper);
            let senders = [0, 1].map(|at| {
                let shared = shared.clone();
                thread::spawn(move || try_send(&shared.0[at], at as u32).is_ok())
            });
            assert_eq!(select.finish(&shared.0, false), None);
            let sent = senders.map(|sender| sender.join().unwrap());
            assert!(sent != [true, true]);
            for (at, sent) in sent.into_iter().enumerate() {
                let left = try_recv(&shared.0[at]);
                assert_eq!(left.ok(), sent.then_some(at as u32));
            }
        });
    }

    /// Reserves both places, waits for them if it must, and gives them back.
    fn reserve_both(chan: &Chan) {
        let sleeper = Sleeper::new();
        let reserve = Alone::new();
        if reserve.reserve(chan, 2, &sleeper).is_none() {
            assert_eq!(reserve.wait(&sleeper), Fired::Granted);
        }
        assert!(!chan.lock().has_room());
        drop(reserve);
        give_back(chan, 2);
    }

    #[test]
    fn two_that_reserve_all_places_both_get_them() {
        check(3, || {
            let shared = share(chan(2));
            // One place comes free by a receive.
            try_send(&shared.0, 7).unwrap();
            let other = thread::spawn({
                let shared = shared.clone();
                move || reserve_both(&shared.0)
            });
            try_recv(&shared.0).unwrap();
            reserve_both(&shared.0);
            other.join().unwrap();
            assert_eq!(shared.0.lock().room(), 2);
        });
    }

    #[test]
    fn a_reservation_of_several_that_is_dropped_as_places_come_passes_them_on() {
        check(3, || {
            let shared = share(chan(2));
            let chan = &shared.0;
            chan.lock().try_reserve(2).unwrap();
            let sleepers = [Sleeper::new(), Sleeper::new()];
            let (first, second) = (Alone::new(), Alone::new());
            assert!(first.reserve(chan, 2, &sleepers[0]).is_none());
            assert!(second.reserve(chan, 2, &sleepers[1]).is_none());
            let other = thread::spawn({
                let shared = shared.clone();
                move || (0..2).for_each(|_| give_back(&shared.0, 1))
            });
            first.withdraw_places(chan, 2);
            assert_eq!(second.wait(&sleepers[1]), Fired::Granted);
            second.withdraw_places(chan, 2);
            other.join().unwrap();
            assert_eq!(chan.lock().room(), 2);
        });
    }

    #[test]
    fn a_close_a_send_that_waits_and_a_receive_agree() {
        check(3, || {
            let shared = share(chan(0));
            let chan = &shared.0;
            let sleeper = Sleeper::new();
            let send = Alone::new();
            assert!(send.send(chan, 7, &sleeper).is_none());
            let closer = thread::spawn({
                let shared = shared.clone();
                move || assert!(close(&shared.0))
            });
            let received = try_recv(chan);
            let what = send.wait(&sleeper);
            drop(send);
            match received {
                Ok(value) => assert_eq!((value, what), (7, Fired::Sent)),
                Err(error) => assert_eq!((error, what), (NotReceived::Closed, Fired::Closed)),
            }
            closer.join().unwrap();
        });
    }

    /// Two wait. The second learns of the end once the first has taken what was sent before it; or gets
    /// it, if the first is dropped.
    fn two_receives_that_wait(first_is_dropped: bool) {
        check(3, move || {
            let shared = share(chan(1));
            let chan = &shared.0;
            let sleepers = [Sleeper::new(), Sleeper::new()];
            let (first, second) = (Alone::new(), Alone::new());
            assert!(first.recv(chan, &sleepers[0]).is_none());
            assert!(second.recv(chan, &sleepers[1]).is_none());
            let closer = thread::spawn({
                let shared = shared.clone();
                move || assert!(close(&shared.0))
            });
            let sent = try_send(chan, 7).is_ok();
            let mut got = Vec::new();
            if first_is_dropped {
                first.withdraw(chan);
            } else {
                let what = first.wait(&sleepers[0]);
                got.extend(first.conclude(chan, what));
            }
            let what = second.wait(&sleepers[1]);
            got.extend(second.conclude(chan, what));
            assert_eq!(got, if sent { vec![7] } else { vec![] });
            closer.join().unwrap();
        });
    }

    #[test]
    fn a_close_a_send_and_receives_that_wait_agree() {
        two_receives_that_wait(false);
    }

    #[test]
    fn a_close_leaves_the_last_message_to_who_waits_behind_a_receive_that_is_dropped() {
        two_receives_that_wait(true);
    }

    /// Op rule 4, for an operation that waits alone: who fires it does all it has to do before the store.
    #[test]
    fn an_owner_goes_only_after_who_fired_it_has_done() {
        check(3, || {
            let shared = share((Lock::new(()), Op::alone(), UnsafeCell::new(0)));
            let (lock, op, slot) = &shared.0;
            let sleeper = Sleeper::new();
            {
                let _guard = lock.lock();
                op.begin(Waker::from(sleeper.clone()));
            }
            let peer = thread::spawn({
                let shared = shared.clone();
                move || {
                    let (lock, op, slot) = &shared.0;
                    let guard = lock.lock();
                    // SAFETY: (1) loom watches.
                    let take = || assert_eq!(slot.with(|slot| unsafe { *slot }), 0);
                    let waker = op.fire(Fired::Sent, 0, take).expect("nobody else fires");
                    drop(guard);
                    waker.into_iter().for_each(Waker::wake);
                }
            });
            while op.fired().is_none() {
                sleeper.bell.wait();
            }
            // The owner goes, and another is in its place.
            // SAFETY: (1) loom watches.
            slot.with_mut(|slot| unsafe { *slot = 1 });
            peer.join().unwrap();
        });
    }

    /// Op rule 4, for a select: its owner passes through the lock.
    #[test]
    fn the_owner_of_a_select_goes_only_after_who_fired_it_has_done() {
        check(3, || {
            let shared = share((Lock::new(()), Op::new(), UnsafeCell::new(0)));
            let (lock, op, slot) = &shared.0;
            let sleepers = [Sleeper::new(), Sleeper::new()];
            {
                let _guard = lock.lock();
                op.begin(Waker::from(sleepers[0].clone()));
            }
            let peer = thread::spawn({
                let shared = shared.clone();
                move || {
                    let (lock, op, slot) = &shared.0;
                    let guard = lock.lock();
                    // SAFETY: (1) loom watches.
                    let take = || assert_eq!(slot.with(|slot| unsafe { *slot }), 0);
                    let waker = op.fire(Fired::Sent, 0, take).expect("nobody else fires");
                    // It takes the waker after the exchange, under the lock.
                    // SAFETY: (1) loom watches.
                    slot.with(|slot| assert_eq!(unsafe { *slot }, 0));
                    drop(guard);
                    waker.into_iter().for_each(Waker::wake);
                }
            });
            if op.rewake(&Waker::from(sleepers[1].clone())).is_none() {
                while op.fired().is_none() {
                    sleepers[1].bell.wait();
                }
            }
            assert!(op.withdraw().is_some());
            drop(lock.lock());
            // SAFETY: (1) loom watches.
            slot.with_mut(|slot| unsafe { *slot = 1 });
            drop(op.reset());
            peer.join().unwrap();
        });
    }
}
