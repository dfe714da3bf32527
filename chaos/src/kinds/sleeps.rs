//! Thousands of sleeps that end at about the same time, beside tasks that compute: their wheels are turned by
//! their owners and by the poller, in batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gopark::time::sleep;

use crate::options::Options;
use crate::program::LATE;
use crate::random::Random;
use crate::shape::{Shape, end};

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let runtime = Shape::any(random, options).build();
    let (sleeps, hogs) = (random.within(1_000..40_000), random.below(3));
    let first = random.within(20..300) as u64;
    let width = random.within(1..200);
    let worst = Arc::new(AtomicU64::new(0));
    let (times, told) = (random.fork(), worst.clone());
    runtime.block_on(async move {
        let mut random = times;
        let hogs: Vec<_> = (0..hogs)
            .map(|_| {
                let mut slice = random.fork();
                gopark::spawn(async move {
                    for _ in 0..4 {
                        let time = Duration::from_millis(slice.within(1..40) as u64);
                        let began = Instant::now();
                        while began.elapsed() < time {
                            std::hint::spin_loop();
                        }
                        gopark::yield_now().await;
                    }
                })
            })
            .collect();
        let spawner = gopark::spawn(async move {
            let mut tasks = Vec::with_capacity(sleeps);
            for _ in 0..sleeps {
                let time = Duration::from_millis(first + random.below(width) as u64);
                let worst = told.clone();
                tasks.push(gopark::spawn(async move {
                    let began = Instant::now();
                    sleep(time).await;
                    let late = began.elapsed().saturating_sub(time);
                    worst.fetch_max(late.as_millis() as u64, Ordering::Relaxed);
                    began.elapsed() >= time
                }));
            }
            let mut in_time = true;
            for task in tasks {
                in_time &= task.await.unwrap_or(false);
            }
            in_time
        });
        for hog in hogs {
            hog.await.map_err(|error| error.to_string())?;
        }
        match spawner.await {
            Ok(true) => Ok(()),
            Ok(false) => Err("a sleep ended too early, or was lost".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })?;
    let late = worst.load(Ordering::Relaxed);
    if u128::from(late) > LATE.as_millis() {
        return Err(format!("of {sleeps} sleeps one was {late} ms late"));
    }
    end(runtime, random)
}
