//! Channels and time, on a clock that stands still until nothing else is left to do.

mod chan_support;

use std::time::Duration;

use gopark::chan;
use gopark::time::{Instant, advance, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[gopark::test(paused = true)]
async fn after_gives_the_time_once() {
    let began = Instant::now();
    let timer = chan::after(5 * SECOND);
    assert!(timer.try_recv().unwrap_err().is_empty());
    let fired = timer.recv().await.unwrap();
    assert_eq!(fired.duration_since(began), 5 * SECOND);
    // Nothing more comes, and that is no end.
    assert!(
        timer
            .recv_timeout(100 * SECOND)
            .await
            .unwrap_err()
            .is_timeout()
    );
}

#[gopark::test(paused = true)]
async fn a_time_that_has_passed_is_there_at_once() {
    assert!(chan::after(Duration::ZERO).try_recv().is_ok());
    let now = Instant::now();
    sleep(SECOND).await;
    assert!(chan::at(now).try_recv().is_ok());
    assert_eq!(
        chan::at(now + 3 * SECOND).recv().await,
        Ok(now + 3 * SECOND)
    );
}

#[gopark::test(paused = true)]
async fn a_tick_comes_each_period() {
    let began = Instant::now();
    let ticks = chan::tick(2 * SECOND);
    for n in 1..10 {
        assert_eq!(
            ticks.recv().await.unwrap().duration_since(began),
            2 * n * SECOND
        );
    }
}

#[gopark::test(paused = true)]
async fn a_tick_that_finds_the_last_one_there_is_left_out() {
    let ticks = chan::tick(SECOND);
    for _ in 0..5 {
        sleep(SECOND).await;
    }
    sleep(SECOND / 2).await;
    assert_eq!(ticks.len(), 1);
    ticks.try_recv().unwrap();
    assert!(ticks.try_recv().unwrap_err().is_empty());
    let before = Instant::now();
    assert_eq!(
        ticks.recv().await.unwrap().duration_since(before),
        SECOND / 2
    );
}

#[gopark::test(paused = true)]
async fn a_tick_without_a_period_is_always_there() {
    let ticks = chan::tick(Duration::ZERO);
    for _ in 0..100 {
        assert_eq!(ticks.try_recv(), Ok(Instant::now()));
    }
    ticks.close();
    assert!(ticks.try_recv().unwrap_err().is_disconnected());
}

#[gopark::test(paused = true)]
async fn a_timer_has_no_task_behind_it() {
    let tasks = || gopark::runtime::Handle::current().tasks().len();
    let before = tasks();
    let timers = [
        chan::after(SECOND),
        chan::tick(SECOND),
        chan::at(Instant::now() + SECOND),
    ];
    gopark::yield_now().await;
    assert_eq!(tasks(), before);
    for timer in &timers {
        timer.recv().await.unwrap();
    }
    assert_eq!(tasks(), before);
}

#[gopark::test(paused = true)]
async fn a_timer_is_taken_out_with_its_last_receiver() {
    let began = Instant::now();
    for n in 0..10_000 {
        let timer = chan::after(3600 * SECOND);
        let other = timer.clone();
        if n % 2 == 0 {
            drop(timer);
            drop(chan::tick(SECOND));
        }
        assert!(other.try_recv().unwrap_err().is_empty());
    }
    // A clock that stands still goes on to the first timer that is left, and here that is this one.
    sleep(10 * 3600 * SECOND).await;
    assert_eq!(began.elapsed(), 10 * 3600 * SECOND);
}

#[test]
fn a_timer_whose_runtime_ends_is_closed() {
    let runtime = gopark::runtime::Runtime::new().unwrap();
    let (after, tick) =
        runtime.block_on(async { (chan::after(3600 * SECOND), chan::tick(3600 * SECOND)) });
    drop(runtime);
    assert!(after.recv_blocking().is_err());
    assert!(tick.recv_blocking().is_err());
}

#[test]
fn timers_are_made_dropped_and_received_from_everywhere() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                for n in 0..300_u64 {
                    let timer = chan::after(Duration::from_micros(n % 3_000));
                    let ticks = chan::tick(Duration::from_millis(1));
                    if n % 3 == 0 {
                        drop(timer);
                        ticks.recv_blocking().unwrap();
                    } else {
                        timer.recv_blocking().unwrap();
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[gopark::test(paused = true)]
async fn receiving_waits_for_so_long_and_no_longer() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let began = Instant::now();
    assert!(rx.recv_timeout(3 * SECOND).await.unwrap_err().is_timeout());
    assert_eq!(began.elapsed(), 3 * SECOND);
    assert!(
        rx.recv_deadline(began + 5 * SECOND)
            .await
            .unwrap_err()
            .is_timeout()
    );
    assert_eq!(began.elapsed(), 5 * SECOND);
    // In vain, and without a trace: the next message is for the next receive.
    tx.try_send(1).unwrap();
    assert_eq!(rx.recv_timeout(SECOND).await, Ok(1));
    drop(tx);
    assert!(rx.recv_timeout(SECOND).await.unwrap_err().is_disconnected());
    assert_eq!(began.elapsed(), 5 * SECOND);
}

#[gopark::test(paused = true)]
async fn sending_waits_for_so_long_and_gives_the_message_back() {
    let (tx, rx) = chan::rendezvous();
    let began = Instant::now();
    let error = tx.send_timeout(1, 3 * SECOND).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!((error.into_inner(), began.elapsed()), (1, 3 * SECOND));
    assert!(rx.try_recv().unwrap_err().is_empty());
    let receive = gopark::spawn(async move { (rx.recv().await, rx.recv().await) });
    assert_eq!(tx.send_deadline(2, began + 4 * SECOND).await, Ok(()));
    assert_eq!(tx.send_timeout(3, SECOND).await, Ok(()));
    assert_eq!(receive.await.unwrap(), (Ok(2), Ok(3)));
    assert!(
        tx.send_timeout(4, SECOND)
            .await
            .unwrap_err()
            .is_disconnected()
    );
}

/// What is there at the last moment wins against the time.
#[gopark::test(paused = true)]
async fn a_message_that_is_there_is_received_with_no_time_at_all() {
    let (tx, rx) = chan::bounded(1);
    assert_eq!(tx.send_timeout(1, Duration::ZERO).await, Ok(()));
    assert_eq!(rx.recv_timeout(Duration::ZERO).await, Ok(1));
}

#[gopark::test(paused = true)]
async fn a_select_waits_for_the_first_of_several_times() {
    let began = Instant::now();
    let (_tx, rx) = chan::bounded::<u8>(1);
    let chosen = gopark::select! {
        _ = rx.recv() => 0,
        _ = chan::after(3 * SECOND) => 1,
        _ = chan::after(2 * SECOND) => 2,
        () = sleep(4 * SECOND) => 3,
    };
    assert_eq!((chosen, began.elapsed()), (2, 2 * SECOND));
    advance(SECOND).await;
}
