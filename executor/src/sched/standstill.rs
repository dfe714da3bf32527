//! A clock that stands still: who holds it, and when it jumps.
//!
//! A paused clock (of the current-thread flavour) jumps to the next timer when nothing can run before. The
//! M in the reactor sees to that, for it is the last to go to sleep.
//!
//! # What holds the clock
//!
//! 1. A P that is held, or for which an M waits: something runs.
//! 2. A job of `spawn_blocking`, and a blocking section: the system ends it, or another thread. It holds the
//!    clock for as long as it lasts, and if that is long while timers wait, the runtime says so once.
//! 3. A wait on the thread that is over (a `*_blocking` method, a `block_on` within a task): its thread is
//!    about to go on. As long as it is not over it holds nothing, for tasks end it, or a thread outside as
//!    it may end the wait of any task.
//! 4. A socket operation that waits: for [`Config::pause_grace`](super::Config::pause_grace) of real time
//!    without any event, since bytes may be on their way.
//!
//! # The hold-against-poller race
//!
//! The poller (1) publishes that it would wait without end, (2) fences, (3) looks whether the clock may jump,
//! and waits if not. Whoever takes away what holds the clock (a) does so, (b) notifies the reactor: an M that
//! makes a P idle while there is a poller (`make_idle`; both are in the same word), one that leaves a timer
//! behind, the end of a section, and the beginning of a wait of kind 3. A notification ends the poller's next
//! wait if it misses this one. So (3) sees (a), or the poller looks again.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::Waker;
use std::time::{Duration, Instant};

use gopark_net::delay;

use crate::current;
use crate::m::M;
use crate::warn::warn;

use super::{Sched, Timeout, lock};

/// For how long the M in the reactor has seen no event.
#[derive(Debug, Default)]
pub(super) struct Calm {
    since: Option<Instant>,
}

impl Calm {
    /// Something has happened.
    pub(super) fn end(&mut self) {
        self.since = None;
    }
}

/// Whether a wait on a thread is over.
pub(crate) trait Woken: Send + Sync {
    fn is_woken(&self) -> bool;
}

/// The wait of an M's thread, of kind 3.
#[derive(Default)]
pub(crate) enum Wait {
    /// None; in a section, what is waited for is unknown.
    #[default]
    None,
    /// Until this is woken; and whether in a job.
    Until(Arc<dyn Woken>, bool),
}

/// Blocks this thread by `park` until `woken`, in a section: the clock may jump meanwhile.
pub(crate) fn wait_in_section<W: Woken + 'static>(woken: &Arc<W>, park: impl FnOnce()) {
    let m = current::m();
    // SAFETY: (1) `current::m` is valid while set, and whoever set it is below us on the stack.
    match (!m.is_null()).then(|| unsafe { &*m }) {
        Some(m) if m.sched().is_current_thread() => {
            m.begin_wait(woken.clone());
            m.sched().section_ended();
            park();
            // The section holds the clock again.
            m.set_wait(Wait::None);
        }
        _ => park(),
    }
}

impl Sched {
    /// The first three steps of the poller, on a clock that stands still: how long to wait.
    pub(super) fn publish_standstill(&self, calm: &mut Calm) -> Timeout {
        self.poll_until.store(u64::MAX, Ordering::Relaxed);
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the one in `timer_left_behind`, and in `Idle::park`.
        if self.next_timer(true) == u64::MAX || !self.time_may_jump() {
            calm.end();
            return None;
        }
        Some(self.grace_left(calm))
    }

    /// How much longer the sockets hold the clock.
    fn grace_left(&self, calm: &mut Calm) -> Duration {
        let grace = self.config.pause_grace;
        if grace.is_zero() || !self.reactor.has_waiters() {
            return Duration::ZERO;
        }
        grace.saturating_sub(calm.since.get_or_insert_with(Instant::now).elapsed())
    }

    /// With the clock paused and nothing that holds it, jumps to the next timer, if one is armed, and
    /// fires it.
    pub(super) fn auto_advance(&self, m: &M, ready: &mut Vec<Waker>, calm: &mut Calm) {
        if !self.clock.is_paused()
            || self.may_rise(m)
            || self.tasks_visible()
            || !self.time_may_jump()
            || !self.grace_left(calm).is_zero()
        {
            return;
        }
        // There is one P. With it in our hand nobody polls anything, and what is due stays due.
        let Some(index) = self.idle.take(0) else {
            return;
        };
        let next = self.next_timer(true);
        if next != u64::MAX
            && !self.tasks_visible()
            && !self.is_anything_due()
            && !self.time_is_held_by_sections()
        {
            delay::here("auto_advance: about to jump");
            self.clock.auto_advance_to(next);
            self.collect_due_timers(ready);
        }
        self.give_back(index);
    }

    /// Whether a clock that is paused may jump, as far as Ms and jobs are concerned.
    pub(super) fn time_may_jump(&self) -> bool {
        self.nobody_runs() && !self.somebody_is_stalled() && !self.time_is_held_by_sections()
    }

    fn nobody_runs(&self) -> bool {
        !self.is_at_rest() && self.is_all_idle() && !self.is_p_wanted()
    }

    /// Whether a P was taken from a poll that goes on: it blocks, marked or not.
    fn somebody_is_stalled(&self) -> bool {
        self.stalled_ms.load(Ordering::Relaxed) + self.stalled_jobs.load(Ordering::Relaxed) > 0
    }

    /// Kinds 2 and 3.
    fn time_is_held_by_sections(&self) -> bool {
        let running = self.jobs.running();
        let mut waiting = 0;
        for m in lock(&self.all_ms).iter() {
            if m.holds_time() {
                return true;
            }
            waiting += usize::from(m.waits_in_job());
        }
        self.jobs.queued() > 0 || running > waiting
    }

    /// Whether timers wait for a clock that only sections or jobs hold, and that was not said yet.
    pub(super) fn is_held_time_unsaid(&self) -> bool {
        !self.held_time_said.load(Ordering::Relaxed)
            && self.is_current_thread()
            && self.clock.is_paused()
            && !self.is_closing()
            && self.has_timers()
            && !self.tasks_visible()
            && self.nobody_runs()
            && (self.somebody_is_stalled() || self.time_is_held_by_sections())
    }

    /// Says who holds the clock.
    #[cold]
    pub(super) fn say_time_is_held(&self) {
        self.held_time_said.store(true, Ordering::Relaxed);
        let timers: usize = self.all_timers().map(|timers| timers.len()).sum();
        let mut text = format!(
            "the paused time stands still, and {timers} timers with it, for as long as these block:"
        );
        let holds = |m: &&Arc<M>| m.holds_time() || m.is_stalled();
        for m in lock(&self.all_ms).iter().filter(holds) {
            // To a String; it cannot fail.
            let _ = match (m.site_of_poll(), m.root()) {
                (Some(site), _) => write!(text, "\n  a task or job spawned at {site}"),
                (None, Some(root)) => write!(text, "\n  the future of the block_on at {root}"),
                (None, None) => write!(text, "\n  a thread of the runtime"),
            };
        }
        let queued = self.jobs.queued();
        if queued > 0 {
            let _ = write!(text, "\n  {queued} jobs that have not begun");
        }
        warn(format_args!("{text}"));
    }
}
