//! loom models of the protocols that gopark's correctness rests on.
//!
//! Each module here includes a source file of `executor` or `net` by path and compiles it against
//! `primitive`, which is loom's twin of the module of that name there. So what is checked is what
//! runs, and no `--cfg` flag is needed: `cargo test --release -p gopark-models`.
#![allow(dead_code, unreachable_pub, unused_imports)]

// `runq.rs` and `globq.rs` name `crossbeam_deque`; here that is `deque.rs`.
extern crate self as crossbeam_deque;
use deque::{Injector, Steal, Worker};

// `broadcast/shared.rs` finds it in the folder above its own.
use watch::gate;

// The futures of `sync` and `group` name `gopark_net::note`; here that is the same file.
extern crate self as gopark_net;
#[path = "../../net/src/note.rs"]
mod note;

#[path = "../../net/src/anonymous.rs"]
mod anonymous;
#[path = "../../executor/src/elastic.rs"]
mod elastic;
#[path = "../../executor/src/globq.rs"]
mod globq;
#[path = "../../executor/src/quietly.rs"]
mod quietly;
#[path = "../../executor/src/ring.rs"]
mod ring;
#[path = "../../executor/src/runq.rs"]
mod runq;

#[cfg(test)]
mod barrier;
mod bell;
mod broadcast;
mod chan;
#[cfg(test)]
mod check;
mod claims;
mod closing;
#[cfg(test)]
mod cond;
mod context;
mod contexts;
#[cfg(test)]
mod count;
mod deque;
mod group;
mod idle;
mod jobs;
#[cfg(test)]
mod leaked;
mod locks;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod notify;
mod oneshot;
mod poller;
mod primitive;
mod queues;
mod readiness;
mod registry;
mod resize;
mod seat;
mod signals;
mod task;
mod tasks;
mod timers;
mod waiters;
mod waiting;
mod watch;
