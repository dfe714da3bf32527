//! A clock that stands still: hours pass in no time, whoever waits for them: roots, tasks, nested `block_on`s, beside
//! sections, jobs and sockets that were used before.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gopark::time::sleep;

use crate::options::Options;
use crate::program::{World, story};
use crate::random::Random;
use crate::shape::{Shape, end};

/// Virtual hours may take so much real time.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let shape = Shape::any(random, options).paused();
    let runtime = Arc::new(shape.build());
    let world = World::new(true);
    let began = Instant::now();
    // Something is used first: sockets, jobs, threads that come and go.
    if random.one_in(2) {
        runtime.block_on(story(world.clone(), random.fork(), 2));
    }
    let sleeper = {
        let runtime = runtime.clone();
        let naps = random.within(1..20);
        thread::spawn(move || {
            runtime.block_on(async move {
                for _ in 0..naps {
                    sleep(Duration::from_secs(60)).await;
                }
            });
        })
    };
    if random.one_in(2) {
        for _ in 0..random.below(100) {
            runtime.block_on(async {});
        }
    }
    let nesters: Vec<_> = (0..random.below(5))
        .map(|_| random.within(1..7_200) as u64)
        .collect();
    let stories: Vec<_> = (0..random.below(3))
        .map(|_| story(world.clone(), random.fork(), 2))
        .collect();
    let joined: Result<(), String> = runtime.block_on(async move {
        let nested = nesters.into_iter().map(|seconds| {
            gopark::spawn(async move { gopark::block_on(sleep(Duration::from_secs(seconds))) })
        });
        let tasks: Vec<_> = nested
            .chain(stories.into_iter().map(gopark::spawn))
            .collect();
        for task in tasks {
            task.await.map_err(|error| error.to_string())?;
        }
        Ok(())
    });
    sleeper.join().map_err(|_| "a root panicked".to_owned())?;
    joined?;
    world.verdict()?;
    if began.elapsed() > LIMIT {
        return Err(format!("virtual hours took {:?}", began.elapsed()));
    }
    end(
        Arc::into_inner(runtime).expect("the roots have ended"),
        random,
    )?;
    world.ledger.settle(LIMIT)
}
