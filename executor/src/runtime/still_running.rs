//! What a runtime left behind that was not given the time to end.

use std::error::Error;
use std::fmt;

use super::TaskInfo;

/// The error of [`Runtime::shutdown_timeout`](super::Runtime::shutdown_timeout): some tasks were still in
/// a poll when the time was up.
#[derive(Clone, Debug)]
pub struct StillRunning {
    tasks: Vec<TaskInfo>,
}

/// How many tasks the message names.
const NAMED: usize = 10;

impl StillRunning {
    pub(super) fn new(tasks: Vec<TaskInfo>) -> Self {
        Self { tasks }
    }

    /// The tasks that did not end in time, by id. Empty if they have ended since, or if the threads
    /// themselves are what did not.
    pub fn tasks(&self) -> &[TaskInfo] {
        &self.tasks
    }
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tasks.len() {
            0 => return f.write_str("the runtime's threads have not ended yet"),
            1 => f.write_str("1 task still runs: ")?,
            count => write!(f, "{count} tasks still run: ")?,
        }
        for (index, task) in self.tasks.iter().take(NAMED).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}task {} spawned at {}", task.id, task.location)?;
        }
        if self.tasks.len() > NAMED {
            f.write_str(", …")?;
        }
        Ok(())
    }
}

impl Error for StillRunning {}
