//! The standard error does not take what is written to it: a pipe without a reader, a pipe that nobody
//! empties, a full disk. Warnings are lost then, or wait; nobody panics, and nobody blocks for them.
#![cfg(target_os = "linux")]

mod proof_support;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use gopark::runtime::{Builder, DeadlockPolicy, StallPolicy};
use proof_support::blocking::{wait, with_policy};
use proof_support::{STACK_THAT_NO_SYSTEM_GRANTS, alarm, child, multi};

/// A stall in a task and one in a root, and a thread that is refused: all that warns without being told to.
fn give_reasons_to_warn() {
    let runtime = with_policy(1, StallPolicy::HandOff);
    runtime.block_on(async {
        let sleeper = gopark::spawn(async { thread::sleep(Duration::from_millis(30)) });
        sleeper.await.unwrap();
    });
    runtime.block_on(async {
        thread::sleep(Duration::from_millis(30));
        gopark::yield_now().await;
    });
    let without_workers = Builder::new_multi_thread()
        .thread_stack_size(STACK_THAT_NO_SYSTEM_GRANTS)
        .build()
        .unwrap();
    without_workers.block_on(async {
        gopark::spawn(async {}).await.unwrap();
    });
    let deadlock = Builder::new_current_thread()
        .deadlock_policy(DeadlockPolicy::Report)
        .build()
        .unwrap();
    deadlock.block_on(async {
        let (tx, rx) = gopark::chan::bounded::<()>(1);
        let waits = gopark::spawn(async move { rx.recv().await.is_ok() });
        // Longer than the runtime's patience with what looks like a deadlock.
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(1_500));
            drop(tx);
        });
        assert!(!waits.await.unwrap());
    });
}

/// Runs the test `name` in a child that writes its warnings to `stderr`, each of its runtimes with a trace,
/// too.
fn run_with(name: &str, stderr: Stdio) {
    let output = with_trace(name).stderr(stderr).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {out}", output.status);
    assert!(out.contains("1 passed"), "no test is called {name}");
}

fn with_trace(name: &str) -> Command {
    let mut command = child::command(name);
    command.env("GOPARK_DEBUG", "schedtrace=1,nonsense=1");
    command
}

#[test]
fn warnings_to_a_pipe_without_a_reader_are_lost_and_nothing_else_is() {
    const NAME: &str = "warnings_to_a_pipe_without_a_reader_are_lost_and_nothing_else_is";
    let _alarm = alarm();
    if child::is_child(NAME) {
        return give_reasons_to_warn();
    }
    let (reader, writer) = pipe();
    drop(reader);
    run_with(NAME, writer.into());
}

#[test]
fn warnings_to_a_full_disk_are_lost_and_nothing_else_is() {
    const NAME: &str = "warnings_to_a_full_disk_are_lost_and_nothing_else_is";
    let _alarm = alarm();
    if child::is_child(NAME) {
        return give_reasons_to_warn();
    }
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    run_with(NAME, full.into());
}

#[test]
fn nobody_waits_for_a_reader_of_warnings() {
    const NAME: &str = "nobody_waits_for_a_reader_of_warnings";
    let _alarm = alarm();
    if child::is_child(NAME) {
        return give_reasons_to_warn();
    }
    let (mut reader, writer) = pipe();
    fill(&writer);
    // The child ends though nobody reads.
    run_with(NAME, writer.into());
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
}

/// A pipe: the end to read from, and that to write to.
fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: (1) the pointer is to two integers of ours.
    let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(result, 0);
    // SAFETY: (1) the descriptor is new, and nobody else's.
    let file = |end| File::from(unsafe { OwnedFd::from_raw_fd(end) });
    (file(ends[0]), file(ends[1]))
}

/// Fills a pipe to the last byte.
fn fill(pipe: &File) {
    let set = |flags: libc::c_int| {
        // SAFETY: (1) the call takes integers and touches no memory of ours.
        let result = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags) };
        assert_eq!(result, 0);
    };
    set(libc::O_NONBLOCK);
    let mut writer = pipe;
    while writer.write(&[b' '; 512]).is_ok() {}
    while writer.write(b" ").is_ok() {}
    set(0);
}

#[test]
fn warnings_that_had_to_wait_for_a_reader_are_told_when_one_comes() {
    const NAME: &str = "warnings_that_had_to_wait_for_a_reader_are_told_when_one_comes";
    let _alarm = alarm();
    if child::is_child(NAME) {
        let runtime = multi(1);
        for _ in 0..2 {
            let sleeper = runtime.spawn(async { thread::sleep(Duration::from_millis(30)) });
            wait(sleeper).unwrap();
        }
        child::ready_and_wait();
        return;
    }
    let (mut reader, writer) = pipe();
    fill(&writer);
    let child = child::Ready::start_with(child::command(NAME).stderr(writer));
    // It has come this far without a reader. Now there is one, and the child stays until it has read.
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains("held its P for") {
        let n = reader.read(&mut buffer).unwrap();
        assert!(n > 0, "the child wrote no warning");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    child.finish();
}
