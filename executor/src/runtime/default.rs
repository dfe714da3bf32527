//! The runtime of those who build none.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{Builder, Runtime};

/// Null until it is needed, and again in the child of a fork. What it shows is never freed.
static DEFAULT: AtomicPtr<Runtime> = AtomicPtr::new(ptr::null_mut());

/// The default runtime; starts it at the first call.
///
/// # Panics
///
/// Panics if it cannot be built: a bad `GOPARK_PROCS`, or no file descriptors for the reactor.
#[track_caller]
pub(crate) fn default_runtime() -> &'static Runtime {
    // SAFETY: (1) what was stored is never freed. pairs with: the exchange below.
    if let Some(runtime) = unsafe { DEFAULT.load(Ordering::Acquire).as_ref() } {
        return runtime;
    }
    let fresh = match Builder::new_multi_thread().build() {
        Ok(runtime) => Box::into_raw(Box::new(runtime)),
        Err(error) => panic!("gopark's default runtime cannot be started: {error}"),
    };
    let first = DEFAULT.compare_exchange(
        ptr::null_mut(),
        fresh,
        Ordering::AcqRel, // pairs with: the load above, and the one in here where another was first.
        Ordering::Acquire,
    );
    let runtime = match first {
        Ok(_) => fresh,
        Err(other) => {
            // SAFETY: (1) from `into_raw`, and stored nowhere. It has no thread yet.
            drop(unsafe { Box::from_raw(fresh) });
            other
        }
    };
    // SAFETY: as above.
    unsafe { &*runtime }
}

/// In the child of a fork, where the parent's has no threads.
#[cfg(unix)]
pub(super) fn begin_anew() {
    // Relaxed: there is one thread.
    DEFAULT.store(ptr::null_mut(), Ordering::Relaxed);
}
