//! The clock of a runtime: the system's, until somebody pauses it.
//!
//! ```text
//!  REAL ──pause──▶ FROZEN(at) ──resume──▶ SHIFTED(at, since) ──pause──▶ FROZEN(..)
//!                   │    ▲
//!                   └────┘ advance, auto_advance_to
//! ```
//!
//! A clock that has never been paused costs one predictable branch over `std::time::Instant::now()`.
//! After a pause it stays off that path: a SHIFTED clock goes on from where it stood still, so it never
//! goes backwards and never again agrees with the system's.

use std::{
    fmt,
    panic::Location,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant as StdInstant},
};

use super::{instant::Instant, tick};

/// A handle to the clock of a runtime; clones share it.
#[derive(Clone)]
pub(crate) struct Clock(Arc<Inner>);

struct Inner {
    origin: StdInstant,
    /// Whether `pause` is allowed: one thread then runs all tasks and sees when all are idle.
    pausable: bool,
    /// Whether the state is not REAL. Written under the lock of `hands`.
    touched: AtomicBool,
    hands: Mutex<Hands>,
    /// Told when somebody has paused, resumed or advanced the clock: who sleeps by it must look again.
    changed: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

// `changed` wakes a thread, and what it panics with leaves the hands as they were set.
impl std::panic::RefUnwindSafe for Inner {}

/// What a clock shows that is not REAL: `at`, plus the time since `since` unless it stands still.
#[derive(Clone, Copy)]
struct Hands {
    at: StdInstant,
    since: Option<StdInstant>,
}

impl Hands {
    fn read(self) -> StdInstant {
        match self.since {
            None => self.at,
            Some(since) => saturating_add(self.at, since.elapsed()),
        }
    }
}

/// A clock stops at the end of time.
fn saturating_add(at: StdInstant, by: Duration) -> StdInstant {
    Instant::from_std(at).saturating_add(by).into_std()
}

/// Why a clock cannot be paused, advanced or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockError {
    NotPausable,
    AlreadyPaused,
    NotPaused,
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPausable => {
                "the time of this runtime cannot be paused: only a current-thread runtime knows when \
                 all of its tasks are idle; build it with `Builder::new_current_thread()`, in a test \
                 with `.pause_time(true)`"
            }
            Self::AlreadyPaused => "the time of this runtime is paused already",
            Self::NotPaused => {
                "the time of this runtime is not paused: call `gopark::time::pause()` first, or build \
                 the runtime with `.pause_time(true)`"
            }
        })
    }
}

impl Clock {
    /// A clock whose origin is now. Only a current-thread runtime may make it `pausable`.
    pub(crate) fn new(pausable: bool) -> Self {
        let origin = StdInstant::now();
        Self(Arc::new(Inner {
            origin,
            pausable,
            touched: AtomicBool::new(false),
            hands: Mutex::new(Hands {
                at: origin,
                since: None,
            }),
            changed: OnceLock::new(),
        }))
    }

    /// A clock that stands still at its origin.
    pub(crate) fn new_paused() -> Self {
        let clock = Self::new(true);
        clock.0.touched.store(true, Ordering::Relaxed);
        clock
    }

    /// Has `told` called after each change of the clock by its user.
    pub(crate) fn on_change(&self, told: Box<dyn Fn() + Send + Sync>) {
        let first = self.0.changed.set(told);
        debug_assert!(first.is_ok(), "a clock has one runtime");
    }

    fn changed(&self) {
        if let Some(told) = self.0.changed.get() {
            told();
        }
    }

    /// The instant of tick 0.
    #[inline]
    pub(crate) fn origin(&self) -> StdInstant {
        self.0.origin
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        Instant::from_std(self.now_std())
    }

    /// The last tick that is not after now.
    #[inline]
    pub(crate) fn now_tick(&self) -> u64 {
        tick::floor(self.0.origin, self.now_std())
    }

    /// The first tick that is not before `deadline`, or [`tick::NEVER`].
    #[inline]
    pub(crate) fn tick_ceil(&self, deadline: Instant) -> u64 {
        tick::ceil(self.0.origin, deadline.into_std())
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.touched() && self.hands().since.is_none()
    }

