//! Who polls the reactor: executors that claim it, or else one background thread.
//!
//! # Model
//! ```text
//!              claims > 0 or no source                       a source and claims == 0
//!   ┌───────────────────────────────────┐  attend, Claim::drop  ┌──────────────────────┐
//!   │ no thread, or asleep on `changed` │ ────────────────────► │ the thread polls     │
//!   └───────────────────────────────────┘ ◄──────────────────── └──────────────────────┘
//!                                          claim: notify
//! ```
//! The thread starts when it is needed for the first time and stays until the reactor is shut down.
//! Asleep it costs nothing: the condition variable has no timeout.
//!
//! # Invariants (of the fields of `State::drive`, whenever its lock is free)
//! 1. `claims == 0 && table.len() > 0 && !closed` implies `thread != Thread::None`.
//! 2. `polls` is true while the thread is in a turn. A `claim` returns only after it has seen it false,
//!    so the thread cannot use up a notification that is meant for the claimant's own polls. The
//!    thread wakes wakers while it is false, so one of them may claim.

use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::thread::{self, JoinHandle};

use crate::reactor::{Reactor, Shared, State};

/// The part of the reactor's state that decides who polls.
#[derive(Debug)]
pub(crate) struct Drive {
    claims: usize,
    thread: Thread,
    polls: bool,
}

#[derive(Debug)]
enum Thread {
    None,
    /// Somebody is starting it.
    Starting,
    Running(JoinHandle<()>),
}

/// A promise to poll a reactor: while one exists, the background thread keeps out of it.
///
/// See [`Reactor::claim`].
#[must_use = "the promise ends when this is dropped"]
#[derive(Debug)]
pub struct Claim {
    shared: Arc<Shared>,
}

impl Reactor {
    /// Promises that the caller polls this reactor until the guard is dropped.
    ///
    /// Claims are counted. While there is none and a socket is registered, a thread named "gopark-net"
    /// polls and wakes. A runtime that ends should [shut its reactor down](Self::shutdown) before it
    /// drops its claim, or that thread would start for sockets that are left over.
    ///
    /// ```
    /// let reactor = gopark_net::Reactor::new()?;
    /// let claim = reactor.claim();
    /// // … make sockets, poll, wake …
    /// drop(claim);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn claim(&self) -> Claim {
        let shared = self.shared().clone();
        if shared.is_left_behind() {
            return Claim { shared };
        }
        let mut state = shared.lock_state();
        state.drive.claims += 1;
        if state.drive.polls {
            drop(state);
            shared.notify();
            state = shared.lock_state();
            while state.drive.polls {
                state = shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        drop(state);
        Claim { shared }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.shared.is_left_behind() {
            return;
        }
        self.shared.lock_state().drive.claims -= 1;
        if self.shared.attend().is_err() {
            // Nobody would ever poll again: an error is better than a silence.
            self.shared.shut_down();
        }
    }
}

impl Drive {
    pub(crate) const fn new() -> Self {
        Self {
            claims: 0,
            thread: Thread::None,
            polls: false,
        }
    }
}

impl State {
    fn needs_thread(&self) -> bool {
        self.drive.claims == 0 && self.table.len() > 0 && !self.closed
    }
}

impl Shared {
    /// Makes invariant 1 true after a source or the end of a claim.
    pub(crate) fn attend(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.lock_state();
        if !state.needs_thread() {
            return Ok(());
        }
        match state.drive.thread {
            Thread::Starting => return Ok(()),
            Thread::Running(_) => {
                let asleep = !state.drive.polls;
                drop(state);
                if asleep {
                    self.changed.notify_all();
                }
                return Ok(());
            }
            Thread::None => state.drive.thread = Thread::Starting,
        }
        drop(state);

        let shared = self.clone();
        let started = thread::Builder::new()
            .name("gopark-net".into())
            .spawn(move || {
                shared.serve();
            });
        let mut state = self.lock_state();
        let (thread, outcome) = match started {
            Ok(thread) => (Thread::Running(thread), Ok(())),
            Err(e) => (Thread::None, Err(e)),
        };
        state.drive.thread = thread;
        drop(state);
        // A shutdown may wait for the thread to leave `Starting`.
        self.changed.notify_all();
        outcome
    }

    /// The background thread.
    fn serve(&self) {
        let mut ready = Vec::new();
        loop {
            let mut state = self
                .changed
                .wait_while(self.lock_state(), |state| {
                    !state.needs_thread() && !state.closed
                })
                .unwrap_or_else(PoisonError::into_inner);
            if state.closed {
                return;
            }
            state.drive.polls = true;
            drop(state);

            let turned = self.poll(None, &mut ready);
            let mut state = self.lock_state();
            state.drive.polls = false;
            let claimed = state.drive.claims > 0;
            drop(state);
            if claimed {
                self.changed.notify_all();
            }
            wake_all(ready.drain(..));
            if turned.is_err() {
                // Closed meanwhile; or the selector is broken, and then no source can work.
                fail_all(self.close());
                return;
            }
        }
    }

    pub(crate) fn shut_down(&self) {
        if self.is_left_behind() {
            return;
        }
        fail_all(self.close());
        self.notify();
        self.changed.notify_all();

        let mut state = self.lock_state();
        let thread = loop {
            match mem::replace(&mut state.drive.thread, Thread::None) {
                Thread::None => return,
                Thread::Running(thread) => break thread,
                Thread::Starting => {
                    state.drive.thread = Thread::Starting;
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(state);
        // A waker that the thread itself wakes may drop the last handle; it then ends by itself.
        if thread.thread().id() != thread::current().id() {
            // Its panics are caught in `wake_all`; there is nothing to report.
            let _ = thread.join();
        }
    }
}

/// Fails all operations of `sources`, and wakes those who wait to see it.
fn fail_all(sources: Vec<Arc<crate::source::Source>>) {
    let mut waiting = Vec::new();
    for source in &sources {
        source.readiness.shut_down(&mut waiting);
    }
    drop(sources);
    wake_all(waiting.into_iter());
}

/// Wakes every one of them, even if some panic: the thread serves others too.
fn wake_all(wakers: impl Iterator<Item = Waker>) {
    for waker in wakers {
        let _ = panic::catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}
