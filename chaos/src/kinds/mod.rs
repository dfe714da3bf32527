//! The kinds of round: one file each.

mod channels;
mod deadlock;
mod ends;
mod left_behind;
mod mix;
mod paused;
mod resumed;
mod roots;
mod sleeps;

use crate::options::Options;
use crate::random::Random;

/// A family of programs, and what must hold of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Runs one program of the family; an error is a violation.
    pub(crate) run: fn(&mut Random, &Options) -> Result<(), String>,
}

pub(crate) const ALL: &[Kind] = &[
    Kind {
        name: "mix",
        about: "trees of tasks that use everything, to their end",
        run: mix::run,
    },
    Kind {
        name: "ends",
        about: "runtimes that end while tasks work and others spawn",
        run: ends::run,
    },
    Kind {
        name: "roots",
        about: "several threads in block_on of one runtime wake each other",
        run: roots::run,
    },
    Kind {
        name: "sleeps",
        about: "thousands of sleeps beside tasks that compute",
        run: sleeps::run,
    },
    Kind {
        name: "left_behind",
        about: "a processor goes idle with a timer as a plain thread spawns",
        run: left_behind::run,
    },
    Kind {
        name: "paused",
        about: "virtual hours in several roots and nested block_ons",
        run: paused::run,
    },
    Kind {
        name: "resumed",
        about: "a paused clock is resumed or advanced beside a waiting root",
        run: resumed::run,
    },
    Kind {
        name: "deadlock",
        about: "healthy programs that nearly stand still are not called deadlocked",
        run: deadlock::run,
    },
    Kind {
        name: "channels",
        about: "histories of one channel, with cancellation, by tasks and threads",
        run: channels::run,
    },
];
