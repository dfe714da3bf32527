//! The end of a runtime: every future is dropped, every M goes.
//!
//! 1. `close` sets `closing` and wakes all Ms. Each ends after the poll it is in; worker threads go,
//!    roots of `block_on` are polled on until they are done.
//!    The monitor watches on meanwhile: an M that blocks loses its P to the closer, which so gets at
//!    what lies in it. Jobs that have not begun are cancelled, and those that run are waited for.
//! 2. The closer, and with it everybody who leaves, runs `sweep`: it marks every registered task as
//!    aborted and wakes it, which brings it into a queue, and runs what is in the queues, which
//!    drops the futures. It repeats this until nothing is registered: a future's Drop may wake and
//!    spawn, and a thread may be between taking a task and pushing it.
//!    Meanwhile it attends to timers and events (`attend.rs`).
//! 3. A task that is stuck in a poll keeps its M, and that the `Sched`. The closer waits as long as
//!    it was told to, and says what it left. What is left then is left to those who stay: the last of
//!    them goes when nothing is registered ("the last sweep", `presence.rs`). The monitor stays as long as a worker does:
//!    a poll may be stuck because it waits for a task that lies in the P which it holds.
//!
//! Wakes after that are harmless: a task without its future is never scheduled.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use gopark_net::delay;

use crate::current;
use crate::g::Shard;
use crate::m::M;
use crate::primitive::Backoff;
use crate::runtime::EnteredSched;

use super::attend::PAUSE;
use super::netpoll::wake_each;
use super::{Kind, Sched, lock};

impl Sched {
    /// Ends the runtime. Waits until every M has ended and every future was dropped, or until
    /// `limit` is over; false in the latter case. Called on an M of this very runtime it does not
    /// wait.
    pub(crate) fn close(self: &Arc<Self>, limit: Option<Duration>) -> bool {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.presence.enter(Kind::Keeper);
        self.presence.close();
        drop(lock(&self.living).take());
        self.closing.store(true, Ordering::Relaxed);
        delay::here("close: closing");
        fence(Ordering::SeqCst); // StoreLoad; pairs with: the ones in `spawn` and `lie_down`.
        self.wake_all();
        let m = current::m();
        // SAFETY: (1) `current::m` is valid while set.
        let on_own_m = !m.is_null() && Arc::ptr_eq(unsafe { (*m).sched() }, self);
        loop {
            let empty = self.sweep();
            if empty && (self.presence.has_no_workers() || on_own_m) {
                break;
            }
            if on_own_m || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.silence();
                // Not waited for: it may be writing a warning that nobody reads.
                drop(self.sysmon.stop());
                let empty = self.leave(Kind::Keeper);
                return on_own_m || (empty && self.presence.has_no_workers());
            }
            self.attend();
            self.wait_for_an_end();
        }
        if !on_own_m {
            for thread in std::mem::take(&mut *lock(&self.threads)) {
                // The worker's own code does not panic; if it did, its message was printed.
                let _ = thread.join();
            }
        }
        self.stop_sysmon();
        self.silence();
        self.leave(Kind::Keeper);
        true
    }

    /// Waits a moment, or until a worker has ended.
    fn wait_for_an_end(&self) {
        drop(self.ended.1.wait_timeout(lock(&self.ended.0), PAUSE));
    }

    /// Somebody who was present goes. If the runtime has been closed it leaves nothing behind that nobody else would
    /// come for: "the last sweep". Whether it saw that nothing is left.
    pub(super) fn leave(self: &Arc<Self>, kind: Kind) -> bool {
        if self.presence.leave_open(kind) {
            return false;
        }
        loop {
            if self.sweep() {
                self.presence.leave(kind);
                return true;
            }
            if self.presence.try_leave(kind) {
                return false;
            }
            self.wait_for_an_end();
        }
    }

    /// Drops the futures of all tasks that can be reached. True if none is left, and none ever will be.
    fn sweep(self: &Arc<Self>) -> bool {
        let entered = std::pin::pin!(EnteredSched::new(self));
        entered.as_ref().enter();
        // StoreLoad; pairs with: the one in `admit`. We have seen `closing`: a spawner that has not is before us,
        // and its task in its slot.
        fence(Ordering::SeqCst);
        self.shards().for_each(Shard::abort_all);
        delay::here("sweep: all were aborted");
        while let Some(task) = self.globq.pop() {
            self.cancel(task);
        }
        while let Some(job) = self.jobs.pop() {
            self.cancel(job);
        }
        for p in self.ps.iter() {
            while let Some(task) = p.remote.stealer.steal_one() {
                self.cancel(task);
            }
        }
        // An idle P's `runnext` can only be had with the P.
        let taken: Vec<usize> = std::iter::from_fn(|| self.idle.take(0)).collect();
        delay::here("sweep: owns the idle Ps");
        for index in taken {
            while let Some(task) = self.ps.get(index).runq.pop(|| true) {
                self.cancel(task);
            }
            self.idle.park(index, false);
        }
        self.shards().all(|shard| shard.is_empty())
    }

    /// For one who has made a P idle and does not come to what lies in it: a task that blocks, or the monitor. If the
    /// runtime has been closed, who closed it may have gone, and the task may block until another is dropped that
    /// lies there.
    ///
    /// *The end against a hand-over*: the giver makes the P idle, fences (`Idle::park`), and looks at `closing`; the
    /// closer sets `closing`, fences, and takes the idle Ps. So one of the two finds what lies in it.
    #[inline]
    pub(super) fn sweep_if_closing(&self) {
        if self.is_closing() {
            self.arc().sweep();
        }
    }

    /// Ends what would make somebody wait for this runtime: its sockets fail, its sleeps panic.
    fn silence(&self) {
        let mut ready = Vec::new();
        for timers in self.all_timers() {
            timers.close(&mut ready);
        }
        delay::here("silence: about to end the reactor");
        self.reactor.shutdown();
        // Relaxed: a stale value costs an attendant one more look.
        self.silent.store(true, Ordering::Relaxed);
        wake_each(ready);
    }

    /// A worker has ended, or could not be started: it will touch nothing of this runtime any more
    /// but the `Arc` it holds.
    pub(super) fn tell_closer(&self) {
        let _ended = lock(&self.ended.0);
        self.ended.1.notify_all();
    }

    /// Drops the futures of the tasks bound to `m`, on its thread, out of scheduler code.
    pub(super) fn drop_locals(&self, m: &M) {
        let mut backoff = Backoff::default();
        while !m.local_shard().is_empty() {
            m.local_shard().abort_all();
            while let Some(task) = m.next_local() {
                self.cancel(task);
            }
            // A thread that is about to push one of them needs a moment.
            backoff.wait();
        }
    }
}
