//! Waiting for a context: `done`, `run` and `after_func`.

mod task_support;

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::Barrier;
use std::task::{self, Poll, Wake, Waker};
use std::thread;

use futures::channel::oneshot;
use gopark::context::{Cancel, Context, ContextError};
use gopark::runtime::{Handle, WaitReason};
use task_support::{Counter, PanickingWaker, alarm, every_kind, multi, poll_once};

#[derive(Clone, Default)]
struct Wakes(Counter);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.add();
    }
}

fn waker() -> (Counter, Waker) {
    let wakes = Wakes::default();
    (wakes.0.clone(), Waker::from(Arc::new(wakes)))
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut task::Context::from_waker(waker))
}

fn root() -> (Context, Cancel) {
    Context::background().with_cancel()
}

fn members(context: &Context) -> usize {
    let debug = format!("{context:?}");
    let (_, members) = debug.split_once("members: ").unwrap();
    members.trim_end_matches(", .. }").parse().unwrap()
}

#[test]
fn done_is_ready_after_the_end_and_remains_so() {
    let (context, cancel) = root();
    let mut early = context.done();
    assert!(poll_once(&mut early).is_pending());
    cancel.cancel();
    for _ in 0..3 {
        assert!(poll_once(&mut early).is_ready());
        assert!(poll_once(&mut context.done()).is_ready());
        assert!(poll_once(&mut context.clone().done_owned()).is_ready());
    }
    assert!(poll_once(&mut Context::background().done()).is_pending());
}

#[test]
fn done_that_is_dropped_at_any_stage_leaves_nothing_and_wakes_nobody() {
    let (context, cancel) = root();
    let (wakes, waker) = waker();
    drop(context.done());
    let mut done = context.done();
    assert!(poll_with(&mut done, &waker).is_pending());
    assert_eq!(members(&context), 1);
    drop(done);
    assert_eq!(members(&context), 0);
    let mut owned = context.clone().done_owned();
    assert!(poll_with(&mut owned, &waker).is_pending());
    drop(owned);
    assert_eq!(members(&context), 0);
    cancel.cancel();
    assert_eq!(wakes.get(), 0);
}

#[test]
fn the_waker_of_the_last_poll_is_woken_once() {
    let (context, cancel) = root();
    let ((old_wakes, old), (new_wakes, new)) = (waker(), waker());
    let mut done = context.done();
    for waker in [&old, &old, &new, &old, &new, &new] {
        assert!(poll_with(&mut done, waker).is_pending());
        assert_eq!(members(&context), 1);
    }
    cancel.cancel();
    assert_eq!((old_wakes.get(), new_wakes.get()), (0, 1));
    assert!(poll_with(&mut done, &old).is_ready());
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    let (context, cancel) = root();
    let (wakes, good) = waker();
    let bad = Arc::new(PanickingWaker::default());
    let mut waits: Vec<_> = (0..9).map(|_| context.done()).collect();
    for (n, done) in waits.iter_mut().enumerate() {
        let bad = Waker::from(bad.clone());
        assert!(poll_with(done, if n % 3 == 0 { &bad } else { &good }).is_pending());
    }
    let (child, _) = context.with_cancel();
    cancel.cancel();
    assert_eq!((wakes.get(), bad.0.get()), (6, 3));
    assert!(child.is_done());
}

#[test]
fn a_task_that_waits_says_for_what_and_is_woken() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (context, cancel) = root();
        runtime.block_on(async {
            let task = gopark::spawn(context.done_owned());
            while Handle::current().tasks()[0].wait_reason != WaitReason::Context {
                gopark::yield_now().await;
            }
            cancel.cancel();
            task.await.unwrap();
        });
    }
}

#[test]
fn contexts_that_are_always_done_let_others_run() {
    let _alarm = alarm();
    let (context, cancel) = root();
    cancel.cancel();
    for runtime in [multi(1), task_support::current()] {
        for by_run in [false, true] {
            runtime.block_on(async {
                let (tell, told) = oneshot::channel();
                let context = context.clone();
                let spins = gopark::spawn(async move {
                    let mut told = pin!(told);
                    while futures::poll!(told.as_mut()).is_pending() {
                        if by_run {
                            assert!(context.run(pending::<()>()).await.is_err());
                        } else {
                            context.done().await;
                        }
                    }
                });
                gopark::yield_now().await;
                tell.send(()).unwrap();
                spins.await.unwrap();
            });
        }
    }
}

