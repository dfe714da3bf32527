//! loom models of the protocols that gopark's correctness rests on.
//!
//! Each module here includes a source file of `executor` or `net` by path and compiles it against
//! [`primitive`], which is loom's twin of the module of that name there. So what is checked is what
//! runs, and no `--cfg` flag is needed: `cargo test --release -p gopark-models`.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod primitive;
mod readiness;
mod timers;
