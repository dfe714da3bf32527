//! A task computes for some microseconds and then sleeps on a P that goes idle, while a plain thread spawns: the M
//! may get another P at that moment, and somebody must still know of the timer of the first. Nobody is inside
//! `block_on`, who would look after it as well, and another task may hold a P meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gopark::runtime::Runtime;
use gopark::time::sleep;

use crate::options::Options;
use crate::program::LATE;
use crate::random::Random;
use crate::shape::{Shape, end};

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let runtime = Shape::any(random, options).multi_thread(options).build();
    let mut outcome = Ok(());
    for _ in 0..random.within(5..80) {
        outcome = trial(&runtime, random);
        if outcome.is_err() {
            break;
        }
    }
    outcome?;
    end(runtime, random)
}

fn trial(runtime: &Runtime, random: &mut Random) -> Result<(), String> {
    let stop = Arc::new(AtomicBool::new(false));
    if random.one_in(2) {
        let stop = stop.clone();
        // The monitor will take its P after a while, too.
        runtime.spawn(async move { spin_until(|| stop.load(Ordering::Relaxed)) });
    }
    let busy = random.micros(100);
    // Its M looks for other work for a while before it parks.
    let pause = {
        let longest = [15, 150, 1_500][random.below(3)];
        random.micros(longest)
    };
    let time = Duration::from_millis(random.within(1..5) as u64);
    // They get the first Ps and leave them idle, so that the sleeper's M may get one of them in the place of its own.
    for _ in 0..random.below(3) {
        let (began, short) = (Instant::now(), random.micros(50));
        runtime.spawn(async move { spin_until(|| began.elapsed() >= short) });
    }
    let (done, ends) = mpsc::channel();
    runtime.spawn(async move {
        let began = Instant::now();
        spin_until(|| began.elapsed() >= busy);
        sleep(time).await;
        // The plain thread may have given it up.
        _ = done.send(began.elapsed());
    });
    let began = Instant::now();
    spin_until(|| began.elapsed() >= busy + pause);
    for _ in 0..random.within(1..8) {
        runtime.spawn(async {});
        let (began, gap) = (Instant::now(), random.micros(60));
        spin_until(|| began.elapsed() >= gap);
    }
    let ended = ends.recv_timeout(LATE);
    stop.store(true, Ordering::Relaxed);
    match ended {
        Ok(spent) if spent > LATE => Err(format!("a sleep of {time:?} took {spent:?}")),
        Ok(_) => Ok(()),
        Err(_) => Err(format!("a sleep of {time:?} has not ended in {LATE:?}")),
    }
}

fn spin_until(over: impl Fn() -> bool) {
    while !over() {
        std::hint::spin_loop();
    }
}
