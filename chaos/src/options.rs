//! The command line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::kinds::{self, Kind};

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The seed of the first round; the next rounds count up from it.
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) rounds: u64,
    /// For how long a round may run.
    pub(crate) limit: Duration,
    /// The number of processors of every runtime; random if none is given.
    pub(crate) procs: Option<usize>,
    pub(crate) kinds: Vec<Kind>,
    named: bool,
}

/// The outcome of reading the command line.
#[derive(Debug)]
pub(crate) enum Parsed {
    Run(Options),
    Help(String),
    Wrong(String),
}

impl Options {
    /// The options, besides seed and rounds, on which the draw of a round depends.
    pub(crate) fn repeat(&self) -> String {
        let mut text = String::new();
        if let Some(procs) = self.procs {
            text += &format!(" --procs {procs}");
        }
        if self.named {
            for kind in &self.kinds {
                text += &format!(" --kind {}", kind.name);
            }
        }
        text
    }
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Parsed {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut options = Options {
        seed: clock.map_or(1, |since| since.as_nanos() as u64 % 1_000_000_000_000),
        seconds: 60,
        rounds: u64::MAX,
        limit: Duration::from_secs(60),
        procs: None,
        kinds: Vec::new(),
        named: false,
    };
    while let Some(name) = arguments.next() {
        if name == "--help" {
            return Parsed::Help(help());
        }
        let known = [
            "--seed",
            "--seconds",
            "--rounds",
            "--limit",
            "--procs",
            "--kind",
        ];
        if !known.contains(&name.as_str()) {
            return Parsed::Wrong(format!("{name:?}: expected one of {}", known.join(", ")));
        }
        let Some(value) = arguments.next() else {
            return Parsed::Wrong(format!("{name}: expected a value"));
        };
        if name == "--kind" {
            let Some(kind) = kinds::ALL.iter().find(|kind| kind.name == value) else {
                let names: Vec<_> = kinds::ALL.iter().map(|kind| kind.name).collect();
                return Parsed::Wrong(format!(
                    "--kind {value:?}: expected one of {}",
                    names.join(", ")
                ));
            };
            options.kinds.push(*kind);
            continue;
        }
        let Ok(number) = value.parse::<u64>() else {
            return Parsed::Wrong(format!("{name} {value:?}: expected a whole number"));
        };
        match name.as_str() {
            "--seed" => options.seed = number,
            "--seconds" => options.seconds = number,
            "--rounds" => options.rounds = number,
            "--limit" => options.limit = Duration::from_secs(number),
            _ if (1..=1024).contains(&number) => options.procs = Some(number as usize),
            _ => return Parsed::Wrong(format!("--procs {number}: expected 1 to 1024")),
        }
    }
    options.named = !options.kinds.is_empty();
    if options.kinds.is_empty() {
        options.kinds = kinds::ALL.to_vec();
    }
    if options.rounds != u64::MAX {
        options.seconds = u64::MAX;
    }
    Parsed::Run(options)
}

fn help() -> String {
    let mut text = String::from(
        "Random compositions of everything public in gopark, each from a seed and under a watchdog.\n\n\
         usage: chaos [--seconds N] [--rounds N] [--seed N] [--kind NAME]... [--procs N] [--limit N]\n\n\
         \x20 --seconds N  for how long; 60 unless given\n\
         \x20 --rounds N   how many rounds, whatever time they take\n\
         \x20 --seed N     the seed of the first round; the clock's unless given, and always printed\n\
         \x20 --kind NAME  this kind only; may be repeated\n\
         \x20 --procs N    every runtime has so many processors; a random number of 1 to 8 unless given\n\
         \x20 --limit N    a round that takes more seconds than this hangs; 60 unless given\n\n\
         A failure prints the words that repeat its round.\n\nkinds:\n\n",
    );
    for kind in kinds::ALL {
        text += &format!("  {:<12} {}\n", kind.name, kind.about);
    }
    text
}
