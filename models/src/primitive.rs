//! loom in place of `std`: the twin of `primitive.rs` in the packages whose protocols are modelled.

/// Whether this is the model checker's build of a protocol.
pub(crate) const MODEL: bool = true;

/// loom knows no process-wide barrier, so both halves are full fences.
pub(crate) fn fence_light() {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}

/// See `fence_light`.
pub(crate) fn fence_heavy() {
    loom::sync::atomic::fence(loom::sync::atomic::Ordering::SeqCst);
}

/// The fences are what the models are about.
pub(crate) fn has_process_fence() -> bool {
    true
}

/// loom need not watch it: what others see of it obliges them to nothing.
#[derive(Debug, Default)]
pub(crate) struct OwnWord(std::cell::Cell<usize>);

// SAFETY: (1) the models have it touched by its owner only.
unsafe impl Sync for OwnWord {}

impl OwnWord {
    pub(crate) const fn new(value: usize) -> Self {
        Self(std::cell::Cell::new(value))
    }

    pub(crate) fn get(&self) -> usize {
        self.0.get()
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.set(value);
    }
}

/// loom makes nothing at compile time.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visible:vis const fn $($rest:tt)*) => {
        $(#[$attribute])* $visible fn $($rest)*
    };
}
pub(crate) use const_fn;

/// loom tries every order without it.
pub(crate) mod delay {
    pub(crate) fn here(_: &str) {}
}

pub(crate) mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    use atomic::{AtomicBool, Ordering};

    /// `std`'s, of which loom has none: what it promises is that who finds it set sees what was set,
    /// and that a `set` which fails finds it set.
    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        setting: Mutex<()>,
        ready: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self {
                setting: Mutex::new(()),
                ready: AtomicBool::new(false),
                value: std::sync::OnceLock::new(),
            }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            // pairs with: the store in `set`.
            self.ready
                .load(Ordering::Acquire)
                .then(|| self.value.get().expect("it was set before it was ready"))
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            let _setting = self.setting.lock();
            self.value.set(value)?;
            // pairs with: the load in `get`.
            self.ready.store(true, Ordering::Release);
            Ok(())
        }
    }

    pub(crate) mod atomic {
        pub(crate) use loom::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence,
        };

        pub(crate) use super::super::AtomicU32;
    }
}

pub(crate) mod hint {
    pub(crate) use loom::hint::spin_loop;
}

/// The other thread's turn.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    looks: u32,
}

impl Backoff {
    pub(crate) fn wait(&mut self) {
        self.looks += 1;
        loom::thread::yield_now();
    }

    pub(crate) fn nap(&mut self) {
        self.wait();
    }
}

pub(crate) mod cell {
    pub(crate) use loom::cell::UnsafeCell;
}

use sync::atomic::{AtomicUsize, Ordering};

/// loom does not know that nothing comes between the load and the store of a read-modify-write: it lets
/// a plain store of another thread take any place beside it, so that in the end the older of the two
/// may stand, and a bell is deaf that was just hung. So a Relaxed store is a read-modify-write here, too.
/// That one would not end a release sequence, as a store does; so in a word that has seen a Release
/// store (the counter of a seat) all are what they say.
#[derive(Debug)]
pub(crate) struct AtomicU32 {
    inner: loom::sync::atomic::AtomicU32,
    /// No step of the model: loom runs one thread at a time.
    publishes: std::sync::atomic::AtomicBool,
}

impl AtomicU32 {
    pub(crate) fn new(value: u32) -> Self {
        Self {
            inner: loom::sync::atomic::AtomicU32::new(value),
            publishes: std::sync::atomic::AtomicBool::new(false),
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.inner.load(order)
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        if order != Ordering::Relaxed {
            self.publishes.store(true, Ordering::Relaxed);
        }
        if self.publishes.load(Ordering::Relaxed) {
            self.inner.store(value, order);
        } else {
            self.inner.swap(value, order);
        }
    }

    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.inner.swap(value, order)
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.inner.compare_exchange(current, new, success, failure)
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.inner
            .compare_exchange_weak(current, new, success, failure)
    }

    pub(crate) fn fetch_update(
        &self,
        set: Ordering,
        fetch: Ordering,
        f: impl FnMut(u32) -> Option<u32>,
    ) -> Result<u32, u32> {
        self.inner.fetch_update(set, fetch, f)
    }

    pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
        self.inner.fetch_add(value, order)
    }

    pub(crate) fn fetch_or(&self, value: u32, order: Ordering) -> u32 {
        self.inner.fetch_or(value, order)
    }

    pub(crate) fn fetch_and(&self, value: u32, order: Ordering) -> u32 {
        self.inner.fetch_and(value, order)
    }
}

pub(crate) fn alloc_slots(len: usize) -> *mut AtomicUsize {
    let slots: Box<[AtomicUsize]> = (0..len).map(|_| AtomicUsize::new(0)).collect();
    Box::into_raw(slots).cast()
}

/// # Safety
///
/// `slots` must have come from `alloc_slots(len)`, and nobody may use it any more.
pub(crate) unsafe fn free_slots(slots: *mut AtomicUsize, len: usize) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(slots, len)) });
}
