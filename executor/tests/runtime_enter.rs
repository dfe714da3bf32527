//! Which runtime a thread is in: guards that are dropped in any order, and that outlive the frame they
//! were made in.

#[path = "task_support/mod.rs"]
mod task_support;

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use gopark::net::Reactor;
use gopark::runtime::{EnterGuard, Handle, Runtime};
use task_support::{alarm, current, every_kind, multi};

/// Which of `runtimes` new tasks of this thread belong to.
fn ruling(runtimes: &[&Runtime]) -> Option<usize> {
    let current = Handle::try_current().ok()?;
    let before: Vec<_> = runtimes
        .iter()
        .map(|rt| rt.handle().tasks().len())
        .collect();
    let task = current.spawn(std::future::pending::<()>());
    let grown = |at: &usize| runtimes[*at].handle().tasks().len() > before[*at];
    let found = (0..runtimes.len()).find(grown);
    task.abort();
    while found.is_some_and(|at| runtimes[at].handle().tasks().len() > before[at]) {
        runtimes[found.unwrap()].block_on(gopark::yield_now());
    }
    found
}

#[test]
fn guards_dropped_in_the_order_of_their_making_leave_no_freed_runtime_behind() {
    let _alarm = alarm();
    let (first, second) = (multi(1), multi(1));
    let handles = (first.handle().clone(), second.handle().clone());
    let a = handles.0.enter();
    let b = handles.1.enter();
    drop(a);
    drop(first);
    assert_eq!(ruling(&[&second]), Some(0));
    drop(b);
    drop(second);
    drop(handles);
    assert!(Handle::try_current().is_err());
    // Where a freed runtime was current, this was a use of its memory.
    let task = gopark::spawn(async { 5 });
    assert_eq!(gopark::block_on(task).unwrap(), 5);
}

#[test]
fn of_the_guards_that_live_the_most_recent_rules_in_every_order_of_their_drops() {
    let _alarm = alarm();
    let runtimes = [current(), multi(1), multi(2)];
    let all: Vec<&Runtime> = runtimes.iter().collect();
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let mut guards: Vec<Option<EnterGuard<'_>>> = runtimes
            .iter()
            .map(|runtime| Some(runtime.enter()))
            .collect();
        assert_eq!(ruling(&all), Some(2));
        for leaves in order {
            guards[leaves] = None;
            let most_recent = guards.iter().rposition(Option::is_some);
            assert_eq!(ruling(&all), most_recent, "{order:?} after {leaves}");
        }
        assert!(Handle::try_current().is_err());
    }
}

#[test]
fn a_guard_that_leaves_the_block_on_it_was_made_in_rules_until_it_is_dropped() {
    let _alarm = alarm();
    for inner in every_kind() {
        for outer in every_kind() {
            let guard = outer.block_on(async { inner.enter() });
            assert_eq!(ruling(&[&outer, &inner]), Some(1));
            drop(outer);
            assert_eq!(ruling(&[&inner]), Some(0));
            drop(guard);
            assert!(Handle::try_current().is_err());
        }
    }
    // The other way round: a guard from outside ends within.
    let (outer, inner) = (multi(1), multi(1));
    let guard = RefCell::new(Some(outer.enter()));
    inner.block_on(async {
        guard.take();
        assert_eq!(ruling(&[&outer, &inner]), Some(1));
    });
    assert!(Handle::try_current().is_err());
}

#[test]
fn a_guard_that_is_forgotten_keeps_its_runtime_from_being_freed() {
    let _alarm = alarm();
    std::thread::spawn(|| {
        let runtime = multi(1);
        // Where a leak checker finds it.
        static KEPT: AtomicUsize = AtomicUsize::new(0);
        KEPT.store(
            Box::into_raw(Box::new(runtime.enter())).addr(),
            Ordering::Relaxed,
        );
        drop(runtime);
        let cancelled = Handle::current().spawn(async {});
        assert!(gopark::block_on(cancelled).unwrap_err().is_cancelled());
    })
    .join()
    .unwrap();
}

#[test]
fn reactors_follow_the_same_rule() {
    let (a, b) = (Reactor::new().unwrap(), Reactor::new().unwrap());
    let is = |reactor: &Reactor| Reactor::current().unwrap().same(reactor);
    let (of_a, of_b) = (a.enter(), b.enter());
    assert!(is(&b));
    drop(of_a);
    assert!(is(&b));
    let again = a.enter();
    drop(of_b);
    assert!(is(&a));
    drop(again);
    assert!(!is(&a) && !is(&b));
    // And that of a runtime, when its guards go in the wrong order.
    let (first, second) = (multi(1), multi(1));
    let reactor = second.block_on(async { Reactor::current().unwrap() });
    let one = first.enter();
    let two = second.enter();
    drop(one);
    assert!(is(&reactor));
    drop(two);
    assert!(!is(&reactor));
}
