//! `cargo bench -p gopark-benches --bench sched`: spawning, yielding and switching among tasks.

mod shared;

use criterion::Criterion;
use gopark_benches::workload::Group;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    shared::bench(&mut criterion, Group::Sched);
    criterion.final_summary();
}
