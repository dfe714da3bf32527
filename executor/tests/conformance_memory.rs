//! What an idle task costs in memory.
#![cfg(target_os = "linux")]

mod proof_support;

use std::future::pending;

use proof_support::{child, multi, proc};

/// 128 MB for a million tasks.
const BYTES_A_TASK: usize = 134;

#[test]
fn a_million_idle_tasks_fit_in_128_megabytes() {
    const NAME: &str = "a_million_idle_tasks_fit_in_128_megabytes";
    child::isolated(NAME, || {
        let tasks = if cfg!(debug_assertions) {
            100_000
        } else {
            1_000_000
        };
        let runtime = multi(2);
        // What is there once: threads, queues, the allocator's arenas.
        let start = |tasks: usize| {
            runtime.block_on(async {
                gopark::spawn(async move {
                    for n in 0..tasks {
                        drop(gopark::spawn(pending::<()>()));
                        if n % 128 == 0 {
                            gopark::yield_now().await;
                        }
                    }
                })
                .await
                .unwrap();
                // All have been polled and are parked.
                while runtime.handle().metrics().polls < tasks as u64 {
                    gopark::yield_now().await;
                }
            });
        };
        start(1000);
        let before = proc::resident();
        start(tasks);
        let grown = proc::resident() - before;
        assert_eq!(runtime.handle().tasks().len(), tasks + 1000);
        println!("{} bytes a task", grown / tasks);
        assert!(
            grown <= tasks * BYTES_A_TASK,
            "{grown} bytes, {tasks} tasks"
        );
    });
}
