//! The local run queue of a P: `runnext`, a few tasks in hand, and a ring from which others may
//! steal.
//!
//! ```text
//!   push_next --> [ runnext ] --displaced--> push_back --> [ ring ] --claim--> [ hand ] --> pop
//!                      |                                      |                              ^
//!                      +--------------------------------------|------------------------------+
//!                                                             +--> thieves, spill
//! ```
//!
//! # Invariants
//!
//! 1. All methods of [`RunQueue`] are called by the owner of the P (see `seat.rs`); a
//!    [`Stealer`]'s by anyone.
//! 2. `len(ring) <= ring::CAPACITY`: a push into a full ring first moves its older half to the
//!    injector, as Go's `runqputslow` does.
//! 3. `runnext` is not stealable. It is what this P runs next, in nanoseconds; who would steal it
//!    pays a cache miss to gain nothing. (tokio made its slot stealable, and users lost a third of
//!    their throughput: tokio#8065, reverted in #8100.) If its P gets stuck, the P is handed on and
//!    takes the slot along.
//! 4. The same holds for `hand`, and therefore more than one task is taken into the hand only while
//!    no P is idle, so that nobody is there who would steal it. What it buys is one atomic
//!    read-modify-write for `HAND` polls instead of one for each.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use crossbeam_deque::Worker;

use crate::globq::GlobalQueue;
use crate::primitive::{MODEL, OwnWord};
use crate::ring::{CAPACITY, Full, Ring, Stolen};

/// How many tasks in a row may come from `runnext` while others wait in the ring: a pair of tasks
/// that wake each other must not starve the rest. Go ends such a chain by its 10 ms time slice
/// only; 32 polls of about 50 ns are far less than a steal costs.
const RUNNEXT_RUN: usize = if MODEL { 2 } else { 32 };

/// How many tasks the owner takes out of the ring at once. Measured: 8 gains nearly all there is.
const HAND: usize = if MODEL { 2 } else { 8 };

/// What the ring holds: an owning pointer that fits in a word.
pub(crate) trait Word: Sized {
    fn into_word(self) -> NonNull<()>;

    /// # Safety
    ///
    /// `word` must have come from `into_word`, and be used once.
    unsafe fn from_word(word: NonNull<()>) -> Self;
}

/// See the module.
pub(crate) struct RunQueue<T: Word> {
    /// A task, or 0.
    next: OwnWord,
    /// Polls in a row that came from `next`.
    next_run: OwnWord,
    hand: [OwnWord; HAND],
    /// `hand[hand_head..hand_tail]` are tasks.
    hand_head: OwnWord,
    hand_tail: OwnWord,
    /// Time slices: all polls in a row from `next` are in one, any other is one of its own.
    slices: OwnWord,
    ring: Arc<Ring>,
    /// Where the injector's batches land: it pours into a `Worker` only.
    scratch: Worker<T>,
    _tasks: PhantomData<T>,
}

/// The thieves' side of a [`RunQueue`].
pub(crate) struct Stealer(Arc<Ring>);

/// What came of a theft.
#[must_use]
pub(crate) enum Steal<T> {
    Task(T),
    Empty,
    /// Another was faster; there may be more.
    Retry,
}

impl Stealer {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the oldest task alone, for one who has no queue to steal into.
    pub(crate) fn steal_one<T: Word>(&self) -> Option<T> {
        let word = self.0.take()?;
        // SAFETY: (1) out of the ring, so from `into_usize`, and used once.
        Some(unsafe { from_usize(word) })
    }
}

#[inline]
fn into_usize<T: Word>(task: T) -> usize {
    task.into_word().as_ptr().expose_provenance()
}

/// # Safety
///
/// `word` must have come from `into_usize::<T>`, and be used once.
#[inline]
unsafe fn from_usize<T: Word>(word: usize) -> T {
    let word = NonNull::new(std::ptr::with_exposed_provenance_mut(word));
    // SAFETY: (1) it was a NonNull when it came in.
    let word = unsafe { word.unwrap_unchecked() };
    // SAFETY: the caller's promise.
    unsafe { T::from_word(word) }
}

