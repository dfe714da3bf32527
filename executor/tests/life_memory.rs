//! What was taken in the worst moment is given back when that has passed: bytes that live, counted by the
//! allocator, before and after a burst.

mod proof_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use gopark::context::Context as Ctx;
use gopark::task::JoinSet;
use gopark::{chan, group::Group};
use proof_support::{alarm, current, multi};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: (1) the system's allocator does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The tests of this file one at a time: they count the same bytes.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

const BURST: usize = 30_000;

/// What of a burst's tasks is left with the runtime: the slots in which they were listed.
const LISTED: usize = 12 * BURST;

/// What is left of two bursts: `least` bytes must have been there in the midst of the second, and no more than
/// `kept` be there after it.
fn burst(what: &str, least: usize, kept: usize, mut run: impl FnMut(&mut dyn FnMut())) {
    let live = || LIVE.load(Ordering::Relaxed);
    let before = live();
    run(&mut || ());
    let (between, mut most) = (live(), 0);
    run(&mut || most = live().saturating_sub(between));
    let left = live().saturating_sub(before);
    println!("{what}: {most} bytes in the burst, {left} after");
    assert!(most >= least, "{what}: {most} bytes in the burst");
    assert!(left < kept + (160 << 10), "{what}: {left} bytes are kept");
}

fn alone() -> impl Drop {
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_channel_gives_back_what_a_burst_took() {
    let _alone = alone();
    for capacity in [usize::MAX, BURST] {
        let (tx, rx) = match capacity {
            usize::MAX => chan::unbounded::<[u64; 8]>(),
            _ => chan::bounded(capacity),
        };
        burst("messages", BURST * 64, 0, |midst| {
            (0..BURST).for_each(|n| tx.try_send([n as u64; 8]).unwrap());
            midst();
            // Not to the last.
            assert_eq!(rx.try_iter().take(BURST - 10).count(), BURST - 10);
            assert_eq!(rx.len(), 10);
            assert_eq!(rx.drain().count(), 10);
        });
        burst(
            "receives that are promised something",
            BURST * 64,
            0,
            |midst| {
                let mut cx = Context::from_waker(Waker::noop());
                let mut receives: Vec<_> = (0..BURST).map(|_| Box::pin(rx.recv())).collect();
                for receive in &mut receives {
                    assert!(receive.as_mut().poll(&mut cx).is_pending());
                }
                (0..BURST).for_each(|n| tx.try_send([n as u64; 8]).unwrap());
                midst();
                for receive in &mut receives {
                    assert!(receive.as_mut().poll(&mut cx).is_ready());
                }
            },
        );
        burst("who waits for the end", BURST * 16, 0, |midst| {
            let mut cx = Context::from_waker(Waker::noop());
            let mut waits: Vec<_> = (0..BURST).map(|_| tx.closed()).collect();
            for wait in &mut waits {
                assert_eq!(Pin::new(wait).poll(&mut cx), Poll::Pending);
            }
            midst();
        });
    }
}

/// Tasks that are woken at once, local ones and others, and jobs.
#[test]
fn queues_of_a_runtime_give_back_what_a_burst_took() {
    let _alone = alone();
    let _alarm = alarm();
    let current = current();
    burst("local tasks", BURST * 8, LISTED, |midst| {
        current.block_on(async {
            let local: Vec<_> = (0..BURST).map(|_| gopark::spawn_local(async {})).collect();
            midst();
            for task in local {
                task.await.unwrap();
            }
        });
    });
    let multi = multi(1);
    burst("tasks and jobs", BURST * 8, LISTED, |midst| {
        multi.block_on(async {
            let tasks: Vec<_> = (0..BURST).map(|_| gopark::spawn(async {})).collect();
            midst();
            for task in tasks {
                task.await.unwrap();
            }
            let jobs: Vec<_> = (0..BURST / 10)
                .map(|_| gopark::spawn_blocking(|| ()))
                .collect();
            for job in jobs {
                job.await.unwrap();
            }
        });
    });
}

#[test]
fn sets_groups_and_contexts_give_back_what_a_burst_took() {
    let _alone = alone();
    let _alarm = alarm();
    let runtime = current();
    let mut set = JoinSet::new();
    burst("a set of tasks", BURST * 40, LISTED, |midst| {
        runtime.block_on(async {
            (0..BURST).for_each(|_| drop(set.spawn(async {})));
            midst();
            while set.join_next().await.is_some() {}
        });
    });
    let group = Group::<()>::new();
    burst("a group", BURST * 40, LISTED, |midst| {
        runtime.block_on(async {
            // In one poll, so that none of them runs before the last has been started.
            let burst = async {
                for _ in 0..BURST {
                    group.go(async { Ok(()) }).await;
                }
            };
            gopark::task::unconstrained(burst).await;
            midst();
            while !group.is_empty() {
                gopark::yield_now().await;
            }
        });
    });
    let (parent, _cancel) = Ctx::background().with_cancel();
    burst("children of a context", BURST * 16, 0, |midst| {
        let children: Vec<_> = (0..BURST).map(|_| parent.with_cancel()).collect();
        midst();
        drop(children);
    });
}
