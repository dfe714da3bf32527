//! The reactor: the operating system's selector, and the table of the sources in it.
//!
//! # Model
//! A *source* is a registered socket or descriptor. A *turn* is one look at the selector. Whoever polls
//! gets back the wakers of the tasks that may go on; the reactor itself wakes nobody, so that a
//! scheduler can treat them as a batch and no foreign code runs under its locks.
//!
//! # Invariants
//! 1. At most one thread is in a turn: it holds `driver`.
//! 2. `sources == state.table.len()` whenever the lock of `state` is free.
//! 3. `state.closed` implies that the table is empty and stays so.
//! 4. Locks are taken in the order `driver`, `state`, the waiters of one source; no foreign code (a
//!    waker, a destructor) runs under any of them.
//!
//! # The notification handshake
//! `notify` promises: what happened before it is seen by whoever leaves the next *blocking* turn, and
//! that turn ends promptly. `notified` is true while such a promise is open:
//!
//! ```text
//!   notify():  N1 notified.swap(true)      blocking turn:  T1 notified? then do not sleep
//!              N2 if it was false: eventfd                 T2 select
//!                                                          T3 woken or T1: notified.swap(false)
//! ```
//! If N1 comes before T1, the turn does not sleep. If N1 comes after T1 and found false, N2 ends T2, for
//! the selector keeps the edge until a turn collects it. If N1 found true, then an earlier notifier's N1
//! is also after T1 (T3 of every earlier turn is before T1, by the lock), and *its* N2 ends T2. Either way
//! T3 reads what N1 wrote, which makes everything before `notify` visible. So while a promise is open
//! no second write is made. A non-blocking turn in between may collect the edge of N2; it leaves
//! `notified` alone, so T1 of the next blocking turn still sees it (Go's `netpollBreak` has the same
//! rule). At worst an edge arrives after its promise was kept, and one turn ends early.
//!
//! # Not here
//! Who polls (`drive.rs`), what a report does to a source (`readiness.rs`).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Waker;
use std::time::Duration;

use mio::{Events, Interest, Token};

use crate::alarm::{ALARM, Alarm};
use crate::delay;
use crate::drive::Drive;
use crate::entered::{Head, Node};
use crate::fork;
use crate::readiness::Ready;
use crate::source::Source;
use crate::table::{RESERVED, Table};

/// The token of the reactor's own wake-ups.
const WAKE: Token = Token(RESERVED);

/// How many reports one turn collects at most; the next turn gets the rest. tokio's figure: 12 KiB of
/// buffer on Linux, and enough that a busy server pays a small share of the call for each report.
const EVENTS: usize = 1024;

/// A time-out below this is kept exactly, where that can be; a longer one to the millisecond.
const EXACT: Duration = Duration::from_secs(1);

/// The longest sleep of one turn. Selectors count in milliseconds of 32 bits or less; nobody minds
/// an early return once a day.
const MAX_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// A selector of the operating system with the sockets that are registered in it.
///
/// Cloning is cheap and gives another handle to the same reactor; when the last handle is dropped, it
/// is [shut down](Self::shutdown). Sockets use the reactor that is [current](Self::current) where they are
/// made, and do not count as handles.
///
/// Programs rarely need this type: it is for those who write an executor.
///
/// ```
/// use std::time::Duration;
/// use gopark_net::Reactor;
///
/// let reactor = Reactor::new()?;
/// let mut ready = Vec::new();
/// reactor.poll(Some(Duration::ZERO), &mut ready)?;
/// for waker in ready.drain(..) {
///     waker.wake();
/// }
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Reactor {
    owner: Arc<Owner>,
}

/// What the handles share; sources have only `Shared`, so that they do not keep a reactor open.
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.shut_down();
    }
}

/// See the module's documentation.
pub(crate) struct Shared {
    /// Of the process that made it.
    generation: u32,
    /// Registers without the lock of `driver`, which a sleeping poller holds.
    registry: mio::Registry,
    waker: mio::Waker,
    notified: AtomicBool,
    /// Mirrors `state.table.len()`.
    sources: AtomicUsize,
    /// Mirrors `state.closed`.
    closed: AtomicBool,
    driver: Mutex<Driver>,
    pub(crate) state: Mutex<State>,
    /// Tells the background thread that `state` has changed in a way that may concern it.
    pub(crate) changed: Condvar,
}

