//! Models of `executor/src/sync/notify.rs` and `notified.rs`: notifications against those who begin to
//! wait, and who leave.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Poll, Waker},
};

use loom::cell::UnsafeCell;

use crate::{
    check::{check_either, poll, race},
    count::{Count, assert_no_waker_left},
    signals::notify::Notify,
};

/// A signal, and what the notifier writes before.
struct Told {
    bell: Arc<Notify>,
    news: UnsafeCell<u32>,
}

// SAFETY: (1) that the news is read after it was written is what loom checks.
unsafe impl Send for Told {}
// SAFETY: (1) as above.
unsafe impl Sync for Told {}

impl Told {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            bell: Arc::new(Notify::new()),
            news: UnsafeCell::new(0),
        })
    }

    fn write(&self) {
        // SAFETY: (1) loom watches.
        self.news.with_mut(|news| unsafe { *news = 1 });
    }

    fn assert_news(&self) {
        // SAFETY: (1) loom watches.
        assert_eq!(self.news.with(|news| unsafe { *news }), 1);
    }
}

/// Whether there is a permit; takes it.
fn permit(bell: &Arc<Notify>) -> bool {
    let mut late = Box::pin(bell.clone().notified_owned());
    poll(&mut late, Waker::noop()).is_ready()
}

/// Somebody writes and tells, by `tell`, as one that had been made before is polled first: that one finds the
/// news, or is woken once.
fn tell_who_begins_to_wait(
    left: bool,
    tell: fn(&Notify),
) -> (
    Arc<Told>,
    Arc<Count>,
    Waker,
    Pin<Box<impl Future<Output = ()>>>,
) {
    let told = Told::new();
    let (count, waker) = Count::pair();
    let mut waiter = Box::pin(told.bell.clone().notified_owned());
    let (teller, its, seen) = (told.clone(), waker.clone(), told.clone());
    let ((), (polled, waiter)) = race(
        left,
        move || {
            teller.write();
            tell(&teller.bell);
        },
        move || {
            let polled = poll(&mut waiter, &its);
            if polled.is_ready() {
                seen.assert_news();
            }
            (polled, waiter)
        },
    );
    assert_eq!(count.wakes(), usize::from(polled.is_pending()));
    (told, count, waker, waiter)
}

/// "`notify_one` against a first poll".
#[test]
fn who_begins_to_wait_finds_the_permit_or_is_woken() {
    check_either(3, |left| {
        let (told, count, waker, mut waiter) = tell_who_begins_to_wait(left, Notify::notify_one);
        assert!(poll(&mut waiter, &waker).is_ready());
        told.assert_news();
        assert!(!permit(&told.bell), "one notification, and two were told");
        drop((waiter, waker));
        assert_no_waker_left(&[&count]);
    });
}

/// "Told against cancelled", when it waits alone: the notification stays as a permit.
#[test]
fn a_notification_outlives_the_only_waiter() {
    check_either(3, |left| {
        let told = Told::new();
        let (count, waker) = Count::pair();
        let mut waiter = Box::pin(told.bell.clone().notified_owned());
        assert!(poll(&mut waiter, &waker).is_pending());
        let teller = told.clone();
        race(
            left,
            move || {
                teller.write();
                teller.bell.notify_one();
            },
            move || drop(waiter),
        );
        assert!(permit(&told.bell), "the notification was lost");
        told.assert_news();
        drop(waker);
        assert!(count.wakes_in_all() <= 1);
    });
}

/// "Told against cancelled", with one behind it.
#[test]
fn a_notification_of_one_who_leaves_goes_to_the_next() {
    check_either(3, |left| {
        let told = Told::new();
        let ((first_count, first_waker), (next_count, next_waker)) = (Count::pair(), Count::pair());
        let mut first = Box::pin(told.bell.clone().notified_owned());
        let mut next = Box::pin(told.bell.clone().notified_owned());
        assert!(poll(&mut first, &first_waker).is_pending());
        assert!(poll(&mut next, &next_waker).is_pending());
        let teller = told.clone();
        race(left, move || teller.bell.notify_one(), move || drop(first));
        assert_eq!(next_count.wakes(), 1);
        assert!(poll(&mut next, &next_waker).is_ready());
        assert!(!permit(&told.bell), "one notification, and two were told");
        drop((next, first_waker, next_waker));
        assert_no_waker_left(&[&first_count, &next_count]);
    });
}

/// A call for one is not used up by who was told with all.
#[test]
fn one_and_all_are_told_at_once() {
    check_either(3, |left| {
        let told = Told::new();
        let (count, waker) = Count::pair();
        let mut waiter = Box::pin(told.bell.clone().notified_owned());
        assert!(poll(&mut waiter, &waker).is_pending());
        let (one, all) = (told.clone(), told.clone());
        race(
            left,
            move || one.bell.notify_one(),
            move || all.bell.notify_waiters(),
        );
        assert_eq!(count.wakes(), 1);
        // Told as the one, it passes that on; told with all, it leaves the permit of the other.
        drop(waiter);
        assert!(permit(&told.bell), "the notification was lost");
    });
}

/// "`notify_waiters` against who comes meanwhile": from when it was made, a wait meets it.
#[test]
fn all_are_told_while_one_begins_to_wait() {
    check_either(3, |left| {
        let (told, _, waker, mut waiter) = tell_who_begins_to_wait(left, Notify::notify_waiters);
        assert_eq!(poll(&mut waiter, &waker), Poll::Ready(()));
        assert!(!permit(&told.bell), "it leaves no permit");
    });
}

/// Two are told in two batches; one of them leaves, and waits again: it is not one of all, and the next
/// notification is for it.
#[test]
fn one_who_leaves_and_comes_again_waits_for_the_next() {
    check_either(2, |left| {
        let told = Told::new();
        let ((stays_count, stays_waker), (count, waker)) = (Count::pair(), Count::pair());
        let mut stays = Box::pin(told.bell.clone().notified_owned());
        let mut leaves = Box::pin(told.bell.clone().notified_owned());
        assert!(poll(&mut stays, &stays_waker).is_pending());
        assert!(poll(&mut leaves, Waker::noop()).is_pending());
        let (teller, comes_to) = (told.clone(), told.bell.clone());
        let ((), (mut again, its)) = race(
            left,
            move || teller.bell.notify_waiters(),
            move || {
                drop(leaves);
                let mut again = Box::pin(comes_to.notified_owned());
                let _ = poll(&mut again, &waker);
                (again, waker)
            },
        );
        assert_eq!(stays_count.wakes(), 1);
        assert!(poll(&mut stays, &stays_waker).is_ready());
        let was_one_of_all = poll(&mut again, &its).is_ready();
        let before = count.wakes();
        told.bell.notify_one();
        if was_one_of_all {
            assert!(permit(&told.bell));
        } else {
            assert_eq!((before, count.wakes()), (0, 1), "a lost wake-up");
            assert!(poll(&mut again, &its).is_ready());
        }
    });
}
