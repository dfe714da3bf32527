//! The report in Markdown.

use std::fmt::Write;

use super::stats::{Row, median, spread};
use crate::peer::Peer;
use crate::workload::{Group, Target};

/// The machine's facts, the table, and what each workload does. Where other peers take part, another
/// table begins.
#[must_use]
pub fn markdown<'a>(
    facts: &[(&str, String)],
    rounds: usize,
    peers: impl Fn(Group) -> &'a [Peer],
    rows: &[Row],
) -> String {
    let mut text = String::new();
    // Writing into a `String` cannot fail.
    let _ = render(&mut text, facts, rounds, peers, rows);
    text
}

fn render<'a>(
    text: &mut String,
    facts: &[(&str, String)],
    rounds: usize,
    peers: impl Fn(Group) -> &'a [Peer],
    rows: &[Row],
) -> std::fmt::Result {
    for (name, value) in facts {
        writeln!(text, "- {name}: {value}")?;
    }
    writeln!(
        text,
        "\nRounds: {rounds} (`mem`: 3 at most, `idle`: 1). Every round runs every peer once, in \
         rotating order; figures are medians, less is better. The ratio is gopark's figure divided \
         by the better rival's: the median over the rounds (least..greatest). A target is for the \
         ratio, or `at most` for gopark's figure."
    )?;
    let peers_of = |row: &Row| peers(row.spec.group);
    for rows in rows.chunk_by(|row, next| peers_of(row) == peers_of(next)) {
        render_table(text, peers_of(&rows[0]), rows)?;
    }
    writeln!(text)?;
    for row in rows {
        writeln!(text, "- `{}`: {}", row.spec.name, row.spec.about)?;
    }
    Ok(())
}

fn render_table(text: &mut String, peers: &[Peer], rows: &[Row]) -> std::fmt::Result {
    write!(text, "\n| workload | unit |")?;
    for peer in peers {
        write!(text, " {peer} |")?;
    }
    writeln!(text, " better rival | ratio | target | |")?;
    writeln!(
        text,
        "|---|---|{}---|---|---|---|",
        "---:|".repeat(peers.len())
    )?;
    for row in rows {
        write!(text, "| {} | {} |", row.spec.name, row.spec.unit)?;
        for peer in peers {
            let cell = row
                .of(*peer)
                .map_or_else(|| "n/a".into(), |all| figure(median(all), row.spec.unit));
            write!(text, " {cell} |")?;
        }
        writeln!(text, " {}", comparison_cells(row))?;
    }
    Ok(())
}

fn comparison_cells(row: &Row) -> String {
    let comparison = row.comparison().map_or_else(
        || "n/a | n/a".into(),
        |comparison| {
            let (least, greatest) = spread(&comparison.ratios);
            let ratio = median(&comparison.ratios);
            format!(
                "{} | {ratio:.2} ({least:.2}..{greatest:.2})",
                comparison.rival
            )
        },
    );
    let target = match row.target() {
        Some(Target::Ratio(most)) => format!("{most:.2}"),
        Some(Target::Bound(most)) => format!("at most {most}"),
        None => "none".into(),
    };
    let mark = match row.passes() {
        Some(true) => "pass",
        Some(false) => "FAIL",
        None => "",
    };
    format!("{comparison} | {target} | {mark} |")
}

/// Three digits are what rounds like these can tell. Milliseconds are lateness, which is held
/// against bounds of a few of them: two decimals, whatever the size.
fn figure(value: f64, unit: &str) -> String {
    if value < 10.0 || unit == "ms" {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{self, Spec};

    #[test]
    fn a_row_tells_medians_ratio_spread_target_and_mark() {
        let spec = Spec {
            target: Some(Target::Ratio(0.5)),
            ..workload::all()[0].spec
        };
        let rows = [Row {
            spec,
            figures: vec![(Peer::Gopark, vec![99.94]), (Peer::Tokio, vec![333.4])],
        }];
        let peers = [Peer::Gopark, Peer::Tokio, Peer::Smol];
        let text = markdown(&[("cores", "2".into())], 1, |_| &peers, &rows);
        let expected = "| spawn_join | ns/spawn | 99.9 | 333 | n/a | tokio | 0.30 (0.30..0.30) | 0.50 | pass |";
        assert!(text.lines().any(|line| line == expected), "{text}");
        assert!(text.starts_with("- cores: 2\n"), "{text}");
    }

    #[test]
    fn another_table_begins_where_others_take_part() {
        let row = |group| Row {
            spec: Spec {
                group,
                ..workload::all()[0].spec
            },
            figures: vec![(Peer::Gopark, vec![1.0])],
        };
        let rows = [Group::Sched, Group::Wake, Group::Chan].map(row);
        let text = markdown(&[], 1, Group::usual_peers, &rows);
        let heads = text.lines().filter(|line| line.starts_with("| workload |"));
        assert_eq!(heads.count(), 2, "{text}");
    }

    #[test]
    fn a_row_with_a_bound_needs_no_rival() {
        let rows = [Row {
            spec: Spec {
                unit: "ms",
                target: Some(Target::Bound(3.0)),
                ..workload::all()[0].spec
            },
            figures: vec![(Peer::Gopark, vec![123.456])],
        }];
        let text = markdown(&[], 1, |_| &[Peer::Gopark], &rows);
        let expected = "| spawn_join | ms | 123.46 | n/a | n/a | at most 3 | FAIL |";
        assert!(text.lines().any(|line| line == expected), "{text}");
    }
}
