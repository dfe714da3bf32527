//! Calls to a service that allows so many a second, and so many at a time.
//!
//!     cargo run -p gopark-examples --example rate_limit [-- CALLS [PER_SECOND [AT_A_TIME]]]
//!
//! makes 20 calls, 100 a second, 4 at a time, if not told otherwise.
//!
//! Look at: an interval is a bucket of tokens, one for each tick; what is late catches up, because a tick
//! that was missed is not lost. The group's limit makes `go` wait, so nothing is spawned that would only
//! wait. The first call that fails would be the error of `wait`, and stop the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gopark::{
    group::Group,
    time::{Instant, interval, sleep},
};
use gopark_examples::{Failure, arguments};

#[gopark::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments = arguments();
    if let Some(more) = arguments.get(3) {
        return Err(format!("expected [CALLS [PER_SECOND [AT_A_TIME]]], and got {more:?}").into());
    }
    let number = |index: usize, name: &str, default: u32| {
        let Some(text) = arguments.get(index) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| format!("{name} must be a positive number, and is {text:?}"))
    };
    let calls = number(0, "CALLS", 20)?;
    let per_second = number(1, "PER_SECOND", 100)?;
    let at_a_time = number(2, "AT_A_TIME", 4)?;

    let mut calling = Group::<String>::new();
    calling
        .set_limit(at_a_time as usize)
        .map_err(|error| error.to_string())?;
    let mut tokens = interval(Duration::from_secs(1) / per_second);
    let began = Instant::now();
    let busy = Arc::new(Busy::default());
    for number in 1..=calls {
        tokens.tick().await;
        let busy = busy.clone();
        let call = async move {
            busy.begin();
            let at = began.elapsed();
            let answer = service(number).await?;
            println!("call {number:3} at {at:9.1?}: {answer}");
            busy.end();
            Ok(())
        };
        calling.go(call).await;
    }
    calling.wait().await?;
    println!(
        "{calls} calls in {:.1?}: {per_second} a second, and never more than {} at a time",
        began.elapsed(),
        busy.most.load(Ordering::Relaxed)
    );
    Ok(())
}

/// The service, which takes its time.
async fn service(number: u32) -> Result<String, String> {
    sleep(Duration::from_millis(10 + u64::from(number * 7 % 40))).await;
    Ok(format!("{number} squared is {}", u64::from(number).pow(2)))
}

/// How many calls are under way, and the most that ever were.
#[derive(Default)]
struct Busy {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Busy {
    fn begin(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
    }

    fn end(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}
