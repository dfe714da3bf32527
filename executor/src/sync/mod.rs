//! Locks, semaphores and signals between tasks.

#![allow(dead_code)]
mod blocking;
mod leaf;
mod queue;
mod waiters;
mod wakes;
