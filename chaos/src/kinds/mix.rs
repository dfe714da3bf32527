//! Trees of tasks that use everything, to their end; the number of processors changes meanwhile.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::options::Options;
use crate::program::{World, story};
use crate::random::Random;
use crate::shape::{Shape, end};

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let mut shape = Shape::any(random, options);
    if random.one_in(5) {
        shape = shape.paused();
    }
    let runtime = Arc::new(shape.build());
    let world = World::new(shape.paused);
    let roots: Vec<_> = (1..random.within(1..4))
        .map(|_| {
            let (runtime, root) = (runtime.clone(), story(world.clone(), random.fork(), 0));
            thread::spawn(move || runtime.block_on(root))
        })
        .collect();
    let stories: Vec<_> = (0..random.within(1..8))
        .map(|_| story(world.clone(), random.fork(), 0))
        .collect();
    let resizes = shape.procs.is_some() && options.procs.is_none() && random.one_in(2);
    let sizes: Vec<_> = (0..5).map(|_| random.within(1..9)).collect();
    let handle = runtime.handle().clone();
    let joined: Result<(), String> = runtime.block_on(async move {
        let tasks: Vec<_> = stories.into_iter().map(gopark::spawn).collect();
        if resizes {
            for size in sizes {
                handle.set_procs(size).map_err(|error| error.to_string())?;
                gopark::yield_now().await;
            }
        }
        for task in tasks {
            task.await
                .map_err(|error| format!("a story was lost: {error}"))?;
        }
        Ok(())
    });
    for root in roots {
        root.join().map_err(|_| "a root panicked".to_owned())?;
    }
    joined?;
    world.verdict()?;
    let runtime = Arc::into_inner(runtime).expect("the roots have ended");
    end(runtime, random)?;
    world.ledger.settle(Duration::from_secs(20))
}
