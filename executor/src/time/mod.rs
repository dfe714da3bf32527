//! Time: sleeping, deadlines, intervals, and a clock that tests can stop.
//!
//! # Precision
//!
//! Timers count in milliseconds since the start of their runtime. A deadline is rounded up to the next
//! one, so a timer **never fires early**; it fires up to a millisecond late, plus the time that the task
//! waits for its turn. However far a deadline lies ahead, it comes; but what the system's clock cannot express
//! saturates, without a panic, at the latest [`Instant`] that it can, and that one means "never": no timer is
//! armed for it, nor for what lies more than 290 million years ahead.
//!
//! # Cost
//!
//! Arming and cancelling are O(1) and allocate nothing: the timer's node is inside the [`Sleep`], and
//! each P has its own wheel. A timer that was never polled, or that has fired, is dropped without a
//! lock; and so is the deadline of a [`timeout()`] whose future was ready at once.
//!
//! # Which runtime
//!
//! The functions here may be called anywhere. Durations are counted from the call, by the clock of the
//! current runtime, or of the system outside any. A timer is bound to a runtime when it is first polled
//! and has to wait: to the one that the polling thread is in, otherwise to the default runtime, which
//! starts when it is needed. Once that runtime has shut down, polling the timer panics.
//!
//! # Cancel safety
//!
//! | future | dropped before it is ready |
//! |---|---|
//! | [`Sleep`] | loses nothing; keep it and poll a reference to wait for the rest later |
//! | [`Timeout`] | drops the future inside, and is as cancel safe as that |
//! | [`Interval::tick`] | loses no tick |
//! | [`advance`] | before its first poll nothing has happened; after it the time has moved |
//!
//! # Paused time
//!
//! In a current-thread runtime [`pause`], or `Builder::pause_time`, stops the clock. It then moves in
//! two ways only: [`advance`], and by itself to the next deadline when no task can run. So a program
//! that sleeps runs at full speed, and each run sees the same instants.
//!
//! What waits for the outside world holds the time, so that it does not jump over what is about to come:
//!
//! | who waits | holds the time |
//! |---|---|
//! | a job of `spawn_blocking`, a section of `block` or `block_eager`, a file operation, a name look-up | as long as it lasts |
//! | an operation on a socket | for a few milliseconds of real time without any event: `Builder::pause_grace` |
//! | a task, a method `*_blocking`, or a `block_on` within a task, that waits for a channel, a lock, a timer, a task | not at all: tasks may end that, and if another thread does, time may jump before |
//!
//! A section that waits for a task that sleeps (by a channel of `std`, for example) holds the very time
//! that would end it; while that lasts, the runtime says so once, and who it is
//! (`Builder::deadlock_policy`). Use the methods `*_blocking` there, whose time-outs are of paused time, too.
//! [`std::time::Instant`] goes on, so code under test must use [`Instant`].
//!
//! # How it works
//!
//! The wheel is that of George Varghese and Tony Lauck, "Hashed and Hierarchical Timing Wheels"
//! (SOSP 1987), in six levels of 64 slots, as in the Linux kernel of old and in tokio. From the
//! bottom up:
//!
//! | file | is |
//! |---|---|
//! | `tick` | rounding |
//! | `wheel` | who is due when: a pure data structure |
//! | `entry` | the state of one timer: armed, fired, closed; its waker |
//! | `locked_wheel` | a wheel under a lock, and when it wants to be turned |
//! | `timers` | the locked wheel of a P, and its clock |
//! | `alarm` | one pinned entry and the timers it is filed in |
//! | `clock`, `instant` | what time it is |
//! | `sleep`, `timeout`, `interval` | the futures |

mod alarm;
pub(crate) mod clock;
mod entry;
mod instant;
mod interval;
pub(crate) mod locked_wheel;
mod sleep;
pub(crate) mod tick;
mod timeout;
pub(crate) mod timers;
mod wheel;

pub use std::time::Duration;

/// Errors, under the path that tokio has for them.
pub mod error {
    pub use super::Elapsed;
}

pub(crate) use self::{entry::End, sleep::FirstPoll};

pub use self::{
    clock::{advance, pause, resume},
    instant::Instant,
    interval::{Interval, MissedTickBehavior, interval, interval_at},
    sleep::{Sleep, sleep, sleep_until},
    timeout::{Elapsed, Timeout, timeout, timeout_at},
};
