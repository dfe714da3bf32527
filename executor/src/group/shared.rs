//! What a group and its tasks share: who runs, who waits for a place, what went wrong first.
//!
//! ```text
//!              places left               admit             started
//!   acquire ───────────────▶ permit ───────────▶ STARTING ─────────▶ RUNNING(abort)
//!      │ none left             ▲ │ stopped           │ end                │ end
//!      ▼                       │ ▼                   ▼                    ▼
//!   QUEUED ──── grant ─────────┘ release           ENDED ── started ──▶ vacated
//! ```
//!
//! # Invariants
//!
//! 1. `taken` = members whose end has not been told + permits that were given or granted and not yet
//!    used or released; it exceeds `limit` only where that was lowered.
//! 2. A key of `members` is vacated by whoever comes second: the end of the task, or the spawner who
//!    brings its abort handle. So neither of them meets another task under the key.
//! 3. `queue` holds the keys of exactly those in `waiting` that are `Queued`, in the order of arrival.
//! 4. If `queue` is not empty, `taken >= limit`: every change of either goes through `grant`.
//! 5. Nothing of the user runs under the lock: wakers, errors, payloads and tasks are woken, dropped and
//!    aborted by [`Outside`], after it.
//!
//! *Start against stop*: `stopped` is set under the lock under which abort handles are taken; a spawner
//! that brings its handle later sees it, and aborts the task itself.

