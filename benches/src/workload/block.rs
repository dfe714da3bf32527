//! What it costs to say that a call may block, when it does not.
//!
//! The call is `getppid`: a system call that does nothing, which no C library remembers.

use std::io;
use std::time::{Duration, Instant};

use super::{BlockingWorkload, Group, Spec, Target};
use crate::measure::Cost;
use crate::peer::Peer;
use crate::rt::Blocks;

/// Calls timed together: short, so that a slice with and one without meet the same clock rate.
const SLICE: usize = 1_000;

/// One task calls `getppid`, bare and as a blocking call, in slices that take turns; the figure is
/// what the second adds. It is at least 0.1 ns, so that it can be divided by. Size: calls.
#[derive(Debug)]
pub struct BlockCall;

impl BlockingWorkload for BlockCall {
    const SPEC: Spec = Spec {
        name: "block_call",
        group: Group::Block,
        unit: "ns/call",
        about: "what a blocking call adds to a system call that does nothing (getppid), one task",
        full: 500 * SLICE,
        quick: 10 * SLICE,
        rivals: &[Peer::Tokio, Peer::Go],
        in_go: true,
        target: Some(Target::Bound(10.0)),
    };

    fn run<R: Blocks>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(rt.run(async move {
            let mut added = Vec::with_capacity(size.div_ceil(SLICE));
            for _ in 0..added.capacity() {
                let bare = time_slice(parent);
                let blocking = time_slice(|| R::block(parent));
                added.push(blocking.saturating_sub(bare));
                // So that this is no task which computes for long.
                R::yield_now().await;
            }
            // Of the slices, the one in the middle: one that was interrupted tells nothing.
            added.sort_unstable();
            let least = Duration::from_nanos(SLICE as u64 / 10);
            Cost {
                spent: added[added.len() / 2].max(least),
                ops: SLICE as u64,
            }
        }))
    }
}

fn time_slice(mut call: impl FnMut() -> i32) -> Duration {
    let start = Instant::now();
    for _ in 0..SLICE {
        std::hint::black_box(call());
    }
    start.elapsed()
}

/// Tasks of [`BlockYield`].
const TASKS: usize = 16;

/// 16 tasks take turns: each makes a blocking call that does not block, then yields. Here a runtime
/// that gives the processor away at each call pays for it. Size: rounds of each; a round is one
/// task's call and yield.
#[derive(Debug)]
pub struct BlockYield;

impl BlockingWorkload for BlockYield {
    const SPEC: Spec = Spec {
        name: "block_yield",
        unit: "ns/round",
        about: "16 tasks: a round is one task's blocking getppid and yield",
        full: 20_000,
        quick: 100,
        rivals: &[Peer::Go],
        target: Some(Target::Ratio(0.80)),
        ..BlockCall::SPEC
    };

    fn run<R: Blocks>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(rt.run(async move {
            let start = Instant::now();
            let caller = |_| {
                R::spawn(async move {
                    for _ in 0..size {
                        std::hint::black_box(R::block(parent));
                        R::yield_now().await;
                    }
                })
            };
            let callers: Vec<_> = (0..TASKS).map(caller).collect();
            for caller in callers {
                R::join(caller).await;
            }
            Cost::since(start, TASKS * size)
        }))
    }
}

fn parent() -> i32 {
    // SAFETY: the call takes nothing, touches no memory and cannot fail.
    unsafe { libc::getppid() }
}
