//! `cargo bench -p gopark-benches --bench wake`: wakes and spawns from threads that are none of the runtime's.

mod shared;

use criterion::Criterion;
use gopark_benches::workload::Group;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    shared::bench(&mut criterion, Group::Wake);
    criterion.final_summary();
}
