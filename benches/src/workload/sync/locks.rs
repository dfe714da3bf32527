//! Tasks that enter and leave: a mutex; a read-write lock, 15 reads to a write; a semaphore of two permits.
//!
//! Alone there is nothing in the section. Among 16 tasks the holder gives way once before it leaves, so that
//! the others come and queue up: what is measured is to wait, to be handed the lock, and to be woken.
//! Size: passes of all tasks.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Instant;

use super::kind::{Locks, Section};
use super::{Entry, SPEC, Spec, TASKS, session};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::{Rt, with_runtime};

/// What the rows of the locks have in common.
const LOCK: Spec = Spec {
    unit: "ns/pass",
    full: 2_000_000,
    quick: 20_000,
    rivals: &[Peer::Tokio, Peer::Smol],
    ..SPEC
};

/// The same among 16 tasks.
const CONTENDED: Spec = Spec {
    full: 200_000,
    quick: 3_200,
    ..LOCK
};

/// An entry that runs `$run` with the lock `$Lock` of each runtime.
macro_rules! entry {
    ($name:literal, $about:literal, $spec:expr, $run:ident, $Lock:ident) => {
        Entry {
            spec: Spec {
                name: $name,
                about: $about,
                ..$spec
            },
            open: |_, _, peer| {
                with_runtime!(peer, R => session::<R>($run::<R, <R as Locks>::$Lock>)).transpose()
            },
        }
    };
}

pub(super) fn all() -> Vec<Entry> {
    vec![
        entry!(
            "mutex",
            "one task locks and unlocks a mutex",
            LOCK,
            alone,
            Mutex
        ),
        entry!(
            "mutex_16",
            "16 tasks lock a mutex, give way, and unlock it",
            CONTENDED,
            contended,
            Mutex
        ),
        entry!(
            "rwlock",
            "one task locks a read-write lock, 15 times to read and once to write",
            LOCK,
            alone,
            RwLock
        ),
        entry!(
            "rwlock_16",
            "16 tasks do so and give way before they unlock",
            CONTENDED,
            contended,
            RwLock
        ),
        entry!(
            "semaphore",
            "one task takes one of two permits and gives it back",
            LOCK,
            alone,
            Semaphore
        ),
        entry!(
            "semaphore_16",
            "16 tasks do so and give way before they give it back",
            CONTENDED,
            contended,
            Semaphore
        ),
    ]
}

fn alone<R: Rt, S: Section>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let section = S::new();
        let start = Instant::now();
        pass(&section, size, || ready(())).await;
        Cost::since(start, size)
    })
}

fn contended<R: Rt, S: Section>(rt: &R, size: usize) -> Cost {
    rt.run(async move {
        let section = Arc::new(S::new());
        let start = Instant::now();
        let task = |_| {
            let section = section.clone();
            R::spawn(async move { pass(&*section, size / TASKS, R::yield_now).await })
        };
        let tasks: Vec<_> = (0..TASKS).map(task).collect();
        for task in tasks {
            R::join(task).await;
        }
        Cost::since(start, size / TASKS * TASKS)
    })
}

async fn pass<S: Section, F>(section: &S, times: usize, inside: impl Fn() -> F)
where
    F: Future<Output = ()> + Send,
{
    for turn in 0..times {
        section.pass(turn, inside()).await;
    }
}
