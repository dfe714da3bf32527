//! The first things that anybody tries.

use std::time::Duration;

use gopark::runtime::Builder;

#[test]
fn a_spawned_task_is_joined_on_each_flavour() {
    for builder in [
        Builder::new_multi_thread().procs(2),
        Builder::new_current_thread(),
    ] {
        let runtime = builder.build().unwrap();
        assert_eq!(
            runtime.block_on(async { gopark::spawn(async { 1 }).await.unwrap() }),
            1
        );
    }
}

#[test]
fn many_tasks_are_joined() {
    let runtime = Builder::new_multi_thread().procs(4).build().unwrap();
    let sum: usize = runtime.block_on(async {
        let tasks: Vec<_> = (0..10_000)
            .map(|n| gopark::spawn(async move { n }))
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 49_995_000);
}

#[test]
fn a_sleep_ends_no_earlier_than_asked() {
    let runtime = Builder::new_multi_thread().procs(2).build().unwrap();
    let start = std::time::Instant::now();
    runtime.block_on(gopark::time::sleep(Duration::from_millis(20)));
    assert!(start.elapsed() >= Duration::from_millis(20));
}
