//! The program runs to its end, and the day's figures are right.

use std::process::Command;

/// 400 customers with ten items each, by `GOODS[(till + customer * number) % 5]`.
const FIGURES: &str = "\
4 tills served 400 customers, who bought 4000 items for 14133.20
  840 bread
  840 cheese
  840 milk
  840 olives
  640 tea
";

#[test]
fn the_figures_of_the_day_are_right_on_any_number_of_processors() {
    for procs in ["1", "2", "8"] {
        let output = Command::new(env!("CARGO_BIN_EXE_gopark-example-sqlite"))
            .env("GOPARK_PROCS", procs)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}{complaints}");
        // A busy machine keeps any thread off its processors for a while, and that is reported.
        let mut complaints = (complaints.lines())
            .filter(|line| !(line.starts_with("gopark: ") && line.contains(" its P for ")));
        assert_eq!(complaints.next(), None, "{said}");

        let rest = said
            .strip_prefix(FIGURES)
            .unwrap_or_else(|| panic!("expected {FIGURES:?} at the beginning of\n{said}"));
        let [auditor, clock] = rest.lines().collect::<Vec<_>>()[..] else {
            panic!("expected two lines after the figures in\n{said}");
        };
        assert!(auditor.starts_with("the auditor looked "), "{said}");
        assert!(auditor.ends_with(" saw 4000 items at the most"), "{said}");
        assert!(clock.starts_with("the clock ticked "), "{said}");
    }
}
