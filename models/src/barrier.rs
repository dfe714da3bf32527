//! Models of `executor/src/sync/barrier.rs`: those who come, leave and come again around the end of a round.

use std::{
    pin::Pin,
    task::{Poll, Waker},
};

use loom::cell::UnsafeCell;

use crate::{
    check::{check, check_either, poll, race},
    count::Count,
    leaked::Leaked,
    signals::barrier::{Barrier, BarrierWaitResult},
};

type Waiting = Pin<Box<dyn Future<Output = BarrierWaitResult>>>;

/// A wait that has not begun.
fn wait(barrier: Leaked<Barrier>) -> Waiting {
    Box::pin(barrier.0.wait())
}

/// Whether it is over, and if so, whether it leads.
fn come(waiting: &mut Waiting, waker: &Waker) -> Option<bool> {
    match poll(waiting, waker) {
        Poll::Ready(result) => Some(result.is_leader()),
        Poll::Pending => None,
    }
}

/// Nobody waits in the present round: of two who come, the second leads.
fn assert_round_is_new(barrier: Leaked<Barrier>) {
    let (mut one, mut other) = (wait(barrier), wait(barrier));
    assert_eq!(come(&mut one, Waker::noop()), None, "somebody was counted");
    assert_eq!(come(&mut other, Waker::noop()), Some(true));
    assert_eq!(come(&mut one, Waker::noop()), Some(false));
}

/// One leads, the other is told, and each sees what the other did before.
#[test]
fn two_who_come_at_once_meet() {
    check_either(3, |left| {
        struct Left([UnsafeCell<u32>; 2]);
        // SAFETY: (1) each cell is written before its writer comes, and read after both have met: loom checks.
        unsafe impl Sync for Left {}
        let barrier = Leaked::new(Barrier::new(2));
        let behind = Leaked::new(Left([UnsafeCell::new(0), UnsafeCell::new(0)]));
        let read = move |other: usize| {
            // SAFETY: (1) loom watches.
            assert_eq!(behind.0.0[other].with(|value| unsafe { *value }), 1);
        };
        let come_as = move |own: usize| {
            let (count, waker) = Count::pair();
            // SAFETY: (1) loom watches.
            behind.0.0[own].with_mut(|value| unsafe { *value = 1 });
            let mut waiting = wait(barrier);
            let came = come(&mut waiting, &waker);
            if came.is_some() {
                read(1 - own);
            }
            (waiting, came, count)
        };
        let results = race(left, move || come_as(0), move || come_as(1));
        let mut leaders = 0;
        for (mut waiting, came, count) in [results.0, results.1] {
            assert_eq!(count.wakes(), usize::from(came.is_none()), "a lost wake-up");
            let leads = came.or_else(|| come(&mut waiting, Waker::noop()));
            leaders += usize::from(leads.expect("both have come"));
        }
        assert_eq!(leaders, 1);
        assert_round_is_new(barrier);
        behind.free();
        barrier.free();
    });
}

/// "Cancel against the end of a round".
#[test]
fn who_leaves_as_the_last_comes_was_counted_or_takes_its_arrival_back() {
    check_either(3, |left| {
        let barrier = Leaked::new(Barrier::new(2));
        let mut leaves = wait(barrier);
        assert_eq!(come(&mut leaves, Waker::noop()), None);
        let (count, waker) = Count::pair();
        let ((), (mut last, came)) = race(
            left,
            move || drop(leaves),
            move || {
                let mut last = wait(barrier);
                let came = come(&mut last, &waker);
                (last, came)
            },
        );
        match came {
            Some(leads) => assert!(leads),
            None => {
                let mut other = wait(barrier);
                assert_eq!(come(&mut other, Waker::noop()), Some(true));
                assert_eq!(count.wakes(), 1, "a lost wake-up");
                assert_eq!(come(&mut last, Waker::noop()), Some(false));
            }
        }
        drop(last);
        assert_round_is_new(barrier);
        barrier.free();
    });
}

