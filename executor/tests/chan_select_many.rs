//! A select of a list: many cases, and what it costs.

mod chan_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chan_support::{alarm, waiting};
use gopark::chan::{self, Select};

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is done by the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

const MOST_IN_GO: usize = 65_536;

#[test]
fn as_many_cases_as_in_go_are_selected_from() {
    let _alarm = alarm();
    let channels: Vec<_> = (0..=MOST_IN_GO).map(|_| chan::bounded(1)).collect();
    let mut select = Select::new();
    for (_, rx) in &channels {
        select.recv(rx);
    }
    assert!(select.try_select().is_none());
    for at in [MOST_IN_GO, 0, 40_000] {
        // Ready at once, waited for, and ready beside a default.
        channels[at].0.try_send(at).unwrap();
        let mut selected = select.select_blocking();
        assert_eq!(selected.index(), at);
        assert_eq!(selected.recv(&channels[at].1), Ok(at));
    }
    let at = 12_345;
    {
        let waits = waiting(async {
            let mut selected = select.select().await;
            (selected.index(), selected.recv(&channels[at].1))
        });
        channels[at].0.try_send(at).unwrap();
        assert_eq!(waits.woken(), (at, Ok(at)));
    }
    drop(waiting(select.select()));
    let at = 54_321;
    channels[at].0.try_send(at).unwrap();
    let mut selected = select.try_select().unwrap();
    assert_eq!(
        (selected.index(), selected.recv(&channels[at].1)),
        (at, Ok(at))
    );
    // Nothing was left queued.
    assert!(channels[1].0.try_send(1).is_ok());
    assert!(channels[1].0.try_send(1).is_err());
}

#[test]
fn as_many_sends_to_one_channel_are_selected_from() {
    let _alarm = alarm();
    let (tx, rx) = chan::rendezvous();
    let mut select = Select::new();
    for number in 0..MOST_IN_GO {
        select.send(&tx, number);
    }
    let mut got = Vec::new();
    for _ in 0..10 {
        let waits = waiting(async { select.select().await.index() });
        got.push(rx.try_recv().unwrap());
        assert_eq!(Some(waits.woken()), got.last().copied());
    }
    assert!(rx.try_recv().is_err());
    assert!(!got.is_sorted(), "ten of 65,536 in order: {got:?}");
}

#[test]
fn a_select_from_64_cases_allocates_nothing() {
    let channels: Vec<_> = (0..64).map(|_| chan::bounded(1)).collect();
    let mut select = Select::new();
    for (_, rx) in &channels {
        select.recv(rx);
    }
    // What a thread makes once.
    assert!(select.try_select().is_none());
    channels[63].0.try_send(()).unwrap();
    assert_eq!(select.select_blocking().index(), 63);

    assert_eq!(allocations(|| assert!(select.try_select().is_none())), 0);
    channels[5].0.try_send(()).unwrap();
    let ready = || assert_eq!(select.select_blocking().index(), 5);
    assert_eq!(allocations(ready), 0);
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    let waits = || {
        let mut waits = std::pin::pin!(select.select());
        assert!(waits.as_mut().poll(&mut cx).is_pending());
        channels[7].0.try_send(()).unwrap();
        assert!(waits.as_mut().poll(&mut cx).is_ready());
    };
    assert_eq!(allocations(waits), 0);
}

#[test]
fn a_select_of_all_cases_ends_each_once() {
    let _alarm = alarm();
    const CASES: usize = 3_000;
    let channels: Vec<_> = (0..CASES).map(|_| chan::bounded(1)).collect();
    let mut select = Select::new();
    for (number, (tx, rx)) in channels.iter().enumerate() {
        tx.try_send(number).unwrap();
        select.recv(rx);
    }
    let mut seen = vec![false; CASES];
    while let Some(mut selected) = select.try_select() {
        let at = selected.index();
        assert_eq!(selected.recv(&channels[at].1), Ok(at));
        assert!(!std::mem::replace(&mut seen[at], true));
    }
    assert!(seen.iter().all(|&seen| seen));
}
