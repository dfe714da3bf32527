//! The readiness of one source: what the kernel reported last, and who waits for more.
//!
//! # Model
//! The selector is edge-triggered, so a report that gets lost is a task that hangs. The reports are
//! kept in one word beside a tick that counts them:
//!
//! ```text
//!  31            10  9  8  7   6      5        4       3      2      1        0
//! ┌────────────────┬──────┬─┬─────┬─────────┬───────┬──────┬──────┬────────┬────────┐
//! │      tick      │WAIT_*│ │DOWN │ PRIORITY│ ERROR │ W_CL │ R_CL │WRITABLE│READABLE│
//! └────────────────┴──────┴─┴─────┴─────────┴───────┴──────┴──────┴────────┴────────┘
//!
//!              deliver(ready): tick += 1, WAIT_d cleared, waiters of d handed out
//!        ┌─────────────────────────────────────────────────────────────┐
//!        ▼                                                             │
//!   d is READY ──► operation ──► would block ──► clear(snapshot) ──► d is IDLE ──► wait(): WAIT_d
//!        ▲                                              │
//!        └────── tick moved since the snapshot ◄────────┘
//! ```
//!
//! # Invariants
//! 1. [`clear`](Readiness::clear) erases only what its caller saw *before* its operation: it changes
//!    nothing if the tick has moved, because what arrived since may be newer than the operation's
//!    "would block".
//! 2. A waiter of direction `d` is in `waiters` and `WAIT_d` is set, or a `deliver` that cleared
//!    `WAIT_d` is on its way to take it. So `WAIT_d == 0` means "nobody to wake, nobody to cancel".
//!    `WAIT_d` without a waiter is allowed: it costs one look under the lock.
//! 3. `DOWN` is never cleared, and no ready bit is set once it is.
//!
//! # Races
//! *Report against re-arm*: the report comes between "would block" and `clear`; the tick has moved,
//! `clear` gives up, and the operation is tried again.
//! *Waiter against report*: both change the word by a read-modify-write. If the waiter's is first,
//! the report sees `WAIT_d` and takes the waiter under the lock (which the waiter held since before
//! it set `WAIT_d`). If the report's is first, the waiter sees the ready bit and does not park, unless
//! a third party has consumed the report and cleared it since, and then parking is right.
//!
//! # Who is woken
//! A report wakes *all* waiters of its directions. Handing it to one of them would need that one to
//! pass it on when it is cancelled or leaves something behind; the others find out at the price of a
//! poll each. Without a report nobody is woken, but for one case: see `anonymous.rs`.
//!
//! # What "would block" disproves
//! An operation of ours is the kernel's own word: if it would block, nothing is there, and no hang-up either. An
//! operation of a user's may say so for reasons of its own, and a hang-up causes no second report. So such an
//! operation leaves `READ_CLOSED` and `WRITE_CLOSED` alone ([`Refused::ByUser`]), which makes them final, as mio
//! promises; except on descriptors that can be opened again, such as FIFOs, where the system takes a
//! hang-up back without a report.
//!
//! # Not here
//! Which report belongs to which source (`table.rs`), and the operations themselves (`source.rs`).
//! The tick follows tokio's `ScheduledIo`.

use std::fmt;
use std::mem;
use std::sync::PoisonError;
use std::task::Waker;

use crate::anonymous::Anonymous;
use crate::primitive::sync::atomic::{AtomicU32, Ordering};
use crate::primitive::sync::{Mutex, MutexGuard};

/// What a source is ready for, as far as it is known.
///
/// ```
/// use gopark_net::Ready;
/// let ready = Ready::READABLE | Ready::WRITABLE;
/// assert!(ready.is_readable() && !ready.is_read_closed());
/// assert_eq!(format!("{ready:?}"), "Ready(READABLE | WRITABLE)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ready(u32);

impl Ready {
    /// Nothing.
    pub const EMPTY: Self = Self(0);
    /// A read, or an accept, is worth trying.
    pub const READABLE: Self = Self(1 << 0);
    /// A write is worth trying.
    pub const WRITABLE: Self = Self(1 << 1);
    /// The peer sends no more: reads return what is left, then end of file.
    pub const READ_CLOSED: Self = Self(1 << 2);
    /// Writes fail from here on.
    pub const WRITE_CLOSED: Self = Self(1 << 3);
    /// An error waits to be collected by an operation or by `take_error`.
    pub const ERROR: Self = Self(1 << 4);
    /// Urgent data came (Linux and Android only).
    pub const PRIORITY: Self = Self(1 << 5);

