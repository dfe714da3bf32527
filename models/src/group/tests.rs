//! The models themselves.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{cell::UnsafeCell, thread};

use super::{
    AbortHandle, Cancel,
    shared::{Guard, Outcome, Shared, Verdict},
};
use crate::{
    check::{check, check_either, race},
    count::Count,
};

type Group = Arc<Shared<&'static str>>;

/// A member that has started; `None` if the group had been stopped.
fn start(group: &Group) -> Option<(Guard<&'static str>, AbortHandle)> {
    assert!(group.try_acquire());
    let mut task = None;
    let abort = AbortHandle::default();
    group.start(|guard| {
        task = Some(guard);
        abort.clone()
    });
    Some((task?, abort))
}

fn wait(group: &Group, waker: &Waker) -> Poll<Verdict<&'static str>> {
    group.poll_verdict(&mut Context::from_waker(waker))
}

/// What all came to. All have ended.
fn verdict(group: &Group) -> Verdict<&'static str> {
    assert_eq!(group.len(), 0, "a member is left");
    match wait(group, Waker::noop()) {
        Poll::Ready(verdict) => verdict,
        Poll::Pending => panic!("a member is left"),
    }
}

/// All places are free: as many as `limit` can be taken, and no more.
fn assert_at_rest(group: &Group, limit: usize) {
    group.set_limit(limit);
    let taken = (0..=limit).take_while(|_| group.try_acquire()).count();
    assert_eq!(taken, limit, "a place was lost, or given twice");
}

/// "Start against stop": who is started is aborted by whoever stops, or by its own spawner; or it was not
/// started.
#[test]
fn a_member_that_starts_as_the_group_stops_is_aborted_or_never_was() {
    check_either(3, |left| {
        let group = Shared::new(None);
        let (starts, stops) = (group.clone(), group.clone());
        let (started, ()) = race(left, move || start(&starts), move || stops.stop());
        if let Some((guard, abort)) = started {
            assert_eq!(abort.0.get(), 1, "it runs on");
            drop(guard);
        }
        assert!(!verdict(&group).lost, "it was dropped by the stop");
        assert_at_rest(&group, 2);
    });
}

/// The same, with a member that fails instead of a stop from outside.
#[test]
fn a_member_that_starts_as_another_fails_is_aborted_or_never_was() {
    check_either(3, |left| {
        let group = Shared::new(None);
        let (fails, abort_failed) = start(&group).expect("it is new");
        let starts = group.clone();
        let (started, ()) = race(
            left,
            move || start(&starts),
            move || fails.end(Outcome::Failed("the first")),
        );
        assert!(abort_failed.0.get() <= 1);
        if let Some((guard, abort)) = started {
            assert_eq!(abort.0.get(), 1, "it runs on");
            drop(guard);
        }
        let verdict = verdict(&group);
        assert_eq!((verdict.failure, verdict.lost), (Some("the first"), false));
        assert_at_rest(&group, 2);
    });
}

/// "Cancel against completion": a member ends by itself as all are stopped. It has ended once, is not taken for
/// lost, and who is started next under its key is not aborted in its place.
#[test]
fn a_member_ends_as_the_group_stops() {
    check_either(3, |left| {
        let group = Shared::new(Some(Cancel::default()));
        let (guard, _) = start(&group).expect("it is new");
        let stops = group.clone();
        race(
            left,
            move || guard.end(Outcome::Failed("by itself")),
            move || stops.stop(),
        );
        let first = verdict(&group);
        assert_eq!((first.failure, first.lost), (Some("by itself"), false));
        let (guard, abort) = start(&group).expect("`wait` has made it new");
        assert_eq!(abort.0.get(), 0);
        guard.end(Outcome::Done);
        assert!(verdict(&group).failure.is_none());
        assert_at_rest(&group, 2);
    });
}

/// Two fail at once: one of them is the first, and the context hears of one.
#[test]
fn of_two_who_fail_at_once_one_is_the_first() {
    check_either(3, |left| {
        let cancel = Cancel::default();
        let group = Shared::new(Some(cancel.clone()));
        let (one, _) = start(&group).expect("it is new");
        let (other, _) = start(&group).expect("it is new");
        race(
            left,
            move || one.end(Outcome::Failed("one")),
            move || other.end(Outcome::Panicked(Box::new("other"))),
        );
        let verdict = verdict(&group);
        assert!(verdict.panic.is_some(), "a panic is always told");
        assert_eq!(cancel.0.get(), 1);
        assert_at_rest(&group, 2);
    });
}

