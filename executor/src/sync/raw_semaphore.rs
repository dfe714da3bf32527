//! A count of permits, and who waits for how many.
//!
//! The word is `permits << 2 | WAITERS | CLOSED`.
//!
//! # Invariants
//!
//! 1. `word & WAITERS != 0 ⟺` the queue is not empty, whenever the queue's lock is free.
//! 2. WAITERS and CLOSED are changed under the queue's lock only. The permits change by
//!    compare-exchange; while WAITERS is set, they are taken for the first in the queue only, under the
//!    lock ([`RawSemaphore::serve`]), or forgotten.
//! 3. Permits that are too few for the first stay in the word until it has enough. So a big request is
//!    not starved by small ones behind it, and one that is cancelled has nothing to give back.
//! 4. Whenever the permits are enough for the first in the queue, somebody is on the way to serve it: who
//!    added permits, or who left the queue in front of it.
//! 5. `permits <= MAX_PERMITS`.
//! 6. CLOSED is final, and nobody waits then.
//!
//! # Races
//!
//! *Release against enqueue*: both are a compare-exchange of the word. Either who wanted to wait sees
//! the permits, or the release sees WAITERS and goes to the queue. *Close against grant*: both under the
//! queue's lock; what was served before keeps its permits ([`Request::served`]), the others are told.

use std::{
    ops::ControlFlow,
    pin::Pin,
    task::{Poll, Waker},
};

use super::{
    waiters::{Home, Locked, Queue, Waiter},
    wakes::Wakes,
};
use crate::primitive::{
    const_fn,
    sync::atomic::{AtomicUsize, Ordering},
};

const CLOSED: usize = 1;
const WAITERS: usize = 2;
const PERMIT: usize = 4;

pub(crate) const MAX_PERMITS: usize = usize::MAX >> 3;

/// Why there was no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    NoPermits,
}

/// What a waiter waits for.
#[derive(Debug)]
pub(crate) struct Request {
    count: usize,
    /// Whether it has its permits. If it is granted without, the semaphore was closed.
    served: bool,
}

#[derive(Debug)]
pub(crate) struct RawSemaphore {
    word: AtomicUsize,
    queue: Queue<(), Request>,
}

#[cold]
fn too_many(permits: usize) -> ! {
    panic!("a semaphore cannot have {permits} permits: {MAX_PERMITS} is the most")
}

impl RawSemaphore {
    const_fn! {
        pub(crate) const fn new(permits: usize) -> Self {
            Self {
                word: AtomicUsize::new(permits * PERMIT),
                queue: Queue::new(()),
            }
        }
    }

    pub(crate) fn permits(&self) -> usize {
        // pairs with: `release`, so that who has seen a permit come back sees what was done under it.
        self.word.load(Ordering::Acquire) / PERMIT
    }

