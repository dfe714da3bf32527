//! The same workloads on gopark, tokio, smol and Go, measured side by side.
//!
//! Two faces stand on this code: the criterion benches (`cargo bench -p gopark-benches`) watch one
//! runtime over time; the program `versus` runs every peer in turn within one process, so that
//! what the machine does to one it does to all, and prints a table with ratios.
//!
//! | file | idea |
//! |---|---|
//! | [`peer`] | who is measured |
//! | [`rt`] | what a workload needs of a runtime; one file per runtime |
//! | [`workload`] | what is measured: one file per family, and the table of all of them |
//! | [`echo`] | the echo servers and the one load generator that drives them all |
//! | [`child`] | work that needs a process of its own |
//! | [`go`] | the same workloads written in Go |
//! | [`measure`] | clocks, memory and context switches as the kernel tells them |
//! | [`report`] | rounds, statistics and the printed table |
//!
//! Everything is measured with the system allocator: it is what a user gets who changes nothing.

pub mod child;
pub mod echo;
pub mod go;
pub mod measure;
pub mod peer;
pub mod report;
pub mod rt;
pub mod workload;
