//! When nothing can ever run again, the runtime says who waits for what.

mod proof_support;

use std::time::Duration;

use gopark::chan;
use gopark::runtime::{Builder, DeadlockPolicy};
use proof_support::blocking::compute;
use proof_support::child;

/// Two tasks that wait for each other, and a root that waits for one of them: a child, for the runtime
/// aborts the process.
fn hang() {
    let runtime = Builder::new_current_thread()
        .deadlock_policy(DeadlockPolicy::Abort)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (to_b, from_a) = chan::rendezvous::<()>();
        let (to_a, from_b) = chan::rendezvous::<()>();
        let receiver = gopark::spawn(async move {
            from_b.recv().await.unwrap();
            to_b.send(()).await.unwrap();
        });
        // It sends to the first, but only after it has heard of it.
        let sender = gopark::spawn_local(async move {
            let full = chan::bounded(1);
            full.0.send(1).await.unwrap();
            full.0.send(2).await.unwrap();
            from_a.recv().await.unwrap();
            to_a.send(()).await.unwrap();
        });
        receiver.await.unwrap();
        sender.await.unwrap();
    });
}

#[test]
fn a_deadlock_names_every_waiter_and_what_it_waits_for() {
    const NAME: &str = "a_deadlock_names_every_waiter_and_what_it_waits_for";
    if child::is_child(NAME) {
        hang();
        return;
    }
    let output = child::command(NAME).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it was told to abort: {said}");
    assert!(said.contains("all tasks are asleep - deadlock"), "{said}");
    for waiter in ["[chan receive], spawned at", "[chan send], spawned at"] {
        let line = said.lines().find(|line| line.contains(waiter));
        let line = line.unwrap_or_else(|| panic!("no line with {waiter:?}: {said}"));
        assert!(line.contains("conformance_deadlock.rs:"), "{line}");
    }
    let root = said
        .lines()
        .find(|line| line.contains("future of the block_on at"));
    assert!(root.is_some_and(|line| line.contains("[join]")), "{said}");
}

#[test]
fn who_waits_for_a_thread_outside_is_reported_once_and_goes_on() {
    const NAME: &str = "who_waits_for_a_thread_outside_is_reported_once_and_goes_on";
    if child::is_child(NAME) {
        let (tx, rx) = chan::rendezvous();
        let runtime = Builder::new_current_thread().build().unwrap();
        let thread = std::thread::spawn(move || {
            // The parent closes the pipe when it has read the report.
            std::io::stdin().lines().for_each(drop);
            tx.send_blocking(42).unwrap();
        });
        assert_eq!(runtime.block_on(rx.recv()), Ok(42));
        thread.join().unwrap();
        return;
    }
    let mut started = child::command(NAME)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(started.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("all tasks are asleep")));
    drop(started.stdin.take());
    let more = lines
        .map_while(Result::ok)
        .filter(|line| line.contains("all tasks are asleep"));
    assert_eq!(more.count(), 0, "it is said once");
    assert!(started.wait().unwrap().success());
}

/// Runs a program that aborts if a deadlock is seen, in a child, which must end well and not say the word.
fn goes_on(name: &str, program: impl FnOnce()) {
    if child::is_child(name) {
        let _alarm = proof_support::alarm();
        program();
        return;
    }
    let output = child::command(name).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("- deadlock"), "{said}");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("1 passed"), "no test is called {name}");
}

fn aborting() -> Builder {
    Builder::new_current_thread().deadlock_policy(DeadlockPolicy::Abort)
}

/// Longer than the patience of a runtime that seems to be dead.
const LONG: Duration = Duration::from_millis(1_500);

#[test]
fn a_task_that_computes_after_a_block_on_within_is_no_deadlock() {
    goes_on(
        "a_task_that_computes_after_a_block_on_within_is_no_deadlock",
        || {
            aborting().build().unwrap().block_on(async {
                let (tx, rx) = chan::bounded(1);
                let (first, begun) = chan::bounded(1);
                let sender = gopark::spawn(async move {
                    first.send(()).await.unwrap();
                    gopark::yield_now().await;
                    tx.send(()).await.unwrap();
                    compute(Duration::from_millis(5));
                });
                let computes = gopark::spawn(async move {
                    // It has waited once, so that it has a reason to have waited.
                    begun.recv().await.unwrap();
                    gopark::block_on(rx.recv()).unwrap();
                    compute(LONG);
                });
                computes.await.unwrap();
                sender.await.unwrap();
            });
        },
    );
}