    pub(crate) fn is_closed(&self) -> bool {
        // pairs with: `close`.
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    #[inline]
    pub(crate) fn try_acquire(&self, count: usize) -> Result<(), Refused> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLOSED != 0 {
                return Err(Refused::Closed);
            }
            // Who wants none takes nothing from those that wait.
            if (word & WAITERS != 0 && count > 0) || word / PERMIT < count {
                return Err(Refused::NoPermits);
            }
            match self.word.compare_exchange_weak(
                word,
                word - count * PERMIT,
                Ordering::Acquire, // pairs with: `release`.
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

    /// Adds permits.
    #[inline]
    pub(crate) fn release(&self, count: usize) {
        if count == 0 {
            return;
        }
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let permits = word / PERMIT;
            if count > MAX_PERMITS - permits {
                too_many(permits.saturating_add(count));
            }
            match self.word.compare_exchange_weak(
                word,
                word + count * PERMIT,
                Ordering::Release, // pairs with: `try_acquire`, `serve`, `permits`.
                Ordering::Relaxed,
            ) {
                // If it is set later, who sets it has seen these permits (invariant 4).
                Ok(_) if word & WAITERS == 0 => return,
                Ok(_) => return self.serve_all(),
                Err(now) => word = now,
            }
        }
    }

    /// Takes up to `count` permits away for ever, and says how many those were.
    pub(crate) fn forget(&self, count: usize) -> usize {
        let taken = |word: usize| count.min(word / PERMIT);
        // Relaxed: what was done under a permit that nobody gets is nobody's to see.
        let (Ok(before) | Err(before)) =
            self.word
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                    Some(word - taken(word) * PERMIT)
                });
        taken(before)
    }

    /// Nobody gets a permit any more.
    pub(crate) fn close(&self) {
        let mut locked = self.queue.lock();
        // pairs with: `is_closed`. Who is told by its node is so by the store of GRANTED.
        self.word.fetch_or(CLOSED, Ordering::Release);
        // Relaxed: a mark.
        self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        locked.dismiss_all();
        self.queue.grant_leaving(locked);
    }

    /// Serves whoever can be served, in batches between which the queue's lock is free.
    #[cold]
    fn serve_all(&self) {
        self.queue
            .in_batches(|locked, wakes| self.serve(locked, wakes));
    }

    /// Serves the first in the queue, and the next, as far as the permits go; true if it stopped because
    /// `wakes` was full.
    fn serve(&self, locked: &mut Locked<(), Request>, wakes: &mut Wakes) -> bool {
        while let Some(request) = locked.front() {
            if wakes.is_full() {
                return true;
            }
            let count = request.count;
            // pairs with: `release`; what was done under the permits is handed on with the grant.
            let taken = self
                .word
                .fetch_update(Ordering::Acquire, Ordering::Relaxed, |word| {
                    (word / PERMIT >= count).then(|| word - count * PERMIT)
                });
            if taken.is_err() {
                return false;
            }
            request.served = true;
            locked.grant_front(wakes);
        }
        // Relaxed: a mark.
        self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        false
    }

    /// Under the queue's lock: takes the permits if they are to be had, else marks that somebody waits.
    fn take_or_mark(&self, count: usize) -> ControlFlow<Result<(), Refused>, Request> {
        let request = Request {
            count,
            served: false,
        };
        loop {
            match self.try_acquire(count) {
                Err(Refused::NoPermits) => {}
                done => return ControlFlow::Break(done),
            }
            let word = self.word.load(Ordering::Relaxed);
            if word & WAITERS != 0 {
                return ControlFlow::Continue(request);
            }
            if word / PERMIT >= count {
                continue;
            }
            // Relaxed: nothing is published but the mark.
            let marked = self.word.compare_exchange(
                word,
                word | WAITERS,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if marked.is_ok() {
                return ControlFlow::Continue(request);
            }
        }
    }

    /// A waiter for `count` permits, to be polled by [`poll_acquire`].
    #[inline]
    pub(crate) fn waiter(&self, count: usize) -> Waiter<Acquire<'_>> {
        if count > MAX_PERMITS {
            too_many(count);
        }
        Waiter::new(Acquire {
            semaphore: self,
            count,
        })
    }
}

/// How many permits somebody wants of which semaphore.
#[derive(Debug)]
pub(crate) struct Acquire<'a> {
    semaphore: &'a RawSemaphore,
    count: usize,
}

/// Ready once the caller has its permits, or the semaphore is closed.
#[inline]
pub(crate) fn poll_acquire(
    waiter: Pin<&mut Waiter<Acquire<'_>>>,
    waker: &Waker,
) -> Poll<Result<(), Refused>> {
    let served = |request: Request| match request.served {
        true => Ok(()),
        false => Err(Refused::Closed),
    };
    if !waiter.is_idle() {
        return waiter.poll_granted(waker).map(served);
    }
    let Acquire { semaphore, count } = *waiter.home();
    match semaphore.try_acquire(count) {
        Err(Refused::NoPermits) => {}
        done => return Poll::Ready(done),
    }
    match waiter.enqueue(Some(waker), |_| semaphore.take_or_mark(count)) {
        ControlFlow::Break(done) => Poll::Ready(done),
        ControlFlow::Continue(()) => Poll::Pending,
    }
}

// SAFETY: the queue is a field of the semaphore, which the handle borrows.
unsafe impl Home for Acquire<'_> {
    type State = ();
    type Kind = Request;

    fn queue(&self) -> &Queue<(), Request> {
        &self.semaphore.queue
    }

    fn left(&self, locked: &mut Locked<(), Request>, _: &Request, wakes: &mut Wakes) {
        self.semaphore.serve(locked, wakes);
    }

    fn resume(&self) {
        self.semaphore.serve_all();
    }

    fn returned(&self, request: Request) {
        if request.served {
            self.semaphore.release(request.count);
        }
    }
}
