//! `cargo bench -p gopark-benches --bench sync`: locks and signals.

mod shared;

use criterion::Criterion;
use gopark_benches::workload::Group;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    shared::bench(&mut criterion, Group::Sync);
    criterion.final_summary();
}
