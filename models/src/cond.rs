//! Models of `executor/src/sync/cond.rs`, around the real mutex: what is told against who begins to wait, who
//! leaves, and who waits for the mutex.

use std::{pin::Pin, task::Waker};

use loom::cell::UnsafeCell;

use crate::{
    check::{check_either, poll, race},
    count::Count,
    leaked::Leaked,
    signals::{cond::Cond, mutex::Mutex},
};

struct Shared {
    /// Loom watches who touches what the mutex protects.
    tokens: Mutex<UnsafeCell<u32>>,
    filled: Cond,
}

type Taking = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Shared {
    fn new() -> Leaked<Self> {
        Leaked::new(Self {
            tokens: Mutex::new(UnsafeCell::new(0)),
            filled: Cond::new(),
        })
    }

    /// Adds some under the mutex. Only where nobody else has it, or it can be waited for.
    fn add(&self, count: u32) {
        let tokens = self.tokens.try_lock().expect("nobody has it");
        // SAFETY: (1) the mutex is locked; loom checks.
        tokens.with_mut(|tokens| unsafe { *tokens += count });
    }

    fn left(&self) -> u32 {
        let tokens = self.tokens.try_lock().expect("nobody has it");
        // SAFETY: (1) as above.
        tokens.with(|tokens| unsafe { *tokens })
    }
}

/// Waits until there is a token, and takes it.
fn take(shared: Leaked<Shared>) -> Taking {
    Box::pin(async move {
        let Shared { tokens, filled } = shared.0;
        let tokens = tokens.lock().await;
        // SAFETY: (1) the mutex is locked when the condition is called; loom checks.
        let none = |tokens: &mut UnsafeCell<u32>| tokens.with(|tokens| unsafe { *tokens } == 0);
        let tokens = filled.wait_while(tokens, none).await;
        // SAFETY: (1) as above.
        tokens.with_mut(|tokens| unsafe { *tokens -= 1 });
    })
}

/// One that waits for a token.
fn waiting(shared: Leaked<Shared>, waker: &Waker) -> Taking {
    let mut taking = take(shared);
    assert!(poll(&mut taking, waker).is_pending());
    taking
}

/// A wait begins as the value is changed and that is told, after the mutex: it sees the change, or is told.
#[test]
fn who_begins_to_wait_sees_the_change_or_is_woken() {
    check_either(3, |left| {
        let shared = Shared::new();
        let (count, waker) = Count::pair();
        let its = waker.clone();
        let fill = async move {
            let tokens = shared.tokens.lock().await;
            // SAFETY: (1) the mutex is locked; loom checks.
            tokens.with_mut(|tokens| unsafe { *tokens += 1 });
            drop(tokens);
            shared.filled.notify_one();
        };
        let (filling, (mut taking, taken)) = race(
            left,
            move || {
                let mut fill = Box::pin(fill);
                let filled = poll(&mut fill, Waker::noop());
                filled.is_pending().then_some(fill)
            },
            move || {
                let mut taking = take(shared);
                let taken = poll(&mut taking, &its);
                (taking, taken)
            },
        );
        // It found the mutex locked, and has got it since.
        if let Some(mut fill) = filling {
            assert!(poll(&mut fill, Waker::noop()).is_ready());
        }
        if taken.is_pending() {
            assert_ne!(count.wakes(), 0, "a lost wake-up");
            assert!(poll(&mut taking, &waker).is_ready());
        }
        assert_eq!(shared.left(), 0);
        drop(taking);
        shared.free();
    });
}

/// Who is told and leaves before it knows tells the next.
#[test]
fn a_notification_of_one_who_leaves_goes_to_the_next() {
    check_either(3, |left| {
        let shared = Shared::new();
        let (count, waker) = Count::pair();
        let leaves = waiting(shared, Waker::noop());
        let mut next = waiting(shared, &waker);
        shared.add(1);
        race(
            left,
            move || shared.filled.notify_one(),
            move || drop(leaves),
        );
        assert_eq!(count.wakes(), 1, "a lost wake-up");
        assert!(poll(&mut next, &waker).is_ready());
        drop(next);
        shared.free();
    });
}

/// Who is told, and leaves while it waits for the mutex, tells the next; also if the mutex has come to it
/// meanwhile.
#[test]
fn a_notification_of_one_who_leaves_at_the_mutex_goes_to_the_next() {
    check_either(3, |left| {
        let shared = Shared::new();
        let (count, waker) = Count::pair();
        let mut leaves = waiting(shared, Waker::noop());
        let mut next = waiting(shared, &waker);
        let held = shared.0.tokens.try_lock().expect("nobody has it");
        // SAFETY: (1) the mutex is locked; loom checks.
        held.with_mut(|tokens| unsafe { *tokens += 1 });
        shared.filled.notify_one();
        assert!(
            poll(&mut leaves, Waker::noop()).is_pending(),
            "it is locked"
        );
        race(left, move || drop(held), move || drop(leaves));
        assert_eq!(count.wakes(), 1, "a lost wake-up");
        assert!(poll(&mut next, &waker).is_ready());
        drop(next);
        shared.free();
    });
}

/// All are told, in batches, while one of them leaves and comes again; the last token is for it.
#[test]
fn all_are_told_while_one_leaves_and_comes_again() {
    check_either(2, |left| {
        let shared = Shared::new();
        let ((stays_count, stays_waker), (count, waker)) = (Count::pair(), Count::pair());
        let mut stays = waiting(shared, &stays_waker);
        let leaves = waiting(shared, Waker::noop());
        let its = waker.clone();
        let ((), mut again) = race(
            left,
            move || shared.filled.notify_all(),
            move || {
                drop(leaves);
                waiting(shared, &its)
            },
        );
        assert_eq!(stays_count.wakes(), 1, "a lost wake-up");
        shared.add(1);
        assert!(poll(&mut stays, &stays_waker).is_ready());
        // Told with all or not: it looks again, and finds nothing; from here on it waits for the next.
        assert!(poll(&mut again, &waker).is_pending());
        let before = count.wakes();
        shared.add(1);
        shared.filled.notify_one();
        assert_eq!(count.wakes(), before + 1, "a lost wake-up");
        assert!(poll(&mut again, &waker).is_ready());
        drop((stays, again));
        shared.free();
    });
}

/// One is told as all are, and leaves: nobody is left who could miss it, and who comes later waits.
#[test]
fn one_and_all_are_told_at_once() {
    check_either(3, |left| {
        let shared = Shared::new();
        let counts = [Count::pair(), Count::pair()];
        let mut both = counts.each_ref().map(|(_, waker)| waiting(shared, waker));
        shared.add(2);
        race(
            left,
            move || shared.filled.notify_one(),
            move || shared.filled.notify_all(),
        );
        for (taking, (count, waker)) in both.iter_mut().zip(&counts) {
            assert_eq!(count.wakes(), 1, "a lost wake-up");
            assert!(poll(taking, waker).is_ready());
        }
        let late = waiting(shared, Waker::noop());
        drop((late, both));
        shared.free();
    });
}
