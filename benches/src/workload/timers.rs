//! Timers that never fire, and timers that all do.

use std::future::{Future, poll_fn};
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::{Group, Spec, Target, Workload};
use crate::measure::{Cost, cpu_time};
use crate::peer::Peer;
use crate::rt::Rt;

/// A future that is ready at its second poll, under a time limit of an hour: what nearly every
/// request of a service does with its limit. Size: time limits, one after the other.
#[derive(Debug)]
pub struct TimeoutUnfired;

impl Workload for TimeoutUnfired {
    const SPEC: Spec = Spec {
        name: "timeout_unfired",
        group: Group::Time,
        unit: "ns/timeout",
        about: "a limit of 1 h over a future that is ready at its second poll: armed, then dropped",
        full: 500_000,
        quick: 10_000,
        rivals: &[Peer::Tokio],
        in_go: true,
        target: Some(Target::Ratio(0.60)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        const HOUR: Duration = Duration::from_secs(3600);
        Ok(rt.run(async move {
            let start = Instant::now();
            for _ in 0..size {
                R::timeout(HOUR, ready_at_second_poll())
                    .await
                    .expect("an hour has not passed");
            }
            Cost::since(start, size)
        }))
    }
}

/// Not the runtime's `yield_now`, which some runtimes treat in a special way: a future that was
/// woken while it was polled is the common case.
fn ready_at_second_poll() -> impl Future<Output = ()> + Send {
    let mut polled = false;
    poll_fn(move |cx| {
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Tasks that sleep for a random time of up to 2 seconds each: the CPU time of arming, firing and
/// waking, together with the spawn and the join. Size: sleeps.
#[derive(Debug)]
pub struct SleepsCpu;

impl Workload for SleepsCpu {
    const SPEC: Spec = Spec {
        name: "sleeps_cpu",
        group: Group::Time,
        unit: "CPU ns/sleep",
        about: "200,000 tasks sleep for a random time of up to 2 s each; CPU time, not wall clock",
        full: 200_000,
        quick: 2_000,
        rivals: &[Peer::Tokio],
        in_go: true,
        target: Some(Target::Ratio(0.60)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        const LONGEST: u64 = 2_000_000_000;
        let before = cpu_time();
        rt.run(async move {
            let mut random = 0x9E37_79B9_7F4A_7C15_u64;
            let sleep = |_| {
                // Marsaglia's xorshift: the same durations for every peer.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let duration = Duration::from_nanos(random % LONGEST);
                R::spawn(async move { R::sleep(duration).await })
            };
            let sleeps: Vec<_> = (0..size).map(sleep).collect();
            for sleep in sleeps {
                R::join(sleep).await;
            }
        });
        Ok(Cost {
            spent: cpu_time() - before,
            ops: size as u64,
        })
    }
}
