//! Timers that never fire, and timers that all do.

use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
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
        Ok(sleeps::<R>(rt, size, 0..2_000_000_000))
    }
}

/// A million tasks that all live at once, and put three time limits of a minute around a wait for another turn, one
/// after the other. Size: tasks.
#[derive(Debug)]
pub struct TimeoutsMany;

impl Workload for TimeoutsMany {
    const SPEC: Spec = Spec {
        name: "timeouts_many",
        group: Group::Time,
        unit: "CPU ns/task",
        about: "1,000,000 tasks at once, each with three limits of 1 min that are armed, then dropped; CPU time",
        full: 1_000_000,
        quick: 10_000,
        rivals: &[Peer::Tokio],
        in_go: false,
        target: Some(Target::Ratio(0.70)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        const MINUTE: Duration = Duration::from_secs(60);
        let before = cpu_time();
        rt.run(async move {
            let task = |_| {
                R::spawn(async {
                    for _ in 0..3 {
                        R::timeout(MINUTE, ready_at_second_poll())
                            .await
                            .expect("a minute has not passed");
                    }
                })
            };
            let tasks: Vec<_> = (0..size).map(task).collect();
            for task in tasks {
                R::join(task).await;
            }
        });
        Ok(Cost {
            spent: cpu_time() - before,
            ops: size as u64,
        })
    }
}

/// A million tasks that sleep at once, for 2 to 3 seconds: as `sleeps_cpu`, with wheels that hold more than the
/// caches do. Size: sleeps.
#[derive(Debug)]
pub struct SleepsMany;

impl Workload for SleepsMany {
    const SPEC: Spec = Spec {
        name: "sleeps_many",
        group: Group::Time,
        unit: "CPU ns/sleep",
        about: "1,000,000 tasks sleep for a random time of 2 to 3 s each; CPU time, not wall clock",
        full: 1_000_000,
        quick: 2_000,
        rivals: &[Peer::Tokio],
        in_go: false,
        target: Some(Target::Ratio(0.70)),
    };

    fn run<R: Rt>(rt: &R, size: usize) -> io::Result<Cost> {
        Ok(sleeps::<R>(rt, size, 2_000_000_000..3_000_000_000))
    }
}

/// The CPU time of as many tasks that each sleep for a random time, of so many nanoseconds.
fn sleeps<R: Rt>(rt: &R, size: usize, nanos: Range<u64>) -> Cost {
    let before = cpu_time();
    rt.run(async move {
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let sleep = |_| {
            // Marsaglia's xorshift: the same durations for every peer.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let span = nanos.end - nanos.start;
            let duration = Duration::from_nanos(nanos.start + random % span);
            R::spawn(async move { R::sleep(duration).await })
        };
        let sleeps: Vec<_> = (0..size).map(sleep).collect();
        for sleep in sleeps {
            R::join(sleep).await;
        }
    });
    Cost {
        spent: cpu_time() - before,
        ops: size as u64,
    }
}
