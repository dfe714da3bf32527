//! The command line of `versus`.

use crate::peer::Peer;
use crate::workload::{Entry, Group};

/// What `--help` prints.
pub const HELP: &str = "\
The same workloads on gopark, tokio, smol, Go and a bare epoll loop, side by side.

usage: versus [--rounds N] [--only NAME]... [--peers LIST | --hand-off] [--json] [--quick]

  --rounds N     rounds of each workload, 5 or more; 7 unless given
  --only NAME    this workload or group only; may be repeated; without it all but `idle`
  --peers LIST   of gopark,gopark-off,tokio,smol,go,epoll and, for channels, kanal,kanal-gopark,
                 async-channel,flume,crossbeam; all but gopark-off unless given
  --hand-off     --peers gopark,gopark-off, and --only sched, wake, time and net unless given:
                 what it costs all others that somebody watches for tasks which hold their
                 processor (StallPolicy: the default, and Off)
  --json         print JSON with the figure of every round in place of the table
  --quick        one round of tiny size: shows that everything runs, measures nothing
  --help         print this and the workloads
";

/// The command line, understood.
#[derive(Debug)]
pub struct Options {
    /// Rounds of each workload.
    pub rounds: usize,
    /// Names of workloads and groups; empty means all but the group `idle`.
    pub only: Vec<String>,
    /// Who takes part; None means the usual ones of each group.
    pub named: Option<Vec<Peer>>,
    /// Print JSON.
    pub json: bool,
    /// Tiny sizes.
    pub quick: bool,
    /// Print the help and do nothing.
    pub help: bool,
}

const FEWEST_ROUNDS: usize = 5;

impl Options {
    /// Understands `arguments`, those after the program's name; `entries` are the workloads there
    /// are.
    ///
    /// # Errors
    ///
    /// Returns a message that names the argument which is wrong and what was expected.
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        entries: &[Entry],
    ) -> Result<Self, String> {
        let mut options = Self {
            rounds: 7,
            only: Vec::new(),
            named: None,
            json: false,
            quick: false,
            help: false,
        };
        let (mut rounds, mut hand_off) = (None, false);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = |what: &str| {
                arguments
                    .next()
                    .ok_or_else(|| format!("{argument}: expected {what}"))
            };
            match argument.as_str() {
                "--rounds" => rounds = Some(parse_rounds(&value("a number of rounds")?)?),
                "--only" => options
                    .only
                    .push(known(value("a workload or group")?, entries)?),
                "--peers" => options.named = Some(parse_peers(&value("a list of peers")?)?),
                "--hand-off" => hand_off = true,
                "--json" => options.json = true,
                "--quick" => options.quick = true,
                "--help" | "-h" => options.help = true,
                _ => return Err(format!("unknown argument `{argument}`: see --help")),
            }
        }
        if hand_off {
            if options.named.is_some() {
                return Err("--peers with --hand-off: that one names the peers".into());
            }
            options.named = Some(Peer::HAND_OFF.to_vec());
            if options.only.is_empty() {
                let groups = [Group::Sched, Group::Wake, Group::Time, Group::Net];
                options.only = groups.map(|group| group.name().into()).to_vec();
            }
        }
        if options.quick && rounds.is_some() {
            return Err("--rounds with --quick: a quick run has one round".into());
        }
        options.rounds = if options.quick {
            1
        } else {
            rounds.unwrap_or(options.rounds)
        };
        Ok(options)
    }

    /// Who takes part in the workloads of `group`.
    #[must_use]
    pub fn peers(&self, group: Group) -> &[Peer] {
        self.named.as_deref().unwrap_or_else(|| group.usual_peers())
    }

    /// Whether `entry` is to be run.
    #[must_use]
    pub fn wants(&self, entry: &Entry) -> bool {
        if self.only.is_empty() {
            return entry.spec.group != Group::Idle;
        }
        self.only.iter().any(|name| is_called(entry, name))
    }
}

fn is_called(entry: &Entry, name: &str) -> bool {
    entry.spec.name == name || entry.spec.group.name() == name
}

fn parse_rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if rounds >= FEWEST_ROUNDS => Ok(rounds),
        _ => Err(format!(
            "--rounds {text}: expected a whole number, {FEWEST_ROUNDS} or more"
        )),
    }
}

fn parse_peers(list: &str) -> Result<Vec<Peer>, String> {
    let mut peers = Vec::new();
    for name in list.split(',') {
        let peer = name
            .parse()
            .map_err(|error| format!("--peers {list}: {error}"))?;
        if peers.contains(&peer) {
            return Err(format!("--peers {list}: `{name}` is named twice"));
        }
        peers.push(peer);
    }
    Ok(peers)
}

fn known(name: String, entries: &[Entry]) -> Result<String, String> {
    if entries.iter().any(|entry| is_called(entry, &name)) {
        return Ok(name);
    }
    let mut names: Vec<_> = entries
        .iter()
        .map(|entry| entry.spec.group.name())
        .collect();
    names.dedup();
    names.extend(entries.iter().map(|entry| entry.spec.name));
    Err(format!(
        "--only {name}: expected one of {}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(String::from), &workload::all())
    }

    #[test]
    fn without_arguments_everything_but_idle_runs_seven_rounds() {
        let options = parse("").unwrap();
        assert_eq!(options.rounds, 7);
        assert_eq!(options.peers(Group::Sched), Peer::USUAL);
        assert_eq!(options.peers(Group::Chan), Peer::CHANNELS);
        for entry in workload::all() {
            assert_eq!(options.wants(&entry), entry.spec.group != Group::Idle);
        }
    }

    #[test]
    fn only_takes_workloads_and_groups() {
        let options = parse("--only ring --only net").unwrap();
        let wanted: Vec<_> = workload::all()
            .iter()
            .filter(|entry| options.wants(entry))
            .map(|entry| entry.spec.name)
            .collect();
        assert_eq!(wanted, ["ring", "echo_1", "echo_64", "echo_1000"]);
    }

    #[test]
    fn hand_off_compares_gopark_with_itself_in_the_groups_that_do_not_block() {
        let options = parse("--hand-off").unwrap();
        assert_eq!(options.peers(Group::Sched), Peer::HAND_OFF);
        assert_eq!(options.only, ["sched", "wake", "time", "net"]);
        assert_eq!(parse("--hand-off --only ring").unwrap().only, ["ring"]);
    }

    #[test]
    fn an_error_names_the_value_and_what_was_expected() {
        for (line, message) in [
            ("--rounds", "--rounds: expected a number of rounds"),
            (
                "--rounds 4",
                "--rounds 4: expected a whole number, 5 or more",
            ),
            (
                "--rounds many",
                "--rounds many: expected a whole number, 5 or more",
            ),
            (
                "--rounds 7 --quick",
                "--rounds with --quick: a quick run has one round",
            ),
            (
                "--peers tokio,toki",
                "--peers tokio,toki: unknown peer `toki`: expected one of gopark, gopark-off, \
                 tokio, smol, go, epoll, kanal, kanal-gopark, async-channel, flume, crossbeam",
            ),
            (
                "--hand-off --peers go",
                "--peers with --hand-off: that one names the peers",
            ),
            ("--peers go,go", "--peers go,go: `go` is named twice"),
            ("--fast", "unknown argument `--fast`: see --help"),
        ] {
            assert_eq!(parse(line).unwrap_err(), message);
        }
        let unknown = parse("--only rings").unwrap_err();
        assert!(
            unknown.starts_with("--only rings: expected one of sched, wake, "),
            "{unknown}"
        );
    }
}
