//! A group of workloads as a criterion group: the very sessions that `versus` runs, at their small
//! size, a run for each sample.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode};
use gopark_benches::child::Program;
use gopark_benches::measure::raise_open_files;
use gopark_benches::peer::Peer;
use gopark_benches::workload::{self, Group, Lab};

pub(crate) fn bench(c: &mut Criterion, group: Group) {
    raise_open_files().expect("the limit of open files can be raised");
    let program = Program::versus(PathBuf::from(env!("CARGO_BIN_EXE_versus")));
    // Go is for `versus`: a process for each of criterion's samples would measure its start.
    let lab = Lab { program, go: None };
    let mut benches = c.benchmark_group(group.name());
    benches
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(500))
        // A run of `sleeps_cpu` takes two seconds at any size.
        .sample_size(if group == Group::Time { 10 } else { 30 });
    for entry in workload::all()
        .iter()
        .filter(|entry| entry.spec.group == group)
    {
        for peer in Peer::ALL {
            let session = entry.open(&lab, peer).expect("the peer starts");
            let Some(mut session) = session else { continue };
            benches.bench_function(BenchmarkId::new(entry.spec.name, peer), |bencher| {
                // What criterion takes for an iteration is one operation of the workload; how many
                // a run has is the workload's own matter.
                bencher.iter_custom(|iterations| {
                    let ns = session(entry.spec.quick).expect("the workload runs");
                    Duration::from_secs_f64(ns * 1e-9 * iterations as f64)
                });
            });
        }
    }
    benches.finish();
}
