//! When nothing can ever run again, the runtime says who waits for what.

mod proof_support;

use gopark::chan;
use gopark::runtime::{Builder, DeadlockPolicy};
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
