//! Every argument, in every spelling, tokio's included.
#![deny(warnings)]
#![allow(dead_code)]

mod vendored {
    pub mod park {
        pub use ::gopark::runtime;
    }
}

#[gopark::main()]
async fn none() {}

#[gopark::main(flavor = "multi_thread", procs = 2,)]
async fn ours() {}

#[gopark::main(flavor = "multi_thread", worker_threads = 0x2_usize, start_paused = false)]
async fn as_in_tokio() {}

#[gopark::main(flavor = "current_thread", paused = true)]
async fn paused() {}

#[gopark::main(crate = "crate::vendored::park", flavor = "current_thread")]
async fn renamed() {}

#[gopark::main(crate = "::gopark")]
async fn main() {}
