//! Runtimes that end while tasks work, and while plain threads go on to spawn: every handle resolves and
//! every future is dropped.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::program::{World, resolves, section, story};
use crate::random::Random;
use crate::shape::{Shape, end};

/// How soon after the end all must be over.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let shape = Shape::any(random, options);
    let runtime = shape.build();
    let world = World::new(false);
    let mut handles = Vec::new();
    // A section that is nearly over as the runtime ends is where the monitor holds the P.
    for _ in 0..random.below(3) {
        let (life, mut inner) = (world.life(), random.fork());
        handles.push(runtime.spawn(async move {
            let _life = life;
            section(&mut inner);
        }));
    }
    for _ in 0..random.below(6) {
        handles.push(runtime.spawn(story(world.clone(), random.fork(), 1)));
    }
    if random.one_in(3) {
        runtime.block_on(story(world.clone(), random.fork(), 2));
    }
    world.cut_short.store(true, Ordering::SeqCst);
    let spawners: Vec<_> = (0..random.below(3))
        .map(|_| {
            let (handle, world) = (runtime.handle().clone(), world.clone());
            let time = random.micros(600);
            thread::spawn(move || {
                let (began, mut handles) = (Instant::now(), Vec::new());
                while began.elapsed() < time {
                    let life = world.life();
                    handles.push(handle.spawn(async move { drop(life) }));
                }
                handles
            })
        })
        .collect();
    if random.one_in(2) {
        thread::sleep(random.micros(300));
    }
    end(runtime, random)?;
    for spawner in spawners {
        handles.extend(
            spawner
                .join()
                .map_err(|_| "a spawner panicked".to_owned())?,
        );
    }
    let all = async {
        for handle in handles {
            // Done, or cancelled with its runtime.
            _ = handle.await;
        }
    };
    if !resolves(all, LIMIT) {
        return Err("a handle of an ended runtime does not resolve".to_owned());
    }
    world.ledger.settle(LIMIT)
}
