//! Contexts as a tree: who ends with whom, why, and what is left of them.

mod task_support;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use gopark::context::{Cancel, Context, ContextError};
use task_support::{Counter, alarm};

fn root() -> (Context, Cancel) {
    Context::background().with_cancel()
}

fn members(context: &Context) -> String {
    let debug = format!("{context:?}");
    let (_, members) = debug.split_once("members: ").unwrap();
    members.trim_end_matches(", .. }").to_owned()
}

#[test]
fn the_background_is_never_done_and_has_nothing() {
    let context = Context::background();
    assert!(!context.is_done());
    assert_eq!((context.err(), context.deadline()), (None, None));
    assert!(context.cause().is_none());
    assert!(context.value::<u8>().is_none());
    assert_eq!(format!("{:?}", Context::default()), "Context { .. }");
}

#[test]
fn a_cancellation_goes_down_and_neither_up_nor_aside() {
    let (top, _) = root();
    let (middle, cancel) = top.with_cancel();
    let (sibling, _) = top.with_cancel();
    let (below, _) = middle.with_value(1_u8).with_cancel();
    let clone = below.clone();
    cancel.cancel();
    for context in [&middle, &below, &clone, &middle.with_value(2_u8)] {
        assert!(context.is_done());
        assert_eq!(context.err(), Some(ContextError::Cancelled));
    }
    assert!(!top.is_done() && !sibling.is_done());
}

#[test]
fn who_comes_after_the_end_is_done() {
    let (top, cancel) = root();
    cancel.cancel_with("first");
    let (below, late) = top.with_cancel();
    late.cancel_with("second");
    assert_eq!(below.cause().unwrap().to_string(), "first");
    let (below, _) = below.with_timeout(gopark::Duration::from_secs(3600));
    assert_eq!(below.err(), Some(ContextError::Cancelled));
    assert_eq!(below.cause().unwrap().to_string(), "first");
}

#[test]
fn the_first_cause_wins_and_is_handed_down_whole() {
    let (top, cancel) = root();
    let (below, own) = top.with_cancel();
    own.cancel_with(io::Error::new(io::ErrorKind::NotFound, "no such row"));
    cancel.cancel_with("too late for the child");
    cancel.cancel_with("too late for all");
    let cause = below.cause().unwrap();
    assert_eq!(
        cause.downcast_ref::<io::Error>().unwrap().kind(),
        io::ErrorKind::NotFound
    );
    assert!(
        Arc::ptr_eq(&cause, &below.cause().unwrap()),
        "one error, shared"
    );
    assert_eq!(top.cause().unwrap().to_string(), "too late for the child");
}

#[test]
fn without_a_cause_the_cause_is_the_error() {
    let (context, cancel) = root();
    cancel.cancel();
    let cause = context.cause().unwrap();
    assert_eq!(cause.downcast_ref(), Some(&ContextError::Cancelled));
    assert_eq!(cause.to_string(), "context cancelled");
    assert!(cause.source().is_none());
    for (error, kind) in [
        (ContextError::Cancelled, io::ErrorKind::Interrupted),
        (ContextError::DeadlineExceeded, io::ErrorKind::TimedOut),
    ] {
        assert_eq!(io::Error::from(error).kind(), kind);
    }
}

#[test]
fn a_handle_that_is_dropped_cancels_only_as_a_guard() {
    let (context, cancel) = root();
    drop(cancel.clone());
    let guard = cancel.drop_guard();
    let cancel = guard.disarm();
    assert!(!context.is_done());
    drop(cancel.drop_guard());
    assert!(context.is_done());
}

