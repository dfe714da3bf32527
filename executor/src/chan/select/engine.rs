//! The select itself: Go's `selectgo`, for operations that are polled and dropped.
//!
//! One round, in which nothing of the select is queued anywhere:
//!
//! 1. In random order each case is tried alone: a channel's under its lock, a future by its poll. That
//!    makes a select of which something is ready cost one lock. (Not with a `default`: that must not be
//!    taken for a look that is smeared over time. In its stead a thread that owns all the locks goes into all of
//!    them at once, which costs it two stores, and if no case can commit, that is it.)
//! 2. All locks are taken, in the order of their addresses. In random order each channel's case is tried
//!    once more. If none is ready and there is a default, that is it: at this one instant nothing was.
//! 3. Else all cases are queued, and only then are the locks given back. Cases of one channel are queued in
//!    random order, for a peer serves the first; so what waits has the same chances as what is ready.
//!
//! A peer that finds one of the queued nodes fires the operation by one exchange, so one case commits
//! (`op.rs`). The next poll takes what was fired, and withdraws the others one lock at a time. A poll
//! that finds nothing fired waits on; but if futures are among the cases, it withdraws all nodes first
//! and begins a new round, so that no channel commits while a future is polled.
//!
//! Two selects that face each other take their locks in one order, so they do not wait for each other;
//! and who is in step 2 is in no queue, so only who waits can be fired (Go's argument, `select.go`).
//!
//! Each step goes over the cases once, and the locks are sorted; so n cases cost n log n. Up to 64 fit on the stack.

use std::future::Future;
use std::marker::{PhantomData, PhantomPinned};
use std::mem;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker, ready};

use gopark_net::note::{self, WaitReason};

use super::super::core::wake_all;
use super::super::lock::{Everywhere, PLACES, RawLock};
use super::super::op::Op;
use super::case::Case;
use super::locks::{Locks, Room};
use super::order::{Numbers, Order};

/// A select of up to so many cases allocates nothing.
pub(super) const INLINE: usize = 64;

/// The most cases of one select: an operation keeps the number of its case in 24 bits (`op.rs`).
const MAX_CASES: usize = (1 << 24) - 1;

/// What a select chose: the number of a case, or this for the default.
pub(super) const DEFAULT: usize = usize::MAX;

/// A case of a select under way: a pinned borrow without its lifetime. (With it the compiler could not
/// tell that a future which holds a select is Send: it knows the lifetimes of what lives across an
/// await only as "some".)
#[derive(Debug)]
#[repr(transparent)]
pub struct Raw(NonNull<dyn Case>);

/// An array or a list of cases.
pub trait Cases {
    #[doc(hidden)]
    fn raw(&mut self) -> &mut [Raw];
}

impl<const N: usize> Cases for [Raw; N] {
    fn raw(&mut self) -> &mut [Raw] {
        self
    }
}

impl Cases for &mut [Raw] {
    fn raw(&mut self) -> &mut [Raw] {
        self
    }
}

