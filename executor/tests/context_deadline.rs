//! Deadlines of contexts, on a clock that stands still.

mod task_support;

use std::future::pending;
use std::pin::pin;

use futures::channel::oneshot;
use gopark::context::{Context, ContextError};
use gopark::runtime::{Builder, Handle};
use gopark::time::{self, Duration, Instant, sleep, timeout};
use task_support::{Counter, alarm, multi};

const SECOND: Duration = Duration::from_secs(1);

#[gopark::test(paused = true)]
async fn a_deadline_ends_its_context_and_those_below_at_its_time() {
    let _alarm = alarm();
    let began = Instant::now();
    let (top, _) = Context::background().with_timeout(2 * SECOND);
    let (below, _) = top.with_cancel();
    assert_eq!(below.deadline(), Some(began + 2 * SECOND));
    sleep(2 * SECOND - Duration::from_millis(1)).await;
    assert!(!top.is_done());
    below.done().await;
    assert_eq!(began.elapsed(), 2 * SECOND);
    for context in [&top, &below] {
        assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
        let cause = context.cause().unwrap();
        assert_eq!(cause.to_string(), "context deadline exceeded");
    }
}

#[gopark::test(paused = true)]
async fn the_earlier_of_two_deadlines_counts() {
    let _alarm = alarm();
    let (top, _) = Context::background().with_timeout(3 * SECOND);
    let (later, _) = top.with_timeout_cause(9 * SECOND, "never said");
    let (sooner, _) = top.with_timeout(SECOND);
    assert_eq!(later.deadline(), top.deadline());
    assert!(sooner.deadline() < top.deadline());
    sleep(SECOND).await;
    assert!(sooner.is_done() && !top.is_done() && !later.is_done());
    later.done().await;
    assert!(later.cause().unwrap().is::<ContextError>());
}

#[gopark::test(paused = true)]
async fn the_cause_of_a_deadline_is_for_the_deadline_alone() {
    let _alarm = alarm();
    let (late, _cancel) = Context::background().with_timeout_cause(SECOND, "the row is slow");
    let (gone, cancel) =
        Context::background().with_deadline_cause(Instant::now() + SECOND, "the row is slow");
    cancel.cancel();
    late.done().await;
    assert_eq!(late.err(), Some(ContextError::DeadlineExceeded));
    assert_eq!(late.cause().unwrap().to_string(), "the row is slow");
    assert_eq!(gone.err(), Some(ContextError::Cancelled));
    assert!(gone.cause().unwrap().is::<ContextError>());
}

#[gopark::test(paused = true)]
async fn a_deadline_that_has_passed_ends_the_context_at_once() {
    let _alarm = alarm();
    sleep(SECOND).await;
    let now = Instant::now();
    for deadline in [now, now - SECOND / 2] {
        let (context, _) = Context::background().with_deadline(deadline);
        assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
        let (context, _) = context.with_cancel();
        assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
    }
}

#[gopark::test(paused = true)]
async fn a_deadline_that_never_comes_is_no_limit() {
    let _alarm = alarm();
    let (context, cancel) = Context::background().with_timeout(Duration::MAX);
    assert!(context.deadline().is_some());
    sleep(Duration::from_secs(86_400 * 365)).await;
    assert!(!context.is_done());
    cancel.cancel();
    assert_eq!(context.err(), Some(ContextError::Cancelled));
}

#[gopark::test(paused = true)]
async fn a_context_is_cancelled_before_its_deadline_and_the_deadline_changes_nothing() {
    let _alarm = alarm();
    let (context, cancel) = Context::background().with_timeout(SECOND);
    let before = Handle::current().metrics().timers_fired;
    cancel.cancel_with("enough");
    sleep(2 * SECOND).await;
    let fired = Handle::current().metrics().timers_fired - before;
    assert_eq!(fired, 1, "that of the sleep");
    assert_eq!(context.err(), Some(ContextError::Cancelled));
    assert_eq!(context.cause().unwrap().to_string(), "enough");
}

/// Timers that fire are counted: none of those that were given up is among them, and no task is left.
#[gopark::test(paused = true)]
async fn contexts_that_are_dropped_early_leave_no_timer_and_no_task() {
    let _alarm = alarm();
    let handle = Handle::current();
    let (top, _cancel) = Context::background().with_timeout(100 * SECOND);
    let before = handle.metrics().timers_fired;
    for n in 0..100_000_u32 {
        let (context, cancel) = top.with_timeout(Duration::from_millis(1 + u64::from(n % 5000)));
        match n % 3 {
            0 => cancel.cancel(),
            1 => drop(cancel.drop_guard()),
            _ => drop(context),
        }
    }
    assert_eq!(handle.tasks().len(), 1, "that of the test");
    sleep(10 * SECOND).await;
    assert_eq!(handle.metrics().timers_fired, before + 1);
    assert!(!top.is_done());
}

#[gopark::test(paused = true)]
async fn a_timer_fires_once_for_a_context_that_many_wait_for() {
    let _alarm = alarm();
    let (context, _cancel) = Context::background().with_timeout(SECOND);
    let before = Handle::current().metrics().timers_fired;
    let tasks: Vec<_> = (0..1000)
        .map(|_| gopark::spawn(context.clone().done_owned()))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(Handle::current().metrics().timers_fired, before + 1);
}

