//! Which runtime a thread is in.
//!
//! Guards leave in any order, also after the `block_on` in which they were made. Of those that live the
//! most recent one rules (`net/src/entered.rs`). `current::sched` repeats what that one holds, so that
//! to ask for it is one load.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;

use gopark_net::Entry;
use gopark_net::entered::{Head, Node};
use pin_project_lite::pin_project;

use crate::current;
use crate::sched::Sched;

thread_local! {
    /// The runtimes that this thread has entered.
    static ENTERED: Head<Sched> = const { Head::new() };
}

/// Keeps a runtime the current one of this thread; from [`Handle::enter`](super::Handle::enter).
///
/// Guards may be dropped in any order, and after the `block_on` in which they were made: of those that
/// live, the most recent one rules.
#[must_use = "the runtime is left when the guard is dropped"]
pub struct EnterGuard<'a> {
    entered: Pin<Box<EnteredSched>>,
    _handle: PhantomData<&'a ()>,
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard")
            .field("sched", self.entered.sched.value())
            .finish()
    }
}

impl EnterGuard<'_> {
    pub(super) fn new(sched: &Arc<Sched>) -> Self {
        let entered = Box::pin(EnteredSched::new(sched));
        entered.as_ref().enter();
        Self {
            entered,
            _handle: PhantomData,
        }
    }
}

pin_project! {
    /// The guard behind `EnterGuard`: keeps the `Sched` alive, as `current::sched` promises.
    pub(crate) struct EnteredSched {
        #[pin]
        sched: Node<Sched>,
        #[pin]
        reactor: Entry,
    }

    impl PinnedDrop for EnteredSched {
        fn drop(this: Pin<&mut Self>) {
            this.sched.leave();
            // Before the fields go, and with them perhaps the `Sched`.
            repeat_top();
        }
    }
}

impl EnteredSched {
    /// A guard that is to [`enter`](Self::enter) once it is pinned.
    pub(crate) fn new(sched: &Arc<Sched>) -> Self {
        Self {
            sched: Node::new(&ENTERED, sched.clone()),
            reactor: sched.reactor.entry(),
        }
    }

    /// Makes the runtime, and its reactor, current until this is dropped.
    pub(crate) fn enter(self: Pin<&Self>) {
        let this = self.project_ref();
        this.sched.enter();
        this.reactor.enter();
        repeat_top();
    }
}

/// In the child of a fork.
#[cfg(unix)]
pub(super) fn leave_all() {
    ENTERED.with(Head::clear);
}

fn repeat_top() {
    let top = ENTERED.with(Head::top);
    // The node keeps alive what the pointer shows when this count is gone.
    current::set_sched(top.as_ref().map_or(ptr::null(), Arc::as_ptr));
}