    /// Whether a read can make progress, including one that returns end of file or an error.
    pub const fn is_readable(self) -> bool {
        self.0 & READ_MASK != 0
    }

    /// Whether a write can make progress, including one that fails at once.
    pub const fn is_writable(self) -> bool {
        self.0 & WRITE_MASK != 0
    }

    /// Whether the peer has closed its sending side.
    pub const fn is_read_closed(self) -> bool {
        self.contains(Self::READ_CLOSED)
    }

    /// Whether writes fail from here on.
    pub const fn is_write_closed(self) -> bool {
        self.contains(Self::WRITE_CLOSED)
    }

    /// Whether an error waits to be collected.
    pub const fn is_error(self) -> bool {
        self.contains(Self::ERROR)
    }

    /// Whether urgent data was announced.
    pub const fn is_priority(self) -> bool {
        self.contains(Self::PRIORITY)
    }

    /// Whether nothing at all is known to be ready.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `other` is in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn intersects(self, direction: Direction) -> bool {
        self.0 & direction.mask() != 0
    }
}

impl std::ops::BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl std::ops::BitAnd for Ready {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(&str, Ready); 6] = [
            ("READABLE", Ready::READABLE),
            ("WRITABLE", Ready::WRITABLE),
            ("READ_CLOSED", Ready::READ_CLOSED),
            ("WRITE_CLOSED", Ready::WRITE_CLOSED),
            ("ERROR", Ready::ERROR),
            ("PRIORITY", Ready::PRIORITY),
        ];
        f.write_str("Ready(")?;
        let set = NAMES.iter().filter(|(_, bit)| self.contains(*bit));
        for (i, (name, _)) in set.enumerate() {
            f.write_str(if i == 0 { "" } else { " | " })?;
            f.write_str(name)?;
        }
        f.write_str(")")
    }
}

/// One of the two ways that bytes go. An accept is a read, a connect is a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read = 0,
    Write = 1,
}

/// What makes an operation of the direction worth trying. An error ends both.
const READ_MASK: u32 = Ready::READABLE.0 | Ready::READ_CLOSED.0 | Ready::ERROR.0;
const WRITE_MASK: u32 = Ready::WRITABLE.0 | Ready::WRITE_CLOSED.0 | Ready::ERROR.0;

const READY_MASK: u32 = (1 << 6) - 1;
const DOWN: u32 = 1 << 6;
const WAIT_READ: u32 = 1 << 8;
const WAIT_WRITE: u32 = 1 << 9;

/// The unit of the tick; it wraps after 2^22 reports. `clear` would be fooled only if exactly that
/// many reports came between the start of one operation and its end.
const TICK: u32 = 1 << 10;
const TICK_MASK: u32 = !(TICK - 1);

impl Direction {
    const fn mask(self) -> u32 {
        match self {
            Self::Read => READ_MASK,
            Self::Write => WRITE_MASK,
        }
    }

    const fn wait_bit(self) -> u32 {
        match self {
            Self::Read => WAIT_READ,
            Self::Write => WAIT_WRITE,
        }
    }

    /// What a "would block" of this direction disproves.
    const fn clear_mask(self, refused: Refused) -> u32 {
        let mask = match self {
            Self::Read => READ_MASK | Ready::PRIORITY.0,
            Self::Write => WRITE_MASK,
        };
        match refused {
            Refused::ByKernel => mask,
            Refused::ByUser => mask & !(Ready::READ_CLOSED.0 | Ready::WRITE_CLOSED.0),
        }
    }
}

/// Whose word a "would block" is. See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The kernel's, or that of a user on a descriptor that can be opened again: it holds for a hang-up too.
    ByKernel,
    /// A user's: a hang-up that was reported stays.
    ByUser,
}

/// The word as it was before an operation: what [`Readiness::clear`] compares the tick with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot(u32);

impl Snapshot {
    pub(crate) const fn ready(self) -> Ready {
        Ready(self.0 & READY_MASK)
    }

    /// Whether a partial transfer proves that the direction is used up: not when the end, an error
    /// or urgent data was reported, for these too cut a transfer short and cause no further report.
    pub(crate) const fn partial_means_drained(self) -> bool {
        self.0 & READY_MASK & !(Ready::READABLE.0 | Ready::WRITABLE.0) == 0
    }
}

/// What became of an attempt to wait.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub(crate) enum Wait {
    /// The waker is enlisted.
    Parked,
    /// The direction is ready after all; the waker may get one needless wake.
    Ready(Snapshot),
    /// The reactor is gone: nobody will ever report anything.
    Down,
}

