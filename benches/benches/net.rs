//! `cargo bench -p gopark-benches --bench net`: echo over TCP.

mod shared;

use criterion::Criterion;
use gopark_benches::workload::Group;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    shared::bench(&mut criterion, Group::Net);
    criterion.final_summary();
}
