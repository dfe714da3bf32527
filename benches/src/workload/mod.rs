//! What is measured: one file per family of workloads, and here the table of all of them.
//!
//! A [`Workload`] is a function generic over the runtime. An [`Entry`] of the table hides that
//! behind one dynamic call per run, so no measured operation pays for it. Workloads that are no
//! such function (those that need a process of their own, and the echo servers) have entries with
//! the same face.

pub mod block;
pub mod chan;
pub mod channels;
pub mod foreign;
pub mod idle;
pub mod jobs;
pub mod memory;
pub mod read_at;
pub mod skynet;
pub mod spawn;
pub mod stall;
pub mod sync;
pub mod timers;
pub mod wake;
pub mod yields;

use std::io;

use crate::child::Program;
use crate::echo;
use crate::go::Go;
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::{Blocks, Rt, with_blocks, with_runtime};

/// The peers whose better one gopark is compared with, unless a workload says otherwise.
pub const RUNTIMES: &[Peer] = &[Peer::Tokio, Peer::Smol];

/// A workload as data.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name on the command line and in the table.
    pub name: &'static str,
    /// The group that it is measured in.
    pub group: Group,
    /// What one figure is, such as `ns/spawn`.
    pub unit: &'static str,
    /// What happens, in one line.
    pub about: &'static str,
    /// The size of a measured run: each workload says what it counts.
    pub full: usize,
    /// The size of a smoke or warm-up run.
    pub quick: usize,
    /// gopark is compared with the better of these.
    pub rivals: &'static [Peer],
    /// Whether the program in Go runs it. Of the echo workloads it has the servers only, which `echo`
    /// opens, since the load is the same for everybody.
    pub in_go: bool,
    /// What gopark is to reach or beat.
    pub target: Option<Target>,
}

impl Spec {
    /// Nanoseconds in the unit, for the workloads whose figure is a time.
    #[must_use]
    pub fn unit_ns(&self) -> f64 {
        if self.unit.starts_with("ms") {
            1e6
        } else if self.unit.starts_with("µs") {
            1e3
        } else {
            1.0
        }
    }
}

/// A figure to reach or beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// gopark's figure divided by the better rival's.
    Ratio(f64),
    /// gopark's figure itself, in the workload's unit: where what counts is a promise to users, and
    /// not who is ahead.
    Bound(f64),
}

/// A group of workloads: `--only` takes its name too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Spawning, yielding and switching among tasks.
    Sched,
    /// Wakes from threads that are none of the runtime's.
    Wake,
    /// Timers.
    Time,
    /// Calls that block, and tasks that hold their processor.
    Block,
    /// Sockets.
    Net,
    /// Resident memory.
    Mem,
    /// Locks and signals, each runtime's own.
    Sync,
    /// Channels against channels: other peers take part than elsewhere.
    Chan,
    /// Doing nothing: takes 10 seconds a peer, so it runs only when asked for by name.
    Idle,
}

impl Group {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sched => "sched",
            Self::Wake => "wake",
            Self::Time => "time",
            Self::Block => "block",
            Self::Net => "net",
            Self::Mem => "mem",
            Self::Sync => "sync",
            Self::Chan => "chan",
            Self::Idle => "idle",
        }
    }

    /// Who takes part in it without being asked for.
    #[must_use]
    pub fn usual_peers(self) -> &'static [Peer] {
        match self {
            Self::Chan => &Peer::CHANNELS,
            _ => &Peer::USUAL,
        }
    }
}

/// A workload that is the same function on every runtime.
pub trait Workload: 'static {
    /// The workload as data.
    const SPEC: Spec;

    /// Runs it once. Everything that is not the workload itself, such as making channels or parking
    /// the tasks to be woken, happens before the clock starts.
    ///
    /// # Errors
    ///
    /// Fails where the system refuses something: a socket, a file of `/proc`.
    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost>;
}

/// A workload for the runtimes whose tasks may block where they stand.
pub trait BlockingWorkload: 'static {
    /// The workload as data.
    const SPEC: Spec;

    /// Runs it once.
    ///
    /// # Errors
    ///
    /// Fails where the system refuses something.
    fn run<R: Blocks>(rt: &R, size: usize) -> io::Result<Cost>;
}

/// What sessions need besides the runtime: programs to run beside this one.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The program `versus`, for work in a child process.
    pub program: Program,
    /// The program in Go, if there is a Go toolchain.
    pub go: Option<Go>,
}

/// One peer set up for one workload. Each call is a run of the given size and returns the figure.
pub type Session = Box<dyn FnMut(usize) -> io::Result<f64>>;

