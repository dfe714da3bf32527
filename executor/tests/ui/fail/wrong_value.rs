//! Values of the wrong kind, and of the right kind but impossible. All are reported at once.

#[gopark::main(flavor = "multi", procs = "4", paused = 1)]
async fn text_for_a_number() {}

#[gopark::main(flavor = multi_thread, crate = "no path", procs = 4.0)]
async fn words_for_text() {}

#[gopark::main(procs = 0)]
async fn zero() {}

#[gopark::main(procs = -1)]
async fn negative() {}

#[gopark::main(worker_threads = 1 + 1, start_paused = "true")]
async fn main() {}
