//! Arguments that are right alone and wrong together.

#[gopark::main(flavor = "current_thread", procs = 2)]
async fn several_ps_on_one_thread() {}

#[gopark::test(worker_threads = 2)]
async fn several_ps_in_a_test() {}

#[gopark::main(flavor = "multi_thread", start_paused = true)]
async fn a_paused_clock_for_many_threads() {}

#[gopark::main(paused = true)]
async fn main() {}
