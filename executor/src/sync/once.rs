//! [`Once`]: something that is done once, by whoever comes first.
//!
//! ```text
//!                 claim (1)              finish (2): opens
//!   INCOMPLETE ─────────────▶ RUNNING ─────────────────────▶ COMPLETE
//!       ▲                        │
//!       └────────────────────────┘
//!         give up (3): opens; by a panic, an error or a cancellation
//! ```
//!
//! # Rules
//!
//! 1. The state is the word of the gate. (1) is a read-modify-write from INCOMPLETE, so one at a time
//!    holds the [`Claim`], and only that makes (2) or (3), each once.
//! 2. What the holder of the claim wrote before (2) is seen by who finds COMPLETE.
//! 3. COMPLETE is left only by who has the cell for itself (`&mut`).

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use gopark_net::note::WaitReason;
use pin_project_lite::pin_project;

use super::{
    blocking,
    gate::{Gate, Place, UNIT},
    leaf::{Leaf, Wait},
};

const INCOMPLETE: u64 = 0;
const RUNNING: u64 = UNIT;
const COMPLETE: u64 = UNIT << 1;

/// Runs one initialisation, once, however many tasks ask for it.
///
/// The first to call [`call_once`](Self::call_once) runs its closure; the others wait until it has
/// ended. To keep what was made there is [`OnceCell`](super::OnceCell).
///
/// # Beside Go
///
/// In Go's `sync.Once` a function that panics counts as done: later calls return at once, and nothing
/// was initialised. Here, who panics or is cancelled has done nothing, and the next one tries; so
/// after `call_once` has returned, some closure has run to its end. And who waits costs no thread.
///
/// # Examples
///
/// ```
/// use gopark::sync::Once;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// static READY: Once = Once::new();
/// static RUNS: AtomicUsize = AtomicUsize::new(0);
///
/// async fn prepare() {
///     READY.call_once(async || { RUNS.fetch_add(1, Ordering::Relaxed); }).await;
/// }
///
/// gopark::block_on(async {
///     let others: Vec<_> = (0..10).map(|_| gopark::spawn(prepare())).collect();
///     for other in others {
///         other.await.unwrap();
///     }
///     assert!(READY.is_completed());
///     assert_eq!(RUNS.load(Ordering::Relaxed), 1);
/// });
/// ```
pub struct Once {
    state: Gate,
}

/// The right to do it, which is given up when dropped.
#[must_use]
pub(super) struct Claim<'a> {
    once: &'a Once,
    next: u64,
}

impl Once {
    /// One that has not run.
    pub const fn new() -> Self {
        Self {
            state: Gate::new(INCOMPLETE),
        }
    }

    /// One that has.
    pub(super) const fn completed() -> Self {
        Self {
            state: Gate::new(COMPLETE),
        }
    }

    /// Whether a closure has run to its end. What it wrote is then seen by who asked.
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.state.load() == COMPLETE
    }

    /// Runs the closure's future, unless one has been run; waits for one that is running.
    ///
    /// A closure that calls this on the same `Once` waits for itself, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the closure's future, if it was the one that ran; then another one runs its
    /// own, one that waits or one that comes.
    ///
    /// # Panics
    ///
    /// Passes a panic of the closure on, to who called with it. The others try theirs.
    pub async fn call_once(&self, init: impl AsyncFnOnce()) {
        if self.is_completed() {
            return;
        }
        if let Some(claim) = self.claim().await {
            init().await;
            claim.complete();
        }
    }

    /// [`call_once`](Self::call_once), on this thread, which may be one of a runtime or none.
    ///
    /// # Panics
    ///
    /// As `call_once`.
    pub fn call_once_blocking(&self, init: impl FnOnce()) {
        if let Some(claim) = blocking::wait(self.claim()) {
            init();
            claim.complete();
        }
    }

    /// The claim, or nothing once it is done.
    #[inline]
    pub(super) fn claim(&self) -> impl Future<Output = Option<Claim<'_>>> {
        Leaf::new(Claiming {
            once: self,
            place: Place::new(&self.state),
        })
    }

    /// The claim, if it is to be had at this moment; or the state.
    pub(super) fn try_claim(&self) -> Result<Claim<'_>, Busy> {
        let claimed = self
            .state
            .update(|state| (state == INCOMPLETE).then_some(RUNNING));
        match claimed {
            // Nobody waits for it to begin, so the gate stays as it is.
            Ok(_) => Ok(Claim {
                once: self,
                next: INCOMPLETE,
            }),
            Err(COMPLETE) => Err(Busy::Complete),
            Err(_) => Err(Busy::Running),
        }
    }
}

/// Why there is no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    Running,
    Complete,
}

impl Claim<'_> {
    /// Transition 2.
    pub(super) fn complete(mut self) {
        self.next = COMPLETE;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let next = self.next;
        if let Ok(change) = self.once.state.update(|_| Some(next)) {
            self.once.state.open(change);
        }
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once")
            .field("completed", &self.is_completed())
            .finish()
    }
}

pin_project! {
    struct Claiming<'a> {
        once: &'a Once,
        #[pin]
        place: Place<'a>,
    }
}

impl<'a> Wait for Claiming<'a> {
    type Output = Option<Claim<'a>>;

    const REASON: WaitReason = WaitReason::Once;

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.once.try_claim() {
                Ok(claim) => return Poll::Ready(Some(claim)),
                Err(Busy::Complete) => return Poll::Ready(None),
                Err(Busy::Running) => {}
            }
            let idle = |state| (state != RUNNING).then_some(());
            if this.place.as_mut().poll(cx.waker(), idle).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
