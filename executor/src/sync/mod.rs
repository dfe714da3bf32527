//! Locks, semaphores and signals between tasks.

#![allow(dead_code)]
mod blocking;
mod gate;
mod leaf;
pub mod oneshot;
mod queue;
mod waiters;
mod wakes;
pub mod watch;
