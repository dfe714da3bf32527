//! gopark: an async executor with Go's scheduler inside.
//!
//! ```text
//!        G G G G   tasks: futures that were spawned
//!         \ | /
//!   [ runnext | local queue ]      global queue      reactor (mio), timers
//!          \                        /               /
//!           P  ---- at most `procs` of them --- P ---- the right to run tasks
//!           |                                   |
//!           M  ---- OS threads ----------------- M      M asleep, M in the reactor
//! ```
//!
//! A **G** is a task, one spawned future. An **M** is a machine: an OS thread that runs tasks. A **P**
//! is a processor: the right to run tasks, with a queue of those that are due. An M holds a P while it
//! runs tasks and none while it waits, so as many threads may block as must, and as many tasks run at
//! the same time as there are processors.
//!
//! | file | is |
//! |---|---|
//! | `g/` | G: the task's cell, its handle, the registry of all tasks |
//! | `m.rs`, `seat.rs` | M: the thread, and its claim to a P |
//! | `p.rs`, `runq.rs` | P: the local queue and what else running needs |
//! | `globq.rs` | the global queue |
//! | `sched/` | who runs what, who wakes whom |
//! | `sysmon/`, `pulse.rs` | the monitor: takes the P from an M that blocks |
//! | `time/` | timers, sleeps, the clock |
//! | `runtime/`, `task/` | the public face |
//! | [`fs`] | files and directories |
//! | [`sync`] | locks, semaphores, signals |
//! | [`net`] | reactor and sockets: the package `gopark-net` |
//!
//! # A program
//!
//! ```
//! #[gopark::main]
//! async fn main() {
//!     let tasks: Vec<_> = (0..10).map(|n| gopark::spawn(async move { n * n })).collect();
//!     let mut sum = 0;
//!     for task in tasks {
//!         sum += task.await.unwrap();
//!     }
//!     assert_eq!(sum, 285);
//! }
//! ```

mod big;
mod block_on;
pub mod chan;
pub mod context;
mod current;
mod debug;
mod elastic;
pub mod fs;
mod g;
mod globq;
pub mod group;
mod m;
mod metrics;
mod p;
mod pace;
mod primitive;
mod pulse;
mod quietly;
mod ring;
#[cfg(test)]
mod ring_tests;
mod rng;
mod runq;
#[cfg(test)]
mod runq_tests;
pub mod runtime;
mod sched;
mod seat;
pub mod sync;
mod sys;
mod sysmon;
pub mod task;
pub mod time;
mod warn;

pub use gopark_macros::{main, test};
pub use gopark_net as net;

pub use block_on::{block_on, run};
pub use task::{block, block_eager, spawn, spawn_blocking, spawn_local, yield_now};
pub use time::Duration;

/// What the macros name.
#[doc(hidden)]
pub mod __private {
    pub use crate::chan::select::{
        Case, FutureProbe, Probe, Seed, Selecting, TakeOutput, sample, wait,
    };
    pub use gopark_macros::__select as select;
}

/// The programs in the README, run as doctests.
#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
struct ReadmeDoctests;