impl<T: Word> RunQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            next: OwnWord::new(0),
            next_run: OwnWord::new(0),
            hand: [const { OwnWord::new(0) }; HAND],
            hand_head: OwnWord::new(0),
            hand_tail: OwnWord::new(0),
            slices: OwnWord::new(0),
            ring: Arc::new(Ring::new()),
            scratch: Worker::new_fifo(),
            _tasks: PhantomData,
        }
    }

    pub(crate) fn stealer(&self) -> Stealer {
        Stealer(self.ring.clone())
    }

    /// Readies `task` to run next. What was to run next goes to the back; true if something did,
    /// so that there is work now that another P could do.
    #[inline]
    #[must_use = "work in the queue may want a wake-up"]
    pub(crate) fn push_next(&self, task: T, spill: &GlobalQueue<T>) -> bool {
        match self.take_next() {
            None => {
                self.next.set(into_usize(task));
                false
            }
            Some(old) => {
                self.next.set(into_usize(task));
                self.push_back(old, spill);
                true
            }
        }
    }

    #[inline]
    fn take_next(&self) -> Option<T> {
        let word = self.next.get();
        if word == 0 {
            return None;
        }
        self.next.set(0);
        // SAFETY: (1) the slot holds words from `into_usize` only, and gave this one up just now.
        Some(unsafe { from_usize(word) })
    }

    /// Appends `task`.
    #[inline]
    pub(crate) fn push_back(&self, task: T, spill: &GlobalQueue<T>) {
        if let Err(Full(word)) = self.ring.push(into_usize(task)) {
            self.push_back_slow(word, spill);
        }
    }

    /// The ring is full: moves its older half to the injector, or less if thieves are faster.
    #[cold]
    #[inline(never)]
    fn push_back_slow(&self, mut word: usize, spill: &GlobalQueue<T>) {
        loop {
            let mut half = [0; CAPACITY / 2];
            let count = self.ring.claim(&mut half);
            for &spilled in &half[..count] {
                // SAFETY: (1) claimed from the ring, so from `into_usize`, and used once.
                spill.push(unsafe { from_usize(spilled) });
            }
            spill.count_spill();
            match self.ring.push(word) {
                Ok(()) => return,
                Err(Full(back)) => word = back,
            }
        }
    }

    /// The next task to run. `sole` says that nobody is there to steal: then a few tasks are taken
    /// into the hand at once.
    #[inline]
    pub(crate) fn pop(&self, sole: impl FnOnce() -> bool) -> Option<T> {
        if let Some(task) = self.take_next() {
            let run = self.next_run.get();
            if run < RUNNEXT_RUN {
                self.next_run.set(run + 1);
                return Some(task);
            }
            // It has had its turns: now the oldest of the others, and then this one.
            self.next_run.set(0);
            return match self.pop_ring(sole) {
                None => Some(task),
                Some(other) => {
                    self.next.set(into_usize(task));
                    Some(other)
                }
            };
        }
        self.next_run.set(0);
        self.pop_ring(sole)
    }

    #[inline]
    fn pop_ring(&self, sole: impl FnOnce() -> bool) -> Option<T> {
        self.slices.set(self.slices.get().wrapping_add(1));
        let head = self.hand_head.get();
        if head < self.hand_tail.get() {
            self.hand_head.set(head + 1);
            // SAFETY: (1) claimed from the ring, so from `into_usize`, and used once.
            return Some(unsafe { from_usize(self.hand[head].get()) });
        }
        if self.ring.is_empty() {
            return None;
        }
        let mut buffer = [0; HAND];
        let count = self
            .ring
            .claim(&mut buffer[..if sole() { HAND } else { 1 }]);
        if count == 0 {
            return None;
        }
        for (cell, &word) in self.hand.iter().zip(&buffer[..count]) {
            cell.set(word);
        }
        self.hand_head.set(1);
        self.hand_tail.set(count);
        // SAFETY: as above.
        Some(unsafe { from_usize(buffer[0]) })
    }

    /// All tasks. For the owner, and as a hint for others.
    pub(crate) fn len(&self) -> usize {
        let hand = self.hand_tail.get().saturating_sub(self.hand_head.get());
        usize::from(self.next.get() != 0) + hand + self.ring.len()
    }

    /// Tasks that other Ps could take.
    #[inline]
    pub(crate) fn stealable(&self) -> usize {
        self.ring.len()
    }

    /// How many tasks can be appended before the ring spills.
    pub(crate) fn room(&self) -> usize {
        CAPACITY - self.ring.len()
    }

    /// Whether there is nothing at all. For the owner, and as a hint for others.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_private() && self.ring.is_empty()
    }

    /// Whether there are tasks that nobody can steal. For the owner, and as a hint for others.
    pub(crate) fn has_private(&self) -> bool {
        self.next.get() != 0 || self.hand_head.get() != self.hand_tail.get()
    }

    /// How many time slices have begun. For the owner, and as a hint for others.
    pub(crate) fn slices(&self) -> usize {
        self.slices.get()
    }

    /// Ends the slice of a `runnext` chain: the next task comes from the others, if there are any.
    pub(crate) fn end_slice(&self) {
        self.next_run.set(RUNNEXT_RUN);
    }

    /// Steals half of a victim's ring, and returns the first of it. There must be nothing here.
    pub(crate) fn steal_from(&self, victim: &Stealer) -> Steal<T> {
        match victim.0.steal_into(&self.ring) {
            // SAFETY: (1) moved out of the victim's ring, so from `into_usize`, and used once.
            Stolen::Word(word) => Steal::Task(unsafe { from_usize(word) }),
            Stolen::Empty => Steal::Empty,
            Stolen::Retry => Steal::Retry,
        }
    }

    /// Takes a share of the injector, at most `limit`, and returns the first of it.
    pub(crate) fn steal_from_global(&self, global: &GlobalQueue<T>, limit: usize) -> Option<T> {
        let first = global.pop_batch(&self.scratch, limit);
        while let Some(task) = self.scratch.pop() {
            self.push_back(task, global);
        }
        first
    }
}
