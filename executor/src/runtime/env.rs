//! How many processors: the environment's word, else the machine's.

use std::num::NonZero;
use std::{env, io};

use crate::sched::idle::MAX_PROCS;

/// `GOPARK_PROCS`, else `GOMAXPROCS`, else the parallelism available to the process (which std reads
/// from affinity and cgroups).
pub(super) fn procs() -> io::Result<usize> {
    for name in ["GOPARK_PROCS", "GOMAXPROCS"] {
        match env::var(name) {
            Ok(value) => return parse(name, &value),
            Err(env::VarError::NotPresent) => {}
            Err(env::VarError::NotUnicode(value)) => {
                return parse(name, &value.to_string_lossy());
            }
        }
    }
    Ok(std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(MAX_PROCS))
}

fn parse(name: &str, value: &str) -> io::Result<usize> {
    check(value.trim().parse().ok()).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name}={value:?}: expected a number of processors from 1 to {MAX_PROCS}"),
        )
    })
}

/// The number, if it is a possible number of processors.
pub(super) fn check(procs: Option<usize>) -> Option<usize> {
    procs.filter(|procs| (1..=MAX_PROCS).contains(procs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_is_named_in_the_error() {
        for value in ["abc", "0", "-1", "1.5", "", "1025", "99999999999999999999"] {
            let error = parse("GOPARK_PROCS", value).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let message = error.to_string();
            assert!(
                message.contains(&format!("GOPARK_PROCS={value:?}")),
                "{message}"
            );
            assert!(message.contains("from 1 to 1024"), "{message}");
        }
    }

    #[test]
    fn white_space_around_a_number_is_ignored() {
        assert_eq!(parse("GOMAXPROCS", " 3\n").unwrap(), 3);
    }
}