    pub(crate) fn pause(&self) -> Result<(), ClockError> {
        if !self.0.pausable {
            return Err(ClockError::NotPausable);
        }
        let mut hands = self.hands();
        if !self.touched() {
            *hands = Hands {
                at: StdInstant::now(),
                since: None,
            };
            // Relaxed: a thread that reads the system's clock a little longer sees a time that this
            // clock has shown.
            self.0.touched.store(true, Ordering::Relaxed);
            drop(hands);
            self.changed();
            return Ok(());
        }
        if hands.since.is_none() {
            return Err(ClockError::AlreadyPaused);
        }
        *hands = Hands {
            at: hands.read(),
            since: None,
        };
        drop(hands);
        self.changed();
        Ok(())
    }

    pub(crate) fn resume(&self) -> Result<(), ClockError> {
        let mut hands = self.hands();
        if !self.touched() || hands.since.is_some() {
            return Err(ClockError::NotPaused);
        }
        hands.since = Some(StdInstant::now());
        drop(hands);
        self.changed();
        Ok(())
    }

    /// Moves a paused clock on by `by`, or as far as an `Instant` reaches.
    pub(crate) fn advance(&self, by: Duration) -> Result<(), ClockError> {
        let mut hands = self.hands();
        if !self.touched() || hands.since.is_some() {
            return Err(ClockError::NotPaused);
        }
        hands.at = saturating_add(hands.at, by);
        drop(hands);
        self.changed();
        Ok(())
    }

    /// Moves a paused clock on to `tick`, for a scheduler that has nothing to do before. Returns
    /// whether it did: not if the clock runs, if it is past the tick, or if the tick is
    /// [`tick::NEVER`].
    pub(crate) fn auto_advance_to(&self, tick: u64) -> bool {
        if tick == tick::NEVER || !self.touched() {
            return false;
        }
        let mut hands = self.hands();
        let at = saturating_add(self.0.origin, Duration::from_millis(tick));
        if hands.since.is_some() || at <= hands.at {
            return false;
        }
        hands.at = at;
        true
    }

    #[inline]
    fn now_std(&self) -> StdInstant {
        if self.touched() {
            self.hands().read()
        } else {
            StdInstant::now()
        }
    }

    #[inline]
    fn touched(&self) -> bool {
        // Relaxed: `hands` is read under the lock; see `pause`.
        self.0.touched.load(Ordering::Relaxed)
    }

    #[cold]
    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.0.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("now_tick", &self.now_tick())
            .field("paused", &self.is_paused())
            .finish()
    }
}

/// The clock of the runtime that calls `what`, or a panic at `what`'s caller.
#[track_caller]
fn current(what: &str) -> Clock {
    match crate::sched::current_clock(|clock| clock.cloned()) {
        Some(clock) => clock,
        None => panic!(
            "`gopark::time::{what}` was called outside a runtime; call it in a task of a runtime \
             built with `Builder::new_current_thread()`"
        ),
    }
}

/// Pauses the time of the current runtime.
///
/// [`Instant::now`] stands still, and so do all sleeps, until [`advance`] moves the time or every task
/// of the runtime is idle: then the time jumps to the next timer at once. Sockets and what blocks hold it back:
/// see [paused time](crate::time#paused-time). So a test that sleeps
/// for an hour takes no time, and always in the same order. What other clocks show, those of `std` and
/// of the system, is not changed.
///
/// To start a runtime with paused time there is `pause_time` of its builder.
///
/// # Panics
///
/// If the time is paused already, if the caller is in no runtime, or if the runtime is not a
/// current-thread one.
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{self, Duration, Instant};
///
/// Builder::new_current_thread().build().unwrap().block_on(async {
///     time::pause();
///     let start = Instant::now();
///     time::sleep(Duration::from_secs(3600)).await;
///     assert!(start.elapsed() >= Duration::from_secs(3600));
/// });
/// ```
#[track_caller]
pub fn pause() {
    if let Err(error) = current("pause()").pause() {
        panic!("`gopark::time::pause()`: {error}");
    }
}

/// Lets the time of the current runtime run again, from where it stands.
///
/// # Panics
///
/// If the time is not paused, or if the caller is in no runtime.
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time;
///
/// Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
///     time::resume();
///     let start = time::Instant::now();
///     while start.elapsed().is_zero() {}
/// });
/// ```
#[track_caller]
pub fn resume() {
    if let Err(error) = current("resume()").resume() {
        panic!("`gopark::time::resume()`: {error}");
    }
}

