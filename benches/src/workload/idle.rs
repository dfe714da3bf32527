//! What a runtime costs that has nothing to do.

use std::future::pending;
use std::io;
use std::thread;
use std::time::Duration;

use super::{Group, Spec};
use crate::measure::Idleness;
use crate::rt::Rt;

/// Size: seconds watched.
pub const SPEC_CPU: Spec = Spec {
    name: "idle_cpu",
    group: Group::Idle,
    unit: "CPU µs/s",
    about: "CPU time of a runtime whose tasks all wait",
    full: 10,
    quick: 1,
    rivals: &[],
    in_go: true,
    target: None,
};

/// Size: seconds watched.
pub const SPEC_SWITCHES: Spec = Spec {
    name: "idle_switches",
    unit: "switches/s",
    about: "voluntary context switches of a runtime whose tasks all wait",
    ..SPEC_CPU
};

/// Starts a runtime, gives it a task that waits for ever, lets it come to rest for a second, then
/// watches this process for `window`.
///
/// # Errors
///
/// Fails where the runtime cannot be started or the kernel not be asked.
pub fn watch<R: Rt>(window: Duration) -> io::Result<Idleness> {
    let rt = R::start()?;
    R::detach(rt.spawn_from_outside(pending::<()>()));
    rt.run(async { R::sleep(Duration::from_millis(1)).await });
    thread::sleep(Duration::from_secs(1));
    Idleness::watch(window)
}
