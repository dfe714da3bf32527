//! `GOPARK_DEBUG`: what can be asked of every runtime of a process from outside.
//!
//! It is a list of `key=value`, separated by commas, in the manner of Go's `GODEBUG`. A mistake in it is
//! an error line on the standard error that names it and says what was expected; the program
//! goes on, for the variable is a magnifying glass and no part of it.

use std::env;
use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::time::Duration;

use crate::sched::StallPolicy;
use crate::warn::print;

/// The variable, taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How often each runtime prints its state.
    pub(crate) schedtrace: Option<Duration>,
    /// What multi-thread runtimes that were not told by their builder do about stalls.
    pub(crate) stalls: Option<StallPolicy>,
}

const KNOWN: &str = "schedtrace=MILLISECONDS, stalls=off|warn|handoff";

/// What the environment says. It is read once.
pub(crate) fn settings() -> Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    *SETTINGS.get_or_init(|| {
        let Some(value) = env::var_os("GOPARK_DEBUG") else {
            return Settings::default();
        };
        let (settings, errors) = parse(&value.to_string_lossy());
        for error in errors {
            print(format_args!("gopark: GOPARK_DEBUG: {error}"));
        }
        settings
    })
}

fn parse(value: &str) -> (Settings, Vec<String>) {
    let mut settings = Settings::default();
    let mut errors = Vec::new();
    for item in value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
    {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        match key.trim() {
            "schedtrace" => match value.trim().parse::<NonZeroU64>() {
                Ok(period) => settings.schedtrace = Some(Duration::from_millis(period.get())),
                Err(_) => errors.push(format!(
                    "schedtrace={value:?}: expected a number of milliseconds, 1 or more"
                )),
            },
            "stalls" => match value.trim() {
                "off" => settings.stalls = Some(StallPolicy::Off),
                "warn" => settings.stalls = Some(StallPolicy::Warn),
                "handoff" => settings.stalls = Some(StallPolicy::HandOff),
                _ => errors.push(format!("stalls={value:?}: expected off, warn or handoff")),
            },
            key => errors.push(format!("unknown key {key:?}; the known ones are {KNOWN}")),
        }
    }
    (settings, errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_any_order() {
        let (settings, errors) = parse(" stalls=warn , schedtrace=1000,");
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(settings.schedtrace, Some(Duration::from_secs(1)));
        assert_eq!(settings.stalls, Some(StallPolicy::Warn));
    }

    #[test]
    fn a_key_that_is_unknown_is_named_and_the_known_ones_are_listed() {
        let (settings, errors) = parse("shedtrace=1,stalls=off");
        assert_eq!(settings.stalls, Some(StallPolicy::Off));
        assert_eq!(
            errors,
            [format!(
                "unknown key \"shedtrace\"; the known ones are {KNOWN}"
            )]
        );
    }

    #[test]
    fn a_value_that_is_none_is_named() {
        let (settings, errors) = parse("schedtrace=0,stalls=on,schedtrace");
        assert_eq!(settings, Settings::default());
        assert_eq!(
            errors,
            [
                "schedtrace=\"0\": expected a number of milliseconds, 1 or more",
                "stalls=\"on\": expected off, warn or handoff",
                "schedtrace=\"\": expected a number of milliseconds, 1 or more",
            ]
        );
    }
}
