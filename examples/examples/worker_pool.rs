//! Some workers share a queue of jobs; results come as they are done; the pool stops by closing.
//!
//!     cargo run -p gopark-examples --example worker_pool
//!
//! Look at: a channel may have many receivers, and each job goes to one of them, whoever is free: so no
//! long job holds up a short one, and the results are in another order than the jobs. Nobody tells the
//! workers to stop: once the queue is closed, what is in it is still done, what comes later is refused, and
//! then `recv` fails. (So it would if the last sender of jobs were dropped.) When the last worker is
//! gone, so are the senders of results, and that channel has ended too.

use gopark::chan;
use gopark::time::{Duration, sleep};

const WORKERS: usize = 3;

/// How many milliseconds each job takes.
const JOBS: [u64; 9] = [60, 10, 20, 10, 40, 10, 10, 20, 10];

#[gopark::main]
async fn main() {
    let (jobs, queue) = chan::bounded(JOBS.len());
    let (results, done) = chan::unbounded();
    for worker in 1..=WORKERS {
        let (queue, results) = (queue.clone(), results.clone());
        gopark::spawn(async move {
            let mut count = 0;
            while let Ok((job, millis)) = queue.recv().await {
                sleep(Duration::from_millis(millis)).await; // the work
                count += 1;
                if results.send((job, millis, worker)).await.is_err() {
                    break; // nobody wants to know
                }
            }
            println!("worker {worker} stops after {count} jobs");
        });
    }
    drop(results); // the workers have theirs

    for job in (1..).zip(JOBS) {
        jobs.send(job).await.expect("the workers receive");
    }
    jobs.close();
    let refused = jobs.send((10, 10)).await.expect_err("it is closed");
    println!("too late: job {}", refused.into_inner().0);

    let mut order = Vec::new();
    while let Ok((job, millis, worker)) = done.recv().await {
        println!("job {job}, {millis} ms, by worker {worker}");
        order.push(job);
    }
    println!("order of completion: {order:?}");
}
