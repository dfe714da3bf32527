//! `pause`, `advance`, `resume` and the clock that they move.

mod task_support;

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use gopark::{
    chan,
    context::Context,
    runtime::Builder,
    time::{self, Duration, Instant, sleep, timeout},
};
use task_support::alarm;

const MS: Duration = Duration::from_millis(1);

fn paused<F: Future>(test: F) -> F::Output {
    Builder::new_current_thread()
        .pause_time(true)
        .build()
        .unwrap()
        .block_on(test)
}

fn panic_message(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it did not panic");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast_ref::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn paused_time_stands_still() {
    paused(async {
        let start = Instant::now();
        for _ in 0..100 {
            gopark::yield_now().await;
        }
        std::thread::sleep(2 * MS);
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn advance_moves_the_time_by_exactly_that_much() {
    paused(async {
        let start = Instant::now();
        for step in [
            Duration::ZERO,
            Duration::from_nanos(1),
            MS,
            Duration::from_secs(86_400),
        ] {
            let before = start.elapsed();
            time::advance(step).await;
            assert_eq!(start.elapsed(), before + step);
        }
    });
}

/// Gives way until all of `tasks` tasks have told `polled` that they were polled.
async fn all_polled(polled: &AtomicUsize, tasks: usize) {
    while polled.load(Ordering::SeqCst) < tasks {
        gopark::yield_now().await;
    }
}

#[test]
fn those_that_are_due_have_run_when_advance_returns() {
    paused(async {
        let (polled, ran) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (1..=10)
            .map(|n| {
                let (polled, ran) = (polled.clone(), ran.clone());
                gopark::spawn(async move {
                    let mut sleep = pin!(sleep(n * MS));
                    assert!(futures::poll!(sleep.as_mut()).is_pending());
                    polled.fetch_add(1, Ordering::SeqCst);
                    sleep.await;
                    ran.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        all_polled(&polled, 10).await;
        time::advance(4 * MS).await;
        assert_eq!(ran.load(Ordering::SeqCst), 4);
        time::advance(6 * MS).await;
        assert_eq!(ran.load(Ordering::SeqCst), 10);
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn one_advance_is_one_jump() {
    paused(async {
        let start = Instant::now();
        let polled = Arc::new(AtomicUsize::new(0));
        let task = gopark::spawn({
            let polled = polled.clone();
            async move {
                let sleep = sleep(MS);
                polled.fetch_add(1, Ordering::SeqCst);
                sleep.await;
                start.elapsed()
            }
        });
        all_polled(&polled, 1).await;
        time::advance(100 * MS).await;
        assert_eq!(task.await.unwrap(), 100 * MS);
    });
}

#[test]
fn idle_time_jumps_from_deadline_to_deadline() {
    paused(async {
        let start = Instant::now();
        let (short, long) = (sleep(10 * MS), sleep(Duration::from_secs(10)));
        let task = gopark::spawn(async move {
            short.await;
            start.elapsed()
        });
        long.await;
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        assert_eq!(task.await.unwrap(), 10 * MS);
    });
}

#[test]
fn a_cancelled_deadline_does_not_attract_the_time() {
    paused(async {
        let start = Instant::now();
        timeout(5 * MS, gopark::yield_now()).await.unwrap();
        // Idle, with no timer: only this thread's message ends the wait.
        let (sender, receiver) = futures::channel::oneshot::channel();
        let thread = std::thread::spawn(move || sender.send(()));
        receiver.await.unwrap();
        thread.join().unwrap().unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn time_can_be_paused_while_it_runs_and_resumed() {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            time::pause();
            let start = Instant::now();
            sleep(Duration::from_secs(1000)).await;
            assert!(start.elapsed() >= Duration::from_secs(1000));
            time::resume();
            let resumed = Instant::now();
            assert!(
                resumed >= start + Duration::from_secs(1000),
                "it goes on from where it stood"
            );
            let real = std::time::Instant::now();
            sleep(2 * MS).await;
            assert!(resumed.elapsed() >= 2 * MS);
            assert!(
                real.elapsed() >= MS,
                "a resumed clock runs no faster than the real one"
            );
        });
}

#[test]
fn a_sleep_from_before_the_pause_ends_in_paused_time() {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            let start = Instant::now();
            let mut sleep = pin!(sleep(Duration::from_secs(3600)));
            assert!(timeout(MS, sleep.as_mut()).await.is_err());
            time::pause();
            sleep.await;
            assert!(start.elapsed() >= Duration::from_secs(3600));
        });
}

#[test]
fn runtimes_have_clocks_of_their_own() {
    let real = std::time::Instant::now();
    paused(async { time::advance(Duration::from_secs(86_400)).await });
    assert!(Instant::now() < Instant::from_std(real) + Duration::from_secs(86_400));
}

#[test]
fn misuse_says_what_to_do() {
    let paused_twice = panic_message(|| paused(async { time::pause() }));
    assert!(paused_twice.contains("paused already"), "{paused_twice}");

    let runs = Builder::new_current_thread().build().unwrap();
    let not_paused = panic_message(|| runs.block_on(async { time::resume() }));
    assert!(
        not_paused.contains("`gopark::time::pause()` first"),
        "{not_paused}"
    );
    let not_paused = panic_message(|| runs.block_on(async { time::advance(MS).await }));
    assert!(not_paused.contains("advance(1ms)"), "{not_paused}");

    let multi = Builder::new_multi_thread().procs(1).build().unwrap();
    let many = panic_message(|| multi.block_on(async { time::pause() }));
    assert!(many.contains("new_current_thread()"), "{many}");

    let outside = panic_message(time::pause);
    assert!(outside.contains("outside a runtime"), "{outside}");
}

#[test]
fn far_deadlines_come_on_a_paused_clock() {
    let _alarm = alarm();
    for years in [24, 26, 40, 200, 1_000_000] {
        paused(async move {
            let far = Duration::from_secs(years * 365 * 86_400);
            let start = Instant::now();
            time::sleep(far).await;
            assert_eq!(start.elapsed(), far);
            time::sleep_until(start + 2 * far).await;
            assert_eq!(start.elapsed(), 2 * far);
            assert!(time::timeout(far, pending::<()>()).await.is_err());
            assert_eq!(start.elapsed(), 3 * far);
            let mut ticks = time::interval(far);
            ticks.tick().await;
            ticks.tick().await;
            assert_eq!(start.elapsed(), 4 * far);
            let mut later = pin!(time::sleep(MS));
            later.as_mut().reset(start + 5 * far);
            later.await;
            assert_eq!(start.elapsed(), 5 * far);
            let (ctx, _cancel) = Context::background().with_timeout(far);
            ctx.done().await;
            assert_eq!(start.elapsed(), 6 * far);
            let (_sender, receiver) = chan::bounded::<()>(1);
            assert!(receiver.recv_timeout(far).await.is_err());
            assert_eq!(start.elapsed(), 7 * far);
            chan::after(far).recv().await.unwrap();
            assert_eq!(start.elapsed(), 8 * far);
        });
    }
}

#[test]
fn a_clock_that_is_advanced_to_the_end_of_time_stops_there() {
    let _alarm = alarm();
    paused(async {
        let start = Instant::now();
        let waits = gopark::spawn(time::sleep(Duration::from_secs(86_400)));
        gopark::yield_now().await;
        time::advance(Duration::from_secs(i64::MAX as u64)).await;
        waits.await.unwrap();
        let end = Instant::now();
        assert_eq!(end, start + Duration::MAX);
        time::advance(Duration::MAX).await;
        assert_eq!(Instant::now(), end);
        time::sleep(Duration::from_secs(1)).await;
        assert!(time::timeout(MS, pending::<()>()).await.is_err());
        time::resume();
        assert_eq!(Instant::now(), end);
        time::sleep(Duration::from_secs(1)).await;
        time::pause();
        assert_eq!((Instant::now(), end.elapsed()), (end, Duration::ZERO));
    });
}

#[test]
fn instants_saturate_in_the_far_future() {
    let now = Instant::now();
    let far = now + Duration::MAX;
    assert!(far > now + Duration::from_secs(20 * 365 * 86_400));
    assert_eq!(now.checked_add(Duration::MAX), None);
    assert_eq!(far + MS, far);
    assert_eq!(now - Duration::MAX - MS, now - Duration::MAX);
    assert!(now - Duration::MAX < now);
    assert_eq!(now.checked_duration_since(far), None);
    assert_eq!(now.saturating_duration_since(far), Duration::ZERO);
    assert_eq!(now - far, Duration::ZERO);
    let mut moved = now;
    moved += MS;
    assert_eq!(moved - now, MS);
    moved -= MS;
    assert_eq!(moved, now);
    assert_eq!(Instant::from_std(now.into_std()), now);
    assert_eq!(now.checked_sub(MS).map(|before| before + MS), Some(now));
}