#[gopark::test(paused = true)]
async fn run_cuts_off_at_the_deadline_and_not_before() {
    let _alarm = alarm();
    let (context, _cancel) = Context::background().with_timeout(SECOND);
    let began = Instant::now();
    assert_eq!(context.run(sleep(SECOND / 2)).await, Ok(()));
    assert_eq!(
        context.run(sleep(SECOND)).await,
        Err(ContextError::DeadlineExceeded)
    );
    assert_eq!(began.elapsed(), SECOND);
}

#[gopark::test(paused = true)]
async fn a_deadline_and_a_timeout_agree_on_who_is_first() {
    let _alarm = alarm();
    let (context, _cancel) = Context::background().with_timeout(2 * SECOND);
    assert!(timeout(SECOND, context.done()).await.is_err());
    assert!(timeout(2 * SECOND, context.done()).await.is_ok());
}

/// Time that is moved by hand moves deadlines too.
#[gopark::test(paused = true)]
async fn advance_ends_what_is_due() {
    let _alarm = alarm();
    let contexts: Vec<_> = (1..=50)
        .map(|n| Context::background().with_timeout(n * SECOND).0)
        .collect();
    for n in 1..=50 {
        time::advance(SECOND).await;
        let done = contexts.iter().filter(|context| context.is_done()).count();
        assert_eq!(done, n);
    }
}

#[gopark::test(paused = true)]
async fn what_was_registered_runs_at_the_deadline() {
    let _alarm = alarm();
    let (context, _cancel) = Context::background().with_timeout(SECOND);
    let (tell, told) = oneshot::channel();
    let func = context
        .with_cancel()
        .0
        .after_func(async move || tell.send(Instant::now()).unwrap());
    assert_eq!(Some(told.await.unwrap()), context.deadline());
    assert!(!func.stop());
}

/// Deadlines come on two processors while their contexts are cancelled, dropped, and waited for. What is
/// registered with a context runs or is dropped, once: nothing of it is left.
#[test]
fn deadlines_race_with_all_that_can_happen_to_a_context() {
    let _alarm = alarm();
    let (ran, dropped, rounds) = (Counter::default(), Counter::default(), 3000);
    let runtime = multi(2);
    runtime.block_on(async {
        let (top, _cancel) = Context::background().with_cancel();
        let tasks: Vec<_> = (0..rounds)
            .map(|n| {
                let (top, ran, guard) = (top.clone(), ran.clone(), dropped.on_drop());
                gopark::spawn(async move {
                    let (context, cancel) = top.with_timeout(Duration::from_millis(n % 5));
                    let func = context.after_func(async move || {
                        let _guard = guard;
                        ran.add();
                    });
                    let (below, _) = context.with_timeout(Duration::from_millis(n % 3));
                    if n % 2 == 0 {
                        sleep(Duration::from_millis(n % 4)).await;
                    }
                    match n % 7 {
                        0 => cancel.cancel(),
                        1 => drop(cancel.drop_guard()),
                        2 => drop((context, cancel, func, below)),
                        3 => drop(func.stop()),
                        4 => drop(below.done().await),
                        5 => assert!(context.run(pending::<()>()).await.is_err()),
                        _ => {
                            context.done().await;
                            assert!(below.is_done());
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(format!("{top:?}").contains("members: 0"), "{top:?}");
    });
    drop(runtime);
    assert_eq!(dropped.get(), usize::try_from(rounds).unwrap());
    assert!(ran.get() > 0);
}

#[test]
fn outside_a_runtime_the_default_one_keeps_the_deadline() {
    let _alarm = alarm();
    let (context, _cancel) = Context::background().with_timeout(Duration::from_millis(5));
    gopark::block_on(async { context.done().await });
    assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
}

#[test]
fn a_context_outlives_the_runtime_that_kept_its_deadline_by_being_cancelled() {
    let _alarm = alarm();
    for runtime in [multi(1), Builder::new_current_thread().build().unwrap()] {
        let (context, _) = runtime.block_on(async {
            Context::background().with_timeout_cause(Duration::from_secs(3600), "an hour")
        });
        assert!(!context.is_done());
        let mut waits = pin!(context.done());
        gopark::block_on(async { assert!(futures::poll!(waits.as_mut()).is_pending()) });
        drop(runtime);
        assert_eq!(context.err(), Some(ContextError::Cancelled));
        assert!(
            context
                .cause()
                .unwrap()
                .to_string()
                .contains("has shut down")
        );
        gopark::block_on(waits);
    }
}

#[test]
fn after_the_end_of_a_runtime_its_contexts_are_cancelled_at_once() {
    let _alarm = alarm();
    let runtime = multi(1);
    let handle = runtime.handle().clone();
    drop(runtime);
    let _entered = handle.enter();
    let (context, _) = Context::background().with_timeout(Duration::from_secs(3600));
    assert_eq!(context.err(), Some(ContextError::Cancelled));
    assert!(!context.with_value(1).without_cancel().is_done());
}