/// A round of three ends, and its waiters are told in batches. One of them leaves before it is told, and
/// comes again: that counts for the next round, and is not told with the last.
#[test]
fn who_comes_again_while_a_round_ends_is_of_the_next() {
    check_either(2, |left| {
        let barrier = Leaked::new(Barrier::new(3));
        let (count, waker) = Count::pair();
        let (mut stays, mut leaves) = (wait(barrier), wait(barrier));
        assert_eq!(come(&mut stays, &waker), None);
        assert_eq!(come(&mut leaves, Waker::noop()), None);
        let ((mut last, ended), (mut again, came)) = race(
            left,
            move || {
                let mut last = wait(barrier);
                let ended = come(&mut last, Waker::noop());
                (last, ended)
            },
            move || {
                drop(leaves);
                let mut again = wait(barrier);
                let came = come(&mut again, Waker::noop());
                (again, came)
            },
        );
        if ended == Some(true) && came.is_none() {
            // The round ended with the one who left, or with it come again before that.
            let of_the_round = come(&mut again, Waker::noop()).is_some();
            assert_eq!((of_the_round, count.wakes()), (of_the_round, 1));
            if !of_the_round {
                let (mut second, mut third) = (wait(barrier), wait(barrier));
                assert_eq!(come(&mut second, Waker::noop()), None, "counted twice");
                assert_eq!(come(&mut third, Waker::noop()), Some(true));
                assert_eq!(come(&mut again, Waker::noop()), Some(false));
                assert_eq!(come(&mut second, Waker::noop()), Some(false));
            }
        } else {
            // It left first, and came last.
            assert_eq!((ended, came), (None, Some(true)));
            assert_eq!(come(&mut last, Waker::noop()), Some(false));
        }
        assert_eq!(come(&mut stays, &waker), Some(false));
        drop((stays, last, again));
        barrier.free();
    });
}

/// The same the other way about: who has come for the next round stays counted there when one leaves who
/// was counted in the last, and is not told with it.
#[test]
fn who_leaves_after_its_round_takes_nothing_from_the_next() {
    check_either(2, |left| {
        let barrier = Leaked::new(Barrier::new(3));
        let (mut stays, mut leaves) = (wait(barrier), wait(barrier));
        assert_eq!(come(&mut stays, Waker::noop()), None);
        assert_eq!(come(&mut leaves, Waker::noop()), None);
        let arrive = move || {
            let mut waiting = wait(barrier);
            let came = come(&mut waiting, Waker::noop());
            (waiting, came)
        };
        let results = race(left, arrive, move || {
            let arrived = arrive();
            drop(leaves);
            arrived
        });
        // Whoever came first ended the round, and the other is the first of the next.
        let (mut next, ended) = match results {
            ((ends, Some(leads)), (next, None)) | ((next, None), (ends, Some(leads))) => {
                assert!(leads);
                (next, ends)
            }
            _ => panic!("one of both is the third"),
        };
        assert_eq!(come(&mut stays, Waker::noop()), Some(false));
        assert_eq!(
            come(&mut next, Waker::noop()),
            None,
            "told with the last round"
        );
        let (mut second, mut third) = (wait(barrier), wait(barrier));
        assert_eq!(come(&mut second, Waker::noop()), None, "counted twice");
        assert_eq!(come(&mut third, Waker::noop()), Some(true), "not counted");
        assert_eq!(come(&mut next, Waker::noop()), Some(false));
        drop((stays, next, ended, second, third));
        barrier.free();
    });
}

/// As tasks do it: who is told goes on to the next round at once, while the leader still tells the others.
#[test]
fn who_goes_on_to_the_next_round_is_not_told_with_the_last() {
    check(2, || {
        let barrier = Leaked::new(Barrier::new(3));
        let (count, waker) = Count::pair();
        let (mut first, mut second) = (wait(barrier), wait(barrier));
        assert_eq!(come(&mut first, Waker::noop()), None);
        assert_eq!(come(&mut second, Waker::noop()), None);
        let goes_on = loom::thread::spawn(move || {
            let told = come(&mut first, Waker::noop()).is_some();
            let mut next = wait(barrier);
            if told {
                let came = come(&mut next, &waker);
                assert_eq!(came, None, "told with the last round");
            }
            (first, told.then_some(next))
        });
        let mut leader = wait(barrier);
        assert_eq!(come(&mut leader, Waker::noop()), Some(true));
        let (mut first, next) = goes_on.join().unwrap();
        assert_eq!(come(&mut second, Waker::noop()), Some(false));
        let Some(mut next) = next else {
            assert_eq!(come(&mut first, Waker::noop()), Some(false));
            drop((first, second, leader));
            return barrier.free();
        };
        assert_eq!(count.wakes(), 0, "told with the last round");
        let (mut other, mut last) = (wait(barrier), wait(barrier));
        assert_eq!(come(&mut other, Waker::noop()), None);
        assert_eq!(come(&mut last, Waker::noop()), Some(true));
        assert_eq!(count.wakes(), 1);
        assert_eq!(come(&mut next, Waker::noop()), Some(false));
        drop((first, second, leader, next, other, last));
        barrier.free();
    });
}