/// One row of the table.
#[derive(Debug)]
pub struct Entry {
    /// The workload as data.
    pub spec: Spec,
    open: fn(&Spec, &Lab, Peer) -> io::Result<Option<Session>>,
}

impl Entry {
    /// Sets `peer` up for this workload: starts its runtime, its server. `None` if the peer does
    /// not take part in it.
    ///
    /// # Errors
    ///
    /// Fails where the runtime or the server cannot be started.
    pub fn open(&self, lab: &Lab, peer: Peer) -> io::Result<Option<Session>> {
        match (peer, &lab.go) {
            (Peer::Go, Some(go)) if self.spec.in_go => Ok(Some(go.session(self.spec.name))),
            _ => (self.open)(&self.spec, lab, peer),
        }
    }
}

/// Every workload, in the order of the table's rows.
#[must_use]
pub fn all() -> Vec<Entry> {
    let in_child = |spec| Entry {
        spec,
        open: open_child,
    };
    let mut all = vec![
        timed::<spawn::SpawnJoin>(),
        timed::<spawn::SpawnMany>(),
        timed::<spawn::SpawnDetached>(),
        timed::<yields::Yield>(),
        timed::<yields::YieldFew>(),
        timed::<channels::Ring<1_000>>(),
        timed::<channels::Ring<100>>(),
        timed::<channels::PingPong>(),
        timed::<skynet::Skynet>(),
        timed::<foreign::SpawnForeign>(),
        timed::<wake::WakeForeignBusy>(),
        timed::<wake::WakeIdle>(),
        timed::<wake::FanOutForeign>(),
        timed::<timers::TimeoutUnfired>(),
        timed::<timers::SleepsCpu>(),
        timed::<timers::TimeoutsMany>(),
        timed::<timers::SleepsMany>(),
        blocking::<block::BlockCall>(),
        blocking::<block::BlockYield>(),
        timed::<stall::StallSleep>(),
        blocking::<stall::StallBlock>(),
        timed::<stall::StallCompute>(),
        timed::<stall::StallHogs>(),
        Entry {
            spec: echo::stall::SPEC,
            open: echo::stall::open,
        },
        Entry {
            spec: echo::stall::SPEC_RATE,
            open: echo::stall::open_rate,
        },
        Entry {
            spec: echo::stall::SPEC_P90,
            open: echo::stall::open_p90,
        },
        Entry {
            spec: echo::stall::SPEC_BLOCK,
            open: echo::stall::open_block,
        },
        Entry {
            spec: read_at::SPEC,
            open: read_at::open,
        },
        timed::<jobs::Jobs>(),
        timed::<jobs::JobOne>(),
        in_child(memory::SPEC),
        Entry {
            spec: echo::SPEC_1,
            open: echo::open::<1>,
        },
        Entry {
            spec: echo::SPEC_64,
            open: echo::open::<64>,
        },
        Entry {
            spec: echo::SPEC_1000,
            open: echo::open::<1000>,
        },
        in_child(idle::SPEC_CPU),
        in_child(idle::SPEC_SWITCHES),
    ];
    all.extend(sync::all());
    // At the end, for the table has other columns there.
    all.extend(chan::all());
    all
}

fn timed<W: Workload>() -> Entry {
    Entry {
        spec: W::SPEC,
        open: open_timed::<W>,
    }
}

fn blocking<W: BlockingWorkload>() -> Entry {
    Entry {
        spec: W::SPEC,
        open: open_blocking::<W>,
    }
}

fn open_timed<W: Workload>(spec: &Spec, _: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    Ok(with_runtime!(peer, R => {
        let rt = R::start()?;
        let unit_ns = spec.unit_ns();
        let session: Session = Box::new(move |size| Ok(W::run(&rt, size)?.ns_per_op() / unit_ns));
        session
    }))
}

fn open_blocking<W: BlockingWorkload>(
    spec: &Spec,
    _: &Lab,
    peer: Peer,
) -> io::Result<Option<Session>> {
    Ok(with_blocks!(peer, R => {
        let rt = R::start()?;
        let unit_ns = spec.unit_ns();
        let session: Session = Box::new(move |size| Ok(W::run(&rt, size)?.ns_per_op() / unit_ns));
        session
    }))
}

fn open_child(spec: &Spec, lab: &Lab, peer: Peer) -> io::Result<Option<Session>> {
    let (name, program) = (spec.name, lab.program.clone());
    let run = move |size: usize| program.measure(&[name, peer.name(), &size.to_string()]);
    Ok(match peer {
        Peer::Gopark | Peer::GoparkOff | Peer::Tokio | Peer::Smol => Some(Box::new(run)),
        _ => None,
    })
}
