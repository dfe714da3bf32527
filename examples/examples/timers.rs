//! Sleep, a beat, and a limit on how long something may take.
//!
//!     cargo run -p gopark-examples --example timers
//!
//! Look at: three sleeps that run side by side take as long as the longest; an interval keeps its
//! beat although each turn also works; what a timeout cuts off is dropped, not left running.

use futures::future::join3;
use gopark::time::{Duration, Instant, interval, sleep, timeout};

#[gopark::main(flavor = "current_thread")]
async fn main() {
    let began = Instant::now();
    join3(
        sleep(Duration::from_millis(20)),
        sleep(Duration::from_millis(30)),
        sleep(Duration::from_millis(10)),
    )
    .await;
    println!("slept 20, 30 and 10 ms side by side: {:?}", began.elapsed());

    let mut beat = interval(Duration::from_millis(20));
    let began = beat.tick().await; // the first tick is now
    for number in 1..=3 {
        let at = beat.tick().await;
        println!("tick {number} at {:?}", at - began);
        sleep(Duration::from_millis(5)).await; // work; the next tick is no later for it
    }

    let quick = timeout(Duration::from_secs(5), async { 6 * 7 }).await;
    println!("in time: {quick:?}");

    struct Cleanup;
    impl Drop for Cleanup {
        fn drop(&mut self) {
            println!("the slow future is dropped");
        }
    }
    let slow = timeout(Duration::from_millis(10), async {
        let _cleanup = Cleanup;
        sleep(Duration::from_secs(3600)).await;
    })
    .await;
    match slow {
        Ok(()) => println!("an hour has passed"),
        Err(elapsed) => println!("too late: {elapsed}"),
    }
}
