//! The order of measuring: round by round, every peer once in each, each round beginning with
//! another peer. So what drifts (clock rate, neighbours on the host) meets all peers alike, and
//! nobody always runs after the same one.

use std::io;

use super::options::Options;
use super::stats::Row;
use crate::workload::{Entry, Group, Lab};

/// Measures `entry` on all peers that take part in it.
///
/// # Errors
///
/// Fails where a session cannot be opened or a run of one fails.
pub fn measure(entry: &Entry, lab: &Lab, options: &Options) -> io::Result<Row> {
    let spec = entry.spec;
    let told = |error: io::Error, peer| {
        io::Error::new(error.kind(), format!("{} on {peer}: {error}", spec.name))
    };
    let mut sessions = Vec::new();
    for &peer in options.peers(spec.group) {
        if let Some(session) = entry.open(lab, peer).map_err(|error| told(error, peer))? {
            sessions.push((peer, session, Vec::new()));
        }
    }
    // A process of its own has nothing to warm up.
    let in_child = matches!(spec.group, Group::Mem | Group::Idle);
    if !in_child && !options.quick {
        for (peer, session, _) in &mut sessions {
            session(spec.quick).map_err(|error| told(error, *peer))?;
        }
    }
    let size = if options.quick { spec.quick } else { spec.full };
    let rounds = match spec.group {
        Group::Sched
        | Group::Wake
        | Group::Time
        | Group::Block
        | Group::Net
        | Group::Sync
        | Group::Chan => options.rounds,
        // These hardly vary, and each run takes seconds.
        Group::Mem => options.rounds.min(3),
        Group::Idle => 1,
    };
    let count = sessions.len();
    for round in 0..rounds {
        for turn in 0..count {
            let (peer, session, figures) = &mut sessions[(round + turn) % count];
            figures.push(session(size).map_err(|error| told(error, *peer))?);
        }
    }
    let figures = sessions
        .into_iter()
        .map(|(peer, _, figures)| (peer, figures))
        .collect();
    Ok(Row { spec, figures })
}
