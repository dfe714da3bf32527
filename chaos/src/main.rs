//! Random compositions of everything public, each round from a seed and under a watchdog.
//!
//! Each part of a runtime can be sound while a program that combines them hangs: what fails is the seam
//! between two protocols. A *kind* (`kinds/`) is a small family of programs with its own invariants. A round
//! draws a kind, a runtime (`shape.rs`) and a program from its seed, runs it, and checks that
//!
//! - nothing hangs: the watchdog (`watchdog.rs`) ends the process and prints what it knows;
//! - nothing is lost or doubled, and what promises an order keeps it;
//! - every handle resolves and every future is dropped (`ledger.rs`);
//! - sleeps end in time, and a paused clock takes no real time;
//! - threads and descriptors are given back (`leaks.rs`);
//! - no deadlock is reported: most runtimes run under `DeadlockPolicy::Abort`.
//!
//! The first violation prints the kind and the seed and ends the process with a failure. `chaos --help`
//! says how to repeat it.

use std::process::ExitCode;
use std::time::Instant;

mod kinds;
mod leaks;
mod ledger;
mod options;
mod program;
mod random;
mod shape;
mod watchdog;

use options::{Options, Parsed};
use random::Random;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Parsed::Run(options) => options,
        Parsed::Help(text) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Parsed::Wrong(why) => {
            eprintln!("chaos: {why}\nchaos: --help says what is understood");
            return ExitCode::from(2);
        }
    };
    program::quiet_planned_panics();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs rounds until the time is up or one fails.
fn run(options: &Options) -> Result<(), String> {
    println!(
        "chaos: seed {}, {} s, {}",
        options.seed,
        options.seconds,
        options
            .kinds
            .iter()
            .map(|kind| kind.name)
            .collect::<Vec<_>>()
            .join(" ")
    );
    let began = Instant::now();
    let mut counts = vec![0_u64; options.kinds.len()];
    let mut leaks = leaks::Leaks::default();
    let mut round = 0;
    while round < options.rounds && began.elapsed().as_secs() < options.seconds {
        // The seed of a round is also the seed with which `--seed` repeats it as the first one.
        let seed = options.seed.wrapping_add(round);
        let mut random = Random::new(seed);
        let index = random.below(options.kinds.len());
        let kind = &options.kinds[index];
        let context = || {
            format!(
                "chaos: {} --seed {seed} --rounds 1{}",
                kind.name,
                options.repeat()
            )
        };
        let watched = watchdog::watch(context(), options.limit);
        let outcome = (kind.run)(&mut random, options).and_then(|()| leaks.check());
        drop(watched);
        outcome.map_err(|error| format!("{}: {error}", context()))?;
        counts[index] += 1;
        round += 1;
    }
    leaks.check_memory()?;
    for (kind, count) in options.kinds.iter().zip(counts) {
        println!("chaos: {:<12} {count:>7} rounds", kind.name);
    }
    Ok(())
}
