//! How often the monitor looks: seldom while a processor is idle, not at all while nothing runs, closely where
//! polls stall.

mod proof_support;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gopark::runtime::{Handle, Runtime};
use proof_support::blocking::{until, wait};
use proof_support::{alarm, multi};

/// A task that answers whoever asks: it and the one who asks sleep by turns, so its processor is taken and given back
/// each time. Gives how often, in so long a time.
fn chat(runtime: &Runtime, time: Duration) -> u32 {
    let (ask, asked) = gopark::chan::bounded::<()>(1);
    let (answer, answers) = mpsc::channel();
    let task = runtime.spawn(async move {
        while asked.recv().await.is_ok() {
            answer.send(()).unwrap();
        }
    });
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < time {
        ask.send_blocking(()).unwrap();
        answers.recv().unwrap();
        rounds += 1;
    }
    drop(ask);
    wait(task).unwrap();
    rounds
}

fn looks(handle: &Handle) -> u64 {
    handle.metrics().looks
}

#[test]
fn beside_an_idle_processor_the_monitor_looks_a_hundred_times_a_second() {
    let _alarm = alarm();
    let runtime = multi(2);
    let handle = runtime.handle();
    let before = looks(handle);
    let start = Instant::now();
    chat(&runtime, Duration::from_millis(500));
    let ms = start.elapsed().as_millis() as u64;
    let made = looks(handle) - before;
    // One in 10 ms, and one more for each that finds the task at work. Closely watched it would be one in each.
    assert!(made <= 20 + ms / 3, "{made} looks in {ms} ms");
}

#[test]
fn an_idle_runtime_is_not_looked_at() {
    let _alarm = alarm();
    let runtime = multi(2);
    let handle = runtime.handle();
    chat(&runtime, Duration::from_millis(20));
    // It lies down at some time, and then stays down.
    until(|| {
        let before = looks(handle);
        thread::sleep(Duration::from_millis(100));
        looks(handle) == before
    });
    let before = looks(handle);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(looks(handle), before);
    // And it comes back.
    until(|| {
        chat(&runtime, Duration::from_millis(20));
        looks(handle) > before
    });
}