/// Identifies a waiting future, so that it can replace or withdraw its waker.
///
/// [`ANONYMOUS`](Self::ANONYMOUS) stands for the `poll_*` interfaces, where a task has no identity
/// but its waker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaiterId(u64);

impl WaiterId {
    /// Of a waiter that is told apart by its waker.
    pub(crate) const ANONYMOUS: Self = Self(0);
    /// Of a future that has not waited yet; `wait` replaces it.
    pub(crate) const NEW: Self = Self(u64::MAX);
}

struct Waiter {
    id: WaiterId,
    waker: Waker,
}

#[derive(Default)]
struct Waiters {
    /// The first waiter of each direction, by far the most frequent case: it needs no allocation.
    first: [Option<Waiter>; 2],
    /// Further ones with an identity, oldest first.
    more: Vec<(Direction, Waiter)>,
    /// Further ones without, of each direction.
    anonymous: [Anonymous; 2],
    last_id: u64,
}

/// See the module's documentation.
pub(crate) struct Readiness {
    word: AtomicU32,
    /// Covers the wakers only. Nothing of theirs is called while it is held.
    waiters: Mutex<Waiters>,
}

impl Readiness {
    pub(crate) fn new(assumed: Ready) -> Self {
        Self {
            word: AtomicU32::new(assumed.0),
            waiters: Mutex::new(Waiters::default()),
        }
    }

    /// The hot path: the word if `direction` is ready. One load and one test.
    #[inline]
    pub(crate) fn ready(&self, direction: Direction) -> Option<Snapshot> {
        // pairs with: `deliver`; the operation that follows must see what the kernel reported.
        let word = self.word.load(Ordering::Acquire);
        (word & direction.mask() != 0).then_some(Snapshot(word))
    }

