//! The synchronisation primitives that the protocols of this crate are written against.
//!
//! Protocol files (`seat.rs`, `idle.rs`, …) import atomics, fences and cells from `crate::primitive`
//! only. Here that is `std`; in the package `gopark-models`, which includes the very same files,
//! it is `loom`. `MODEL` lets a protocol shrink its constants so that a model reaches wrap-around
//! and overflow.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, compiler_fence};
use std::time::Duration;

use sync::atomic::{AtomicUsize, Ordering, fence};

/// Whether this is the model checker's build of a protocol.
pub(crate) const MODEL: bool = false;

/// Whether the system has a fence for the whole process; until that was asked both halves are paid, and from when it
/// was refused.
static PROCESS_FENCE: AtomicBool = AtomicBool::new(false);

/// Whether the system has refused it since.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// How long it takes at the most until a store has left the store buffer of its processor, and until a load that was
/// begun has ended. No architecture promises a bound. In practice it is well below a microsecond, or the length of an
/// interrupt, and a thread that is taken off its processor passes a fence. Morrison and Afek, "Temporally bounding TSO
/// for fence-free asymmetric synchronization" (2015), measure it and build on it.
const SETTLED: Duration = Duration::from_millis(10);

/// Asks the system for its process-wide fence. Called before the first protocol that needs it, and by
/// every runtime: what counts is the first time.
pub(crate) fn prepare_fences() {
    static ASKED: Once = Once::new();
    ASKED.call_once(|| {
        if crate::sys::register_process_fence() {
            // Relaxed: who reads the old value pays a fence that was not needed.
            PROCESS_FENCE.store(true, Ordering::Relaxed);
        }
    });
}

/// Whether the cheap half of the asymmetric fence is cheap.
pub(crate) fn has_process_fence() -> bool {
    PROCESS_FENCE.load(Ordering::Relaxed)
}

/// The cheap half of an asymmetric fence: orders this thread's code before and after it as far as
/// the compiler goes; the processor's part is the business of `fence_heavy`.
#[inline(always)]
pub(crate) fn fence_light() {
    if PROCESS_FENCE.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The dear half: a fence on every thread of the process.
pub(crate) fn fence_heavy() {
    // pairs with: the store in `do_without`.
    if PROCESS_FENCE.load(Ordering::Acquire) {
        if !crate::sys::process_fence() {
            do_without();
        }
        return;
    }
    if REFUSED.load(Ordering::Relaxed) {
        // Another may just be about it, and we may go on only when it is done.
        do_without();
    }
    fence(Ordering::SeqCst);
}

/// From now on both sides pay a fence. Those who passed the light half before they learn of it have ordered nothing,
/// so the change itself is a fence for all: time.
#[cold]
fn do_without() {
    static DONE: Once = Once::new();
    REFUSED.store(true, Ordering::Relaxed);
    DONE.call_once(|| {
        PROCESS_FENCE.store(false, Ordering::Release); // pairs with: the load in `fence_heavy`.
        fence(Ordering::SeqCst);
        std::thread::sleep(SETTLED);
    });
}

/// Whether the system refuses its process-wide fence by now; true once in a process, for who says so.
pub(crate) fn must_tell_of_refusal() -> bool {
    static TOLD: AtomicBool = AtomicBool::new(false);
    // Relaxed: it publishes nothing.
    REFUSED.load(Ordering::Relaxed) && !TOLD.swap(true, Ordering::Relaxed)
}

/// Waits for another thread that is in the midst of a few instructions, and may be off CPU.
///
/// It looks again at once some times, and then naps. To yield would be no better where the machine is idle,
/// and where it is busy would give a whole time slice away each time, to threads that have nothing to do
/// with it. Who has napped is run soon.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    looks: u32,
}

impl Backoff {
    const SPINS: u32 = 64;
    const NAP: Duration = Duration::from_micros(20);
    const DOUBLED: u32 = 5;

    /// Before the next look.
    pub(crate) fn wait(&mut self) {
        self.looks += 1;
        if self.looks < Self::SPINS {
            hint::spin_loop();
        } else {
            let doubled = (self.looks - Self::SPINS).min(Self::DOUBLED);
            std::thread::sleep(Self::NAP * (1 << doubled));
        }
    }

    /// The same for who has looked often already.
    pub(crate) fn nap(&mut self) {
        self.looks = self.looks.max(Self::SPINS - 1);
        self.wait();
    }
}

/// A word that its owner alone writes, and at which others may glance, to no obligation.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct OwnWord(AtomicUsize);

impl OwnWord {
    pub(crate) const fn new(value: usize) -> Self {
        Self(AtomicUsize::new(value))
    }

    /// For the owner, and as a hint for others.
    #[inline(always)]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// For the owner.
    #[inline(always)]
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// A function that is `const`; in the model it is not, for loom makes nothing at compile time.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visible:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $visible const fn $($rest)*
    };
}
pub(crate) use const_fn;

pub(crate) use gopark_net::delay;

pub(crate) mod sync {
    pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

    pub(crate) mod atomic {
        pub(crate) use std::sync::atomic::{
            AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }
}

pub(crate) mod hint {
    pub(crate) use std::hint::spin_loop;
}

pub(crate) mod cell {
    /// `std::cell::UnsafeCell` with loom's closure interface, so that a model can see every access.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner()
        }

        /// Runs `f` with a pointer that it may read through.
        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Runs `f` with a pointer that it may write through.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

/// Makes `len` zeroed words. Pages that are never written stay unmapped, which is why this is not
/// a `Vec`.
pub(crate) fn alloc_slots(len: usize) -> *mut AtomicUsize {
    let layout = Layout::array::<AtomicUsize>(len).expect("a chunk of slots fits in memory");
    // SAFETY: the layout's size is not zero: every chunk has slots.
    let slots = unsafe { alloc_zeroed(layout) };
    if slots.is_null() {
        handle_alloc_error(layout);
    }
    slots.cast()
}

/// Frees what `alloc_slots` made.
///
/// # Safety
///
/// `slots` must have come from `alloc_slots(len)`, and nobody may use it any more.
pub(crate) unsafe fn free_slots(slots: *mut AtomicUsize, len: usize) {
    let layout = Layout::array::<AtomicUsize>(len).expect("it was allocated with this layout");
    // SAFETY: the caller's promise.
    unsafe { dealloc(slots.cast(), layout) };
}
