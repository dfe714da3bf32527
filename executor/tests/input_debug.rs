//! `GOPARK_DEBUG`, from outside: what it prints, what it changes, and what it says of mistakes.

mod proof_support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use gopark::runtime::{Builder, StallPolicy};
use proof_support::blocking::{Gate, until, wait};
use proof_support::{alarm, child, multi};

/// The lines of the standard error of a child that runs the test `name` with that value, which begin
/// with `prefix`.
fn lines(name: &str, value: &str, prefix: &str) -> Vec<String> {
    let output = child::command(name)
        .env("GOPARK_DEBUG", value)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let lines = text.lines().filter(|line| line.starts_with(prefix));
    lines.map(str::to_string).collect()
}

/// What stands behind `key=` in a line, up to the next space.
fn field<'a>(line: &'a str, key: &str) -> &'a str {
    let mut words = line.split(' ');
    let found = words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {key}= in {line:?}"))
}

/// The numbers in the brackets that follow `key`.
fn list(line: &str, key: &str) -> Vec<u64> {
    let (_, rest) = line.split_once(&format!(" {key}=")).unwrap();
    let (_, rest) = rest.split_once('[').unwrap();
    let (numbers, _) = rest.split_once(']').unwrap();
    numbers.split(' ').map(|n| n.parse().unwrap()).collect()
}

#[test]
fn schedtrace_prints_the_state_of_a_runtime_again_and_again() {
    const NAME: &str = "schedtrace_prints_the_state_of_a_runtime_again_and_again";
    let _alarm = alarm();
    if child::is_child(NAME) {
        let runtime = multi(2);
        let gate = Gate::default();
        let theirs = gate.clone();
        let blocked = runtime.spawn(async move { gopark::block_eager(|| theirs.pass()) });
        let theirs = gate.clone();
        let job = runtime.spawn_blocking(move || theirs.pass());
        until(|| gate.came() == 2);
        // Until the parent has seen enough.
        std::io::stdin().lines().for_each(drop);
        gate.open();
        wait(blocked).unwrap();
        wait(job).unwrap();
        return;
    }
    let mut child = child::command(NAME)
        .env("GOPARK_DEBUG", "schedtrace=20")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut times, mut blocked) = (Vec::new(), 0);
    while blocked < 3 {
        let line = errors.next().expect("the child ended early").unwrap();
        let Some(rest) = line.strip_prefix("SCHED ") else {
            continue;
        };
        let (time, _) = rest.split_once("ms: ").unwrap();
        times.push(time.parse::<u64>().unwrap());
        for key in [
            "idleprocs",
            "laidoffprocs",
            "threads",
            "spinningthreads",
            "idlethreads",
            "retakes",
            "runqueue",
        ] {
            assert!(field(&line, key).parse::<u64>().is_ok(), "{key}: {line}");
        }
        assert_eq!(field(&line, "gomaxprocs"), "2");
        for key in ["runqueue", "schedticks"] {
            assert_eq!(list(&line, key).len(), 2, "{key}, one for each P: {line}");
        }
        // Both are in a section; the job may keep its P, for nobody needs it.
        let is_blocked = field(&line, "blockedthreads") != "0" && field(&line, "jobs") == "1+0";
        blocked += usize::from(is_blocked);
    }
    drop(child.stdin.take());
    errors.for_each(drop);
    assert!(child.wait().unwrap().success());
    assert!(times.is_sorted_by(|a, b| a + 20 <= *b), "{times:?}");
}

#[test]
fn an_idle_runtime_with_a_trace_still_ends() {
    const NAME: &str = "an_idle_runtime_with_a_trace_still_ends";
    if child::is_child(NAME) {
        let _alarm = alarm();
        for runtime in proof_support::every_kind() {
            runtime.block_on(gopark::yield_now());
        }
        return;
    }
    assert!(!lines(NAME, "schedtrace=1", "SCHED ").is_empty());
}

#[test]
fn mistakes_are_named_once_and_change_nothing() {
    const NAME: &str = "mistakes_are_named_once_and_change_nothing";
    if child::is_child(NAME) {
        for runtime in proof_support::every_kind() {
            assert_eq!(runtime.block_on(async { 7 }), 7);
        }
        return;
    }
    const KNOWN: &str = "the known ones are schedtrace=MILLISECONDS, stalls=off|warn|handoff";
    const EXPECTED: &str = "expected a number of milliseconds, 1 or more";
    for (value, errors) in [
        (
            "shedtrace=20",
            vec![format!("unknown key \"shedtrace\"; {KNOWN}")],
        ),
        ("x", vec![format!("unknown key \"x\"; {KNOWN}")]),
        ("=1", vec![format!("unknown key \"\"; {KNOWN}")]),
        (
            "schedtrace=0",
            vec![format!("schedtrace=\"0\": {EXPECTED}")],
        ),
        ("schedtrace", vec![format!("schedtrace=\"\": {EXPECTED}")]),
        (
            "schedtrace=-1",
            vec![format!("schedtrace=\"-1\": {EXPECTED}")],
        ),
        (
            "stalls=no,schedtrace=1s",
            vec![
                "stalls=\"no\": expected off, warn or handoff".to_string(),
                format!("schedtrace=\"1s\": {EXPECTED}"),
            ],
        ),
        ("", vec![]),
        (",, ,stalls = warn ,", vec![]),
    ] {
        let expected: Vec<_> = errors
            .into_iter()
            .map(|error| format!("gopark: GOPARK_DEBUG: {error}"))
            .collect();
        assert_eq!(lines(NAME, value, "gopark: "), expected, "{value:?}");
    }
}

#[test]
fn stalls_says_what_a_runtime_does_that_was_not_told() {
    const NAME: &str = "stalls_says_what_a_runtime_does_that_was_not_told";
    if child::is_child(NAME) {
        let _alarm = alarm();
        let told = Builder::new_multi_thread().stall_policy(StallPolicy::Warn);
        for (name, builder) in [("untold", Builder::new_multi_thread()), ("told", told)] {
            let runtime = builder.procs(1).build().unwrap();
            let stalled = runtime.spawn(async {
                drop(gopark::spawn(async {}));
                thread::sleep(Duration::from_millis(50));
            });
            wait(stalled).unwrap();
            let retakes = runtime.handle().metrics().retakes_off_cpu;
            drop(runtime);
            eprintln!("{name}: {retakes}");
        }
        return;
    }
    for (value, retakes, warnings) in [("", 1, 1), ("stalls=handoff", 1, 1), ("stalls=warn", 0, 1)]
    {
        assert_eq!(
            lines(NAME, value, "untold: "),
            [format!("untold: {retakes}")],
            "{value:?}"
        );
        assert_eq!(lines(NAME, value, "told: "), ["told: 0"], "{value:?}");
        // One place, so one warning, whichever runtime it was.
        assert_eq!(lines(NAME, value, "gopark: ").len(), warnings, "{value:?}");
    }
    assert_eq!(lines(NAME, "stalls=off", "untold: "), ["untold: 0"]);
    let warnings = lines(NAME, "stalls=off", "gopark: ");
    assert_eq!(warnings.len(), 1, "of the one that was told: {warnings:?}");
    assert!(
        warnings[0].ends_with("the P stayed with it"),
        "{warnings:?}"
    );
}
