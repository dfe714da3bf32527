//! What is said of stalled polls: each place once, what it did, and what became of its processor.

mod proof_support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use gopark::runtime::{Builder, StallPolicy};
use proof_support::blocking::{until, use_processor, wait, with_policy};
use proof_support::{alarm, child, multi};

/// What a child that runs the test `name` writes to its standard error.
fn warnings(name: &str) -> Vec<String> {
    let output = child::command(name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let warnings = text.lines().filter(|line| line.starts_with("gopark: "));
    warnings.map(str::to_string).collect()
}

/// One stall after another, from the same two tasks and two roots each time.
fn stall_everywhere(policy: StallPolicy) {
    let runtime = with_policy(1, policy);
    for _ in 0..3 {
        runtime.block_on(async {
            let sleeper = gopark::spawn(async { thread::sleep(Duration::from_millis(30)) });
            sleeper.await.unwrap();
        });
        let computer = runtime.spawn(async { use_processor(Duration::from_millis(50)) });
        let waits = runtime.spawn(async {});
        wait(computer).unwrap();
        wait(waits).unwrap();
        // A root that comes before the worker has parked runs without a processor.
        until(|| runtime.handle().metrics().idle_procs == 1);
        runtime.block_on(async {
            thread::sleep(Duration::from_millis(30));
            gopark::yield_now().await;
        });
        // This one ends with its stall.
        runtime.block_on(async { thread::sleep(Duration::from_millis(30)) });
    }
}

fn check_warnings(warnings: &[String], off_cpu: &str, computing: &str) {
    assert_eq!(warnings.len(), 4, "one for each place: {warnings:#?}");
    let has = |words: &[&str]| {
        assert!(
            warnings
                .iter()
                .any(|warning| words.iter().all(|word| warning.contains(word))),
            "{words:?} not in {warnings:#?}"
        );
    };
    let file = "conformance_warnings.rs:";
    has(&["task spawned at", file, " ms (off CPU)", off_cpu]);
    has(&["task spawned at", file, " ms (computing)", computing]);
    let root = |warning: &&String| warning.contains("future of the block_on at");
    let roots = warnings.iter().filter(root);
    assert!(
        roots.clone().all(|root| root.contains(" ms (off CPU)")),
        "{warnings:#?}"
    );
    assert_eq!(roots.count(), 2, "{warnings:#?}");
}

#[test]
fn stalls_that_are_handed_over_are_told_once_for_each_place() {
    const NAME: &str = "stalls_that_are_handed_over_are_told_once_for_each_place";
    if child::is_child(NAME) {
        return stall_everywhere(StallPolicy::HandOff);
    }
    let handed_over = "the P was handed over";
    check_warnings(&warnings(NAME), handed_over, handed_over);
}

#[test]
fn stalls_that_are_only_watched_are_told_once_for_each_place() {
    const NAME: &str = "stalls_that_are_only_watched_are_told_once_for_each_place";
    if child::is_child(NAME) {
        return stall_everywhere(StallPolicy::Warn);
    }
    let stayed = "the P stayed with it";
    check_warnings(&warnings(NAME), stayed, stayed);
}

#[test]
fn stalls_that_nobody_watches_are_not_told() {
    const NAME: &str = "stalls_that_nobody_watches_are_not_told";
    if child::is_child(NAME) {
        return stall_everywhere(StallPolicy::Off);
    }
    assert_eq!(warnings(NAME), Vec::<String>::new());
}

#[test]
fn long_sections_and_jobs_are_no_stalls_and_are_not_told() {
    const NAME: &str = "long_sections_and_jobs_are_no_stalls_and_are_not_told";
    if child::is_child(NAME) {
        let runtime = Builder::new_multi_thread().procs(1).build().unwrap();
        let long = || thread::sleep(Duration::from_millis(30));
        runtime.block_on(async { gopark::block(long) });
        wait(runtime.spawn(async move { gopark::block(long) })).unwrap();
        wait(runtime.spawn(async move { gopark::block_eager(long) })).unwrap();
        wait(runtime.spawn_blocking(long)).unwrap();
        let job = runtime.block_on(async move { gopark::spawn_blocking(long).await });
        return job.unwrap();
    }
    assert_eq!(warnings(NAME), Vec::<String>::new());
}

#[test]
fn a_stall_that_does_not_end_is_told_while_it_lasts() {
    const NAME: &str = "a_stall_that_does_not_end_is_told_while_it_lasts";
    if child::is_child(NAME) {
        let runtime = multi(1);
        let stuck = runtime.spawn(async {
            drop(gopark::spawn(async {}));
            // Until the parent has read the warning.
            std::io::stdin().lines().for_each(drop);
        });
        return wait(stuck).unwrap();
    }
    let mut command = child::command(NAME);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let _alarm = alarm();
    let warning = errors
        .lines()
        .map(Result::unwrap)
        .find(|line| line.starts_with("gopark: "))
        .unwrap();
    assert!(
        warning.contains(", and still does: the P was handed over"),
        "{warning}"
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