/// Who holds it polls.
struct Driver {
    poll: mio::Poll,
    events: Events,
    alarm: Alarm,
}

/// What registering, reporting and claiming need.
pub(crate) struct State {
    pub(crate) table: Table<Arc<Source>>,
    pub(crate) closed: bool,
    pub(crate) drive: Drive,
}

/// Null until it is needed, and again in the child of a fork. What it shows is never freed.
static GLOBAL: AtomicPtr<Reactor> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// The reactors that this thread has entered.
    static ENTERED: Head<Owner> = const { Head::new() };
}

impl Reactor {
    /// Makes a reactor of its own, with no source in it.
    ///
    /// # Errors
    /// When the system gives no selector, for instance because the process has too many open files.
    pub fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, WAKE)?;
        let alarm = Alarm::new(&registry);
        fork::notice();
        let shared = Shared {
            generation: fork::generation(),
            registry,
            waker,
            notified: AtomicBool::new(false),
            sources: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            driver: Mutex::new(Driver {
                poll,
                events: Events::with_capacity(EVENTS),
                alarm,
            }),
            state: Mutex::new(State {
                table: Table::new(),
                closed: false,
                drive: Drive::new(),
            }),
            changed: Condvar::new(),
        };
        Ok(Self {
            owner: Arc::new(Owner {
                shared: Arc::new(shared),
            }),
        })
    }

    /// The reactor of the process, which serves sockets that are made outside any runtime.
    ///
    /// It is made at the first call and never goes away.
    ///
    /// # Errors
    /// As [`new`](Self::new); a later call tries again.
    pub fn global() -> io::Result<Self> {
        // SAFETY: (1) what was stored is never freed. pairs with: the exchange below.
        if let Some(global) = unsafe { GLOBAL.load(Ordering::Acquire).as_ref() } {
            return Ok(global.clone());
        }
        let fresh = Box::into_raw(Box::new(Self::new()?));
        // pairs with: the load above, and the one in here where another thread was first.
        let first =
            GLOBAL.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire);
        let global = match first {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: (1) from `into_raw`, and stored nowhere. It is empty.
                drop(unsafe { Box::from_raw(fresh) });
                other
            }
        };
        // SAFETY: as above.
        Ok(unsafe { &*global }.clone())
    }

    /// The reactor that new sockets of this thread use: the one [entered](Self::enter) last, else the
    /// [global](Self::global) one.
    ///
    /// # Errors
    /// As [`global`](Self::global).
    pub fn current() -> io::Result<Self> {
        match ENTERED.with(Head::top) {
            Some(owner) => Ok(Self { owner }),
            None => Self::global(),
        }
    }

    /// Makes this reactor the current one of this thread until the guard is dropped.
    ///
    /// Guards may be dropped in any order: of those that live, the most recent one rules.
    ///
    /// ```
    /// use gopark_net::Reactor;
    ///
    /// let (outer, inner) = (Reactor::new()?, Reactor::new()?);
    /// let _outer = outer.enter();
    /// {
    ///     let _inner = inner.enter();
    ///     assert!(Reactor::current()?.same(&inner));
    /// }
    /// assert!(Reactor::current()?.same(&outer));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn enter(&self) -> Entered {
        let entry = Box::pin(self.entry());
        entry.as_ref().enter();
        Entered(entry)
    }

    /// For executors: what [`enter`](Self::enter) puts into a box, to be pinned elsewhere.
    pub fn entry(&self) -> Entry {
        Entry(Node::new(&ENTERED, self.owner.clone()))
    }

    /// Whether it was made before a fork, in the parent: then nobody polls it, and it refuses whatever would wait.
    #[inline]
    pub fn is_left_behind(&self) -> bool {
        self.shared().is_left_behind()
    }

    /// Whether both are handles to one reactor.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.owner, &other.owner)
    }

    /// Waits for reports of the selector, at most for `timeout` (`None`: without end), and moves the
    /// wakers of all tasks that may go on to `ready`. It wakes none of them itself.
    ///
    /// It may return early and with nothing: after [`notify`](Self::notify), a signal, or a report that
    /// nobody waits for. A zero timeout looks without waiting. On Linux a timeout below a second is exact,
    /// elsewhere and beyond it is rounded up to milliseconds. One thread polls at a time: a second one first waits for the first to return,
    /// without regard to its timeout ([`try_poll`](Self::try_poll) does not).
    ///
    /// # Errors
    /// After [`shutdown`](Self::shutdown), and when the selector fails.
    pub fn poll(&self, timeout: Option<Duration>, ready: &mut Vec<Waker>) -> io::Result<()> {
        self.shared().poll(timeout, ready)
    }

    /// As [`poll`](Self::poll), but returns `Ok(false)` at once if another thread is polling.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn try_poll(&self, timeout: Option<Duration>, ready: &mut Vec<Waker>) -> io::Result<bool> {
        let shared = self.shared();
        shared.refuse_if_left_behind()?;
        let mut driver = match shared.driver.try_lock() {
            Ok(driver) => driver,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        shared.turn(&mut driver, timeout, ready)?;
        Ok(true)
    }

    /// Makes the blocking poll that is in progress, or else the next one, return promptly. Whoever
    /// returns from it sees everything that happened before this call.
    ///
    /// A poll with a zero timeout does not use the notification up. Notifications do not add up: several
    /// before a poll count as one, and cost one system call together.
    #[inline]
    pub fn notify(&self) {
        self.shared().notify();
    }

    /// Whether any socket is registered: if not, a scheduler may skip polls with a zero timeout.
    ///
    /// One relaxed load, so a socket that another thread has just registered may be missed; that thread's
    /// executor will poll for it.
    #[inline]
    pub fn has_sources(&self) -> bool {
        self.shared().sources.load(Ordering::Relaxed) != 0
    }

    /// Whether an operation on a socket waits. It asks all sockets, so it is for one who is about to sleep and
    /// wants to know for what.
    pub fn has_waiters(&self) -> bool {
        let state = self.shared().lock_state();
        state
            .table
            .iter()
            .any(|source| source.readiness.has_waiters())
    }

    /// Ends the reactor: every operation on its sockets fails from now on, those that wait now are woken
    /// to fail, a poll in progress returns, and the background thread (if there is one) ends before
    /// this returns. Repeating it does nothing.
    ///
    /// The sockets' descriptors are closed when the sockets are dropped. Wakers are woken on this thread.
    pub fn shutdown(&self) {
        self.shared().shut_down();
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("sources", &self.shared().sources.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// While it lives, a reactor is the current one of its thread. See [`Reactor::enter`].
#[must_use = "the reactor stops being current when this is dropped"]
#[derive(Debug)]
pub struct Entered(#[expect(dead_code, reason = "held for its Drop")] Pin<Box<Entry>>);

/// A place in the list of reactors that a thread has entered. See [`Reactor::entry`].
pub struct Entry(Node<Owner>);

impl Entry {
    /// Makes its reactor the current one of this thread until this is dropped.
    pub fn enter(self: Pin<&Self>) {
        // SAFETY: (1) the node is pinned with the entry: nothing gives access to it by `&mut`.
        unsafe { self.map_unchecked(|entry| &entry.0) }.enter();
    }

    /// Ends that ahead of the drop.
    pub fn leave(&self) {
        self.0.leave();
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

/// In the child of a fork.
#[cfg(unix)]
pub(crate) fn begin_anew() {
    // Relaxed: there is one thread.
    GLOBAL.store(ptr::null_mut(), Ordering::Relaxed);
    ENTERED.with(Head::clear);
}

impl Shared {
    /// Whether this is the parent's, and we are in a child.
    #[inline]
    pub(crate) fn is_left_behind(&self) -> bool {
        self.generation != fork::generation()
    }

    fn refuse_if_left_behind(&self) -> io::Result<()> {
        if self.is_left_behind() {
            return Err(fork::left_behind_error());
        }
        Ok(())
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>, ready: &mut Vec<Waker>) -> io::Result<()> {
        self.refuse_if_left_behind()?;
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn(&mut driver, timeout, ready)
    }

    fn turn(
        &self,
        driver: &mut Driver,
        timeout: Option<Duration>,
        ready: &mut Vec<Waker>,
    ) -> io::Result<()> {
        // Relaxed: who closes also notifies, so a turn that misses this does not sleep.
        if self.closed.load(Ordering::Relaxed) {
            return Err(shut_down_error());
        }
        let blocking = timeout != Some(Duration::ZERO);
        // T1 of the notification handshake.
        let promised = blocking && self.notified.load(Ordering::Acquire); // pairs with: `notify`
        let timeout = if promised {
            Some(Duration::ZERO)
        } else {
            // Seconds on end are not worth an alarm, and a selector would not mind a day.
            timeout.and_then(|timeout| match timeout {
                Duration::ZERO => Some(Duration::ZERO),
                short if short < EXACT && driver.alarm.set(short) => None,
                long => Some(round_up(long)),
            })
        };
        delay::here("turn: about to select");
        match driver.poll.poll(&mut driver.events, timeout) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(e) => return Err(e),
        }

        delay::here("turn: reports collected");
        let mut woken = false;
        if !driver.events.is_empty() {
            let state = self.lock_state();
            for event in &driver.events {
                if event.token() == WAKE {
                    woken = true;
                } else if event.token() == ALARM {
                    driver.alarm.gone_off();
                } else if let Some(source) = state.table.get(event.token().0) {
                    source.readiness.deliver(ready_of(event), ready);
                }
            }
        }
        if blocking && (woken || promised) {
            // T3: reads what N1 wrote, so the caller sees what came before it.
            self.notified.swap(false, Ordering::AcqRel); // pairs with: `notify`
        }
        Ok(())
    }

    pub(crate) fn notify(&self) {
        // N1. AcqRel: publishes what the caller did, also through the swaps of later notifiers.
        if self.notified.swap(true, Ordering::AcqRel) {
            return; // pairs with: `turn`, for the one who found false
        }
        delay::here("notify: promised");
        // N2. The only failure, a full counter, is handled by mio; anything else would mean that the
        // descriptor is gone, which cannot be while `self` lives.
        let woken = self.waker.wake();
        debug_assert!(woken.is_ok(), "the reactor could not be woken: {woken:?}");
    }

    /// Registers `io`, of which `assumed` is taken to be true until the kernel says otherwise.
    pub(crate) fn register(
        self: &Arc<Self>,
        io: &mut impl mio::event::Source,
        interest: Interest,
        assumed: Ready,
    ) -> io::Result<Arc<Source>> {
        self.refuse_if_left_behind()?;
        let source = {
            let mut state = self.lock_state();
            if state.closed {
                return Err(shut_down_error());
            }
            let entry = state
                .table
                .insert_with(|token| Arc::new(Source::new(self.clone(), Token(token), assumed)));
            let source = entry.cloned().ok_or_else(too_many_sources)?;
            self.sources.store(state.table.len(), Ordering::Relaxed);
            source
        };
        // The table comes first: a report may arrive before `register` returns.
        if let Err(e) = self.registry.register(io, source.token, interest) {
            self.forget(&source);
            return Err(e);
        }
        if let Err(e) = self.attend() {
            self.deregister(io, &source)?;
            return Err(e);
        }
        Ok(source)
    }

    /// Takes `io` out of the selector and its source out of the table.
    pub(crate) fn deregister(
        &self,
        io: &mut impl mio::event::Source,
        source: &Arc<Source>,
    ) -> io::Result<()> {
        if self.is_left_behind() {
            // The selector is the parent's as well, whose registration this would end.
            return Ok(());
        }
        let outcome = self.registry.deregister(io);
        self.forget(source);
        outcome
    }

    fn forget(&self, source: &Arc<Source>) {
        let mut state = self.lock_state();
        let removed = state.table.remove(source.token.0);
        self.sources.store(state.table.len(), Ordering::Relaxed);
        drop(state);
        drop(removed);
    }

    /// Empties the table for good; the first caller gets what was in it.
    pub(crate) fn close(&self) -> Vec<Arc<Source>> {
        let mut state = self.lock_state();
        state.closed = true;
        let sources = state.table.drain();
        self.sources.store(0, Ordering::Relaxed);
        self.closed.store(true, Ordering::Relaxed);
        sources
    }

    pub(crate) fn lock_state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

/// What every operation on a socket of a reactor that has been shut down fails with.
#[cold]
pub(crate) fn shut_down_error() -> io::Error {
    io::Error::other("the gopark runtime that this socket belongs to has been shut down")
}

#[cold]
fn too_many_sources() -> io::Error {
    io::Error::other("this gopark reactor has no room for another socket")
}

/// To whole milliseconds and never to zero, so that a sleep of a microsecond is not a busy loop.
fn round_up(timeout: Duration) -> Duration {
    let millis = timeout.min(MAX_SLEEP).as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).map_or(MAX_SLEEP, Duration::from_millis)
}

fn ready_of(event: &mio::event::Event) -> Ready {
    let mut ready = Ready::EMPTY;
    if event.is_readable() {
        ready |= Ready::READABLE;
    }
    if event.is_writable() {
        ready |= Ready::WRITABLE;
    }
    if event.is_read_closed() {
        ready |= Ready::READ_CLOSED;
    }
    if event.is_write_closed() {
        ready |= Ready::WRITE_CLOSED;
    }
    if event.is_error() {
        ready |= Ready::ERROR;
    }
    if event.is_priority() {
        ready |= Ready::PRIORITY;
    }
    ready
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_rounded_up_to_milliseconds_and_never_to_zero() {
        let cases = [
            (Duration::ZERO, Duration::ZERO),
            (Duration::from_nanos(1), Duration::from_millis(1)),
            (Duration::from_micros(999), Duration::from_millis(1)),
            (Duration::from_millis(1), Duration::from_millis(1)),
            (Duration::from_micros(1001), Duration::from_millis(2)),
            (Duration::MAX, MAX_SLEEP),
        ];
        for (given, expected) in cases {
            assert_eq!(round_up(given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_notification_before_a_poll_ends_it_and_is_used_up() {
        let reactor = Reactor::new().expect("a selector");
        let mut ready = Vec::new();
        reactor.notify();
        reactor.notify();
        reactor.poll(None, &mut ready).expect("it returns");
        assert!(!reactor.shared().notified.load(Ordering::Relaxed));
        reactor
            .poll(Some(Duration::from_nanos(1)), &mut ready)
            .expect("it times out");
        assert!(ready.is_empty());
    }

    #[test]
    fn a_look_without_waiting_leaves_the_notification_for_the_poll_that_sleeps() {
        let reactor = Reactor::new().expect("a selector");
        let mut ready = Vec::new();
        reactor.notify();
        reactor
            .poll(Some(Duration::ZERO), &mut ready)
            .expect("it looks");
        reactor
            .poll(Some(Duration::ZERO), &mut ready)
            .expect("it looks");
        reactor
            .poll(None, &mut ready)
            .expect("it returns although the edge is gone");
        assert!(!reactor.shared().notified.load(Ordering::Relaxed));
    }

    #[test]
    fn a_notification_ends_the_poll_of_another_thread_every_time() {
        let reactor = Reactor::new().expect("a selector");
        let turns = Arc::new(AtomicUsize::new(0));
        let poller = std::thread::spawn({
            let (reactor, turns) = (reactor.clone(), turns.clone());
            move || {
                let mut ready = Vec::new();
                while reactor.poll(None, &mut ready).is_ok() {
                    turns.fetch_add(1, Ordering::Release);
                }
            }
        });
        for _ in 0..1000 {
            let before = turns.load(Ordering::Acquire);
            reactor.notify();
            while turns.load(Ordering::Acquire) == before {
                std::thread::yield_now();
            }
        }
        reactor.shutdown();
        poller.join().expect("it ended by an error");
    }

    #[test]
    fn only_one_thread_polls_and_others_are_told_so() {
        let reactor = Reactor::new().expect("a selector");
        let guard = reactor.shared().driver.lock().expect("nobody polls");
        let mut ready = Vec::new();
        assert!(!reactor.try_poll(None, &mut ready).expect("not an error"));
        drop(guard);
        assert!(
            reactor
                .try_poll(Some(Duration::ZERO), &mut ready)
                .expect("it polled")
        );
    }
}
