//! The budget of a poll, where it could do harm: under an executor that polls again within one poll,
//! in code that blocks, and for who asks but once.

#[path = "task_support/mod.rs"]
mod task_support;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::FutureExt;
use gopark::net::note;
use gopark::sync::{Mutex, Semaphore};
use gopark::{block, block_eager, chan, spawn, spawn_blocking};
use task_support::{alarm, every_kind};

/// Much more than what a poll may do.
const MANY: usize = 10_000;

/// That many operations, each ready at once.
async fn many() -> usize {
    let (sender, receiver) = chan::bounded(1);
    for n in 0..MANY / 2 {
        sender.send(n).await.unwrap();
        receiver.recv().await.unwrap();
    }
    MANY
}

fn foreign() -> usize {
    futures::executor::block_on(many())
}

#[test]
fn a_foreign_executor_inside_a_task_gets_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let done = runtime.block_on(async { spawn(async { foreign() }).await.unwrap() });
        assert_eq!(done, MANY);
        let local = async { gopark::spawn_local(async { foreign() }).await.unwrap() };
        assert_eq!(runtime.block_on(local), MANY);
    }
}

#[test]
fn a_foreign_executor_inside_a_root_gets_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        assert_eq!(runtime.block_on(async { foreign() }), MANY);
        let nested = async { gopark::block_on(async { foreign() }) };
        assert_eq!(runtime.block_on(nested), MANY);
    }
}

#[test]
fn code_that_blocks_has_no_budget() {
    let _alarm = alarm();
    fn here() -> u8 {
        assert_eq!(foreign(), MANY);
        note::budget()
    }
    for runtime in every_kind() {
        let budgets = runtime.block_on(async {
            let of_task = async {
                let before = note::budget();
                let inside = [block(here), block_eager(here), block(|| block(here))];
                let nested = block(|| gopark::block_on(async { block(here) }));
                assert_eq!(note::budget(), before, "it is put back");
                (inside, nested)
            };
            let job = spawn_blocking(here).await.unwrap();
            (spawn(of_task).await.unwrap(), job)
        });
        let all = ([note::UNLIMITED; 3], note::UNLIMITED);
        assert_eq!(budgets, (all, note::UNLIMITED));
    }
}

#[test]
fn a_panic_in_a_section_puts_the_budget_back() {
    let _alarm = alarm();
    gopark::block_on(async {
        let before = note::budget();
        let caught = std::panic::catch_unwind(|| block(|| panic!("in a section")));
        assert!(caught.is_err());
        assert_eq!(note::budget(), before);
    });
}

/// Polls its future again within the poll for as long as that was woken, as some combinators do.
struct Eager<F>(Pin<Box<F>>, Arc<Woken>);

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<F: Future> Future for Eager<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<F::Output> {
        let waker = Waker::from(self.1.clone());
        loop {
            let polled = self.0.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_ready() || !self.1.0.swap(false, Ordering::SeqCst) {
                return polled;
            }
        }
    }
}

#[test]
fn a_combinator_that_polls_again_in_the_same_poll_gets_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let eager = || Eager(Box::pin(many()), Arc::new(Woken(AtomicBool::new(false))));
        assert_eq!(runtime.block_on(eager()), MANY);
        let task = async { spawn(eager()).await.unwrap() };
        assert_eq!(runtime.block_on(task), MANY);
    }
}

#[test]
fn a_poll_that_goes_on_with_its_budget_spent_does_at_most_twice_as_much_as_it_asks() {
    // Each refusal is a poll that the combinator makes; for 128 of them there is one budget more.
    let (done, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    gopark::block_on(async {
        let semaphore = Semaphore::new(1);
        let mut asked = 0;
        poll_fn(|cx| {
            for _ in 0..MANY {
                asked += 1;
                let counter = match pin!(semaphore.acquire()).poll(cx) {
                    Poll::Ready(_) => &done,
                    Poll::Pending => &refused,
                };
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Poll::Ready(())
        })
        .await;
    });
    let (done, refused) = (done.into_inner(), refused.into_inner());
    assert_eq!(done + refused, MANY);
    assert!(done.abs_diff(refused) <= 128, "{done} {refused}");
}

#[test]
fn a_task_that_yields_when_it_is_refused_gives_way_as_ever() {
    let _alarm = alarm();
    let polls = AtomicUsize::new(0);
    gopark::block_on(async {
        let mut many = pin!(many());
        poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            many.as_mut().poll(cx)
        })
        .await
    });
    assert_eq!(polls.into_inner(), MANY.div_ceil(128));
}

#[test]
fn now_or_never_gets_a_free_lock_also_when_the_budget_is_spent() {
    let _alarm = alarm();
    gopark::block_on(async {
        let (lock, semaphore) = (Mutex::new(5), Semaphore::new(1));
        let (sender, receiver) = chan::bounded(1);
        note::set_budget(0);
        assert_eq!(lock.lock().now_or_never().as_deref(), Some(&5));
        assert!(semaphore.acquire().now_or_never().is_some());
        assert!(sender.send(6).now_or_never().is_some());
        assert_eq!(receiver.recv().now_or_never(), Some(Ok(6)));
        assert!(receiver.recv().now_or_never().is_none());
        let held = lock.try_lock().unwrap();
        assert!(lock.lock().now_or_never().is_none());
        drop(held);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(pin!(lock.lock()).poll(&mut cx).is_ready());
        assert_eq!(note::budget(), 0, "who asks but once is not given one");
    });
}
