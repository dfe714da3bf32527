//! What a leaf future and the executor that polls it tell each other: one word per thread.
//!
//! A leaf future (a socket, a channel, a timer) knows two things that an executor cannot see from
//! outside: *why* it is about to return `Pending`, and *that* it has just done a piece of work
//! without ever having to wait. The first makes task dumps readable. The second is the cooperation
//! budget: a task whose leaves are always ready would otherwise never come back from its poll.
//!
//! # Model
//! The word is `budget | wait << 8 | refusals << 16`; [`begin_poll`] writes all of it with one store.
//!
//! ```text
//!  executor                      leaf future
//!  begin_poll(128) ──► poll ──►  poll_proceed(cx): budget -= 1 ──► operation ready: made_progress()
//!                                       │                     └──► Pending: the unit is given back
//!                                       │ budget == 0
//!                                       └──► refusals += 1, wake_by_ref, wait = Yield, Pending
//!                                park(reason): wait = reason
//!  wait_reason() ◄─── Pending ◄──
//! ```
//!
//! # Invariants
//! 1. `budget == UNLIMITED` outside [`begin_poll`]: a foreign executor never sees a forced yield.
//! 2. Between two calls of [`begin_poll`] the budget only falls, except that a [`Budgeted`] without
//!    progress puts back the unit that it took, and by 3.
//! 3. *No livelock.* A poll that goes on although it was refused, for there is an executor or a combinator in
//!    it that polls again because it was woken, gets a new budget after `REFUSALS` refusals. Each of those
//!    answers one poll of a leaf, so of all that such a poll asks for it gets about half.
//! 4. Who asks with a waker that wakes nobody is not refused: it would not come again.
//! 5. The word belongs to its thread and has no destructor, so it may be used in destructors of
//!    other thread-locals.
//!
//! The budget follows tokio's cooperative scheduling (its `task::coop`), the wait reasons follow
//! Go's `waitReason`.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

/// The budget of one poll unless the executor has a reason to choose otherwise; tokio's figure.
pub const DEFAULT_BUDGET: u8 = 128;

/// The budget that never ends: leaf futures then never yield by themselves.
///
/// This is what every thread starts with, hence what holds under a foreign executor.
pub const UNLIMITED: u8 = u8::MAX;

/// How often a poll is refused before it gets a new budget.
const REFUSALS: u8 = DEFAULT_BUDGET;

thread_local! {
    /// `budget` in the lowest byte, `wait` in the next, then the refusals since the budget was spent.
    static NOTE: Cell<u32> = const { Cell::new(UNLIMITED as u32) };
}

/// Changes the bytes of the word.
#[inline]
fn edit(f: impl FnOnce(&mut [u8; 4])) {
    NOTE.with(|note| {
        let mut bytes = note.get().to_le_bytes();
        f(&mut bytes);
        note.set(u32::from_le_bytes(bytes));
    });
}

