//! The report in JSON, with the figure of every round.

use std::fmt::{Display, Write};

use super::stats::{Row, median};
use crate::workload::Target;

/// One object: `machine`, `rounds` and `workloads`.
#[must_use]
pub fn json(facts: &[(&'static str, String)], rounds: usize, rows: &[Row]) -> String {
    let machine = object(facts.iter().map(|(name, value)| (*name, string(value))));
    let workloads = array(rows.iter().map(workload));
    object([
        ("machine", machine),
        ("rounds", rounds.to_string()),
        ("workloads", workloads),
    ])
}

fn workload(row: &Row) -> String {
    let figures = object(
        row.figures
            .iter()
            .map(|(peer, all)| (peer.name(), numbers(all))),
    );
    let medians = object(
        row.figures
            .iter()
            .map(|(peer, all)| (peer.name(), number(median(all)))),
    );
    let mut fields = vec![
        ("name", string(row.spec.name)),
        ("unit", string(row.spec.unit)),
        ("figures", figures),
        ("medians", medians),
    ];
    if let Some(comparison) = row.comparison() {
        fields.push(("rival", string(comparison.rival.name())));
        fields.push(("ratios", numbers(&comparison.ratios)));
        fields.push(("ratio", number(median(&comparison.ratios))));
    }
    match row.target() {
        Some(Target::Ratio(most)) => fields.push(("target", number(most))),
        Some(Target::Bound(most)) => fields.push(("bound", number(most))),
        None => fields.push(("target", null())),
    }
    let passes = row.passes().map_or_else(null, |pass| pass.to_string());
    fields.push(("passes", passes));
    object(fields)
}

fn object(fields: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let field = |(name, value)| format!("{}:{value}", string(name));
    format!(
        "{{{}}}",
        fields.into_iter().map(field).collect::<Vec<_>>().join(",")
    )
}

fn array(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
}

fn numbers(all: &[f64]) -> String {
    array(all.iter().copied().map(number))
}

/// JSON has no infinity and no NaN.
fn number(value: f64) -> String {
    if value.is_finite() {
        value.to_string()
    } else {
        null()
    }
}

fn null() -> String {
    "null".into()
}

fn string(text: impl Display) -> String {
    let mut quoted = String::from('"');
    for c in text.to_string().chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => {
                // Writing into a `String` cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;
    use crate::workload::{self, Spec};

    #[test]
    fn every_round_is_there_and_strings_are_escaped() {
        let rows = [Row {
            spec: Spec {
                target: Some(Target::Ratio(0.45)),
                ..workload::all()[0].spec
            },
            figures: vec![
                (Peer::Gopark, vec![1.5, 2.5]),
                (Peer::Tokio, vec![3.0, 0.0]),
            ],
        }];
        assert_eq!(
            json(&[("cpu", "a \"b\"\t\\".into())], 2, &rows),
            concat!(
                r#"{"machine":{"cpu":"a \"b\"\u0009\\"},"rounds":2,"workloads":[{"#,
                r#""name":"spawn_join","unit":"ns/spawn","#,
                r#""figures":{"gopark":[1.5,2.5],"tokio":[3,0]},"#,
                r#""medians":{"gopark":2,"tokio":1.5},"#,
                r#""rival":"tokio","ratios":[0.5,null],"ratio":null,"#,
                r#""target":0.45,"passes":false}]}"#
            )
        );
    }
}
