//! `cargo bench -p gopark-benches --bench chan`: channels against channels.

mod shared;

use criterion::Criterion;
use gopark_benches::workload::Group;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    shared::bench(&mut criterion, Group::Chan);
    criterion.final_summary();
}