macro_rules! wait_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a task waits, as its leaf future said before it returned `Pending`.
        ///
        /// It displays in the manner of Go's stack dumps: "IO wait", "chan receive", "sleep".
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum WaitReason {
            $($(#[$doc])* $name,)*
        }

        impl WaitReason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The text that dumps show.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

wait_reasons! {
    /// The leaf future left no reason: it is none of ours, or waits for several things.
    #[default]
    Other = "waiting",
    /// It gave way to others and is runnable already.
    Yield = "yield",
    /// A sleep or a time-out.
    Sleep = "sleep",
    /// The next tick of an interval.
    Interval = "interval",
    /// A socket or file descriptor has nothing to read.
    IoRead = "IO wait (read)",
    /// A socket or file descriptor takes no more bytes.
    IoWrite = "IO wait (write)",
    /// A listener has no new connection.
    Accept = "IO wait (accept)",
    /// A connection is being established.
    Connect = "IO wait (connect)",
    /// The end of another task.
    Join = "join",
    /// A channel is full.
    ChanSend = "chan send",
    /// A channel is empty.
    ChanRecv = "chan receive",
    /// No branch of a select is ready.
    Select = "select",
    /// A mutex or a read-write lock is held by another.
    Lock = "lock",
    /// A semaphore has too few permits.
    Semaphore = "semacquire",
    /// A notification.
    Notify = "notify",
    /// A condition variable.
    Cond = "cond wait",
    /// A wait group whose count is not zero yet.
    WaitGroup = "wait group",
    /// A barrier that is not full yet.
    Barrier = "barrier",
    /// The initialisation of a cell by another task.
    Once = "once",
    /// The value of a oneshot channel.
    Oneshot = "oneshot receive",
    /// A change of a watched value.
    Watch = "watch",
    /// The next message of a broadcast.
    Broadcast = "broadcast receive",
    /// The end or the deadline of a context.
    Context = "context",
    /// A name being looked up.
    Resolve = "name lookup",
    /// A job that runs on a blocking thread.
    Blocking = "blocking job",
    /// A signal of the operating system.
    Signal = "signal wait",
    /// The end of a child process.
    Process = "process wait",
    /// A channel has no message but those that are kept for receives which were woken and have not been
    /// polled since.
    ChanRecvOwed = "chan receive, a message is kept for a receive that was not polled since",
}

impl WaitReason {
    /// The reason with this number, [`Other`](Self::Other) for a number that is none.
    ///
    /// ```
    /// use gopark_net::note::WaitReason;
    /// assert_eq!(WaitReason::from_u8(WaitReason::Sleep as u8), WaitReason::Sleep);
    /// assert_eq!(WaitReason::from_u8(255), WaitReason::Other);
    /// ```
    #[inline]
    pub const fn from_u8(number: u8) -> Self {
        if (number as usize) < Self::ALL.len() {
            Self::ALL[number as usize]
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// For executors: starts a poll with `budget` units and no wait reason, by one store.
///
/// An executor that gives budgets ends the poll with `begin_poll(UNLIMITED)` or [`restore`], so that
/// code which it runs between polls is not charged.
#[inline]
pub fn begin_poll(budget: u8) {
    NOTE.with(|note| note.set(u32::from(budget)));
}

/// For executors: why the poll that has just returned `Pending` did so.
///
/// ```
/// use gopark_net::note::{self, WaitReason};
/// note::begin_poll(note::DEFAULT_BUDGET);
/// note::park(WaitReason::ChanRecv); // a leaf future does this
/// assert_eq!(note::wait_reason().to_string(), "chan receive");
/// # note::begin_poll(note::UNLIMITED);
/// ```
#[inline]
pub fn wait_reason() -> WaitReason {
    let [_, wait, ..] = NOTE.with(Cell::get).to_le_bytes();
    WaitReason::from_u8(wait)
}

/// The word of an outer poll, kept by [`save`] while an inner one runs.
#[derive(Debug, Clone, Copy)]
#[must_use = "give it to `restore` after the inner poll"]
pub struct Saved(u32);

/// For executors: the current word, to be put back by [`restore`] after a nested poll.
#[inline]
pub fn save() -> Saved {
    Saved(NOTE.with(Cell::get))
}

/// For executors: puts back what [`save`] returned.
#[inline]
pub fn restore(saved: Saved) {
    NOTE.with(|note| note.set(saved.0));
}

/// For code that blocks its thread, and executors that give no budgets: until the guard is dropped there
/// is no budget. Then the word is what it was.
#[inline]
pub fn exempt() -> Exempt {
    let outer = save();
    begin_poll(UNLIMITED);
    Exempt {
        outer,
        _not_send: PhantomData,
    }
}

/// See [`exempt`].
#[derive(Debug)]
#[must_use = "the budget is back when this is dropped"]
pub struct Exempt {
    outer: Saved,
    _not_send: PhantomData<*mut ()>,
}

impl Drop for Exempt {
    #[inline]
    fn drop(&mut self) {
        restore(self.outer);
    }
}

/// The units that are left in this poll; [`UNLIMITED`] when there is no limit.
#[inline]
pub fn budget() -> u8 {
    let [budget, ..] = NOTE.with(Cell::get).to_le_bytes();
    budget
}

/// Replaces the budget and leaves the wait reason alone, for wrappers such as `unconstrained`.
#[inline]
pub fn set_budget(budget: u8) {
    edit(|[left, ..]| *left = budget);
}

/// For leaf futures: "I am about to return `Pending`, and this is why."
///
/// The last leaf that speaks wins; a combinator that waits for several things speaks after them.
#[inline]
pub fn park(reason: WaitReason) {
    edit(|[_, wait, ..]| *wait = reason as u8);
}

/// For leaf futures: takes one unit of the budget, or yields when there is none left.
///
/// Call it before the operation. `Ready` carries a guard: tell it
/// [`made_progress`](Budgeted::made_progress) when the operation succeeded; dropped without, it gives
/// the unit back. `Pending` means that the budget is used up: the task has been woken already, the
/// wait reason is [`WaitReason::Yield`], and the leaf returns `Pending` without trying.
///
/// A poll that goes on nevertheless, and asks again and again, gets a new budget in the end. Who asks with a
/// waker that wakes nobody (`now_or_never`) is never refused: it asks but once.
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Context, Poll, Wake, Waker};
/// use gopark_net::note;
/// # struct Task;
/// # impl Wake for Task {
/// #     fn wake(self: Arc<Self>) {}
/// # }
/// # let waker = Waker::from(Arc::new(Task));
///
/// let mut cx = Context::from_waker(&waker);
/// note::begin_poll(1);
/// let Poll::Ready(unit) = note::poll_proceed(&mut cx) else { panic!("one unit is there") };
/// unit.made_progress();
/// assert!(note::poll_proceed(&mut cx).is_pending());
/// assert_eq!(note::wait_reason(), note::WaitReason::Yield);
/// # note::begin_poll(note::UNLIMITED);
/// ```
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<Budgeted> {
    let word = NOTE.with(Cell::get);
    let [budget, ..] = word.to_le_bytes();
    match budget {
        UNLIMITED => Poll::Ready(Budgeted::new(false)),
        0 => refuse(cx),
        _ => {
            NOTE.with(|note| note.set(word - 1));
            Poll::Ready(Budgeted::new(true))
        }
    }
}

/// The budget is spent.
#[cold]
#[inline(never)]
fn refuse(cx: &mut Context<'_>) -> Poll<Budgeted> {
    // A waker without data has nobody to tell from others: it wakes none, or, of some executor without tasks,
    // all. Our own have data.
    if cx.waker().data().is_null() {
        return Poll::Ready(Budgeted::new(false));
    }
    let mut is_renewed = false;
    edit(|[budget, wait, refusals, _]| {
        *refusals += 1;
        if *refusals >= REFUSALS {
            is_renewed = true;
            (*budget, *refusals) = (DEFAULT_BUDGET - 1, 0);
        } else {
            *wait = WaitReason::Yield as u8;
        }
    });
    if is_renewed {
        return Poll::Ready(Budgeted::new(true));
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// One unit of the budget, taken by [`poll_proceed`]; dropped without progress, it goes back.
#[derive(Debug)]
#[must_use = "dropping it at once gives the unit back: keep it until the operation is done"]
pub struct Budgeted {
    taken: bool,
    _not_send: PhantomData<*mut ()>,
}

impl Budgeted {
    #[inline]
    const fn new(taken: bool) -> Self {
        Self {
            taken,
            _not_send: PhantomData,
        }
    }

    /// The operation succeeded, so the unit is spent.
    #[inline]
    pub fn made_progress(mut self) {
        self.taken = false;
    }
}

impl Drop for Budgeted {
    #[inline]
    fn drop(&mut self) {
        if !self.taken {
            return;
        }
        // A nested poll may have made the budget unlimited meanwhile without restoring it; adding a
        // unit to that, or reaching that by adding, would change its meaning.
        let left = budget();
        if left < UNLIMITED - 1 {
            set_budget(left + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct CountWakes(AtomicUsize);

    impl Wake for CountWakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_fresh_thread_has_no_limit_and_no_reason() {
        assert_eq!(budget(), UNLIMITED);
        assert_eq!(wait_reason(), WaitReason::Other);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..1000 {
            let Poll::Ready(unit) = poll_proceed(&mut cx) else {
                panic!("yielded without a limit")
            };
            unit.made_progress();
        }
        assert_eq!(budget(), UNLIMITED);
    }

    #[test]
    fn a_unit_without_progress_goes_back() {
        let mut cx = Context::from_waker(Waker::noop());
        begin_poll(3);
        for _ in 0..10 {
            assert!(poll_proceed(&mut cx).is_ready());
        }
        assert_eq!(budget(), 3);
        let Poll::Ready(unit) = poll_proceed(&mut cx) else {
            panic!("three units are there")
        };
        unit.made_progress();
        assert_eq!(budget(), 2);
    }

    #[test]
    fn an_empty_budget_wakes_the_task_once_for_each_refusal() {
        let wakes = Arc::new(CountWakes::default());
        let waker = Waker::from(wakes.clone());
        let mut cx = Context::from_waker(&waker);
        begin_poll(0);
        assert!(poll_proceed(&mut cx).is_pending());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(wait_reason(), WaitReason::Yield);
        assert_eq!(budget(), 0);
    }

    #[test]
    fn a_poll_that_goes_on_has_a_new_budget_after_so_many_refusals() {
        let wakes = Arc::new(CountWakes::default());
        let waker = Waker::from(wakes.clone());
        let mut cx = Context::from_waker(&waker);
        begin_poll(0);
        park(WaitReason::Lock);
        for _ in 1..REFUSALS {
            assert!(poll_proceed(&mut cx).is_pending());
        }
        let Poll::Ready(unit) = poll_proceed(&mut cx) else {
            panic!("refused once more")
        };
        unit.made_progress();
        assert_eq!(budget(), DEFAULT_BUDGET - 1);
        assert_eq!(wakes.0.load(Ordering::Relaxed), usize::from(REFUSALS) - 1);
        // The next poll begins anew, and so do its refusals.
        begin_poll(0);
        assert!(poll_proceed(&mut cx).is_pending());
        begin_poll(UNLIMITED);
    }

    #[test]
    fn who_cannot_be_woken_is_not_refused() {
        let mut cx = Context::from_waker(Waker::noop());
        begin_poll(0);
        let Poll::Ready(unit) = poll_proceed(&mut cx) else {
            panic!("refused, and nobody would come again")
        };
        drop(unit);
        assert_eq!(budget(), 0);
        begin_poll(UNLIMITED);
    }

    #[test]
    fn an_exemption_ends_with_its_guard() {
        begin_poll(7);
        park(WaitReason::Lock);
        let exempt = exempt();
        assert_eq!(budget(), UNLIMITED);
        drop(exempt);
        assert_eq!((budget(), wait_reason()), (7, WaitReason::Lock));
        begin_poll(UNLIMITED);
    }

    #[test]
    fn a_nested_poll_leaves_the_outer_word_alone() {
        begin_poll(7);
        park(WaitReason::Lock);
        let outer = save();
        begin_poll(UNLIMITED);
        park(WaitReason::Sleep);
        restore(outer);
        assert_eq!((budget(), wait_reason()), (7, WaitReason::Lock));
    }

    #[test]
    fn reasons_survive_the_trip_through_their_number() {
        for (number, reason) in WaitReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
            assert_eq!(WaitReason::from_u8(number as u8), *reason);
        }
        assert_eq!(
            WaitReason::from_u8(WaitReason::ALL.len() as u8),
            WaitReason::Other
        );
        assert_eq!(format!("{:>6}", WaitReason::Join), "  join");
    }

    #[test]
    fn the_reason_keeps_the_budget_and_the_budget_keeps_the_reason() {
        begin_poll(9);
        park(WaitReason::Accept);
        assert_eq!(budget(), 9);
        set_budget(4);
        assert_eq!((budget(), wait_reason()), (4, WaitReason::Accept));
    }
}
