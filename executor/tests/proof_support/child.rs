//! Tests that need a process of their own: they look at the whole process, change its limits, or
//! depend on its environment.
//!
//! The test starts its own binary anew and asks it to run that test alone. In the child
//! [`is_child`] is true.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

const MARK: &str = "GOPARK_TEST_CHILD";

/// Whether this process was started to run the test `name` in isolation.
pub(crate) fn is_child(name: &str) -> bool {
    std::env::var(MARK).is_ok_and(|child| child == name)
}

/// A command that runs the test `name` in a child, without the variables that runtimes read.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, name)
        .env_remove("GOPARK_PROCS")
        .env_remove("GOMAXPROCS")
        .env_remove("RUST_BACKTRACE");
    command
}

/// Runs `body` in a child process; in the parent, checks that the child is content. The name must be
/// that of the test which calls this.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    if is_child(name) {
        body();
        return;
    }
    let output = command(name).output().unwrap();
    show(&output);
    assert!(
        output.status.success(),
        "the child failed: {}",
        output.status
    );
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("1 passed"), "no test is called {name}");
}

fn show(output: &Output) {
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
}

/// A child that has said that it is ready, and goes on when its standard input is closed.
pub(crate) struct Ready(Child);

const READY: &str = "ready and waiting";

impl Ready {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(&mut command(name))
    }

    /// Starts such a `command`.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().contains(READY)),
            "the child ended before it was ready"
        );
        // The rest is read so that the child does not block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Lets the child go on, and waits for its end.
    pub(crate) fn finish(mut self) {
        drop(self.0.stdin.take());
        let status = self.0.wait().unwrap();
        assert!(status.success(), "the child failed: {status}");
    }
}

/// In the child: says that it is ready, and waits for the parent.
pub(crate) fn ready_and_wait() {
    println!("{READY}");
    std::io::stdin().lines().for_each(drop);
}