/// Moves the paused time of the current runtime on by `duration`, in one jump.
///
/// What is due after the jump is woken, and the caller waits behind it: all tasks that were ready before
/// it have run once when `advance` returns. (Of those from `spawn_local` some may come later.) A task
/// that sleeps repeatedly does not see the instants that the jump passes over: to let it, advance in
/// small steps, or sleep.
///
/// The time is moved when the future is polled first.
///
/// # Cancel safety
///
/// Dropped before its first poll it does nothing; after that the time has moved.
///
/// # Panics
///
/// If the time is not paused, or if the caller is in no runtime.
///
/// # Examples
///
/// ```
/// use gopark::runtime::Builder;
/// use gopark::time::{self, Duration, Instant};
///
/// Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
///     let start = Instant::now();
///     time::advance(Duration::from_secs(60)).await;
///     assert_eq!(start.elapsed(), Duration::from_secs(60));
/// });
/// ```
#[track_caller]
pub fn advance(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
    let caller = Location::caller();
    let clock = current("advance(..)");
    if !clock.is_paused() {
        panic!(
            "`gopark::time::advance({duration:?})`: {}",
            ClockError::NotPaused
        );
    }
    async move {
        if let Err(error) = clock.advance(duration) {
            panic!("`gopark::time::advance({duration:?})` called at {caller}: {error}");
        }
        let mut due = Vec::new();
        crate::sched::timer_home(|clock, timers| timers.fire(clock.now_tick(), &mut due));
        due.into_iter().for_each(std::task::Waker::wake);
        // A task that yields comes after all that were ready before. The caller cannot do that itself:
        // the root of a `block_on` has no place in the queue. It fails only in a shutdown, when there
        // is nobody left to wait for.
        let _ = crate::spawn(crate::yield_now()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_clock_is_that_of_the_system() {
        let clock = Clock::new(true);
        let before = StdInstant::now();
        let now = clock.now().into_std();
        assert!(before <= now && now <= StdInstant::now());
        assert!(!clock.is_paused());
        assert!(!clock.auto_advance_to(u64::MAX >> 8));
    }

    #[test]
    fn a_paused_clock_moves_only_when_it_is_told() {
        let clock = Clock::new_paused();
        assert_eq!(clock.now_tick(), 0);
        assert!(clock.auto_advance_to(7));
        assert_eq!(
            (clock.now_tick(), clock.now().into_std()),
            (7, clock.origin() + 7 * MS)
        );
        assert!(!clock.auto_advance_to(7), "it is there already");
        assert!(!clock.auto_advance_to(3), "it never goes back");
        assert!(!clock.auto_advance_to(tick::NEVER));
        clock.advance(MS / 2).unwrap();
        assert_eq!(clock.now_tick(), 7);
        assert_eq!(clock.tick_ceil(clock.now()), 8);
        clock.advance(MS / 2).unwrap();
        assert_eq!(clock.now_tick(), 8);
    }

    #[test]
    fn a_resumed_clock_goes_on_from_where_it_stood() {
        let clock = Clock::new_paused();
        clock.advance(Duration::from_secs(1000)).unwrap();
        let stood = clock.now();
        clock.resume().unwrap();
        let ran = clock.now();
        assert!(stood <= ran);
        assert_eq!(clock.advance(MS), Err(ClockError::NotPaused));
        assert_eq!(clock.resume(), Err(ClockError::NotPaused));
        clock.pause().unwrap();
        assert!(ran <= clock.now());
        assert_eq!(clock.now(), clock.now());
        assert_eq!(clock.pause(), Err(ClockError::AlreadyPaused));
    }

    #[test]
    fn a_clock_jumps_to_far_ticks() {
        let clock = Clock::new_paused();
        let far = clock.now() + Duration::from_secs(40 * 365 * 86_400);
        assert!(clock.auto_advance_to(clock.tick_ceil(far)));
        assert_eq!(clock.now(), far);
    }

    #[test]
    fn a_clock_of_many_threads_cannot_be_paused() {
        let clock = Clock::new(false);
        assert_eq!(clock.pause(), Err(ClockError::NotPausable));
        assert_eq!(clock.advance(MS), Err(ClockError::NotPaused));
    }

    #[test]
    fn advancing_beyond_the_end_of_time_is_no_panic() {
        let clock = Clock::new_paused();
        clock.advance(Duration::MAX).unwrap();
        assert_eq!(clock.now().into_std(), tick::latest());
        assert!(clock.now_tick() < tick::NEVER);
        clock.advance(MS).unwrap();
        clock.resume().unwrap();
        std::thread::yield_now();
        assert_eq!(clock.now().into_std(), tick::latest());
        clock.pause().unwrap();
        assert_eq!(clock.now().into_std(), tick::latest());
    }

    const MS: Duration = Duration::from_millis(1);
}