use std::{
    any::Any,
    mem,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use gopark_net::note::{self, WaitReason};
use slab::Slab;

use super::GroupFailed;
use crate::{
    context::Cancel,
    elastic::{self, Elastic},
    primitive::sync::{Mutex, MutexGuard},
    quietly::quietly,
    task::AbortHandle,
};

pub(super) type Payload = Box<dyn Any + Send>;

/// How a member's task ended.
pub(super) enum Outcome<E> {
    Done,
    Failed(E),
    Panicked(Payload),
    /// Its future was dropped before it was done.
    Dropped,
}

/// How all ended, as `wait` tells it.
pub(super) struct Verdict<E> {
    pub(super) failure: Option<E>,
    pub(super) panic: Option<Payload>,
    /// A future was dropped, and the group did not want it.
    pub(super) lost: bool,
}

enum Member {
    Starting,
    Ended,
    Running(AbortHandle),
}

enum Waiting {
    Queued(Waker),
    Granted,
}

struct State<E> {
    limit: usize,
    taken: usize,
    members: Slab<Member>,
    waiting: Slab<Waiting>,
    queue: Elastic<usize>,
    verdict: Verdict<E>,
    stopped: bool,
    joiner: Option<Waker>,
}

/// What is to be done once the lock is given back.
#[derive(Default)]
struct Outside {
    wake: Vec<Waker>,
    abort: Vec<AbortHandle>,
}

impl Outside {
    fn run(self) {
        for waker in self.wake {
            quietly(|| waker.wake());
        }
        for abort in self.abort {
            abort.abort();
        }
    }
}

impl<E> State<E> {
    /// Gives free places to those who wait.
    fn grant(&mut self, outside: &mut Outside) {
        while self.taken < self.limit {
            let Some(key) = self.queue.pop_front() else {
                return;
            };
            self.taken += 1;
            if let Waiting::Queued(waker) = mem::replace(&mut self.waiting[key], Waiting::Granted) {
                outside.wake.push(waker);
            }
        }
    }

    fn release(&mut self, outside: &mut Outside) {
        self.taken -= 1;
        self.grant(outside);
    }

    fn vacate(&mut self, key: usize, outside: &mut Outside) {
        self.members.remove(key);
        elastic::give_back_empty(&mut self.members);
        if self.members.is_empty() {
            outside.wake.extend(self.joiner.take());
        }
    }

    fn stop(&mut self, outside: &mut Outside) {
        self.stopped = true;
        outside
            .abort
            .extend(self.members.iter().filter_map(|(_, member)| match member {
                Member::Running(abort) => Some(abort.clone()),
                Member::Starting | Member::Ended => None,
            }));
    }
}

pub(super) struct Shared<E> {
    state: Mutex<State<E>>,
    /// Of a group with a context.
    cancel: Option<Cancel>,
}

// No code of a user runs while a change is half made, so a panic of that leaves it whole.
impl<E> std::panic::RefUnwindSafe for Shared<E> {}

impl<E> Shared<E> {
    pub(super) fn new(cancel: Option<Cancel>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                limit: usize::MAX,
                taken: 0,
                members: Slab::new(),
                waiting: Slab::new(),
                queue: Elastic::default(),
                verdict: Verdict {
                    failure: None,
                    panic: None,
                    lost: false,
                },
                stopped: false,
                joiner: None,
            }),
            cancel,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        // Nothing that panics half-way runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<R>(&self, f: impl FnOnce(&mut State<E>, &mut Outside) -> R) -> R {
        let mut outside = Outside::default();
        let result = f(&mut self.lock(), &mut outside);
        outside.run();
        result
    }

    pub(super) fn len(&self) -> usize {
        self.lock().members.len()
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.with(|state, outside| {
            state.limit = limit;
            state.grant(outside);
        });
    }

    /// A permit at once, or not at all.
    pub(super) fn try_acquire(&self) -> bool {
        let mut state = self.lock();
        let free = state.taken < state.limit;
        state.taken += usize::from(free);
        free
    }

    /// A permit; in its turn, under the key in `place`, if there is none now.
    pub(super) fn poll_acquire(&self, place: &mut Option<usize>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(note::poll_proceed(cx));
        if place.is_none() && self.try_acquire() {
            unit.made_progress();
            return Poll::Ready(());
        }
        let mut waker = cx.waker().clone();
        let mut state = self.lock();
        let granted = match *place {
            None if state.taken < state.limit => {
                state.taken += 1;
                true
            }
            None => {
                let key = state.waiting.insert(Waiting::Queued(waker));
                state.queue.push_back(key);
                *place = Some(key);
                drop(state);
                note::park(WaitReason::Semaphore);
                return Poll::Pending;
            }
            Some(key) => match &mut state.waiting[key] {
                Waiting::Granted => {
                    state.waiting.remove(key);
                    elastic::give_back_empty(&mut state.waiting);
                    *place = None;
                    true
                }
                Waiting::Queued(old) => {
                    mem::swap(old, &mut waker);
                    false
                }
            },
        };
        drop(state);
        drop(waker);
        if granted {
            unit.made_progress();
            return Poll::Ready(());
        }
        note::park(WaitReason::Semaphore);
        Poll::Pending
    }

    /// Who waited for a permit gives up.
    pub(super) fn forgo(&self, key: usize) {
        let waiting = self.with(|state, outside| {
            let waiting = state.waiting.remove(key);
            elastic::give_back_empty(&mut state.waiting);
            match &waiting {
                Waiting::Granted => state.release(outside),
                Waiting::Queued(_) => state.queue.retain(|queued| *queued != key),
            }
            waiting
        });
        drop(waiting);
    }

    /// Uses a permit for a member. `spawn` gets what tells of its end. What is not to run is dropped.
    pub(super) fn start(self: &Arc<Self>, spawn: impl FnOnce(Guard<E>) -> AbortHandle) {
        let admitted = self.with(|state, outside| {
            if state.stopped {
                state.release(outside);
                return None;
            }
            Some(state.members.insert(Member::Starting))
        });
        let Some(key) = admitted else { return };
        // Dropped without a handle if `spawn` panics; its guard has told the end by then.
        let mut starting = Starting {
            shared: self,
            key,
            abort: None,
        };
        starting.abort = Some(spawn(Guard {
            shared: Some(self.clone()),
            key,
        }));
    }

    fn started(&self, key: usize, abort: Option<AbortHandle>) {
        self.with(|state, outside| match (&state.members[key], abort) {
            (Member::Starting, Some(abort)) => {
                if state.stopped {
                    outside.abort.push(abort.clone());
                }
                state.members[key] = Member::Running(abort);
            }
            _ => state.vacate(key, outside),
        });
    }

    fn ended(&self, key: usize, outcome: Outcome<E>) {
        // What is left of it is dropped after the lock.
        let mut outcome = Some(outcome);
        let failed = self.with(|state, outside| {
            let verdict = &mut state.verdict;
            let first = verdict.failure.is_none() && verdict.panic.is_none();
            let failed = match outcome.take() {
                Some(Outcome::Failed(error)) if first => {
                    verdict.failure = Some(error);
                    true
                }
                Some(Outcome::Panicked(payload)) if verdict.panic.is_none() => {
                    verdict.panic = Some(payload);
                    first
                }
                Some(Outcome::Dropped) => {
                    verdict.lost |= !state.stopped;
                    false
                }
                rest => {
                    outcome = rest;
                    false
                }
            };
            if failed && self.cancel.is_none() {
                state.stop(outside);
            }
            match state.members[key] {
                Member::Starting => state.members[key] = Member::Ended,
                Member::Running(_) | Member::Ended => state.vacate(key, outside),
            }
            state.release(outside);
            failed
        });
        drop(outcome);
        if failed {
            if let Some(cancel) = &self.cancel {
                cancel.cancel_with(GroupFailed(()));
            }
        }
    }

    /// Aborts all that run, and lets none start before the next verdict.
    pub(super) fn stop(&self) {
        self.with(State::stop);
        self.cancel();
    }

    pub(super) fn cancel(&self) {
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
    }

    /// The verdict, once nobody runs.
    pub(super) fn poll_verdict(&self, cx: &mut Context<'_>) -> Poll<Verdict<E>> {
        let unit = ready!(note::poll_proceed(cx));
        let mut waker = Some(cx.waker().clone());
        let mut state = self.lock();
        if !state.members.is_empty() {
            mem::swap(&mut state.joiner, &mut waker);
            drop(state);
            drop(waker);
            note::park(WaitReason::WaitGroup);
            return Poll::Pending;
        }
        state.stopped = false;
        let none = Verdict {
            failure: None,
            panic: None,
            lost: false,
        };
        let verdict = mem::replace(&mut state.verdict, none);
        drop(state);
        unit.made_progress();
        Poll::Ready(verdict)
    }
}

struct Starting<'a, E> {
    shared: &'a Shared<E>,
    key: usize,
    abort: Option<AbortHandle>,
}

impl<E> Drop for Starting<'_, E> {
    fn drop(&mut self) {
        self.shared.started(self.key, self.abort.take());
    }
}

/// Tells the end of a member, by being dropped if by nothing else.
pub(super) struct Guard<E> {
    /// `None` once it has told.
    shared: Option<Arc<Shared<E>>>,
    key: usize,
}

impl<E> Guard<E> {
    pub(super) fn end(mut self, outcome: Outcome<E>) {
        if let Some(shared) = self.shared.take() {
            shared.ended(self.key, outcome);
        }
    }
}

impl<E> Drop for Guard<E> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.ended(self.key, Outcome::Dropped);
        }
    }
}
