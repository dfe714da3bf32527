//! `interval`, `interval_at` and missed ticks.

use std::{
    future::poll_fn,
    panic::{Location, catch_unwind},
    sync::Mutex,
    task::Poll,
};

use gopark::{
    runtime::Builder,
    time::{self, Duration, Instant, Interval, MissedTickBehavior, interval, interval_at, sleep},
};

const MS: Duration = Duration::from_millis(1);

fn paused<F: Future>(test: F) -> F::Output {
    Builder::new_current_thread()
        .pause_time(true)
        .build()
        .unwrap()
        .block_on(test)
}

/// The milliseconds after `start` at which the next ticks come, and for which they were planned.
async fn ticks<const N: usize>(every: &mut Interval, start: Instant) -> [(u128, u128); N] {
    let mut ticks = [(0, 0); N];
    for tick in &mut ticks {
        let planned = every.tick().await;
        *tick = (start.elapsed().as_millis(), (planned - start).as_millis());
    }
    ticks
}

#[test]
fn the_first_tick_comes_at_once_and_the_others_every_period() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(10 * MS);
        assert_eq!(every.period(), 10 * MS);
        assert_eq!(
            ticks(&mut every, start).await,
            [(0, 0), (10, 10), (20, 20), (30, 30)]
        );
    });
}

#[test]
fn an_interval_starts_when_it_is_told_to() {
    paused(async {
        let start = Instant::now();
        let mut every = interval_at(start + 25 * MS, 10 * MS);
        assert_eq!(ticks(&mut every, start).await, [(25, 25), (35, 35)]);
    });
}

/// Two ticks, then a task that is busy until 220 ms, then the ticks after that.
async fn after_a_pause<const N: usize>(missed: MissedTickBehavior) -> [(u128, u128); N] {
    let start = Instant::now();
    let mut every = interval(50 * MS);
    every.set_missed_tick_behavior(missed);
    assert_eq!(every.missed_tick_behavior(), missed);
    every.tick().await;
    every.tick().await;
    sleep(170 * MS).await;
    assert_eq!(start.elapsed(), 220 * MS);
    ticks(&mut every, start).await
}

#[test]
fn burst_makes_up_for_missed_ticks() {
    paused(async {
        assert_eq!(MissedTickBehavior::default(), MissedTickBehavior::Burst);
        let expected = [(220, 100), (220, 150), (220, 200), (250, 250), (300, 300)];
        assert_eq!(after_a_pause(MissedTickBehavior::Burst).await, expected);
    });
}

#[test]
fn delay_starts_anew_from_the_late_tick() {
    paused(async {
        let expected = [(220, 100), (270, 270), (320, 320)];
        assert_eq!(after_a_pause(MissedTickBehavior::Delay).await, expected);
    });
}

#[test]
fn skip_goes_on_at_the_next_multiple() {
    paused(async {
        let expected = [(220, 100), (250, 250), (300, 300)];
        assert_eq!(after_a_pause(MissedTickBehavior::Skip).await, expected);
    });
}

#[test]
fn skip_at_a_multiple_does_not_tick_twice() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(50 * MS);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        every.tick().await;
        sleep(150 * MS).await;
        assert_eq!(ticks(&mut every, start).await, [(150, 50), (200, 200)]);
    });
}

#[test]
fn a_tick_that_is_a_little_late_was_not_missed() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(50 * MS);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        every.tick().await;
        sleep(54 * MS).await;
        assert_eq!(ticks(&mut every, start).await, [(54, 50), (100, 100)]);
    });
}

#[test]
fn an_interval_can_be_reset() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(10 * MS);
        every.tick().await;
        sleep(3 * MS).await;
        every.reset();
        assert_eq!(ticks(&mut every, start).await, [(13, 13), (23, 23)]);
        every.reset_immediately();
        assert_eq!(ticks(&mut every, start).await, [(23, 23), (33, 33)]);
        every.reset_after(4 * MS);
        assert_eq!(ticks(&mut every, start).await, [(37, 37), (47, 47)]);
        every.reset_at(start + 100 * MS);
        assert_eq!(ticks(&mut every, start).await, [(100, 100), (110, 110)]);
    });
}

#[test]
fn a_tick_that_was_dropped_is_not_lost() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(10 * MS);
        every.tick().await;
        assert!(time::timeout(9 * MS, every.tick()).await.is_err());
        sleep(5 * MS).await;
        assert_eq!(ticks(&mut every, start).await, [(14, 10), (20, 20)]);
    });
}

#[test]
fn an_interval_can_be_polled() {
    paused(async {
        let mut every = interval(10 * MS);
        every.tick().await;
        let first = poll_fn(|cx| Poll::Ready(every.poll_tick(cx))).await;
        assert!(first.is_pending());
        time::advance(10 * MS).await;
        assert!(
            poll_fn(|cx| Poll::Ready(every.poll_tick(cx)))
                .await
                .is_ready()
        );
    });
}

#[test]
fn a_period_beyond_all_time_ticks_once() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(Duration::MAX);
        every.tick().await;
        assert!(
            time::timeout(Duration::from_secs(3600), every.tick())
                .await
                .is_err()
        );
        assert_eq!(start.elapsed(), Duration::from_secs(3600));
    });
}

/// Where the panic in `f` says that it happened.
fn panics_at(f: impl FnOnce() + std::panic::UnwindSafe) -> (String, String) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    static PLACE: Mutex<Option<(String, String)>> = Mutex::new(None);
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let hook = std::panic::take_hook();
    let me = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == me {
            let file = info
                .location()
                .map(Location::file)
                .unwrap_or_default()
                .to_owned();
            *PLACE.lock().unwrap() = Some((file, info.to_string()));
        }
    }));
    let outcome = catch_unwind(f);
    std::panic::set_hook(hook);
    assert!(outcome.is_err(), "it did not panic");
    PLACE.lock().unwrap().take().expect("the hook has seen it")
}

#[test]
fn a_period_of_zero_panics_where_it_was_given() {
    let (file, message) = panics_at(|| drop(interval(Duration::ZERO)));
    assert!(file.ends_with("time_interval.rs"), "{file}");
    assert!(message.contains("longer than zero"), "{message}");
    let (file, _) = panics_at(|| drop(interval_at(Instant::now(), Duration::ZERO)));
    assert!(file.ends_with("time_interval.rs"), "{file}");
}
