//! Runtimes of a process that forks; the rules are those of `net/src/fork.rs`.
//!
//! In the child a runtime of the parent's is closed and never freed: what is spawned is cancelled at once, what
//! was spawned counts as cancelled ([`Id::is_left_behind`](crate::g::Id)), and nobody waits for threads that are not
//! there. The thread that forked is in no runtime any more, also if it was in the middle of a task, and the
//! default runtime starts when it is needed.
//!
//! The registry of runtimes has no other use. Its lock is the first that a fork takes, so it makes those who fork at
//! the same time take turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use gopark_net::fork::{Held, Steps, install};

use crate::g::{ShardOwner, leave_ids_behind};
use crate::{chan, current, runtime, sysmon, time, warn};

use super::{Sched, lock};

/// Every runtime of the process.
static ALL: Mutex<Vec<Weak<Sched>>> = Mutex::new(Vec::new());

/// A runtime begins. Forks are noticed from the first one on.
pub(super) fn enlist(sched: &Arc<Sched>) {
    static NOTICED: AtomicBool = AtomicBool::new(false);
    // Relaxed: what follows publishes by itself.
    if !NOTICED.load(Ordering::Relaxed) && !NOTICED.swap(true, Ordering::Relaxed) {
        install(Steps {
            before,
            in_parent,
            in_child,
        });
    }
    lock(&ALL).push(Arc::downgrade(sched));
}

/// A runtime is freed.
pub(super) fn delist(sched: &Sched) {
    lock(&ALL).retain(|other| !std::ptr::eq(other.as_ptr(), sched));
}

/// What the thread that forks holds meanwhile: each lock of the process under which others work.
struct Guards {
    outside: Vec<MutexGuard<'static, ShardOwner>>,
    #[expect(dead_code, reason = "held")]
    places: chan::place::Places,
    #[expect(dead_code, reason = "held")]
    wheels: time::locked_wheel::Wheels,
    #[expect(dead_code, reason = "held")]
    reports: sysmon::report::Reports,
    backlog: warn::Held,
    all: MutexGuard<'static, Vec<Weak<Sched>>>,
    living: Vec<Arc<Sched>>,
}

static HELD: Held<Guards> = Held::new();

extern "C" fn before() {
    let all = lock(&ALL);
    let living: Vec<Arc<Sched>> = all.iter().filter_map(Weak::upgrade).collect();
    let lock_outside = |sched: &Arc<Sched>| {
        // SAFETY: (1) `living` keeps the `Sched`, and goes after the guards.
        lock(unsafe { &(*Arc::as_ptr(sched)).outside })
    };
    let guards = Guards {
        outside: living.iter().map(lock_outside).collect(),
        places: chan::place::hold(),
        wheels: time::locked_wheel::hold(),
        reports: sysmon::report::hold(),
        backlog: warn::hold(),
        all,
        living,
    };
    // SAFETY: (1) the lock of `ALL` is the first that is taken, and among the guards.
    unsafe { HELD.put(guards) };
}

extern "C" fn in_parent() {
    // SAFETY: (1) of `before`, on this thread.
    let Some(guards) = (unsafe { HELD.take() }) else {
        return;
    };
    let living = guards.release();
    // The last count of a runtime may be among them, which is not to be freed under the locks.
    drop(living);
}

extern "C" fn in_child() {
    // SAFETY: (1) of `before`, on this thread.
    let Some(mut guards) = (unsafe { HELD.take() }) else {
        return;
    };
    guards.all.clear();
    guards.backlog.begin_anew();
    for sched in guards.release() {
        sched.closing.store(true, Ordering::Relaxed);
        // Its threads hold counts that nobody gives back; with this one it is never freed, whoever drops a handle.
        std::mem::forget(sched);
    }
    leave_ids_behind();
    current::begin_anew();
    runtime::begin_anew();
}

impl Guards {
    /// Gives the locks back, and then what was kept alive for them.
    fn release(self) -> Vec<Arc<Sched>> {
        let Self {
            outside, living, ..
        } = self;
        drop(outside);
        living
    }
}

impl Sched {
    /// Whether this is the parent's, and we are in a child.
    #[inline]
    pub(crate) fn is_left_behind(&self) -> bool {
        self.is_closing() && self.reactor.is_left_behind()
    }

    /// Refuses what would wait for this runtime.
    #[track_caller]
    pub(super) fn refuse_if_left_behind(&self) {
        assert!(
            !self.is_left_behind(),
            "block_on of a gopark runtime that was left behind in the parent process by a fork; expected one that was \
             built in this process"
        );
    }
}
