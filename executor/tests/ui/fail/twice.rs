//! An argument is given once, under whichever name.

#[gopark::main(procs = 2, procs = 3)]
async fn one_name() {}

#[gopark::main(procs = 2, worker_threads = 2)]
async fn two_names() {}

#[gopark::main(flavor = "current_thread", flavor = "current_thread")]
async fn main() {}
