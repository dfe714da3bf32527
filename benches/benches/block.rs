//! `cargo bench -p gopark-benches --bench block`: calls that block, and tasks that hold their processor.

mod shared;

use criterion::Criterion;
use gopark_benches::workload::Group;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    shared::bench(&mut criterion, Group::Block);
    criterion.final_summary();
}