#[test]
fn a_root_that_computes_beside_another_that_waits_is_no_deadlock() {
    goes_on(
        "a_root_that_computes_beside_another_that_waits_is_no_deadlock",
        || {
            let runtime = aborting().build().unwrap();
            let (tx, rx) = chan::bounded::<()>(1);
            let (ready, is_ready) = chan::bounded::<()>(1);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // The other waits by then.
                    std::thread::sleep(Duration::from_millis(50));
                    runtime.block_on(async {
                        ready.send(()).await.unwrap();
                        compute(Duration::from_millis(5));
                        rx.recv().await.unwrap();
                    });
                });
                scope.spawn(|| {
                    runtime.block_on(async {
                        is_ready.recv().await.unwrap();
                        compute(LONG);
                        tx.send(()).await.unwrap();
                    });
                });
            });
        },
    );
}

#[test]
fn an_answer_from_a_thread_that_comes_within_the_patience_is_no_deadlock() {
    goes_on(
        "an_answer_from_a_thread_that_comes_within_the_patience_is_no_deadlock",
        || {
            for pause in [true, false] {
                let runtime = aborting().pause_time(pause).build().unwrap();
                runtime.block_on(async {
                    let (tx, rx) = chan::bounded(1);
                    // The end of a section wakes the poller early.
                    gopark::block(|| ());
                    let thread = std::thread::spawn(move || {
                        std::thread::sleep(LONG / 15);
                        tx.send_blocking(()).unwrap();
                    });
                    rx.recv().await.unwrap();
                    thread.join().unwrap();
                });
            }
        },
    );
}

/// Something happens in the runtime every now and then, though the thread in the reactor sleeps on.
#[test]
fn the_patience_begins_anew_after_each_poll() {
    goes_on("the_patience_begins_anew_after_each_poll", || {
        let runtime = aborting().build().unwrap();
        let (tx, rx) = chan::bounded::<()>(1);
        std::thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(async { while rx.recv().await.is_ok() {} }));
            for _ in 0..4 {
                std::thread::sleep(LONG * 2 / 5);
                // On a thread of its own that comes and goes.
                runtime.block_on(gopark::yield_now());
            }
            drop(tx);
        });
    });
}

#[test]
fn a_runtime_that_waits_for_another_says_that_it_cannot_know() {
    const NAME: &str = "a_runtime_that_waits_for_another_says_that_it_cannot_know";
    if child::is_child(NAME) {
        let other = proof_support::multi(1);
        let (tx, rx) = chan::bounded(1);
        let answer = other.spawn(async move {
            gopark::time::sleep(LONG).await;
            tx.send(7).await.unwrap();
        });
        let runtime = aborting().build().unwrap();
        assert_eq!(runtime.block_on(rx.recv()), Ok(7));
        other.block_on(answer).unwrap();
        return;
    }
    let output = child::command(NAME).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("cannot be known"), "{said}");
    assert!(!said.contains("- deadlock"), "{said}");
}

/// A task holds a receive that was woken with a message, does not poll it any more, and waits for the next.
#[test]
fn a_deadlock_names_a_message_that_is_kept_for_a_receive_which_nobody_polls() {
    const NAME: &str = "a_deadlock_names_a_message_that_is_kept_for_a_receive_which_nobody_polls";
    if child::is_child(NAME) {
        let runtime = Builder::new_current_thread()
            .deadlock_policy(DeadlockPolicy::Abort)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (tx, rx) = chan::bounded(1);
            let task = gopark::spawn(async move {
                let mut first = std::pin::pin!(rx.recv());
                assert!(futures::poll!(&mut first).is_pending());
                tx.try_send(()).unwrap();
                rx.recv().await.unwrap();
                first.await.unwrap();
                drop(tx);
            });
            task.await.unwrap();
        });
        return;
    }
    let output = child::command(NAME).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it was told to abort: {said}");
    let waiter =
        "[chan receive, a message is kept for a receive that was not polled since], spawned at";
    assert!(said.contains(waiter), "{said}");
}
