//! `cargo bench -p gopark-benches --bench time`: timers that never fire, and timers that all do.

mod shared;

use criterion::Criterion;
use gopark_benches::workload::Group;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    shared::bench(&mut criterion, Group::Time);
    criterion.final_summary();
}
