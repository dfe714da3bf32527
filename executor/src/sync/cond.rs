//! A condition variable, after Go's `sync.Cond`: waiting for a change of what a mutex protects.
//!
//! ```text
//!   holds the mutex ──▶ QUEUED here, mutex unlocked ──▶ told ──▶ waits for the mutex ──▶ holds it
//! ```
//!
//! # Invariants
//!
//! 1. `waiting != 0 ⟺` the queue is not empty, whenever its lock is free; it is written under the lock.
//! 2. A waiter is in the queue before it unlocks the mutex. So whoever changes the value under the
//!    mutex and then tells finds all that had seen the value before.
//! 3. Who was told by `notify_one` and does not come back with the mutex tells the next, whether it was
//!    dropped before it knew (`returned`), or while it waited for the mutex (`Received`).

use std::{
    fmt,
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;
use pin_project_lite::pin_project;

use super::{
    blocking,
    leaf::{Leaf, Wait},
    mutex_guard::MutexGuard,
    waiters::{Home, Locked, Queue, Waiter},
    wakes::Wakes,
};
use crate::primitive::{
    const_fn,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Lets tasks that hold a [`Mutex`](super::Mutex) wait until another changes the value.
///
/// A wait unlocks the mutex, and comes back with it locked again. Between the notification and that
/// others may have changed the value, so look again, as [`wait_while`](Self::wait_while) does. Waiters
/// are told in the order in which they began to wait.
///
/// Change the value under the mutex. A notification may be sent with or without it.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use gopark::sync::{Cond, Mutex};
///
/// gopark::block_on(async {
///     let queue = Arc::new((Mutex::new(Vec::new()), Cond::new()));
///     let consumer = gopark::spawn({
///         let queue = queue.clone();
///         async move {
///             let (items, filled) = &*queue;
///             let items = items.lock().await;
///             let mut items = filled.wait_while(items, |items| items.is_empty()).await;
///             items.pop().unwrap()
///         }
///     });
///     queue.0.lock().await.push(7);
///     queue.1.notify_one();
///     assert_eq!(consumer.await.unwrap(), 7);
/// });
/// ```
pub struct Cond {
    waiting: AtomicUsize,
    queue: Queue<(), Told>,
}

/// How a waiter was told; until it is, `All`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    One,
    All,
}

impl Cond {
    const_fn! {
        /// A condition for which nobody waits. It may stand in a `static`.
        pub const fn new() -> Self {
            Self {
                waiting: AtomicUsize::new(0),
                queue: Queue::new(()),
            }
        }
    }

    /// Unlocks the mutex, waits for a notification, and locks the mutex again.
    ///
    /// The mutex is unlocked when the future is polled first, and it waits from then on.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it leaves the mutex unlocked. If [`notify_one`](Self::notify_one) had told it already,
    /// the next is told instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::sync::{Cond, Mutex};
    ///
    /// gopark::block_on(async {
    ///     let (ready, change) = (Mutex::new(false), Cond::new());
    ///     let wait = async {
    ///         let mut ready = ready.lock().await;
    ///         while !*ready {
    ///             ready = change.wait(ready).await;
    ///         }
    ///     };
    ///     let tell = async {
    ///         *ready.lock().await = true;
    ///         change.notify_one();
    ///     };
    ///     futures::join!(wait, tell);
    /// });
    /// ```
    pub async fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = MutexGuard::mutex(&guard);
        let received = Leaf::new(Waiting {
            guard: Some(guard),
            waiter: Waiter::new(self),
        })
        .await;
        let guard = mutex.lock().await;
        received.done();
        guard
    }

    /// Waits as long as `condition` is true of the value.
    ///
    /// The condition is called with the mutex locked: first at once, then after each notification.
    ///
    /// # Cancel safety
    ///
    /// As for [`wait`](Self::wait).
    pub async fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Like [`wait`](Self::wait), and blocks the thread meanwhile. It may be called anywhere, as
    /// [`Mutex::lock_blocking`](super::Mutex::lock_blocking).
    pub fn wait_blocking<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        blocking::wait(self.wait(guard))
    }

    /// Like [`wait_while`](Self::wait_while), and blocks the thread meanwhile.
    ///
    /// ```
    /// use gopark::sync::{Cond, Mutex};
    ///
    /// let (ready, change) = (Mutex::new(false), Cond::new());
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         let ready = ready.lock_blocking();
    ///         assert!(*change.wait_while_blocking(ready, |ready| !*ready));
    ///     });
    ///     *ready.lock_blocking() = true;
    ///     change.notify_all();
    /// });
    /// ```
    pub fn wait_while_blocking<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        blocking::wait(self.wait_while(guard, condition))
    }

    /// Tells the one that has waited longest, if one waits.
    pub fn notify_one(&self) {
        // Relaxed: whoever must be told went into the queue under the mutex, before we had it.
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut wakes = Wakes::new();
        let mut locked = self.queue.lock();
        if let Some(told) = locked.front() {
            *told = Told::One;
            locked.grant_front(&mut wakes);
            self.count(&locked);
        }
        drop(locked);
    }

    /// Tells all that wait.
    pub fn notify_all(&self) {
        // Relaxed: as in `notify_one`.
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut locked = self.queue.lock();
        locked.dismiss_all();
        self.count(&locked);
        self.queue.grant_leaving(locked);
    }

    /// Under the lock.
    fn count(&self, locked: &Locked<(), Told>) {
        let waiting = usize::from(!locked.is_empty());
        // Relaxed: a hint but for what the mutex orders.
        self.waiting.store(waiting, Ordering::Relaxed);
    }
}

impl Default for Cond {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cond").finish_non_exhaustive()
    }
}

// SAFETY: the queue is a field of the condition, which the handle borrows.
unsafe impl Home for &Cond {
    type State = ();
    type Kind = Told;

    fn queue(&self) -> &Queue<(), Told> {
        &self.queue
    }

    fn left(&self, locked: &mut Locked<(), Told>, _: &Told, _: &mut Wakes) {
        self.count(locked);
    }

    fn returned(&self, told: Told) {
        if told == Told::One {
            self.notify_one();
        }
    }
}

pin_project! {
    struct Waiting<'a, 'm, T: ?Sized> {
        // The mutex is locked until the waiter is in the queue.
        guard: Option<MutexGuard<'m, T>>,
        #[pin]
        waiter: Waiter<&'a Cond>,
    }
}

impl<'a, T: ?Sized> Wait for Waiting<'a, '_, T> {
    type Output = Received<'a>;

    const REASON: WaitReason = WaitReason::Cond;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Received<'a>> {
        let this = self.project();
        let cond = *this.waiter.home();
        if let Some(guard) = this.guard.take() {
            let _ = this.waiter.enqueue(Some(cx.waker()), |_| {
                // Relaxed: the unlock below publishes it.
                cond.waiting.store(1, Ordering::Relaxed);
                ControlFlow::<(), _>::Continue(Told::All)
            });
            drop(guard);
            return Poll::Pending;
        }
        this.waiter
            .poll_granted(cx.waker())
            .map(|told| Received { cond, told })
    }
}

/// A notification that has been received. Dropped before it is done with, it goes to the next.
struct Received<'a> {
    cond: &'a Cond,
    told: Told,
}

impl Received<'_> {
    fn done(mut self) {
        self.told = Told::All;
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        if self.told == Told::One {
            self.cond.notify_one();
        }
    }
}