#[test]
fn values_are_found_by_type_from_the_nearest() {
    #[derive(Debug, PartialEq)]
    struct User(&'static str);
    let (top, _) = Context::background().with_value(User("ann")).with_cancel();
    let below = top.with_value(7_u32).with_value(User("bob"));
    assert_eq!(below.value(), Some(&User("bob")));
    assert_eq!(below.value(), Some(&7_u32));
    assert_eq!(top.value(), Some(&User("ann")));
    assert_eq!(top.value::<u32>(), None);
    assert_eq!(below.value::<i32>(), None);
}

#[test]
fn without_cancel_keeps_the_values_and_no_end() {
    let (top, cancel) = root();
    let (timed, _) = top
        .with_value(1_u8)
        .with_timeout(gopark::Duration::from_secs(9));
    let free = timed.without_cancel();
    let (below, own) = free.with_cancel();
    cancel.cancel();
    assert!(timed.is_done() && !free.is_done() && !below.is_done());
    assert_eq!((free.deadline(), free.value()), (None, Some(&1_u8)));
    own.cancel();
    assert!(below.is_done());
}

#[test]
fn a_child_that_is_dropped_leaves_the_list() {
    let (top, _cancel) = root();
    let children: Vec<_> = (0..1000).map(|_| top.with_cancel()).collect();
    assert_eq!(members(&top), "1000");
    drop(children);
    assert_eq!(members(&top), "0");
}

#[test]
fn what_holds_a_child_holds_its_parents() {
    let (below, cancel) = {
        let (top, cancel) = root();
        let (middle, _) = top.with_cancel();
        (middle.with_cancel().0, cancel)
    };
    cancel.cancel_with("from the top");
    assert_eq!(below.cause().unwrap().to_string(), "from the top");
}

#[test]
fn a_deep_tree_and_a_long_list_are_ended_and_freed_without_recursion() {
    let _alarm = alarm();
    for cancelled in [false, true] {
        let (top, cancel) = root();
        let mut deepest = top.clone();
        for n in 0..200_000_u32 {
            deepest = deepest.with_cancel().0.with_value(n);
        }
        if cancelled {
            cancel.cancel();
        }
        assert_eq!(deepest.is_done(), cancelled);
        assert_eq!(deepest.value(), Some(&199_999_u32));
        drop(deepest);
        assert_eq!(members(&top), "0");
    }
}

#[test]
fn nothing_is_left_of_contexts_that_are_gone() {
    let dropped = Counter::default();
    for end in [true, false] {
        let (top, cancel) = root();
        let guard = dropped.on_drop();
        let with = top.with_value(guard);
        let (below, _) = with.with_cancel();
        let guard = dropped.on_drop();
        let func = below.after_func(async move || drop(guard));
        if end {
            assert!(func.stop());
            cancel.cancel();
        } else {
            drop(func);
        }
        drop((top, cancel, with));
        let before = dropped.get();
        drop(below);
        assert_eq!(dropped.get(), before + if end { 1 } else { 2 });
    }
    assert_eq!(dropped.get(), 4);
}

/// "Child against cancel", by real threads: whoever makes a child of a context that is cancelled
/// meanwhile gets one that ends.
#[test]
fn no_child_misses_the_end_of_its_parent() {
    let _alarm = alarm();
    for round in 0..500 {
        let (top, cancel) = root();
        let barrier = Barrier::new(4);
        let missed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    let made: Vec<_> = (0..20).map(|_| top.with_cancel().0).collect();
                    let deep = made[19].with_cancel().0;
                    barrier.wait();
                    let living = made.iter().filter(|context| !context.is_done());
                    missed.fetch_add(living.count(), Ordering::Relaxed);
                    assert!(deep.is_done());
                });
            }
            barrier.wait();
            for _ in 0..round % 50 {
                std::hint::spin_loop();
            }
            cancel.cancel();
            barrier.wait();
        });
        assert_eq!(missed.into_inner(), 0, "in round {round}");
        assert_eq!(members(&top), "0");
    }
}

/// Makes children and lets them go on many threads, so that the list becomes several; then ends them.
#[test]
fn thousands_of_children_of_many_threads_come_go_and_end() {
    let _alarm = alarm();
    let (top, cancel) = root();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let makers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut kept = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        for n in 0..64 {
                            let child = top.with_cancel();
                            if n == 0 && kept.len() < 500 {
                                kept.push(child.0);
                            }
                        }
                        if kept.len() == 500 {
                            break;
                        }
                    }
                    kept
                })
            })
            .collect();
        let kept: Vec<_> = makers
            .into_iter()
            .flat_map(|maker| maker.join().unwrap())
            .collect();
        assert_eq!(kept.len(), 4000);
        assert_eq!(members(&top), "4000");
        assert!(kept.iter().all(|child| !child.is_done()));
        cancel.cancel();
        assert!(kept.iter().all(Context::is_done));
        assert_eq!(members(&top), "0");
    });
}

#[test]
fn of_many_that_cancel_one_gives_the_cause_and_all_return_with_the_context_done() {
    let _alarm = alarm();
    for _ in 0..200 {
        let (top, cancel) = root();
        let barrier = Barrier::new(4);
        let causes: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let (cancel, top, barrier) = (&cancel, &top, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        cancel.cancel_with(n.to_string());
                        assert!(top.is_done());
                        top.cause().unwrap().to_string()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(causes.iter().all(|cause| *cause == causes[0]));
    }
}

#[test]
fn what_should_be_send_and_sync_is() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Context>();
    check::<Cancel>();
    check::<gopark::context::DropGuard>();
    check::<gopark::context::AfterFunc>();
    check::<gopark::context::Done<'static>>();
    check::<gopark::context::DoneOwned>();
    let error: Box<dyn Error + Send + Sync> = ContextError::Cancelled.into();
    assert_eq!(error.to_string(), "context cancelled");
}