/// A task ends before its spawner has brought its handle: the second of them vacates its place, so no other
/// member is taken for it.
#[test]
fn a_member_ends_while_its_spawner_still_starts_it() {
    check(3, || {
        let group = Shared::new(None);
        assert!(group.try_acquire());
        let mut task = None;
        let abort = AbortHandle::default();
        group.start(|guard| {
            task = Some(thread::spawn(move || guard.end(Outcome::Done)));
            abort.clone()
        });
        // It may get the key of the first, if that is through.
        let (second, its) = start(&group).expect("nobody stops");
        task.expect("it was started").join().unwrap();
        assert_eq!(group.len(), 1, "the second runs");
        group.stop();
        assert_eq!((abort.0.get(), its.0.get()), (0, 1));
        second.end(Outcome::Done);
        assert!(!verdict(&group).lost);
        assert_at_rest(&group, 2);
    });
}

/// "Join against the last exit": who waits sees the end, or is woken by it; and what the member left behind
/// is seen then.
#[test]
fn who_waits_for_all_sees_the_last_exit_or_is_woken() {
    check_either(3, |left| {
        struct Left(UnsafeCell<u32>);
        // SAFETY: (1) it is read after the member has ended, which is what loom checks.
        unsafe impl Sync for Left {}
        let behind = Arc::new(Left(UnsafeCell::new(0)));
        let group = Shared::new(None);
        let (guard, _) = start(&group).expect("it is new");
        let (count, waker) = Count::pair();
        let (joins, its, writes, reads) = (group.clone(), waker, behind.clone(), behind);
        let read = move |verdict: &Verdict<_>| {
            assert_eq!(verdict.failure, Some("the last"));
            // SAFETY: (1) loom watches.
            assert_eq!(reads.0.with(|left| unsafe { *left }), 1);
        };
        let ((), (polled, read)) = race(
            left,
            move || {
                // SAFETY: (1) loom watches.
                writes.0.with_mut(|left| unsafe { *left = 1 });
                guard.end(Outcome::Failed("the last"));
            },
            move || {
                let polled = wait(&joins, &its);
                if let Poll::Ready(verdict) = &polled {
                    read(verdict);
                }
                (polled, read)
            },
        );
        if polled.is_pending() {
            assert_eq!(count.wakes(), 1, "a lost wake-up");
            read(&verdict(&group));
        }
        assert_at_rest(&group, 1);
    });
}

/// Who waits with another waker is woken by that one.
#[test]
fn who_waits_for_all_with_another_waker_is_woken_or_sees_the_last_exit() {
    check_either(3, |left| {
        let group = Shared::new(None);
        let (guard, _) = start(&group).expect("it is new");
        let ((old, first), (new, second)) = (Count::pair(), Count::pair());
        assert!(wait(&group, &first).is_pending());
        drop(first);
        let joins = group.clone();
        let ((), polled) = race(
            left,
            move || guard.end(Outcome::Done),
            move || wait(&joins, &second).is_pending(),
        );
        drop(group);
        assert_eq!(new.wakes_in_all() == 1, polled);
        assert!(old.wakes_in_all() + new.wakes() <= 1);
    });
}

/// A place for which one waits, and how often it was told.
struct Waits {
    place: Option<usize>,
    count: Arc<Count>,
    waker: Waker,
}

impl Waits {
    fn new() -> Self {
        let (count, waker) = Count::pair();
        Self {
            place: None,
            count,
            waker,
        }
    }

    /// Whether it has the place.
    fn poll(&mut self, group: &Group) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        group.poll_acquire(&mut self.place, &mut cx).is_ready()
    }

    /// As its future's `Drop` does.
    fn leave(self, group: &Group) {
        if let Some(key) = self.place {
            group.forgo(key);
        }
    }
}

/// A place is given back as one begins to wait for it.
#[test]
fn who_waits_for_a_place_gets_it_or_is_woken() {
    check_either(3, |left| {
        let group = Shared::new(None);
        group.set_limit(1);
        let (guard, _) = start(&group).expect("it is new");
        let comes = group.clone();
        let ((), (mut waits, had)) = race(
            left,
            move || guard.end(Outcome::Done),
            move || {
                let mut waits = Waits::new();
                let had = waits.poll(&comes);
                (waits, had)
            },
        );
        if !had {
            assert_eq!(waits.count.wakes(), 1, "a lost wake-up");
            assert!(waits.poll(&group));
        }
        assert!(!group.try_acquire(), "the place was given twice");
        group.start(|guard| {
            drop(guard);
            AbortHandle::default()
        });
        assert_at_rest(&group, 1);
    });
}

/// Who is given a place and leaves passes it on.
#[test]
fn a_place_of_one_who_leaves_goes_to_the_next() {
    check_either(3, |left| {
        let group = Shared::new(None);
        group.set_limit(1);
        let (guard, _) = start(&group).expect("it is new");
        let (mut leaves, mut next) = (Waits::new(), Waits::new());
        assert!(!leaves.poll(&group) && !next.poll(&group));
        let left_by = group.clone();
        race(
            left,
            move || guard.end(Outcome::Done),
            move || leaves.leave(&left_by),
        );
        assert_eq!(next.count.wakes(), 1, "a lost wake-up");
        assert!(next.poll(&group));
        assert!(!group.try_acquire(), "the place was given twice");
    });
}
