//! Programs that look as if nothing could run any more, but are healthy: a plain thread will answer, a root computes, a
//! nested `block_on` waits. None may be called a deadlock.

use std::thread;
use std::time::{Duration, Instant};

use gopark::chan;
use gopark::runtime::{Builder, DeadlockPolicy};
use gopark::time::sleep;

use crate::options::Options;
use crate::random::Random;
use crate::shape::end;
use crate::watchdog;

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let procs = options.procs.unwrap_or_else(|| random.within(1..4));
    let current_thread = random.one_in(2);
    let builder = if current_thread {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread().procs(procs)
    };
    let paused = current_thread && random.one_in(2);
    let runtime = builder
        .pause_time(paused)
        .deadlock_policy(DeadlockPolicy::Abort)
        .build()
        .map_err(|error| error.to_string())?;
    watchdog::include(
        format!("procs {procs}, paused {paused}, Abort"),
        runtime.handle(),
    );
    // Now and then longer than the patience of the report.
    let long = if random.one_in(4) { 1_500 } else { 30 };
    let time = Duration::from_millis(random.within(1..long) as u64);
    let (answer, answers) = chan::bounded::<u32>(1);
    match random.below(3) {
        0 => {
            // The policy is for programs in which no thread outside wakes a task; one that does so within the
            // patience of the report is not seen as long as the machine gives it a core in time.
            let time = time.min(Duration::from_millis(300));
            let thread = thread::spawn(move || {
                thread::sleep(time);
                answer.send_blocking(1).map_err(|error| error.to_string())
            });
            let uses_section = random.one_in(2);
            let value = runtime.block_on(async move {
                if uses_section {
                    gopark::block(|| ());
                }
                answers.recv().await
            });
            thread
                .join()
                .map_err(|_| "the thread panicked".to_owned())??;
            value.map_err(|error| error.to_string())?;
        }
        1 => {
            let handle = runtime.handle().clone();
            let other = thread::spawn(move || {
                handle.block_on(async move {
                    sleep(Duration::from_millis(2)).await;
                    compute(time);
                    answer.send(1).await.map_err(|error| error.to_string())
                })
            });
            let value = runtime.block_on(answers.recv());
            other.join().map_err(|_| "a root panicked".to_owned())??;
            value.map_err(|error| error.to_string())?;
        }
        _ => runtime.block_on(async move {
            let asks = gopark::spawn(async move {
                sleep(Duration::from_millis(1)).await;
                let value = gopark::block_on(answers.recv());
                compute(time);
                value
            });
            let answers = gopark::spawn(async move {
                sleep(Duration::from_millis(5)).await;
                _ = answer.send(1).await;
                compute(Duration::from_millis(5));
            });
            answers.await.map_err(|error| error.to_string())?;
            let value = asks.await.map_err(|error| error.to_string())?;
            value.map_err(|error| error.to_string()).map(drop)
        })?,
    }
    end(runtime, random)
}

fn compute(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}
