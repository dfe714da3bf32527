//! What a figure depends on besides the code.

use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io, thread};

use crate::go::Go;
use crate::peer::PROCS;

/// Name and value of every such fact, in the order to print them.
///
/// # Errors
///
/// Fails where `/proc` cannot be read.
pub fn facts(go: Option<&Go>) -> io::Result<Vec<(&'static str, String)>> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let cpu = (cpuinfo.lines().find(|line| line.starts_with("model name")))
        .and_then(|line| line.split_once(':'))
        .map_or("not told by /proc/cpuinfo", |(_, model)| model.trim());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let go = go.map_or("n/a: no `go` on the PATH", Go::version);
    let versions = |krate, version| format!("{krate} {version}");
    Ok(vec![
        ("date", date(SystemTime::now())),
        ("cpu", cpu.to_owned()),
        ("cores", thread::available_parallelism()?.to_string()),
        ("procs", PROCS.to_string()),
        ("kernel", format!("Linux {}", kernel.trim())),
        ("rustc", env!("GOPARK_BENCHES_RUSTC").to_owned()),
        ("tokio", versions("tokio", env!("GOPARK_BENCHES_TOKIO"))),
        (
            "smol",
            format!(
                "{}, {}",
                versions("smol", env!("GOPARK_BENCHES_SMOL")),
                versions("async-executor", env!("GOPARK_BENCHES_ASYNC_EXECUTOR"))
            ),
        ),
        ("go", go.to_owned()),
        (
            "channels",
            [
                versions("kanal", env!("GOPARK_BENCHES_KANAL")),
                versions("async-channel", env!("GOPARK_BENCHES_ASYNC_CHANNEL")),
                versions("flume", env!("GOPARK_BENCHES_FLUME")),
                versions(
                    "crossbeam-channel",
                    env!("GOPARK_BENCHES_CROSSBEAM_CHANNEL"),
                ),
            ]
            .join(", "),
        ),
        ("allocator", "the system's, for all".to_owned()),
    ])
}

/// The date of `time` in UTC, such as 2026-02-28.
fn date(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut days = since_epoch.as_secs() / 86_400;
    let mut year = 1970;
    let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of = |year| if leap(year) { 366 } else { 365 };
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_know_leap_years() {
        let at = |secs| date(UNIX_EPOCH + Duration::from_secs(secs));
        assert_eq!(at(0), "1970-01-01");
        assert_eq!(at(951_782_400), "2000-02-29");
        assert_eq!(at(1_767_225_599), "2025-12-31");
        assert_eq!(at(1_772_323_200), "2026-03-01");
    }
}
