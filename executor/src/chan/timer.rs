//! Channels of instants: what Go's `time.After` and `time.Tick` are. And the channel of nothing.
//!
//! Each is fed by a task of its own, which ends with the channel.

use std::pin::pin;
use std::time::Duration;

use super::core::Chan;
use super::receiver::Receiver;
use super::sender::Sender;
use super::state::Source;
use crate::time::{self, Instant, Interval, MissedTickBehavior};

/// A channel that gives the time once, after `duration`. With a duration of zero it does so at once.
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
    let (sender, receiver) = super::bounded(1);
    // Nothing more comes after the first, but that is no end: then a receive waits for ever, as in Go.
    receiver.chan().keep_open();
    let now = Instant::now();
    if deadline <= now {
        // A channel of capacity 1 that nobody has seen yet has room.
        let _ = sender.try_send(now);
    } else {
        crate::task::spawn(feed_once(sender, deadline));
    }
    receiver
}

async fn feed_once(sender: Sender<Instant>, deadline: Instant) {
    if before_the_end(&sender, time::sleep_until(deadline))
        .await
        .is_some()
    {
        let _ = sender.try_send(Instant::now());
    }
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
    let (sender, receiver) = super::bounded(1);
    let mut ticks = time::interval_at(Instant::now().saturating_add(period), period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    crate::task::spawn(feed(sender, ticks));
    receiver
}

async fn feed(sender: Sender<Instant>, mut ticks: Interval) {
    while let Some(now) = before_the_end(&sender, ticks.tick()).await {
        // Full: whoever receives is behind, and needs no second tick.
        let _ = sender.try_send(now);
    }
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

/// Waits for `future` as long as somebody receives.
async fn before_the_end<T, F: Future>(sender: &Sender<T>, future: F) -> Option<F::Output> {
    let (mut closed, mut future) = (pin!(sender.closed()), pin!(future));
    std::future::poll_fn(|cx| {
        if closed.as_mut().poll(cx).is_ready() {
            return std::task::Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}