/// Takes the lifetime from a borrow.
pub(super) fn erase(case: Pin<&mut (dyn Case + '_)>) -> Raw {
    // SAFETY: (1) nothing is moved out of the pin.
    let case: *mut (dyn Case + '_) = unsafe { case.get_unchecked_mut() };
    // SAFETY: (1) the types differ in a lifetime only, which `Selecting` keeps instead.
    let case: *mut (dyn Case + 'static) = unsafe { std::mem::transmute(case) };
    // SAFETY: (1) it comes from a reference.
    Raw(unsafe { NonNull::new_unchecked(case) })
}

impl Raw {
    pub(super) fn pin(&mut self) -> Pin<&mut (dyn Case + '_)> {
        // SAFETY: (1) `Selecting` holds the borrow that this was made from, or a list what it points to, and
        // lends it out to one at a time, for it is borrowed itself.
        let case = unsafe { self.0.as_mut() };
        // SAFETY: (1) it was pinned.
        unsafe { Pin::new_unchecked(case) }
    }

    pub(super) fn get(&self) -> &(dyn Case + '_) {
        // SAFETY: as in `pin`.
        unsafe { self.0.as_ref() }
    }
}

/// A select under way. `S` stands for what the cases are made of: it is Send if they are.
pub struct Selecting<'c, C: Cases, S> {
    cases: C,
    op: Op,
    biased: bool,
    has_default: bool,
    _borrows: PhantomData<(&'c mut (), S)>,
    _pin: PhantomPinned,
}

// SAFETY: (1) the cases are borrowed by nobody else, and S, which stands for them, is Send.
unsafe impl<C: Cases, S: Send> Send for Selecting<'_, C, S> {}

impl<'c, const N: usize, S> Selecting<'c, [Raw; N], S> {
    /// A select of an array; `_sample` tells the type that stands for the cases.
    pub fn new(
        cases: [Pin<&'c mut (dyn Case + 'c)>; N],
        _sample: S,
        biased: bool,
        has_default: bool,
    ) -> Self {
        // SAFETY: (1) a `Raw` is such a borrow, without its lifetime, which `Selecting` keeps instead: the same
        // pointer to the same table in the same layout, and never null; (2) a borrow has no drop. (Mapped one
        // by one the array was copied twice, a sixth of what a select of eight cost.)
        let cases = unsafe { mem::transmute_copy::<_, [Raw; N]>(&cases) };
        Self::over(cases, biased, has_default)
    }
}

impl<'c> Selecting<'c, &'c mut [Raw], ()> {
    /// A select of a list.
    ///
    /// # Safety
    ///
    /// The cases must be Send, and live for 'c, in which nobody else may use them.
    pub(super) unsafe fn of_list(cases: &'c mut [Raw], biased: bool, has_default: bool) -> Self {
        Self::over(cases, biased, has_default)
    }
}

impl<C: Cases, S> Selecting<'_, C, S> {
    #[inline]
    fn over(mut cases: C, biased: bool, has_default: bool) -> Self {
        let count = cases.raw().len();
        assert!(
            count <= MAX_CASES,
            "a select of {count} cases; {MAX_CASES} is the most"
        );
        Self {
            cases,
            op: Op::new(),
            biased,
            has_default,
            _borrows: PhantomData,
            _pin: PhantomPinned,
        }
    }

    fn case(&mut self, index: usize) -> Pin<&mut (dyn Case + '_)> {
        self.cases.raw()[index].pin()
    }

    fn has_futures(&mut self) -> bool {
        self.cases.raw().iter().any(|case| case.get().is_future())
    }

    fn order<L: Numbers>(&mut self) -> Order<L> {
        Order::new(self.cases.raw().len(), self.biased)
    }

    /// Whether no case can commit, as far as is seen at a glance: at one instant, for all locks are held.
    #[inline]
    fn is_plainly_unready(&mut self) -> bool {
        let Some(everywhere) = Everywhere::enter() else {
            return false;
        };
        let is_unready = |case: &Raw| case.get().is_plainly_unready(&everywhere);
        self.cases.raw().iter().all(is_unready)
    }

    /// One round; Pending after step 3.
    fn round(&mut self, cx: &mut Context<'_>, wakers: &mut Vec<Waker>) -> Poll<usize> {
        let count = self.cases.raw().len();
        if count > INLINE {
            return self.round_over::<Vec<*const RawLock>>(cx, wakers);
        }
        if let Some(index) = self.try_each_alone::<[u8; INLINE]>(cx, wakers) {
            return Poll::Ready(index);
        }
        if count <= PLACES {
            self.round_at_once::<[*const RawLock; PLACES]>(cx, wakers)
        } else {
            self.round_of_many(cx, wakers)
        }
    }

    /// Apart, for the room that it takes up on the stack.
    #[inline(never)]
    fn round_of_many(&mut self, cx: &mut Context<'_>, wakers: &mut Vec<Waker>) -> Poll<usize> {
        self.round_at_once::<[*const RawLock; INLINE]>(cx, wakers)
    }

    /// A whole round, with room that is allocated.
    #[cold]
    #[inline(never)]
    fn round_over<R: Room>(
        &mut self,
        cx: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> Poll<usize> {
        match self.try_each_alone::<R::Numbers>(cx, wakers) {
            Some(index) => Poll::Ready(index),
            None => self.round_at_once::<R>(cx, wakers),
        }
    }

    /// Step 1.
    #[inline]
    fn try_each_alone<L: Numbers>(
        &mut self,
        cx: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> Option<usize> {
        if self.has_default {
            return None;
        }
        // SAFETY: (1) in a round no node is linked.
        self.order::<L>()
            .find(|&index| unsafe { self.case(index).try_alone(cx, wakers) })
    }

    /// Steps 2 and 3.
    #[inline]
    fn round_at_once<R: Room>(
        &mut self,
        cx: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> Poll<usize> {
        let mut locks = Locks::<R>::new(self.cases.raw().len());
        locks.find(self.cases.raw());
        // With a default, a channel's turn comes when all are locked.
        if self.has_default && locks.are_fewer_than_cases() {
            for index in self.order::<R::Numbers>() {
                let case = self.case(index);
                // SAFETY: (1) in a round no node is linked.
                if case.is_future() && unsafe { case.try_alone(cx, wakers) } {
                    return Poll::Ready(index);
                }
            }
        }
        // Cloning may run anybody's code, so it is done before the locks are taken.
        let waker = (!self.has_default).then(|| cx.waker().clone());
        // SAFETY: (1) the cases, which have the locks, are borrowed for longer than this.
        unsafe { locks.take() };
        for index in self.order::<R::Numbers>() {
            // SAFETY: (1) all locks are held; (2) in a round no node is linked.
            if unsafe { self.case(index).try_commit(wakers) } {
                // SAFETY: (1) taken above.
                unsafe { locks.release() };
                return Poll::Ready(index);
            }
        }
        let Some(waker) = waker else {
            // SAFETY: (1) taken above.
            unsafe { locks.release() };
            return Poll::Ready(DEFAULT);
        };
        self.op.begin(waker);
        if locks.are_fewer_than_cases() {
            // Of those that wait at one channel the first is served, so each must be as likely to be that.
            for index in self.order::<R::Numbers>() {
                // SAFETY: (1) all locks are held; (2) the operation waits.
                unsafe { self.enqueue(index, wakers) };
            }
        } else {
            for index in 0..self.cases.raw().len() {
                // SAFETY: (1) all locks are held; (2) the operation waits.
                unsafe { self.enqueue(index, wakers) };
            }
        }
        // SAFETY: (1) taken above.
        unsafe { locks.release() };
        Poll::Pending
    }

    /// Queues a case.
    ///
    /// # Safety
    ///
    /// All locks must be held, and the operation wait.
    #[inline]
    unsafe fn enqueue(&mut self, index: usize, wakers: &mut Vec<Waker>) {
        let op = &raw const self.op;
        // SAFETY: (1) the caller's promise; (2) we are pinned, and drop unlinks all nodes before the operation
        // goes.
        unsafe { self.case(index).enqueue(op, index as u32, wakers) };
    }

    /// Deals with what was fired, if it was, and takes all nodes back. Gives the case that was fired and
    /// is kept.
    fn finish(&mut self, keep: bool, wakers: &mut Vec<Waker>) -> Option<usize> {
        let fired = self.op.withdraw();
        let chosen = fired.map(|(what, case)| {
            let index = case as usize;
            self.case(index).conclude(what, keep, wakers);
            index
        });
        for (index, case) in self.cases.raw().iter_mut().enumerate() {
            if Some(index) != chosen {
                case.pin().unlink();
            }
        }
        drop(self.op.reset());
        chosen
    }

    #[cold]
    fn give_up(&mut self) {
        let mut wakers = Vec::new();
        self.finish(false, &mut wakers);
        wake_all(wakers);
    }

    fn poll_select(&mut self, cx: &mut Context<'_>, wakers: &mut Vec<Waker>) -> Poll<usize> {
        if !self.op.is_idle() {
            if self.op.rewake(cx.waker()).is_none() && !self.has_futures() {
                note::park(WaitReason::Select);
                return Poll::Pending;
            }
            if let Some(index) = self.finish(true, wakers) {
                return Poll::Ready(index);
            }
        }
        let polled = self.round(cx, wakers);
        if polled.is_pending() {
            note::park(WaitReason::Select);
        }
        polled
    }

    /// Apart from the glance, which is all that a default costs most often: with it in one function, that was half
    /// as dear again for the registers and the stack which this needs.
    #[inline(never)]
    fn poll_fully(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let mut wakers = Vec::new();
        let polled = self.poll_select(cx, &mut wakers);
        wake_all(wakers);
        polled
    }
}

impl<C: Cases, S> Future for Selecting<'_, C, S> {
    type Output = usize;

    // Always: it is a few instructions for who has no default, and for who has one it is all there is.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        // SAFETY: (1) the operation is not moved.
        let this = unsafe { self.get_unchecked_mut() };
        let budget = ready!(note::poll_proceed(cx));
        let polled = if this.has_default && this.is_plainly_unready() {
            Poll::Ready(DEFAULT)
        } else {
            this.poll_fully(cx)
        };
        if polled.is_ready() {
            budget.made_progress();
        }
        polled
    }
}

impl<C: Cases, S> Drop for Selecting<'_, C, S> {
    #[inline]
    fn drop(&mut self) {
        if !self.op.is_idle() {
            self.give_up();
        }
    }
}

impl<C: Cases, S> std::fmt::Debug for Selecting<'_, C, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selecting").finish_non_exhaustive()
    }
}
