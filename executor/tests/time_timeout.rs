//! `timeout`, `timeout_at` and `Elapsed`.

use std::{
    future::{pending, poll_fn, ready},
    io,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use gopark::{
    net::note,
    runtime::Builder,
    time::{self, Duration, Instant, sleep, timeout, timeout_at},
};

const MS: Duration = Duration::from_millis(1);

fn paused<F: Future>(test: F) -> F::Output {
    Builder::new_current_thread()
        .pause_time(true)
        .build()
        .unwrap()
        .block_on(test)
}

#[test]
fn a_ready_future_wins_even_over_a_deadline_that_has_passed() {
    paused(async {
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        let past = Instant::now();
        time::advance(10 * MS).await;
        assert_eq!(timeout_at(past, ready(2)).await, Ok(2));
    });
}

#[test]
fn a_slow_future_is_cut_off_at_the_deadline() {
    paused(async {
        let start = Instant::now();
        assert!(timeout(30 * MS, pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), 30 * MS);
        assert!(timeout_at(start + 50 * MS, pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), 50 * MS);
    });
}

#[test]
fn a_future_that_ends_in_time_gives_its_output_when_it_ends() {
    paused(async {
        let start = Instant::now();
        let task = async {
            sleep(20 * MS).await;
            "done"
        };
        assert_eq!(timeout(30 * MS, task).await, Ok("done"));
        assert_eq!(start.elapsed(), 20 * MS);
    });
}

#[test]
fn at_the_deadline_itself_the_future_is_asked_first() {
    paused(async {
        assert_eq!(timeout(20 * MS, sleep(20 * MS)).await, Ok(()));
    });
}

#[test]
fn no_time_at_all_is_over_at_the_first_poll() {
    paused(async {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            pin!(timeout(Duration::ZERO, pending::<()>()))
                .poll(&mut cx)
                .is_ready()
        );
        assert!(
            pin!(timeout_at(Instant::now(), pending::<()>()))
                .poll(&mut cx)
                .is_ready()
        );
    });
}

#[test]
fn a_limit_too_long_to_express_is_no_limit() {
    paused(async {
        let start = Instant::now();
        let hour = Duration::from_secs(3600);
        assert_eq!(timeout(Duration::MAX, sleep(hour)).await, Ok(()));
        assert_eq!(start.elapsed(), hour);
    });
}

#[test]
fn a_timeout_that_was_not_needed_leaves_no_timer() {
    paused(async {
        let start = Instant::now();
        timeout(5 * MS, sleep(MS)).await.unwrap();
        sleep(100 * MS).await;
        assert_eq!(start.elapsed(), 101 * MS);
    });
}

#[test]
fn the_future_can_be_reached_and_taken_back() {
    let mut limited = timeout(MS, ready(7));
    assert_eq!(limited.get_ref().clone().into_inner(), 7);
    *limited.get_mut() = ready(8);
    assert_eq!(limited.into_inner().into_inner(), 8);
}

#[test]
fn the_error_says_what_happened_and_becomes_an_io_error() {
    paused(async {
        let elapsed = timeout(MS, pending::<()>()).await.unwrap_err();
        assert_eq!(elapsed.to_string(), "deadline has elapsed");
        let error = io::Error::from(elapsed);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "deadline has elapsed");
    });
}

/// A future that is never done and uses the whole budget in each poll.
async fn hog(polls: &AtomicUsize) {
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        while let Poll::Ready(unit) = note::poll_proceed(cx) {
            assert_ne!(note::budget(), note::UNLIMITED, "tasks have a budget");
            unit.made_progress();
        }
        Poll::<()>::Pending
    })
    .await
}

#[test]
fn a_future_that_uses_the_budget_up_is_cut_off_all_the_same() {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            let task = gopark::spawn(async {
                let polls = AtomicUsize::new(0);
                let outcome = timeout(5 * MS, hog(&polls)).await;
                (outcome, polls.into_inner())
            });
            let (outcome, polls) = task.await.unwrap();
            assert!(outcome.is_err());
            assert!(polls >= 1);
        });
}

#[test]
fn timeouts_that_are_over_at_once_give_way_to_others() {
    paused(async {
        let other = gopark::spawn(async {});
        while !other.is_finished() {
            assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
        }
    });
}
