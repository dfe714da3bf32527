//! Which runtime a thread is in.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use gopark_net::Entered;

use crate::current;
use crate::sched::Sched;

/// Keeps a runtime the current one of this thread; from [`Handle::enter`](super::Handle::enter).
///
/// Guards should be dropped in the reverse order of their making; each restores what was current
/// when it was made.
#[must_use = "the runtime is left when the guard is dropped"]
pub struct EnterGuard<'a> {
    entered: EnteredSched,
    _handle: PhantomData<&'a ()>,
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard")
            .field("sched", &self.entered.sched)
            .finish()
    }
}

impl EnterGuard<'_> {
    pub(super) fn new(sched: &Arc<Sched>) -> Self {
        Self {
            entered: enter_sched(sched),
            _handle: PhantomData,
        }
    }
}

/// The guard behind `EnterGuard`: keeps the `Sched` alive, as `current::sched` promises.
pub(crate) struct EnteredSched {
    before: *const Sched,
    sched: Arc<Sched>,
    _reactor: Entered,
}

/// Makes `sched`, and its reactor, current.
pub(crate) fn enter_sched(sched: &Arc<Sched>) -> EnteredSched {
    EnteredSched {
        before: current::set_sched(Arc::as_ptr(sched)),
        sched: sched.clone(),
        _reactor: sched.reactor.enter(),
    }
}

impl Drop for EnteredSched {
    fn drop(&mut self) {
        current::set_sched(self.before);
    }
}
