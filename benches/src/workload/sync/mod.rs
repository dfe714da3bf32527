//! Locks and signals, each on the runtime that it comes with: `gopark::sync` on gopark, `tokio::sync` on
//! tokio, and `smol::lock`, which has the locks only, on smol.
//!
//! Each is measured twice. Alone, one task does it again and again and nobody ever waits. Among 16 tasks,
//! which are more than there are processors, nearly every operation is a wait, and a wake of another task.
//!
//! | file | idea |
//! |---|---|
//! | `kind` | what is measured of whom |
//! | `locks` | tasks that enter and leave: mutex, read-write lock, semaphore |
//! | `signals` | tasks that tell each other: notify, oneshot, watch, broadcast |

mod kind;
mod locks;
mod signals;

use std::io;

use super::{Entry, Group, Session, Spec};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::Rt;

/// The tasks of the workloads that are not alone.
const TASKS: usize = 16;

/// What the workloads have in common: they are measured, and nobody has promised anything.
const SPEC: Spec = Spec {
    name: "",
    group: Group::Sync,
    unit: "",
    about: "",
    full: 0,
    quick: 0,
    rivals: &[Peer::Tokio],
    in_go: false,
    target: None,
};

/// The entries of this group.
pub(super) fn all() -> Vec<Entry> {
    let mut all = locks::all();
    all.extend(signals::all());
    all
}

/// A session of `run` on a runtime of its own.
fn session<R: Rt>(run: impl Fn(&R, usize) -> Cost + 'static) -> io::Result<Session> {
    let rt = R::start()?;
    Ok(Box::new(move |size| Ok(run(&rt, size).ns_per_op())))
}
