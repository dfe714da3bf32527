//! Stages joined by bounded channels: the slowest sets the pace, and nothing piles up.
//!
//!     cargo run -p gopark-examples --example pipeline
//!
//! The source would make numbers as fast as it can, squaring takes no time, and the sink takes 1 ms for
//! each. Look at: the lengths of the queues, measured whenever the sink takes something. They grow to the
//! capacity and no further: then the stage before waits, and with it the one before that. So the source
//! is never further ahead than there is room for. With `chan::unbounded` it would be done at once,
//! and all numbers would be in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use gopark::chan::{Receiver, Sender, bounded};
use gopark::time::{Duration, sleep};

const NUMBERS: usize = 50;
const CAPACITY: usize = 4;

#[gopark::main]
async fn main() {
    let made = Arc::new(AtomicUsize::new(0));
    let (numbers, to_square) = bounded(CAPACITY);
    let (squares, to_sum) = bounded(CAPACITY);
    let to_square_seen = to_square.clone(); // to look at its length; it could receive as well
    gopark::spawn(source(numbers, made.clone()));
    gopark::spawn(square(to_square, squares));

    let (mut sum, mut taken) = (0, 0);
    let (mut longest, mut furthest) = ([0, 0], 0);
    while let Ok(number) = to_sum.recv().await {
        sum += number;
        taken += 1;
        let lengths = [to_square_seen.len(), to_sum.len()];
        let ahead = made.load(Relaxed) - taken;
        longest = [longest[0].max(lengths[0]), longest[1].max(lengths[1])];
        furthest = furthest.max(ahead);
        if taken % 10 == 1 {
            println!("taken {taken:2}: queues {lengths:?}, the source is {ahead} ahead");
        }
        sleep(Duration::from_millis(1)).await; // the slow part
    }
    println!("{taken} numbers, the sum of their squares is {sum}");
    println!("longest queues {longest:?} of {CAPACITY}, furthest ahead {furthest} of {NUMBERS}");
}

/// Counts a number once it begins to send it.
async fn source(numbers: Sender<usize>, made: Arc<AtomicUsize>) {
    for number in 1..=NUMBERS {
        made.fetch_add(1, Relaxed);
        if numbers.send(number).await.is_err() {
            return; // nobody wants any more
        }
    }
}

async fn square(numbers: Receiver<usize>, squares: Sender<usize>) {
    while let Ok(number) = numbers.recv().await {
        if squares.send(number * number).await.is_err() {
            return;
        }
    }
}
