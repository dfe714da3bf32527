//! A list of what lives in a runtime.

use std::panic::Location;

use gopark_net::note::WaitReason;

use crate::g::{Id, RawTask, Shard};
use crate::sched::Sched;

/// A task at the moment it was looked at, from [`Handle::tasks`](super::Handle::tasks).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The task's id.
    pub id: Id,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// What it waited for when its last poll ended. Says nothing while the task is queued or being
    /// polled, and is [`Other`](WaitReason::Other) if it waits for something gopark knows nothing of.
    pub wait_reason: WaitReason,
}

impl std::fmt::Display for TaskInfo {
    /// In the manner of Go's goroutine dumps.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "task {} [{}], spawned at {}",
            self.id, self.wait_reason, self.location
        )
    }
}

/// Everything that is registered.
pub(crate) fn tasks(sched: &Sched) -> Vec<TaskInfo> {
    let mut tasks = Vec::new();
    if sched.is_left_behind() {
        return tasks;
    }
    for shard in sched.shards() {
        list(shard, &mut tasks);
    }
    for m in sched.ms() {
        list(m.local_shard(), &mut tasks);
    }
    tasks.sort_by_key(|task| task.id);
    tasks
}

fn list(shard: &Shard, tasks: &mut Vec<TaskInfo>) {
    shard.visit(|task| {
        // SAFETY: (1) from a slot.
        let task = unsafe { RawTask::from_slot(task) };
        // SAFETY: (1) the visit keeps the task from dying.
        let meta = unsafe { task.meta() };
        // SAFETY: (1) its slot is taken, so its future lives, and so does its site: g rule 4.
        let location = unsafe { &*meta.site() }.location();
        tasks.push(TaskInfo {
            id: meta.id(),
            location,
            wait_reason: meta.wait_reason(),
        });
    });
}
