//! Each thread's place, where it says of which locks of channels it is inside (`lock.rs`).
//!
//! A place is given to a thread when it first takes a lock by an exchange, and to another when that thread
//! has ended. Who revokes may look at it at any time, so it is never freed. Who gets a place owns what the
//! thread before owned; the lock of the list has it see what that one did.

use std::cell::Cell;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use super::lock::Place;

/// Places of threads that have ended.
static FREE: Mutex<Vec<&'static Place>> = Mutex::new(Vec::new());

thread_local! {
    /// Null before the thread has a place, and after it has given it back. Without a destructor, so that
    /// reading it is one load.
    static HERE: Cell<*const Place> = const { Cell::new(ptr::null()) };

    static LEASE: Lease = Lease::begin();
}

/// The list, held while the process forks.
#[cfg(unix)]
pub(crate) type Places = std::sync::MutexGuard<'static, Vec<&'static Place>>;

#[cfg(unix)]
pub(crate) fn hold() -> Places {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place, until the thread ends.
struct Lease(&'static Place);

impl Lease {
    fn begin() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(free.unwrap_or_else(|| Box::leak(Box::new(Place::new()))))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        HERE.set(ptr::null());
        FREE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.0);
    }
}

/// This thread's place; null if it has none.
#[inline]
pub(crate) fn here() -> *const Place {
    HERE.get()
}

/// This thread's place, which is made if it has none; null while the thread ends.
#[inline]
pub(crate) fn settle() -> *const Place {
    let here = HERE.get();
    if here.is_null() { begin() } else { here }
}

#[cold]
fn begin() -> *const Place {
    let place = LEASE.try_with(|lease| ptr::from_ref(lease.0));
    let place = place.unwrap_or(ptr::null());
    HERE.set(place);
    place
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::super::lock::Lock;
    use super::*;

    #[test]
    fn who_takes_a_lock_often_enough_owns_it_until_another_comes() {
        crate::primitive::prepare_fences();
        if !crate::primitive::has_process_fence() {
            return;
        }
        let lock = Lock::with_needed(0, 3);
        let take = || *lock.lock() += 1;
        (0..3).for_each(|_| take());
        assert!(!lock.is_mine());
        take();
        assert!(lock.is_mine());
        thread::scope(|scope| {
            scope.spawn(take);
        });
        assert!(!lock.is_mine());
        // It takes twice as many now.
        (0..6).for_each(|_| take());
        assert!(!lock.is_mine());
        take();
        assert!(lock.is_mine());
        assert_eq!(*lock.lock(), 12);
    }

    #[test]
    fn who_finds_a_lock_taken_counts_its_wait() {
        let lock = Lock::new(0);
        // SAFETY: (1) places live for ever.
        let waits = || unsafe { settle().as_ref() }.unwrap().waits();
        // Once more if the other thread came so late that the lock was free again.
        let wait_once = || {
            let guard = lock.lock();
            let arrived = AtomicBool::new(false);
            thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let before = waits();
                    arrived.store(true, Ordering::Relaxed);
                    drop(lock.lock());
                    let after = waits();
                    (after.0 - before.0, after.1 > before.1)
                });
                while !arrived.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                (0..1_000).for_each(|_| thread::yield_now());
                drop(guard);
                waiter.join().unwrap()
            })
        };
        let mut times = std::iter::repeat_with(wait_once);
        assert_eq!(times.find(|times| *times != (0, false)), Some((1, true)));
    }

    #[test]
    fn places_of_threads_that_have_ended_are_used_again() {
        let place = || thread::spawn(|| settle().addr()).join().unwrap();
        let places: HashSet<_> = (0..100).map(|_| place()).collect();
        // Threads of other tests may take some in between.
        assert!(places.len() < 100);
    }
}
