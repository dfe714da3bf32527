//! Channels of instants: what Go's `time.After` and `time.Tick` are. And the channel of nothing.
//!
//! Each is fed by a timer of the runtime, without a task (`feeder.rs`), which ends with the channel.

use std::time::Duration;

use super::core::Chan;
use super::feeder::Feeder;
use super::receiver::Receiver;
use super::state::Source;
use crate::time::Instant;

/// A channel that gives the time once, after `duration`. With a duration of zero it does so at once.
///
/// It costs two allocations and a timer, and no task; dropped before its time it takes the timer out again. So
/// it may stand in the `select!` of a loop. When the runtime ends first the channel is closed.
///
/// # Panics
///
/// Panics outside a runtime if the default runtime is needed and cannot be started.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// gopark::block_on(async {
///     let timer = gopark::chan::after(Duration::from_millis(5));
///     assert!(timer.try_recv().is_err());
///     timer.recv().await.unwrap();
/// });
/// ```
pub fn after(duration: Duration) -> Receiver<Instant> {
    at(Instant::now().saturating_add(duration))
}

/// A channel that gives the time once, at `deadline`. If that has passed, it does so at once.
///
/// # Panics
///
/// As [`after`].
pub fn at(deadline: Instant) -> Receiver<Instant> {
    // Its sender is never dropped: nothing more comes after the first, but that is no end. Then a receive waits
    // for ever, as in Go.
    let chan = Chan::new(1);
    let now = Instant::now();
    if deadline <= now {
        // A channel of capacity 1 that nobody has seen yet has room, and nobody waits.
        let _ = chan.lock().try_send(now);
    } else {
        Feeder::start(&chan, deadline, None);
    }
    Receiver::new(chan)
}

/// A channel that gives the time each `period`. A tick that finds the last one still there is left out. With
/// a period of zero it is always ready.
///
/// # Panics
///
/// As [`after`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// gopark::block_on(async {
///     let ticker = gopark::chan::tick(Duration::from_millis(2));
///     let first = ticker.recv().await.unwrap();
///     let second = ticker.recv().await.unwrap();
///     assert!(second > first);
/// });
/// ```
pub fn tick(period: Duration) -> Receiver<Instant> {
    if period.is_zero() {
        return Receiver::new(Chan::with_source(Source::new(Instant::now)));
    }
    let chan = Chan::new(1);
    let first = Instant::now().saturating_add(period);
    Feeder::start(&chan, first, Some(period));
    Receiver::new(chan)
}

/// A channel that is never ready, and never ends: Go's nil channel.
///
/// # Examples
///
/// ```
/// let never = gopark::chan::never::<u8>();
/// assert!(never.try_recv().unwrap_err().is_empty());
/// ```
pub fn never<T>() -> Receiver<T> {
    // No sender will ever be dropped.
    Receiver::new(Chan::new(0))
}
