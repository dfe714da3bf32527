//! Numbers of processors from the environment that make no sense.

mod proof_support;

use std::process::Output;

use gopark::runtime::{Builder, Runtime};
use proof_support::{child, panic_of};

const BAD: [(&str, &str); 6] = [
    ("GOPARK_PROCS", "abc"),
    ("GOPARK_PROCS", "0"),
    ("GOPARK_PROCS", "100000"),
    ("GOPARK_PROCS", ""),
    ("GOMAXPROCS", "abc"),
    ("GOMAXPROCS", "-1"),
];

/// In the parent: runs the calling test once for each bad value.
fn for_each_bad_value(name: &str, check: impl Fn(&str, &Output)) {
    for (variable, value) in BAD {
        let output = child::command(name).env(variable, value).output().unwrap();
        let expected =
            format!("{variable}={value:?}: expected a number of processors from 1 to 1024");
        check(&expected, &output);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn building_a_runtime_fails_and_names_variable_value_and_expectation() {
    const NAME: &str = "building_a_runtime_fails_and_names_variable_value_and_expectation";
    if child::is_child(NAME) {
        let error = Runtime::new().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        println!("the error: {error}");
        // Who does not ask the environment is not bothered.
        Builder::new_current_thread().build().unwrap();
        Builder::new_multi_thread().procs(2).build().unwrap();
        return;
    }
    for_each_bad_value(NAME, |expected, output| {
        assert!(output.status.success(), "{}", text(output));
        assert!(text(output).contains(&format!("the error: {expected}")));
    });
}

#[test]
fn the_default_runtime_panics_and_names_variable_value_and_expectation() {
    const NAME: &str = "the_default_runtime_panics_and_names_variable_value_and_expectation";
    if child::is_child(NAME) {
        for panicking in [(|| gopark::block_on(async {})) as fn(), || {
            drop(gopark::spawn(async {}))
        }] {
            let (message, file, _) = panic_of(panicking);
            println!("the message: {message}");
            assert!(file.ends_with("input_environment.rs"), "{file}");
        }
        return;
    }
    for_each_bad_value(NAME, |expected, output| {
        let text = text(output);
        assert!(output.status.success(), "{text}");
        let message =
            format!("the message: gopark's default runtime cannot be started: {expected}");
        assert_eq!(text.matches(&message).count(), 2, "{text}");
    });
}

#[test]
fn gopark_procs_counts_for_more_than_gomaxprocs() {
    const NAME: &str = "gopark_procs_counts_for_more_than_gomaxprocs";
    if child::is_child(NAME) {
        println!(
            "procs: {}",
            Runtime::new().unwrap().handle().metrics().procs
        );
        return;
    }
    for (gopark, go, procs) in [
        (Some("3"), Some("5"), 3),
        (Some("3"), Some("x"), 3),
        (None, Some(" 5 "), 5),
    ] {
        let mut command = child::command(NAME);
        command.envs(gopark.map(|value| ("GOPARK_PROCS", value)));
        command.envs(go.map(|value| ("GOMAXPROCS", value)));
        let output = command.output().unwrap();
        assert!(
            text(&output).contains(&format!("procs: {procs}\n")),
            "{}",
            text(&output)
        );
    }
}
