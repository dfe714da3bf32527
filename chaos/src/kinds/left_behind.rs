//! A task computes for some microseconds and then sleeps on a P that goes idle, while a plain thread spawns: the P
//! may be taken again at that moment, and somebody must still know of its timer.

use std::thread;
use std::time::{Duration, Instant};

use gopark::time::sleep;

use crate::options::Options;
use crate::program::LATE;
use crate::random::Random;
use crate::shape::{Shape, end};

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let runtime = Shape::any(random, options).build();
    let handle = runtime.handle().clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    // Another root keeps a P in use, or sleeps itself.
    let holder = random.one_in(2).then(|| {
        let handle = handle.clone();
        thread::spawn(move || {
            handle.block_on(async move {
                while stopped
                    .recv_timeout(Duration::from_micros(50))
                    .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    gopark::yield_now().await;
                }
            });
        })
    });
    let mut outcome = Ok(());
    for _ in 0..random.within(5..40) {
        let (busy, pause) = (random.micros(100), random.micros(12));
        let sleeper = handle.spawn(async move {
            let began = Instant::now();
            while began.elapsed() < busy {
                std::hint::spin_loop();
            }
            sleep(Duration::from_millis(1)).await;
            began.elapsed()
        });
        let began = Instant::now();
        while began.elapsed() < busy + pause {
            std::hint::spin_loop();
        }
        let empty = handle.spawn(async {});
        let spent = runtime.block_on(async move {
            empty.await.map_err(|error| error.to_string())?;
            sleeper.await.map_err(|error| error.to_string())
        })?;
        if spent > LATE {
            outcome = Err(format!("a sleep of 1 ms took {spent:?}"));
            break;
        }
    }
    drop(stop);
    if let Some(holder) = holder {
        holder
            .join()
            .map_err(|_| "the holder panicked".to_owned())?;
    }
    outcome?;
    end(runtime, random)
}
