//! "All goroutines are asleep - deadlock!": what Go says when nothing can ever run again.
//!
//! Go can be sure of it. Here a thread of the user's may hold a waker, or the other end of a channel, and
//! nobody can tell. So on the current-thread flavour, when nothing is runnable, no timer is armed, no
//! socket is registered, and nobody blocks, the M in the reactor waits for `PATIENCE` once; and if all
//! that live wait for each other as far as one can see (for channels, locks, tasks and the like), it says
//! who waits for what, or ends the process if it was told to.
//!
//! On the multi-thread flavour nobody says it: a service that is idle there looks the same.

use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gopark_net::note::WaitReason;

use crate::warn::warn;

use super::{Sched, Timeout, lock};

/// How long it may look so before it is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is done when nothing can run any more, as far as the runtime can see.
///
/// # Examples
///
/// ```
/// use gopark::runtime::{Builder, DeadlockPolicy};
///
/// let runtime = Builder::new_current_thread().deadlock_policy(DeadlockPolicy::Abort).build()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadlockPolicy {
    /// Nothing.
    Ignore,
    /// Says which tasks wait, for what, and where they were spawned, once.
    #[default]
    Report,
    /// Says so, and aborts the process. For programs in which no thread outside the runtime wakes a task.
    Abort,
}

impl Sched {
    /// How long the M in the reactor waits, which would wait for `timeout`; and whether that is to find
    /// out about a deadlock.
    pub(super) fn with_patience(&self, timeout: Timeout) -> (Timeout, bool) {
        let asks = timeout.is_none()
            && self.config.deadlock_policy != DeadlockPolicy::Ignore
            && !self.deadlock_said.load(Ordering::Relaxed)
            && self.nothing_can_run();
        if asks {
            (Some(PATIENCE), true)
        } else {
            (timeout, false)
        }
    }

    /// Whether nothing is runnable, and nothing that the runtime knows of can make it so.
    fn nothing_can_run(&self) -> bool {
        self.is_current_thread()
            && self.presence.roots() > 0
            && !self.is_closing()
            && !self.has_timers()
            && !self.reactor.has_sources()
            && !self.tasks_visible()
            && self.blocked_ms.load(Ordering::Relaxed) == 0
            && self.stalled_ms.load(Ordering::Relaxed) == 0
            && !self.somebody_blocks()
            && lock(&self.all_ms)
                .iter()
                .all(|m| !m.has_bound() && is_known(m.root_wait()))
    }

    /// The patience is over, and nobody was woken.
    #[cold]
    pub(super) fn say_deadlock(&self) {
        if !self.nothing_can_run() {
            return;
        }
        let tasks = crate::runtime::tasks_of(self);
        if !tasks.iter().all(|task| is_known(task.wait_reason)) {
            // It waits for something of which only it knows who will end that.
            return;
        }
        self.deadlock_said.store(true, Ordering::Relaxed);
        let mut text = String::from(
            "all tasks are asleep - deadlock, unless a thread outside of the runtime wakes one:",
        );
        for m in lock(&self.all_ms).iter() {
            if let Some(location) = m.root() {
                // To a String; it cannot fail.
                let _ = write!(
                    text,
                    "\n  future of the block_on at {location} [{}]",
                    m.root_wait()
                );
            }
        }
        for task in tasks {
            let _ = write!(text, "\n  {task}");
        }
        warn(format_args!("{text}"));
        if self.config.deadlock_policy == DeadlockPolicy::Abort {
            std::process::abort();
        }
    }
}

/// Whether what is waited for is brought about by tasks, so that it never comes if none can run.
fn is_known(reason: WaitReason) -> bool {
    matches!(
        reason,
        WaitReason::Join
            | WaitReason::ChanSend
            | WaitReason::ChanRecv
            | WaitReason::Select
            | WaitReason::Lock
            | WaitReason::Semaphore
            | WaitReason::Notify
            | WaitReason::Cond
            | WaitReason::WaitGroup
            | WaitReason::Barrier
            | WaitReason::Once
            | WaitReason::Oneshot
            | WaitReason::Watch
            | WaitReason::Broadcast
            | WaitReason::Context
    )
}
