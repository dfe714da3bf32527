//! Waiting for several things at once: `select!`, `select_blocking!`, and [`Select`].

mod arms;
mod case;
mod dynamic;
mod engine;
mod locks;
mod order;
mod other;
mod probe;

pub use case::{Case, TakeOutput};
pub use dynamic::{Select, Selected};
use engine::Cases;
pub use engine::Selecting;
pub use probe::{FutureProbe, Probe, Seed, sample};

/// Runs a select on a plain thread; for `select_blocking!`.
pub fn wait<C: Cases, S>(selecting: Selecting<'_, C, S>) -> usize {
    super::blocking::wait(selecting)
}
