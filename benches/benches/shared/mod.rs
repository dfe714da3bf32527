//! A group of workloads as a criterion group: the very sessions that `versus` runs, at their small
//! size.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode};
use gopark_benches::child::Program;
use gopark_benches::measure::raise_open_files;
use gopark_benches::workload::{self, Group, Lab};

pub(crate) fn bench(c: &mut Criterion, group: Group) {
    raise_open_files().expect("the limit of open files can be raised");
    let program = Program::versus(PathBuf::from(env!("CARGO_BIN_EXE_versus")));
    // Go is for `versus`: a process for each of criterion's samples would measure its start.
    let lab = Lab { program, go: None };
    let mut benches = c.benchmark_group(group.name());
    benches
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        // A run of `sleeps_cpu` takes two seconds at any size, one of the stalls a tenth of that.
        .sample_size(match group {
            Group::Time | Group::Block => 10,
            _ => 30,
        });
    for entry in workload::all()
        .iter()
        .filter(|entry| entry.spec.group == group)
    {
        for &peer in group.usual_peers() {
            let session = entry.open(&lab, peer).expect("the peer starts");
            let Some(mut session) = session else { continue };
            benches.bench_function(BenchmarkId::new(entry.spec.name, peer), |bencher| {
                // An iteration is a run of the workload, and criterion plans by how long that
                // takes; what is reported as its time is the figure: the time of an operation.
                bencher.iter_custom(|iterations| {
                    let mut run = || session(entry.spec.quick).expect("the workload runs");
                    let figures: f64 = (0..iterations).map(|_| run()).sum();
                    let time = Duration::from_secs_f64(figures * entry.spec.unit_ns() * 1e-9);
                    // Criterion would wait for ever for a time that adds up to nothing.
                    time.max(Duration::from_nanos(1))
                });
            });
        }
    }
    benches.finish();
}
