//! The lock's side of [`waiters`](super::waiters), where the rules are: nodes, lists, and the lock around
//! them.
//!
//! `first == None ⟺ last == None`; `x.next == Some(y) ⟺ y.prev == Some(x)`; a node is in `waiting` or
//! in `leaving`, and in neither unless QUEUED.

use std::{
    fmt, marker::PhantomPinned, mem::MaybeUninit, ptr::NonNull, sync::PoisonError, task::Waker,
};

use super::wakes::Wakes;
use crate::primitive::{
    cell::UnsafeCell,
    const_fn,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
};

pub(super) const IDLE: u32 = 0;
pub(super) const QUEUED: u32 = 1;
pub(super) const GRANTED: u32 = 2;

struct Links<K> {
    prev: Option<NonNull<Node<K>>>,
    next: Option<NonNull<Node<K>>>,
}

pub(super) struct Node<K> {
    pub(super) state: AtomicU32,
    pub(super) waker: UnsafeCell<MaybeUninit<Waker>>,
    pub(super) kind: UnsafeCell<MaybeUninit<K>>,
    links: UnsafeCell<MaybeUninit<Links<K>>>,
    _pinned: PhantomPinned,
}

// SAFETY: `links` points to nodes that are touched under the lock only (rule 3), and what is in the
// cells may be sent to the thread that holds it.
unsafe impl<K: Send> Send for Node<K> {}
// SAFETY: through `&Node` only `state` is read, but for the owner and the holder of the lock, who have
// the cells one at a time (rules 3 to 5).
unsafe impl<K: Send> Sync for Node<K> {}

impl<K> Node<K> {
    /// Only the state is written: most nodes never wait, and each is moved to its place twice.
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU32::new(IDLE),
            waker: UnsafeCell::new(MaybeUninit::uninit()),
            kind: UnsafeCell::new(MaybeUninit::uninit()),
            links: UnsafeCell::new(MaybeUninit::uninit()),
            _pinned: PhantomPinned,
        }
    }

    /// Transition 6. Only for the owner of a GRANTED node.
    pub(super) fn take(&mut self) -> K {
        // Relaxed: nobody else has the node.
        self.state.store(IDLE, Ordering::Relaxed);
        // SAFETY: it was GRANTED, so the owner alone has `kind`, which is there until now (rules 5 and 6).
        self.kind.with(|kind| unsafe { kind.cast::<K>().read() })
    }
}

/// A FIFO list of nodes. Every method is for the holder of the lock.
struct List<K> {
    first: Option<NonNull<Node<K>>>,
    last: Option<NonNull<Node<K>>>,
}

impl<K> List<K> {
    const fn new() -> Self {
        Self {
            first: None,
            last: None,
        }
    }

    /// # Safety
    ///
    /// `node` is in a list of this queue, and the lock is held.
    unsafe fn links<R>(node: NonNull<Node<K>>, f: impl FnOnce(&mut Links<K>) -> R) -> R {
        // SAFETY: what is in a list is alive (rule 7).
        let node = unsafe { node.as_ref() };
        // SAFETY: they were written when it was put there; we hold the lock (rule 3), and `f` is one of ours
        // that looks at no other node.
        node.links
            .with_mut(|links| f(unsafe { &mut *links.cast::<Links<K>>() }))
    }

    /// # Safety
    ///
    /// `node` is in no list, the lock is held, and rule 7 holds from here on.
    unsafe fn push_back(&mut self, node: NonNull<Node<K>>) {
        let prev = self.last.replace(node);
        let links = MaybeUninit::new(Links { prev, next: None });
        // SAFETY: it is alive (rule 7).
        let place = &unsafe { node.as_ref() }.links;
        // SAFETY: the lock is held (rule 3), and what was there needs no Drop.
        place.with_mut(|place| unsafe { *place = links });
        match prev {
            // SAFETY: it was the last of this list.
            Some(prev) => unsafe { Self::links(prev, |links| links.next = Some(node)) },
            None => self.first = Some(node),
        }
    }

    /// # Safety
    ///
    /// `node` is in a list of this queue, and in this one if it is the first or the last of its list.
    unsafe fn unlink(&mut self, node: NonNull<Node<K>>) {
        // SAFETY: it is in a list.
        let Links { prev, next } = unsafe {
            Self::links(node, |links| Links {
                prev: links.prev.take(),
                next: links.next.take(),
            })
        };
        match prev {
            // SAFETY: a neighbour is in the same list.
            Some(prev) => unsafe { Self::links(prev, |links| links.next = next) },
            None => self.first = next,
        }
        match next {
            // SAFETY: as above.
            Some(next) => unsafe { Self::links(next, |links| links.prev = prev) },
            None => self.last = prev,
        }
    }

    /// Moves all nodes of `other` to the back, in O(1).
    fn append(&mut self, other: &mut Self) {
        let (Some(first), Some(last)) = (other.first.take(), other.last.take()) else {
            return;
        };
        match self.last.replace(last) {
            Some(before) => {
                // SAFETY: it was the last of this list.
                unsafe { Self::links(before, |links| links.next = Some(first)) };
                // SAFETY: it was the first of the other list.
                unsafe { Self::links(first, |links| links.prev = Some(before)) };
            }
            None => self.first = Some(first),
        }
    }

    fn holds_at_an_end(&self, node: NonNull<Node<K>>) -> bool {
        self.first == Some(node) || self.last == Some(node)
    }

    /// The kind of a node that is the first or the last of this list.
    fn kind_of(&mut self, node: NonNull<Node<K>>) -> &mut K {
        debug_assert!(self.holds_at_an_end(node));
        // SAFETY: what is in a list is alive (rule 7).
        let node = unsafe { node.as_ref() };
        // SAFETY: QUEUED, and the lock is held as long as `self` is borrowed (rule 5).
        node.kind.with_mut(|kind| unsafe { &mut *kind.cast::<K>() })
    }

