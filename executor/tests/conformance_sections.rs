//! What a blocking section costs, and how a task comes back from it when its processor is gone.

mod proof_support;

use std::time::Duration;

use gopark::runtime::{Builder, Handle, Runtime, StallPolicy};
use proof_support::blocking::{Computing, Gate, Way, wait, with_policy};
use proof_support::{Bell, Counter, alarm, current, multi};

/// Many more tasks than processors.
const MANY: usize = 9;

#[test]
fn a_task_that_finds_no_processor_after_its_section_goes_on_without() {
    let _alarm = alarm();
    for way in Way::MARKED {
        // Nothing but sections may move a processor.
        let runtime = with_policy(1, StallPolicy::Off);
        let gate = Gate::default();
        let theirs = gate.clone();
        let bell = Bell::default();
        let rung = bell.rung();
        let woken = runtime.spawn(rung);
        let blocker = runtime.spawn(async move {
            way.run(|| theirs.pass());
            let before = Handle::current().metrics();
            let spawned = gopark::spawn(async {});
            bell.ring();
            // What it woke is in the global queue: it has no other.
            (before, spawned)
        });
        // Keeps the processor until the other is done, and never leaves it idle.
        let keeper = runtime.spawn(async move {
            gate.has_blocked(1).await;
            gate.open();
            while !blocker.is_finished() {
                gopark::yield_now().await;
            }
            blocker.await.unwrap()
        });
        let (before, spawned) = wait(keeper).unwrap();
        wait(woken).unwrap();
        wait(spawned).unwrap();
        let after = runtime.handle().metrics();
        assert_eq!(before.idle_procs, 0, "{way:?}");
        assert!(after.from_global > before.from_global, "{way:?}: {after:?}");
    }
}

/// One processor alone, or two, of those runtimes on which a task waits for a processor.
/// A task that blocks, in a section, after a `block_on` in that section has given it its processor back.
#[test]
fn a_section_that_goes_on_after_a_block_on_in_it_loses_its_processor_still() {
    let _alarm = alarm();
    let runtimes = [StallPolicy::Off, StallPolicy::HandOff].map(|policy| with_policy(1, policy));
    for runtime in runtimes.into_iter().chain(strict()) {
        let (gate, slept) = (Gate::default(), Gate::default());
        let (opens, theirs) = (gate.clone(), slept.clone());
        let opener = runtime.spawn(async move {
            gopark::block(|| theirs.pass());
            opens.open();
        });
        let blocker = runtime.spawn(async move {
            gopark::block(|| {
                // Long enough for the monitor to find nothing more to see.
                gopark::block_on(gopark::time::sleep(Duration::from_millis(100)));
                slept.open();
                gate.pass();
            });
        });
        runtime.block_on(async {
            blocker.await.unwrap();
            opener.await.unwrap();
        });
    }
}

fn strict() -> [Runtime; 3] {
    let strict = |procs| {
        Builder::new_multi_thread()
            .procs(procs)
            .stall_policy(StallPolicy::Off)
            .strict_procs(true)
            .build()
            .unwrap()
    };
    [strict(1), strict(2), current()]
}

#[test]
fn where_procs_is_strict_a_task_that_is_back_gets_the_processor_of_one_that_yields_for_ever() {
    let _alarm = alarm();
    for runtime in strict() {
        let procs = runtime.handle().metrics().procs;
        let (gate, back) = (Gate::default(), Counter::default());
        let blocked: Vec<_> = (0..MANY)
            .map(|_| {
                let (gate, back) = (gate.clone(), back.clone());
                runtime.spawn(async move {
                    gopark::block_eager(|| gate.pass());
                    back.add();
                })
            })
            .collect();
        let keepers: Vec<_> = (0..procs)
            .map(|_| {
                let (gate, back) = (gate.clone(), back.clone());
                runtime.spawn(async move {
                    gate.has_blocked(MANY).await;
                    gate.open();
                    while back.get() < MANY {
                        gopark::yield_now().await;
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            for task in keepers.into_iter().chain(blocked) {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn where_procs_is_strict_no_more_tasks_ever_compute_than_there_are_processors() {
    let _alarm = alarm();
    for way in Way::MARKED {
        for runtime in strict() {
            let procs = runtime.handle().metrics().procs;
            let computing = Computing::default();
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    let computing = computing.clone();
                    runtime.spawn(async move {
                        for round in 0..50 {
                            let time = Duration::from_micros(10 * (n + round) % 70);
                            computing.compute(time);
                            // About as long as the monitor waits before it takes the processor.
                            way.run(|| std::thread::sleep(time));
                            computing.compute(Duration::from_micros(100));
                            if round % 3 == 0 {
                                gopark::yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
            let most = computing.most();
            assert!(most <= procs, "{way:?}: {most} on {procs}");
        }
    }
}

/// Short sections cost what two stores cost.
#[test]
fn a_million_short_sections_cost_no_thread_and_hardly_a_retake() {
    const SECTIONS: usize = 1_000_000;
    let _alarm = alarm();
    for runtime in [multi(1), multi(2), current()] {
        let work = || {
            let switches = switches();
            for n in 0..SECTIONS {
                assert_eq!(gopark::block(|| n), n);
            }
            switches_since(switches)
        };
        // The first one starts the monitor.
        runtime.block_on(async { gopark::block(|| ()) });
        let before = runtime.handle().metrics();
        let in_root = runtime.block_on(async { work() });
        let in_task = runtime.block_on(async { gopark::spawn(async move { work() }).await });
        let after = runtime.handle().metrics();
        let retakes = after.retakes_block - before.retakes_block;
        assert!(retakes <= 100, "{retakes} retakes");
        assert_eq!(after.handoffs, before.handoffs);
        for switches in [in_root, in_task.unwrap()] {
            assert!(
                switches <= 100,
                "the thread gave up its CPU {switches} times"
            );
        }
    }
}

#[cfg(target_os = "linux")]
fn switches() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let switches = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .unwrap();
    switches.trim().parse().unwrap()
}

#[cfg(not(target_os = "linux"))]
fn switches() -> u64 {
    0
}

fn switches_since(before: u64) -> u64 {
    switches() - before
}
