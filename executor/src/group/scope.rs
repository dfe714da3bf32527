//! [`scope_blocking`]: tasks that borrow from a frame which blocks until they have ended.
//!
//! ```text
//!   frame of scope_blocking: env ◀── borrows ── body ── in ── Erased ── in ── a task of the runtime
//!        │                                                      │
//!        └── waits for count == 0 ◀── counts down, after the body is gone
//! ```
//!
//! # Rules
//!
//! 1. A body, whose lifetime is erased, is in an [`Erased`] from the moment it is erased, together with a
//!    [`Count`] that was counted up before.
//! 2. An `Erased` drops its body before its count: in `poll`, and by the order of its fields. The body owns
//!    all that may borrow: the future, and a share of the packet with its output.
//! 3. [`scope_blocking`] neither returns nor unwinds before `count` is 0: a panic of the closure is
//!    caught and put off, and one of the waiting itself ends the process.
//! 4. The frame of `scope_blocking` is on the stack of a thread that is inside it, so it cannot be
//!    forgotten or moved. There is no other way to make a [`Scope`].
//! 5. A [`ScopedHandle`], the other share of a packet, has the lifetime `'scope`, of which nothing leaves
//!    the closure.
//!
//! So whatever `'scope` borrows outlives every body. A task that the runtime forgets, or that never ends,
//! makes the frame wait for ever, which is sound.

use std::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    mem,
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;

use super::packet::{Packet, Progress, ScopedHandle, Teller};
use crate::{big::clear, quietly::quietly, task::spawn_at};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` with a [`Scope`] in which it can spawn tasks that borrow from outside, and blocks the thread
/// until all of them have ended.
///
/// It is [`std::thread::scope`] with tasks in place of threads, and may be called from plain threads and
/// inside of tasks: the thread waits as it does in a [`block_on`](crate::block_on), and its processor goes to
/// another. What is bound to the thread waits, see [`block`](crate::block); a task that is long-lived, or
/// one of many, had better own what it uses, in a [`Group`](super::Group).
///
/// If `f` panics, the tasks are waited for before the panic is passed on. None is aborted, so a task that
/// never ends makes this wait for ever.
///
/// # Panics
///
/// Passes a panic of `f` on. Panics if a task panicked and nobody has joined it.
///
/// # Examples
///
/// ```
/// use gopark::group::scope_blocking;
///
/// let words = vec!["ab", "cde"];
/// let mut lengths = vec![0; 2];
/// scope_blocking(|scope| {
///     for (word, length) in words.iter().zip(&mut lengths) {
///         scope.spawn(async move { *length = word.len() });
///     }
/// });
/// assert_eq!(lengths, [2, 3]);
/// ```
///
/// What the closure itself owns is gone before the tasks are, so they cannot borrow it:
///
/// ```compile_fail,E0373
/// gopark::group::scope_blocking(|scope| {
///     let local = 7;
///     scope.spawn(async { println!("{local}") });
/// });
/// ```
///
/// And no handle leaves the scope:
///
/// ```compile_fail
/// let handle = gopark::group::scope_blocking(|scope| scope.spawn(async { 7 }));
/// ```
pub fn scope_blocking<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope {
        data: Arc::default(),
        scope: PhantomData,
        env: PhantomData,
    };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    scope.data.wait_blocking();
    match result {
        Err(payload) => resume_unwind(payload),
        Ok(_) if lock(&scope.data.state).panicked => {
            panic!("a task of scope_blocking panicked, and was not joined")
        }
        Ok(value) => value,
    }
}

/// Spawns tasks that may borrow; from [`scope_blocking`].
pub struct Scope<'scope, 'env: 'scope> {
    data: Arc<Data>,
    /// Invariant in both, as in `std`: a shorter `'scope` would let tasks borrow what goes away.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

#[derive(Default)]
pub(super) struct Data {
    state: Mutex<DataState>,
}

#[derive(Default)]
struct DataState {
    /// Bodies that may borrow.
    count: usize,
    panicked: bool,
    waiter: Option<Waker>,
}

impl Data {
    pub(super) fn set_panicked(&self) {
        lock(&self.state).panicked = true;
    }

    /// Rule 3.
    fn wait_blocking(&self) {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                // What tasks borrow would go away under them.
                std::process::abort();
            }
        }
        if lock(&self.state).count == 0 {
            return;
        }
        let bomb = Bomb;
        crate::block_on(poll_fn(|cx| {
            let mut waker = Some(cx.waker().clone());
            let mut state = lock(&self.state);
            if state.count == 0 {
                return Poll::Ready(());
            }
            mem::swap(&mut state.waiter, &mut waker);
            drop(state);
            drop(waker);
            Poll::Pending
        }));
        mem::forget(bomb);
    }
}

/// One of `count`.
struct Count(Arc<Data>);

impl Count {
    fn up(data: &Arc<Data>) -> Self {
        lock(&data.state).count += 1;
        Self(data.clone())
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.count -= 1;
        let waiter = if state.count == 0 {
            state.waiter.take()
        } else {
            None
        };
        drop(state);
        if let Some(waiter) = waiter {
            quietly(|| waiter.wake());
        }
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns a task, in the runtime that this thread is in, else in the default one. Its future may
    /// borrow what lives longer than the scope, and the scope itself, to spawn more.
    ///
    /// If the runtime shuts down, the future is dropped.
    ///
    /// # Panics
    ///
    /// Panics if the default runtime is needed and cannot be started.
    #[track_caller]
    pub fn spawn<F>(&'scope self, future: F) -> ScopedHandle<'scope, F::Output>
    where
        F: Future + Send + 'scope,
        F::Output: Send + 'scope,
    {
        let packet = Packet::new(self.data.clone());
        let count = Count::up(&self.data);
        let body: Pin<Box<dyn Future<Output = ()> + Send + 'scope>> = Box::pin(Body {
            future: Some(future),
            teller: Teller(packet.clone()),
        });
        // SAFETY: only the lifetime changes. The body is dropped before its count is counted down
        // (rules 1 and 2), and `'scope` lasts until the count is 0 (rules 3 and 4).
        let body = unsafe {
            mem::transmute::<
                Pin<Box<dyn Future<Output = ()> + Send + 'scope>>,
                Pin<Box<dyn Future<Output = ()> + Send + 'static>>,
            >(body)
        };
        let erased = Erased {
            body: Some(body),
            count: Some(count),
        };
        drop(spawn_at(erased, Location::caller()));
        ScopedHandle::new(packet)
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("tasks", &lock(&self.data.state).count)
            .finish_non_exhaustive()
    }
}

/// What the runtime gets. Its fields are dropped in this order: rule 2.
struct Erased {
    body: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    count: Option<Count>,
}

impl Future for Erased {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(());
        };
        let polled = body.as_mut().poll(cx);
        if polled.is_ready() {
            self.body = None;
            self.count = None;
        }
        polled
    }
}

pin_project! {
    /// All of a task that may borrow.
    struct Body<F: Future> {
        // None once it is over. Before `teller`.
        #[pin]
        future: Option<F>,
        teller: Teller<F::Output>,
    }
}

impl<F: Future> Future for Body<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let polled = future.poll(cx);
            if polled.is_ready() {
                clear(this.future.as_mut());
            }
            polled
        }));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => {
                quietly(|| clear(this.future.as_mut()));
                Err(payload)
            }
        };
        this.teller.0.tell(Progress::Over(Some(result)));
        Poll::Ready(())
    }
}
