//! Timers and events while a runtime ends.
//!
//! Its Ms go, and with them whoever fires timers and looks at the reactor. But a task may be in a
//! nested `block_on`, and so may the Drop of a future that the sweep drops; what they wait for must
//! come, or the end would wait for them for ever. So the closer attends to timers and events as long
//! as it waits, and a `block_on` that begins while the runtime is closing, which may be on the
//! closer's own stack, has an attendant thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Sched;
use super::netpoll::wake_each;
use crate::warn::warn_later;

/// How long a timer or an event may wait for the next look. This is the end of a runtime: being
/// simple matters more than being quick.
pub(super) const PAUSE: Duration = Duration::from_millis(1);

impl Sched {
    /// Fires the timers that are due and delivers the events that are there. For a thread that is
    /// no M in scheduler code.
    pub(super) fn attend(&self) {
        let mut ready = Vec::new();
        // Another may be polling; and a reactor that was shut down has woken everybody.
        let _ = self.reactor.try_poll(Some(Duration::ZERO), &mut ready);
        if self.clock.is_paused() {
            // The tasks are over, so whoever waits may have what it waits for.
            let next = self.next_timer(true);
            if next != u64::MAX {
                self.clock.auto_advance_to(next);
            }
        }
        self.collect_due_timers(&mut ready);
        wake_each(ready);
    }
}

/// A thread that attends to a closing runtime until this is dropped.
#[derive(Debug)]
pub(super) struct Attendant {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Attendant {
    /// Starts one if `sched` is closing, and has not closed its timers yet.
    pub(super) fn start_if_closing(sched: &Arc<Sched>) -> Option<Self> {
        if !sched.is_closing() || sched.is_silent() {
            return None;
        }
        Some(Self::start(sched.clone()))
    }

    #[cold]
    fn start(sched: Arc<Sched>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let theirs = done.clone();
        let started = thread::Builder::new()
            .name("gopark-end".into())
            .spawn(move || {
                while !theirs.load(Ordering::Relaxed) && !sched.is_silent() {
                    sched.attend();
                    #[expect(clippy::disallowed_methods, reason = "this thread is no M")]
                    thread::park_timeout(PAUSE);
                }
            });
        if let Err(error) = &started {
            warn_later(format_args!(
                "no thread for the timers of a runtime that ends ({error})"
            ));
        }
        Self {
            done,
            thread: started.ok(),
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It runs wakers, whose panics it catches.
            let _ = thread.join();
        }
    }
}
