//! Who is measured.

use std::fmt;
use std::str::FromStr;

/// How many processors (workers, `GOMAXPROCS`) every peer gets.
pub const PROCS: usize = 2;

/// One column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// gopark, [`PROCS`] processors.
    Gopark,
    /// The same with nobody to watch for polls that hold their processor: what watching costs the
    /// others. Takes part only when asked for.
    GoparkOff,
    /// tokio's multi-thread runtime with [`PROCS`] workers.
    Tokio,
    /// async-executor's `Executor` run by [`PROCS`] threads, over async-io's reactor.
    Smol,
    /// Go with `GOMAXPROCS` = [`PROCS`], if `go` is on the `PATH`.
    Go,
    /// A bare epoll loop on one thread: the floor for the echo workloads.
    Epoll,
    /// kanal's channels on tokio.
    Kanal,
    /// kanal's channels on gopark: what is left of a difference when the scheduler is the same.
    KanalGopark,
    /// async-channel's channels on tokio.
    AsyncChannel,
    /// flume's channels on tokio.
    Flume,
    /// crossbeam's channels between plain threads, as many as there would be tasks.
    Crossbeam,
}

impl Peer {
    /// All peers, in the order of the table's columns.
    pub const ALL: [Self; 11] = [
        Self::Gopark,
        Self::GoparkOff,
        Self::Tokio,
        Self::Smol,
        Self::Go,
        Self::Epoll,
        Self::Kanal,
        Self::KanalGopark,
        Self::AsyncChannel,
        Self::Flume,
        Self::Crossbeam,
    ];

    /// Those that take part without being asked for, but for the group `chan`.
    pub const USUAL: [Self; 5] = [Self::Gopark, Self::Tokio, Self::Smol, Self::Go, Self::Epoll];

    /// Those that take part in the group `chan` without being asked for. gopark, tokio and Go have
    /// channels of their own.
    pub const CHANNELS: [Self; 8] = [
        Self::Gopark,
        Self::Tokio,
        Self::Go,
        Self::Kanal,
        Self::KanalGopark,
        Self::AsyncChannel,
        Self::Flume,
        Self::Crossbeam,
    ];

    /// gopark as it comes and as it would be if nobody watched.
    pub const HAND_OFF: [Self; 2] = [Self::Gopark, Self::GoparkOff];

    /// The name on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gopark => "gopark",
            Self::GoparkOff => "gopark-off",
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::Go => "go",
            Self::Epoll => "epoll",
            Self::Kanal => "kanal",
            Self::KanalGopark => "kanal-gopark",
            Self::AsyncChannel => "async-channel",
            Self::Flume => "flume",
            Self::Crossbeam => "crossbeam",
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|peer| peer.name() == name)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                format!("unknown peer `{name}`: expected one of {known}")
            })
    }
}
