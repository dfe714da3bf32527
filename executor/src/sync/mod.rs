//! Locks, semaphores and signals between tasks.

#![allow(dead_code)]
mod blocking;
pub mod broadcast;
mod gate;
mod leaf;
mod once;
mod once_cell;
pub mod oneshot;
mod queue;
mod wait_group;
mod waiters;
mod wakes;
pub mod watch;

pub use once::Once;
pub use once_cell::{OnceCell, SetError};
pub use wait_group::{WaitGroup, Worker};
