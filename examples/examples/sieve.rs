//! The prime sieve: a chain of tasks that grows at its end.
//!
//!     cargo run --release -p gopark-examples --example sieve [-- UP_TO]
//!
//! Look at: each task knows one prime, drops its multiples and passes the rest on. What comes out of the
//! last one is the next prime, and gets a task of its own. Nobody is told to stop: the first channel ends
//! with its sender, and so, one after the other, do all the others.

use std::time::Instant;

use gopark::chan::{Receiver, Sender, bounded};
use gopark_examples::{Failure, arguments};

#[gopark::main]
async fn main() -> Result<(), Failure> {
    let arguments = arguments();
    let up_to = match arguments.first() {
        Some(argument) => (argument.parse())
            .map_err(|_| format!("UP_TO must be a whole number, not {argument:?}"))?,
        None => 12_000,
    };
    let began = Instant::now();
    let (first, mut last) = bounded(1);
    gopark::spawn(count(up_to, first));
    let mut primes = Vec::new();
    while let Ok(prime) = last.recv().await {
        primes.push(prime);
        let (passed, next) = bounded(1);
        gopark::spawn(filter(prime, last, passed));
        last = next;
    }
    let took = began.elapsed();

    let greatest = &primes[primes.len().saturating_sub(5)..];
    println!("the greatest primes up to {up_to}: {greatest:?}");
    println!("{} primes, as many tasks, {took:.0?}", primes.len());
    Ok(())
}

/// Sends all numbers there are.
async fn count(up_to: usize, numbers: Sender<usize>) {
    for number in 2..=up_to {
        if numbers.send(number).await.is_err() {
            return;
        }
    }
}

/// Passes on what is no multiple of `prime`.
async fn filter(prime: usize, numbers: Receiver<usize>, passed: Sender<usize>) {
    while let Ok(number) = numbers.recv().await {
        if number % prime != 0 && passed.send(number).await.is_err() {
            return;
        }
    }
}