    /// All that is known at this moment, for both directions.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(self.word.load(Ordering::Acquire)) // pairs with: `deliver`, as in `ready`
    }

    pub(crate) fn is_down(&self) -> bool {
        self.word.load(Ordering::Relaxed) & DOWN != 0
    }

    /// Enlists `waker` for the next report of `direction`, unless that is ready already.
    pub(crate) fn wait(&self, direction: Direction, id: &mut WaiterId, waker: &Waker) -> Wait {
        let mut spare = Some(waker.clone());
        let mut waiters = self.lock();
        let collected = waiters.enlist(direction, id, &mut spare);
        // Half A of "waiter against report", half B is in `deliver`.
        let word = self.word.fetch_or(direction.wait_bit(), Ordering::AcqRel); // pairs with: `deliver`
        drop(waiters);
        drop(spare);
        collected.into_iter().for_each(Waker::wake);
        // An entry that turns out needless stays: withdrawing an anonymous one could take away the
        // wake of another future of the same task. An identified one is withdrawn by `cancel`.
        if word & DOWN != 0 {
            Wait::Down
        } else if word & direction.mask() != 0 {
            Wait::Ready(Snapshot(word))
        } else {
            Wait::Parked
        }
    }

    /// Withdraws the waker of a future that is dropped.
    pub(crate) fn cancel(&self, direction: Direction, id: WaiterId) {
        debug_assert!(id != WaiterId::ANONYMOUS);
        if id == WaiterId::NEW || self.word.load(Ordering::Relaxed) & direction.wait_bit() == 0 {
            return; // Invariant 2. Relaxed: a wake too many is harmless.
        }
        let withdrawn = self.lock().withdraw(direction, id);
        drop(withdrawn);
    }

    /// An operation that began after `seen` would have blocked: forgets the readiness of `direction`,
    /// unless something was reported since (invariant 1).
    #[inline]
    pub(crate) fn clear(&self, direction: Direction, seen: Snapshot, refused: Refused) {
        let mut word = self.word.load(Ordering::Relaxed);
        while (word ^ seen.0) & TICK_MASK == 0 {
            let cleared = word & !direction.clear_mask(refused);
            // Relaxed: it takes something away; whoever sees it gone does nothing because of it.
            match self.word.compare_exchange_weak(
                word,
                cleared,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Notes a report of the kernel, and moves the wakers of all who waited for it to `out`.
    pub(crate) fn deliver(&self, ready: Ready, out: &mut Vec<Waker>) {
        let mut wait_bits = 0;
        for direction in [Direction::Read, Direction::Write] {
            if ready.intersects(direction) {
                wait_bits |= direction.wait_bit();
            }
        }
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & DOWN != 0 {
                return;
            }
            let next = ((word | ready.0) & !wait_bits).wrapping_add(TICK);
            // Half B of "waiter against report", half A is in `wait`.
            match self.word.compare_exchange_weak(
                word,
                next,
                Ordering::AcqRel, // pairs with: `ready`, `snapshot` and `wait`
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        if word & wait_bits != 0 {
            self.lock().take(word & wait_bits, out);
        }
    }

    /// The reactor goes away: every operation fails from now on, and everybody who waits is moved to
    /// `out`.
    pub(crate) fn shut_down(&self, out: &mut Vec<Waker>) {
        let mut waiters = self.lock();
        // Under the lock: whoever enlists later sees `DOWN` and does not park.
        self.word.swap(DOWN, Ordering::AcqRel); // pairs with: `wait`
        waiters.take(WAIT_READ | WAIT_WRITE, out);
    }

    /// Whether anybody waits for a report.
    pub(crate) fn has_waiters(&self) -> bool {
        // Invariant 2. Relaxed: who began to wait before its thread went idle is seen by that.
        self.word.load(Ordering::Relaxed) & (WAIT_READ | WAIT_WRITE) != 0 && !self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        // Nothing under this lock panics.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Readiness")
            .field("ready", &Ready(word & READY_MASK))
            .field("waiting", &(word & (WAIT_READ | WAIT_WRITE) != 0))
            .field("down", &(word & DOWN != 0))
            .field("tick", &(word / TICK))
            .finish()
    }
}

impl Waiters {
    fn is_empty(&self) -> bool {
        self.first.iter().all(Option::is_none)
            && self.more.is_empty()
            && self.anonymous.iter().all(Anonymous::is_empty)
    }

    /// Puts the waker of `spare` in, or leaves there the one that is not needed. Returns whom to wake because
    /// wakers without an identity have collected.
    fn enlist(
        &mut self,
        direction: Direction,
        id: &mut WaiterId,
        spare: &mut Option<Waker>,
    ) -> Vec<Waker> {
        if *id == WaiterId::NEW {
            self.last_id += 1;
            *id = WaiterId(self.last_id);
        } else if let Some(old) = self.find(direction, *id, spare.as_ref()) {
            if let Some(new) = spare {
                mem::swap(&mut old.waker, new);
            }
            return Vec::new();
        }
        let first = &mut self.first[direction as usize];
        if first.is_none() {
            *first = spare.take().map(|waker| Waiter { id: *id, waker });
        } else if *id == WaiterId::ANONYMOUS {
            return self.anonymous[direction as usize].enlist(spare);
        } else if let Some(waker) = spare.take() {
            self.more.push((direction, Waiter { id: *id, waker }));
        }
        Vec::new()
    }

    /// The entry that the waiter has already. Of those without an identity `anonymous` finds its own.
    fn find(
        &mut self,
        direction: Direction,
        id: WaiterId,
        waker: Option<&Waker>,
    ) -> Option<&mut Waiter> {
        let first = self.first[direction as usize].as_mut();
        if id == WaiterId::ANONYMOUS {
            return first.filter(|first| {
                first.id == id && waker.is_some_and(|waker| first.waker.will_wake(waker))
            });
        }
        let more = self
            .more
            .iter_mut()
            .filter(|(d, _)| *d == direction)
            .map(|(_, w)| w);
        first.into_iter().chain(more).find(|waiter| waiter.id == id)
    }

    fn withdraw(&mut self, direction: Direction, id: WaiterId) -> Option<Waiter> {
        let first = &mut self.first[direction as usize];
        if first.as_ref().is_some_and(|waiter| waiter.id == id) {
            return first.take();
        }
        let at = self
            .more
            .iter()
            .position(|(d, waiter)| *d == direction && waiter.id == id)?;
        Some(self.more.remove(at).1)
    }

    fn take(&mut self, wait_bits: u32, out: &mut Vec<Waker>) {
        for direction in [Direction::Read, Direction::Write] {
            if wait_bits & direction.wait_bit() != 0 {
                out.extend(
                    self.first[direction as usize]
                        .take()
                        .map(|waiter| waiter.waker),
                );
                self.anonymous[direction as usize].take(out);
            }
        }
        for (direction, waiter) in mem::take(&mut self.more) {
            if wait_bits & direction.wait_bit() != 0 {
                out.push(waiter.waker);
            } else {
                self.more.push((direction, waiter));
            }
        }
    }
}