    /// Transition 4, for a node at an end of this list. The node may be gone afterwards (rule 6).
    fn grant(&mut self, node: NonNull<Node<K>>, wakes: &mut Wakes) {
        debug_assert!(self.holds_at_an_end(node));
        // SAFETY: it is in this list.
        unsafe { self.unlink(node) };
        // SAFETY: it was in this list until now, and not GRANTED yet, so it is alive (rules 6 and 7).
        let node = unsafe { node.as_ref() };
        // SAFETY: still QUEUED, and the lock is held (rule 4).
        let waker = node
            .waker
            .with(|waker| unsafe { waker.cast::<Waker>().read() });
        // pairs with: the Acquire loads in `waiters`, whose owner may then free the node.
        node.state.store(GRANTED, Ordering::Release);
        wakes.push(waker);
    }
}

/// What the lock of a [`Queue`] protects.
pub(crate) struct Locked<S, K> {
    /// The primitive's own.
    pub(crate) state: S,
    waiting: List<K>,
    /// Those to whom all that they waited for is due already; see [`Locked::dismiss_all`].
    leaving: List<K>,
}

// SAFETY: the lists' pointers lead to nodes, which are Send and Sync if K is Send, and which are alive
// while they are here (rule 7).
unsafe impl<S: Send, K: Send> Send for Locked<S, K> {}

impl<S, K> Locked<S, K> {
    /// Whether nobody waits. Those that are leaving do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.first.is_none()
    }

    /// What the longest waiting one waits for.
    pub(crate) fn front(&mut self) -> Option<&mut K> {
        let first = self.waiting.first?;
        Some(self.waiting.kind_of(first))
    }

    /// What the one waits for that came last.
    pub(crate) fn back(&mut self) -> Option<&mut K> {
        let last = self.waiting.last?;
        Some(self.waiting.kind_of(last))
    }

    /// Grants the longest waiting one what it waits for, which its owner then finds as [`Locked::front`]
    /// has left it. False if nobody waits. `wakes` must not be full.
    pub(crate) fn grant_front(&mut self, wakes: &mut Wakes) -> bool {
        let first = self.waiting.first;
        first
            .inspect(|first| self.waiting.grant(*first, wakes))
            .is_some()
    }

    /// Like [`Locked::grant_front`], for the one that came last.
    pub(crate) fn grant_back(&mut self, wakes: &mut Wakes) -> bool {
        let last = self.waiting.last;
        last.inspect(|last| self.waiting.grant(*last, wakes))
            .is_some()
    }

    /// Sets all that wait now apart, in O(1): who comes later is not one of them, and no other grant
    /// finds them. [`Queue::grant_leaving`] then grants them, and has to be called.
    pub(crate) fn dismiss_all(&mut self) {
        let Self {
            waiting, leaving, ..
        } = self;
        leaving.append(waiting);
    }

    /// Files a node at the back.
    ///
    /// # Safety
    ///
    /// The node is in no list, its owner has just made it QUEUED under this lock, and rule 7 holds.
    pub(super) unsafe fn push_back(&mut self, node: NonNull<Node<K>>) {
        // SAFETY: the caller's promise.
        unsafe { self.waiting.push_back(node) };
    }

    /// Takes a QUEUED node out of whichever list it is in.
    ///
    /// # Safety
    ///
    /// The node is in a list of this queue.
    pub(super) unsafe fn unlink(&mut self, node: NonNull<Node<K>>) {
        // A node between two others changes no list's ends, so it matters only whose end it is.
        if self.leaving.holds_at_an_end(node) {
            // SAFETY: it is in a list, and at an end of this one.
            unsafe { self.leaving.unlink(node) };
            return;
        }
        // SAFETY: it is in a list, and at an end of no other.
        unsafe { self.waiting.unlink(node) };
    }
}

/// A lock around the slow state of a primitive and the list of those that wait for it.
pub(crate) struct Queue<S, K>(Mutex<Locked<S, K>>);

impl<S, K> Queue<S, K> {
    const_fn! {
        pub(crate) const fn new(state: S) -> Self {
            Self(Mutex::new(Locked {
                state,
                waiting: List::new(),
                leaving: List::new(),
            }))
        }
    }

    /// The lock. No code of a user runs under it (rule 8).
    pub(crate) fn lock(&self) -> MutexGuard<'_, Locked<S, K>> {
        // For the same reason a poisoned one is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `step` under the lock, and again as long as it says that it stopped only because the batch was
    /// full. After each the lock is given back, and the batch is woken.
    pub(crate) fn in_batches(&self, step: impl Fn(&mut Locked<S, K>, &mut Wakes) -> bool) {
        let mut wakes = Wakes::new();
        loop {
            let more = step(&mut self.lock(), &mut wakes);
            wakes.wake_all();
            if !more {
                return;
            }
        }
    }

    /// Grants all that are leaving, in batches between which the lock is free.
    pub(crate) fn grant_leaving<'a>(&'a self, mut locked: MutexGuard<'a, Locked<S, K>>) {
        let mut wakes = Wakes::new();
        loop {
            while let Some(first) = locked.leaving.first {
                if wakes.is_full() {
                    break;
                }
                locked.leaving.grant(first, &mut wakes);
            }
            let done = locked.leaving.first.is_none();
            drop(locked);
            wakes.wake_all();
            if done {
                return;
            }
            locked = self.lock();
        }
    }
}

impl<S, K> fmt::Debug for Queue<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}
