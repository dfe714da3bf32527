//! Several threads in `block_on` of one runtime: they sleep, wake each other, compute, return, and enter other
//! runtimes, while each must go on whoever of them polls for all.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gopark::chan::{self, Receiver, Sender};
use gopark::runtime::Runtime;
use gopark::time::sleep;

use crate::options::Options;
use crate::program::{LATE, compute, section};
use crate::random::Random;
use crate::shape::{Shape, end};

pub(crate) fn run(random: &mut Random, options: &Options) -> Result<(), String> {
    let runtime = Arc::new(Shape::any(random, options).build());
    let roots = random.within(2..5);
    // Each root has an inbox, and gets as many words as all write to it.
    let mut plans: Vec<Vec<Step>> = (0..roots).map(|_| Vec::new()).collect();
    let (mut outboxes, mut inboxes) = (Vec::new(), Vec::new());
    for _ in 0..roots {
        let (outbox, inbox) = chan::unbounded::<()>();
        outboxes.push(outbox);
        inboxes.push(inbox);
    }
    // A word is written before it is waited for, in the order of this list: so nobody waits in a circle.
    for _ in 0..random.within(3..20) {
        let me = random.below(roots);
        match random.below(6) {
            0 | 1 => plans[me].push(Step::Sleep(random.micros(8_000))),
            2 => plans[me].push(Step::Compute),
            3 => plans[me].push(Step::Section),
            4 => plans[me].push(Step::Elsewhere(random.micros(3_000))),
            _ => {
                let other = random.below(roots);
                if other != me {
                    plans[other].push(Step::Write(me));
                    plans[me].push(Step::Wait);
                }
            }
        }
    }
    let threads: Vec<_> = plans
        .into_iter()
        .zip(inboxes)
        .map(|(plan, inbox)| {
            let root = Root {
                runtime: runtime.clone(),
                outboxes: outboxes.clone(),
                inbox,
                random: random.fork(),
            };
            thread::spawn(move || root.run(plan))
        })
        .collect();
    drop(outboxes);
    let mut outcome = Ok(());
    for thread in threads {
        let of_root = thread.join().map_err(|_| "a root panicked".to_owned());
        outcome = outcome.and_then(|()| of_root.and_then(|of_root| of_root));
    }
    outcome?;
    end(
        Arc::into_inner(runtime).expect("the roots have ended"),
        random,
    )
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Sleep(Duration),
    Compute,
    Section,
    /// A root of another runtime, within this one's.
    Elsewhere(Duration),
    Write(usize),
    Wait,
}

struct Root {
    runtime: Arc<Runtime>,
    outboxes: Vec<Sender<()>>,
    inbox: Receiver<()>,
    random: Random,
}

impl Root {
    /// Does the steps in one or several calls of `block_on`.
    fn run(mut self, plan: Vec<Step>) -> Result<(), String> {
        let mut rest = plan.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.random.within(1..rest.len() + 1));
            rest = later;
            let runtime = self.runtime.clone();
            runtime.block_on(async {
                for &step in now {
                    self.step(step).await?;
                }
                Ok::<(), String>(())
            })?;
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Sleep(time) => {
                let began = Instant::now();
                sleep(time).await;
                let late = began.elapsed().saturating_sub(time);
                if late > LATE {
                    return Err(format!("a root's sleep of {time:?} was {late:?} late"));
                }
            }
            Step::Compute => compute(&mut self.random),
            Step::Section => section(&mut self.random),
            Step::Elsewhere(time) => {
                let other = gopark::runtime::Builder::new_current_thread().build();
                let other = other.map_err(|error| error.to_string())?;
                other.block_on(sleep(time));
            }
            Step::Write(to) => {
                // The other may have failed already.
                _ = self.outboxes[to].send(()).await;
            }
            Step::Wait => self
                .inbox
                .recv()
                .await
                .map_err(|_| "a root ended before it had written".to_owned())?,
        }
        Ok(())
    }
}
