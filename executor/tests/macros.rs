//! `#[gopark::main]` and `#[gopark::test]`: what they run, on what, and how they refuse.

use std::{
    collections::HashSet,
    num::ParseIntError,
    sync::{Arc, Barrier, Mutex},
    thread,
};

use gopark::time::{Duration, Instant, sleep};

#[gopark::test]
async fn a_test_runs_its_body_and_joins_its_tasks() {
    assert_eq!(gopark::spawn(async { 6 * 7 }).await.unwrap(), 42);
}

#[gopark::test]
async fn a_tests_tasks_run_on_its_own_thread_by_default() {
    let root = thread::current().id();
    let task = gopark::spawn(async { thread::current().id() })
        .await
        .unwrap();
    assert_eq!(task, root);
}

/// Two tasks wait for each other without yielding, which ends only if two threads run them.
#[gopark::test(flavor = "multi_thread", procs = 2)]
async fn the_multi_thread_flavor_runs_two_tasks_at_once() {
    let meeting = Arc::new(Barrier::new(2));
    let meet = |meeting: Arc<Barrier>| async move {
        meeting.wait();
        thread::current().id()
    };
    let one = gopark::spawn(meet(meeting.clone()));
    let other = gopark::spawn(meet(meeting));
    assert_ne!(one.await.unwrap(), other.await.unwrap());
}

#[gopark::test]
async fn a_test_may_return_a_result() -> Result<(), ParseIntError> {
    let parsed: u16 = gopark::spawn(async { "7777".parse() }).await.unwrap()?;
    assert_eq!(parsed, 7777);
    Ok(())
}

#[gopark::test]
#[should_panic(expected = "the body's own panic")]
async fn a_panic_in_the_body_fails_the_test() {
    gopark::yield_now().await;
    panic!("the body's own panic");
}

#[gopark::test]
#[ignore = "shows that #[ignore] is kept: this would fail"]
async fn an_ignored_test_does_not_run() {
    unreachable!("an ignored test ran");
}

#[gopark::test(paused = true)]
async fn a_paused_clock_goes_from_timer_to_timer() {
    let began = (Instant::now(), std::time::Instant::now());
    sleep(Duration::from_secs(3600)).await;
    assert!(began.0.elapsed() >= Duration::from_secs(3600));
    assert!(began.1.elapsed() < Duration::from_secs(3600));
}

#[gopark::test(start_paused = true)]
async fn a_paused_clock_stands_still_while_a_task_runs() {
    let began = Instant::now();
    let real = std::time::Instant::now();
    while real.elapsed() < Duration::from_millis(2) {
        gopark::yield_now().await;
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[gopark::main]
async fn not_called_main(text: &str, (a, mut b): (usize, usize)) -> usize {
    gopark::yield_now().await;
    b += text.len();
    a * b
}

#[test]
fn main_works_under_any_name_and_passes_arguments_on() {
    assert_eq!(not_called_main("four", (6, 3)), 42);
}

#[gopark::main(flavor = "current_thread")]
async fn threads_of_tasks() -> HashSet<thread::ThreadId> {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let seen = seen.clone();
            gopark::spawn(async move {
                gopark::yield_now().await;
                seen.lock().unwrap().insert(thread::current().id());
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[test]
fn main_on_one_processor_runs_everything_on_one_thread() {
    assert_eq!(threads_of_tasks().len(), 1);
}

mod vendored {
    pub(crate) mod park {
        pub(crate) use ::gopark::runtime;
    }
}

#[gopark::test(crate = "crate::vendored::park")]
async fn gopark_may_be_reached_through_another_path() {
    gopark::yield_now().await;
}

/// The messages and the places that they point at. They are the compiler's in part, so the files
/// fit the stable compiler; `TRYBUILD=overwrite cargo test -p gopark --test macros` renews them.
#[test]
fn misuse_is_an_error_that_points_at_the_users_code() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
