//! What a fork leaves in the child.
//!
//! The child has one thread, the one that forked. What other threads did does not go on there, and a lock that one
//! of them held is held for ever. So
//!
//! 1. what is made is stamped with the [`generation`] of its process, a counter that each fork raises in the child;
//!    what has an older stamp was left behind, and is refused with an error before any lock of it is touched;
//! 2. what belongs to the process (the reactor of the process, its pool of threads, what the thread has entered)
//!    begins anew, in the handler that the system calls in the child;
//! 3. locks that belong to the process are held by the thread that forks while it does, so that in the child
//!    nobody else holds them.
//!
//! Nothing of it costs anything before a fork but a comparison where a task is about to wait anyhow.

#[cfg(unix)]
use std::cell::UnsafeCell;
use std::io;
#[cfg(unix)]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU32, Ordering};

/// How often this process, and those from which it was forked, had been forked when it began.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Differs between what was made before a fork, and the child.
#[inline]
pub fn generation() -> u32 {
    // Relaxed: it changes while there is but one thread.
    GENERATION.load(Ordering::Relaxed)
}

/// What every use of a thing fails with that was made before a fork, in the parent.
#[cold]
pub(crate) fn left_behind_error() -> io::Error {
    io::Error::other(
        "the gopark runtime that this belongs to was left behind in the parent process by a fork",
    )
}

/// What is done around a fork: `before` and `after` by the thread that forks, `after` in both processes.
///
/// For executors. `before` takes locks, in the order in which everybody takes them, and `after` gives them back.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// In the parent.
    pub before: extern "C" fn(),
    /// In the parent, then.
    pub in_parent: extern "C" fn(),
    /// In the child: the same, and what else the child needs.
    pub in_child: extern "C" fn(),
}

/// Has the steps taken at each fork from now on. Where there is no fork it does nothing.
pub fn install(steps: Steps) {
    #[cfg(unix)]
    {
        // SAFETY: (1) the functions are of this program, which is never unloaded. If there is no memory for
        // them, forks are what they were.
        let _ = unsafe {
            libc::pthread_atfork(
                Some(steps.before),
                Some(steps.in_parent),
                Some(steps.in_child),
            )
        };
    }
    #[cfg(not(unix))]
    let _ = steps;
}

/// Guards of locks, from before a fork until after it.
///
/// It is the forking thread's: whoever puts something in holds a lock of the process that all who fork take first.
#[cfg(unix)]
#[derive(Debug)]
pub struct Held<T>(UnsafeCell<Option<T>>);

// SAFETY: (1) only `put` and `take` reach what is in it, whose callers are one at a time.
#[cfg(unix)]
unsafe impl<T> Sync for Held<T> {}

#[cfg(unix)]
impl<T> Held<T> {
    /// Nothing is held.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Keeps the guards.
    ///
    /// # Safety
    ///
    /// The guards must be such that no other thread is in `put` or `take` before `take` has given them back.
    pub unsafe fn put(&self, guards: T) {
        // SAFETY: (1) one at a time, says the caller.
        unsafe { *self.0.get() = Some(guards) };
    }

    /// Gives the guards back.
    ///
    /// # Safety
    ///
    /// Only for the thread that put them in.
    pub unsafe fn take(&self) -> Option<T> {
        // SAFETY: (1) the guards, which are in there, keep others out.
        unsafe { (*self.0.get()).take() }
    }
}

#[cfg(unix)]
impl<T> Default for Held<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// From the first reactor on forks are noticed.
pub(crate) fn notice() {
    #[cfg(unix)]
    {
        static NOTICED: AtomicBool = AtomicBool::new(false);
        // Relaxed: what follows publishes by itself.
        if !NOTICED.load(Ordering::Relaxed) && !NOTICED.swap(true, Ordering::Relaxed) {
            install(Steps {
                before,
                in_parent,
                in_child,
            });
        }
    }
}

#[cfg(unix)]
static HELD: Held<crate::offload::Guards> = Held::new();

#[cfg(unix)]
extern "C" fn before() {
    // SAFETY: (1) the guards are those of locks.
    unsafe { HELD.put(crate::offload::hold()) };
}

#[cfg(unix)]
extern "C" fn in_parent() {
    // SAFETY: (1) of `before`, on this thread.
    drop(unsafe { HELD.take() });
}

#[cfg(unix)]
extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    crate::reactor::begin_anew();
    crate::note::begin_poll(crate::note::UNLIMITED);
    // SAFETY: (1) of `before`, on this thread.
    if let Some(guards) = unsafe { HELD.take() } {
        guards.begin_anew();
    }
}
