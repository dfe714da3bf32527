//! `sleep`, `sleep_until` and `Sleep::reset`.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use gopark::{
    runtime::Builder,
    time::{self, Duration, Instant, Sleep, sleep, sleep_until},
};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn paused<F: Future>(test: F) -> F::Output {
    Builder::new_current_thread()
        .pause_time(true)
        .build()
        .unwrap()
        .block_on(test)
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn pair() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), Waker::from(wakes))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll(sleep: Pin<&mut Sleep>, waker: &Waker) -> Poll<()> {
    sleep.poll(&mut Context::from_waker(waker))
}

#[test]
fn a_sleep_ends_at_its_deadline_when_nothing_else_runs() {
    paused(async {
        let start = Instant::now();
        sleep(100 * MS).await;
        assert_eq!(start.elapsed(), 100 * MS);
        sleep(HOUR).await;
        assert_eq!(start.elapsed(), HOUR + 100 * MS);
    });
}

#[test]
fn a_deadline_between_two_ticks_is_rounded_up() {
    paused(async {
        let start = Instant::now();
        sleep(Duration::from_micros(1500)).await;
        assert_eq!(start.elapsed(), 2 * MS);
    });
}

#[test]
fn a_sleep_of_zero_and_one_that_lies_behind_are_ready_at_once() {
    paused(async {
        let (wakes, waker) = Wakes::pair();
        let now = Instant::now();
        assert!(poll(pin!(sleep(Duration::ZERO)), &waker).is_ready());
        assert!(poll(pin!(sleep_until(now)), &waker).is_ready());
        time::advance(MS).await;
        assert!(poll(pin!(sleep_until(now)), &waker).is_ready());
        assert_eq!(wakes.count(), 0);
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    paused(async {
        let (sender, receiver) = mpsc::channel();
        let delays = [70_000, 5, 64, 4096, 1, 63, 300, 65];
        let tasks = delays.map(|delay| {
            let sender = sender.clone();
            gopark::spawn(async move {
                sleep(delay * MS).await;
                sender.send(delay).unwrap();
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        let mut sorted = delays;
        sorted.sort_unstable();
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), sorted);
    });
}

#[test]
fn every_one_of_many_sleeps_ends_at_its_own_tick() {
    paused(async {
        let start = Instant::now();
        let tasks: Vec<_> = (0..2000_u32)
            .map(|n| {
                let delay = (n * 7919 % 10_000 + 1) * MS;
                gopark::spawn(async move {
                    sleep(delay).await;
                    (start.elapsed(), delay)
                })
            })
            .collect();
        for task in tasks {
            let (slept, delay) = task.await.unwrap();
            assert_eq!(slept, delay);
        }
    });
}

#[test]
fn a_sleep_that_fired_stays_ready() {
    paused(async {
        let mut sleep = pin!(sleep(MS));
        assert!(!sleep.is_elapsed());
        sleep.as_mut().await;
        assert!(sleep.is_elapsed());
        sleep.await;
    });
}

#[test]
fn the_last_waker_is_woken_and_only_that() {
    paused(async {
        let ((old, first), (new, second)) = (Wakes::pair(), Wakes::pair());
        let mut sleep = pin!(sleep(5 * MS));
        assert!(poll(sleep.as_mut(), &first).is_pending());
        assert!(poll(sleep.as_mut(), &first).is_pending());
        assert!(poll(sleep.as_mut(), &second).is_pending());
        drop(first);
        assert_eq!(
            Arc::strong_count(&old),
            1,
            "the waker that was replaced is dropped"
        );
        time::advance(5 * MS).await;
        assert_eq!((old.count(), new.count()), (0, 1));
        assert!(poll(sleep.as_mut(), &second).is_ready());
    });
}

#[test]
fn a_dropped_sleep_wakes_nobody_and_keeps_no_waker() {
    paused(async {
        let (wakes, waker) = Wakes::pair();
        let mut boxed = Box::pin(sleep(5 * MS));
        assert!(poll(boxed.as_mut(), &waker).is_pending());
        drop(boxed);
        time::advance(10 * MS).await;
        assert_eq!(wakes.count(), 0);
        drop(waker);
        assert_eq!(Arc::strong_count(&wakes), 1);
    });
}

#[test]
fn a_sleep_reset_to_later_waits_on_without_being_polled() {
    paused(async {
        let (wakes, waker) = Wakes::pair();
        let start = Instant::now();
        let mut sleep = pin!(sleep(10 * MS));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        sleep.as_mut().reset(start + 200 * MS);
        assert_eq!(sleep.deadline(), start + 200 * MS);
        time::advance(199 * MS).await;
        assert_eq!(wakes.count(), 0);
        time::advance(MS).await;
        assert_eq!(wakes.count(), 1);
        assert!(sleep.is_elapsed());
    });
}

#[test]
fn a_sleep_reset_to_earlier_fires_earlier_without_being_polled() {
    paused(async {
        let (wakes, waker) = Wakes::pair();
        let start = Instant::now();
        let mut sleep = pin!(sleep(HOUR));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        sleep.as_mut().reset(start + 3 * MS);
        time::advance(2 * MS).await;
        assert_eq!(wakes.count(), 0);
        time::advance(MS).await;
        assert_eq!(wakes.count(), 1);
        assert!(poll(sleep, &waker).is_ready());
    });
}

#[test]
fn a_waiting_sleep_reset_to_the_past_is_woken() {
    paused(async {
        let (wakes, waker) = Wakes::pair();
        let start = Instant::now();
        time::advance(10 * MS).await;
        let mut sleep = pin!(sleep(HOUR));
        assert!(poll(sleep.as_mut(), &waker).is_pending());
        sleep.as_mut().reset(start);
        assert_eq!(wakes.count(), 1);
        assert!(poll(sleep, &waker).is_ready());
    });
}

#[test]
fn a_sleep_that_fired_can_be_reset_and_waits_again() {
    paused(async {
        let start = Instant::now();
        let mut sleep = pin!(sleep(MS));
        for round in 1..=5 {
            sleep.as_mut().await;
            assert_eq!(start.elapsed(), round * MS);
            sleep.as_mut().reset(start + (round + 1) * MS);
            assert!(!sleep.is_elapsed());
        }
    });
}

#[test]
fn the_end_of_time_never_comes() {
    paused(async {
        let (wakes, waker) = Wakes::pair();
        let start = Instant::now();
        let mut never = pin!(sleep(Duration::MAX));
        assert!(poll(never.as_mut(), &waker).is_pending());
        let mut saturated = pin!(sleep_until(start + Duration::MAX));
        assert!(poll(saturated.as_mut(), &waker).is_pending());
        sleep(HOUR).await;
        assert_eq!(
            start.elapsed(),
            HOUR,
            "time did not jump to a deadline that never comes"
        );
        assert_eq!(wakes.count(), 0);
    });
}

#[test]
fn a_sleep_reset_to_never_and_back_fires_again() {
    paused(async {
        let start = Instant::now();
        let mut sleep = pin!(sleep(5 * MS));
        poll_fn(|cx| {
            assert!(sleep.as_mut().poll(cx).is_pending());
            sleep.as_mut().reset(start + Duration::MAX);
            assert!(sleep.as_mut().poll(cx).is_pending());
            sleep.as_mut().reset(start + 7 * MS);
            assert!(sleep.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        sleep.await;
        assert_eq!(start.elapsed(), 7 * MS);
    });
}

#[test]
fn a_sleep_may_last_longer_than_the_wheel_spans() {
    paused(async {
        let start = Instant::now();
        let long = 24 * HOUR * 365 * 3;
        sleep(long).await;
        assert_eq!(start.elapsed(), long);
    });
}

#[test]
fn the_real_clock_is_never_early() {
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            for micros in [1, 999, 1000, 1001, 2500] {
                let start = std::time::Instant::now();
                sleep(Duration::from_micros(micros)).await;
                assert!(start.elapsed() >= Duration::from_micros(micros));
            }
        });
}

#[test]
fn sleeps_of_many_tasks_on_several_ps_all_end() {
    let runtime = Builder::new_multi_thread().procs(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..500_u32)
            .map(|n| {
                gopark::spawn(async move {
                    for round in 0..3 {
                        let delay = ((n + round) % 7) * MS;
                        let start = std::time::Instant::now();
                        sleep(delay).await;
                        assert!(start.elapsed() >= delay);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_sleep_made_outside_a_runtime_waits_inside_one() {
    let sleep = sleep(MS);
    let start = std::time::Instant::now();
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(sleep);
    assert!(Instant::from_std(start) <= Instant::now());
}

#[test]
fn a_sleep_polled_outside_any_runtime_is_fired_by_the_default_one() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = std::time::Instant::now();
    let mut sleep = pin!(sleep(3 * MS));
    while poll(sleep.as_mut(), &waker).is_pending() {
        thread::park();
    }
    assert!(start.elapsed() >= 3 * MS);
}

#[test]
fn a_sleep_polled_in_an_entered_runtime_is_fired_by_that_one() {
    let runtime = Builder::new_multi_thread().procs(1).build().unwrap();
    let (wakes, waker) = Wakes::pair();
    let mut sleep = Box::pin(sleep(MS));
    {
        let _entered = runtime.enter();
        assert!(poll(sleep.as_mut(), &waker).is_pending());
    }
    drop(runtime);
    assert_eq!(wakes.count(), 1, "fired, or woken by the shutdown");
}

#[test]
fn polling_a_sleep_after_the_shutdown_of_its_runtime_panics_and_says_why() {
    let (wakes, waker) = Wakes::pair();
    let mut sleep = Box::pin(sleep(HOUR));
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            assert!(poll(sleep.as_mut(), &waker).is_pending());
        });
    assert_eq!(wakes.count(), 1, "the shutdown woke who waited");
    let panic = catch_unwind(AssertUnwindSafe(|| poll(sleep.as_mut(), &waker))).unwrap_err();
    let message = panic.downcast_ref::<&str>().unwrap();
    assert!(
        message.contains("after the shutdown of the runtime"),
        "{message}"
    );
}

#[test]
fn a_sleep_can_be_dropped_after_its_runtime() {
    let (wakes, waker) = Wakes::pair();
    let mut waiting = Box::pin(sleep(HOUR));
    Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            assert!(poll(waiting.as_mut(), &waker).is_pending());
        });
    drop(waiting);
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
}

#[test]
fn sleeps_moved_to_other_threads_are_dropped_there() {
    paused(async {
        let (wakes, waker) = Wakes::pair();
        let sleeps: Vec<_> = (1..100)
            .map(|n| {
                let mut sleep = Box::pin(sleep(n * MS));
                assert!(poll(sleep.as_mut(), &waker).is_pending());
                sleep
            })
            .collect();
        thread::spawn(move || drop(sleeps)).join().unwrap();
        time::advance(HOUR).await;
        assert_eq!(wakes.count(), 0);
    });
}

#[test]
fn a_task_that_only_sleeps_for_no_time_gives_way_to_others() {
    paused(async {
        let other = gopark::spawn(async {});
        while !other.is_finished() {
            // Ready each time; the budget makes it yield.
            sleep(Duration::ZERO).await;
        }
    });
}

/// Two tasks keep the only processor for longer than the poller waits before it turns the wheel as well. A
/// sleep that one of the two puts off waits for four seconds more, a rotation of the wheel's second level.
#[test]
fn of_many_sleeps_beside_tasks_that_compute_none_misses_its_turn_of_the_wheel() {
    const SLEEPS: usize = 100_000;
    let runtime = Builder::new_multi_thread().procs(1).build().unwrap();
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        for _ in 0..2 {
            gopark::spawn(async {
                loop {
                    let end = std::time::Instant::now() + 30 * MS;
                    while std::time::Instant::now() < end {}
                    gopark::yield_now().await;
                }
            });
        }
        let begun = Arc::new(AtomicUsize::new(0));
        for i in 0..SLEEPS {
            let begun = begun.clone();
            gopark::spawn(async move {
                begun.fetch_add(1, Ordering::Relaxed);
                sleep((100 + i as u32 * 7 % 100) * MS).await;
            });
        }
        while begun.load(Ordering::Relaxed) < SLEEPS {
            gopark::yield_now().await;
        }
        // However slow the machine is, these come after all of them in the wheel.
        let later = 300 * MS;
        sleep(later).await;
        sleep(later).await;
    });
    let fired = handle.metrics().timers_fired;
    assert!(fired > SLEEPS as u64, "only {fired} have ended");
}
