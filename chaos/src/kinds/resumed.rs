//! A paused clock is advanced, resumed and paused again by one root or task while another waits in the reactor.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gopark::chan;
use gopark::time::{advance, pause, resume, sleep};

use crate::options::Options;
use crate::random::Random;
use crate::shape::{Shape, end};

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let runtime = Arc::new(Shape::any(random, options).paused().build());
    let (done, waits) = chan::bounded::<()>(1);
    let waiter = {
        let runtime = runtime.clone();
        thread::spawn(move || runtime.block_on(async move { waits.recv().await }))
    };
    if random.one_in(2) {
        thread::sleep(random.micros(3_000));
    }
    let mut steps = random.fork();
    runtime
        .block_on(async move {
            for _ in 0..steps.within(1..6) {
                match steps.below(3) {
                    0 => advance(Duration::from_millis(steps.below(5_000) as u64)).await,
                    1 => {
                        resume();
                        sleep(Duration::from_millis(steps.within(1..10) as u64)).await;
                        pause();
                    }
                    _ => sleep(Duration::from_secs(steps.below(100) as u64)).await,
                }
            }
            done.send(()).await
        })
        .map_err(|_| "the waiting root has gone".to_owned())?;
    let waited = waiter.join().map_err(|_| "a root panicked".to_owned())?;
    waited.map_err(|_| "a message was lost".to_owned())?;
    end(
        Arc::into_inner(runtime).expect("the roots have ended"),
        random,
    )
}
