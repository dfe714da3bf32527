//! What an idle task holds in memory.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use super::{Group, RUNTIMES, Spec};
use crate::measure::resident_bytes;
use crate::rt::Rt;

/// Size: tasks.
pub const SPEC: Spec = Spec {
    name: "mem_idle_task",
    group: Group::Mem,
    unit: "bytes/task",
    about: "resident bytes of each of 1,000,000 tasks that wait for ever, its handle included",
    full: 1_000_000,
    quick: 50_000,
    rivals: RUNTIMES,
    in_go: true,
    target: None,
};

/// Resident bytes for each of `tasks` idle tasks. To be called in a process that has done nothing
/// before, or memory freed earlier would be taken for free.
///
/// # Errors
///
/// Fails where the runtime cannot be started or the memory not be read.
pub fn bytes_per_task<R: Rt>(tasks: usize) -> io::Result<f64> {
    let rt = R::start()?;
    // The handles count: a task that can be awaited has one.
    let handles = Vec::<R::Join<()>>::with_capacity(tasks);
    rt.run(async { R::yield_now().await });
    let before = resident_bytes()?;
    let handles = rt.run(spawn_all::<R>(tasks, handles));
    let after = resident_bytes()?;
    drop(handles);
    Ok((after - before) as f64 / tasks as f64)
}

async fn spawn_all<R: Rt>(tasks: usize, mut handles: Vec<R::Join<()>>) -> Vec<R::Join<()>> {
    let polled = Arc::new(AtomicUsize::new(0));
    while handles.len() < tasks {
        // In small batches: run queues that once held a million tasks would be measured too.
        for _ in handles.len()..tasks.min(handles.len() + 100) {
            handles.push(R::spawn(idle(&polled)));
        }
        while polled.load(Ordering::Relaxed) < handles.len() {
            R::yield_now().await;
        }
    }
    handles
}

/// Never ready, and as small as a future that does anything.
fn idle(polled: &Arc<AtomicUsize>) -> impl Future<Output = ()> + Send + use<> {
    let mut arrived = Some(Arc::clone(polled));
    poll_fn(move |_| {
        if let Some(polled) = arrived.take() {
            polled.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Pending
    })
}