/// Waiters that come and go on many threads while the context is cancelled: none waits for ever.
#[test]
fn no_waiter_misses_the_end() {
    let _alarm = alarm();
    for round in 0..100 {
        let (context, cancel) = root();
        let runtime = multi(2);
        runtime.block_on(async {
            let tasks: Vec<_> = (0..50)
                .map(|n| {
                    let context = context.clone();
                    gopark::spawn(async move {
                        while !context.is_done() {
                            let mut done = context.done();
                            if futures::poll!(&mut done).is_pending() && (n + round) % 3 == 0 {
                                done.await;
                            } else {
                                gopark::yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            for _ in 0..round % 10 {
                gopark::yield_now().await;
            }
            cancel.cancel();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(members(&context), 0);
    }
}

#[test]
fn run_gives_the_output_or_drops_the_future() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (context, cancel) = root();
            assert_eq!(context.run(async { 6 * 7 }).await, Ok(42));
            let yielded = context.run(gopark::yield_now()).await;
            assert_eq!((yielded, members(&context)), (Ok(()), 0));

            let dropped = Counter::default();
            let guard = dropped.on_drop();
            let task = gopark::spawn({
                let context = context.clone();
                async move {
                    context
                        .run(async move {
                            let _guard = guard;
                            pending::<()>().await;
                        })
                        .await
                }
            });
            while members(&context) == 0 {
                gopark::yield_now().await;
            }
            cancel.cancel();
            assert_eq!(task.await.unwrap(), Err(ContextError::Cancelled));
            assert_eq!(dropped.get(), 1);
        });
    }
}

#[test]
fn run_does_not_poll_what_comes_after_the_end_and_drops_it_in_time() {
    let (context, cancel) = root();
    let dropped = Counter::default();
    let guard = dropped.on_drop();
    let mut run = Box::pin(context.run(async move {
        let _guard = guard;
        unreachable!("it is never polled");
    }));
    cancel.cancel();
    let polled: Poll<Result<(), _>> = poll_once(&mut run);
    assert_eq!(polled, Poll::Ready(Err(ContextError::Cancelled)));
    assert_eq!(dropped.get(), 1);
}

/// The context ends in the very poll of the future that it limits.
#[test]
fn run_notices_an_end_that_comes_from_inside() {
    let (context, cancel) = root();
    let mut run = Box::pin(context.run(async {
        cancel.cancel();
        pending::<()>().await;
    }));
    assert_eq!(
        poll_once(&mut run),
        Poll::Ready(Err(ContextError::Cancelled))
    );
    drop(run);
    let (context, cancel) = root();
    let mut run = Box::pin(context.run(async { cancel.cancel() }));
    assert_eq!(poll_once(&mut run), Poll::Ready(Ok(())));
}

#[test]
fn after_func_runs_once_in_the_runtime_where_it_was_registered() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (context, cancel) = root();
            let (tell, told) = oneshot::channel();
            let func = context.after_func(async move || {
                tell.send(gopark::task::try_id()).unwrap();
            });
            // Cancelled where there is no runtime.
            thread::spawn(move || cancel.cancel()).join().unwrap();
            assert!(told.await.unwrap().is_some());
            assert!(!func.stop());

            let (tell, told) = oneshot::channel();
            let late = context.after_func(async move || tell.send(()).unwrap());
            told.await.unwrap();
            assert!(!late.stop());
        });
    }
}

#[test]
fn after_func_that_is_stopped_is_dropped_and_never_runs() {
    let (context, cancel) = root();
    let dropped = Counter::default();
    let guard = dropped.on_drop();
    let func = context.after_func(async move || {
        let _guard = guard;
        unreachable!("it was stopped");
    });
    assert!(func.stop());
    assert_eq!((dropped.get(), members(&context)), (1, 0));
    cancel.cancel();
    assert!(Context::background().after_func(async || ()).stop());
}

#[test]
fn after_func_outlives_the_context_by_its_handle() {
    let _alarm = alarm();
    gopark::block_on(async {
        let (top, cancel) = root();
        let (tell, told) = oneshot::channel();
        let func = top
            .with_cancel()
            .0
            .after_func(async move || tell.send(()).unwrap());
        let (lost, never) = oneshot::channel::<()>();
        drop(top.with_cancel().0.after_func(async move || drop(lost)));
        assert!(never.await.is_err(), "nobody held that context");
        cancel.cancel();
        told.await.unwrap();
        assert!(!func.stop());
    });
}

/// "Stop against end": the function runs, or `stop` says that it does not; never both, never neither.
#[test]
fn after_func_runs_or_is_stopped() {
    let _alarm = alarm();
    let runtime = multi(2);
    let (ran, stopped) = (Counter::default(), Counter::default());
    let rounds = 400;
    for round in 0..rounds {
        let (context, cancel) = root();
        let entered = runtime.handle().enter();
        let counter = ran.clone();
        let func = context.after_func(async move || {
            counter.add();
        });
        drop(entered);
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                cancel.cancel();
            });
            barrier.wait();
            for _ in 0..round % 20 {
                std::hint::spin_loop();
            }
            if func.stop() {
                stopped.add();
            }
        });
    }
    runtime.block_on(async {
        while ran.get() + stopped.get() < rounds {
            gopark::yield_now().await;
        }
    });
    drop(runtime); // and with it all tasks that there are
    assert_eq!(ran.get() + stopped.get(), rounds);
}

#[test]
fn after_func_runs_once_however_often_the_context_is_cancelled() {
    let _alarm = alarm();
    let runtime = multi(1);
    let ran = Counter::default();
    runtime.block_on(async {
        let (context, cancel) = root();
        let counter = ran.clone();
        let (tell, told) = oneshot::channel();
        let _func = context.after_func(async move || {
            counter.add();
            tell.send(()).unwrap();
        });
        cancel.cancel();
        cancel.cancel();
        told.await.unwrap();
    });
    drop(runtime);
    assert_eq!(ran.get(), 1);
}

#[test]
fn done_gives_the_error() {
    gopark::block_on(async {
        let (context, cancel) = Context::background().with_cancel();
        cancel.cancel();
        assert_eq!(context.done().await, ContextError::Cancelled);
        assert_eq!(context.clone().done_owned().await, ContextError::Cancelled);
        let (late, _cancel) = Context::background().with_timeout(std::time::Duration::ZERO);
        assert_eq!(late.done().await, ContextError::DeadlineExceeded);
    });
}
