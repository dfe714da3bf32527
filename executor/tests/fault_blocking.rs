//! What blocks when something goes wrong: threads are refused, the runtime ends, wakers and drops panic.

mod proof_support;

use std::future::pending;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use gopark::runtime::{Builder, Flavor, Runtime, StallPolicy};
use proof_support::blocking::{Gate, Way, until, wait};
use proof_support::{
    Counter, PanickingWaker, STACK_THAT_NO_SYSTEM_GRANTS, alarm, child, every_kind, multi, on_drop,
    without_workers,
};

/// Runtimes that get no thread, not even for a P or a job.
fn threadless() -> [Runtime; 3] {
    let alone = Builder::new_current_thread().thread_stack_size(STACK_THAT_NO_SYSTEM_GRANTS);
    [
        without_workers(1),
        without_workers(2),
        alone.build().unwrap(),
    ]
}

#[test]
fn without_threads_sections_end_and_what_they_kept_waiting_runs_afterwards() {
    let _alarm = alarm();
    for runtime in threadless() {
        let ran = Counter::default();
        runtime.block_on(async {
            for way in Way::ALL {
                for long in [false, true] {
                    let (theirs, mine) = (ran.clone(), ran.clone());
                    let blocker = gopark::spawn(async move {
                        for _ in 0..20 {
                            let ran = theirs.clone();
                            drop(gopark::spawn(async move { ran.add() }));
                        }
                        let time = Duration::from_millis(if long { 2 } else { 0 });
                        way.run(|| thread::sleep(time));
                        theirs.add();
                        gopark::yield_now().await;
                    });
                    blocker.await.unwrap();
                    while mine.get() % 21 != 0 {
                        gopark::yield_now().await;
                    }
                }
            }
        });
        assert_eq!(ran.get(), 21 * 2 * Way::ALL.len());
        assert_eq!(runtime.handle().metrics().threads_started, 0);
    }
}

#[test]
fn without_threads_a_root_that_blocks_long_goes_on_and_so_do_its_timers() {
    let _alarm = alarm();
    for runtime in threadless() {
        runtime.block_on(async {
            let sleeper = gopark::spawn(gopark::time::sleep(Duration::from_millis(1)));
            for way in Way::ALL {
                way.run(|| thread::sleep(Duration::from_millis(2)));
            }
            sleeper.await.unwrap();
            gopark::time::sleep(Duration::from_millis(1)).await;
        });
    }
}

#[test]
fn a_job_that_no_thread_can_be_had_for_is_given_up_and_says_why() {
    let _alarm = alarm();
    for runtime in threadless() {
        let (ran, drops) = (Counter::default(), Counter::default());
        for inside in [false, true] {
            let jobs = || {
                let job = || {
                    let (ran, captured) = (ran.clone(), drops.on_drop());
                    runtime.spawn_blocking(move || {
                        let _captured = captured;
                        ran.add()
                    })
                };
                [job(), job(), job()]
            };
            let jobs = if inside {
                runtime.block_on(async { jobs() })
            } else {
                jobs()
            };
            for job in jobs {
                let error = wait(job).unwrap_err();
                assert!(error.is_refused() && error.is_cancelled() && !error.is_panic());
                let message = error.to_string();
                assert!(
                    message.contains("no thread could be started for it: "),
                    "{message}"
                );
                assert!(message.contains("os error"), "{message}");
            }
        }
        assert_eq!((ran.get(), drops.get()), (0, 6));
        assert!(runtime.handle().metrics().thread_failures > 0);
        let looked_up = runtime.block_on(async { gopark::net::lookup_host("localhost:80").await });
        let message = looked_up.map(drop).unwrap_err().to_string();
        assert!(message.contains("no thread could be started"), "{message}");
    }
}

/// Threads are refused to a runtime that has one: its jobs wait for that.
#[test]
#[cfg(target_os = "linux")]
fn a_job_waits_for_the_threads_there_are() {
    use proof_support::proc;

    const NAME: &str = "a_job_waits_for_the_threads_there_are";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let runtime = Builder::new_multi_thread()
            .procs(1)
            .thread_stack_size(1 << 30)
            .build()
            .unwrap();
        let gate = Gate::default();
        let theirs = gate.clone();
        let busy = runtime.spawn(async move { gopark::block(|| theirs.pass()) });
        until(|| gate.came() == 1);
        let room = proc::virtual_memory() as u64 + (256 << 20);
        proc::limit(libc::RLIMIT_AS, room);
        let jobs = [0; 3].map(|_| runtime.spawn_blocking(|| 7));
        until(|| runtime.handle().metrics().thread_failures > 0);
        assert!(jobs.iter().all(|job| !job.is_finished()));
        gate.open();
        for job in jobs {
            assert_eq!(wait(job).unwrap(), 7);
        }
        wait(busy).unwrap();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_blocked_without_threads_goes_on_as_soon_as_there_are_some() {
    use proof_support::proc;

    const NAME: &str = "what_blocked_without_threads_goes_on_as_soon_as_there_are_some";
    child::isolated(NAME, || {
        let _alarm = alarm();
        for builder in [
            Builder::new_multi_thread().procs(1),
            Builder::new_multi_thread().procs(3),
            Builder::new_current_thread().stall_policy(StallPolicy::HandOff),
        ] {
            let runtime = builder.thread_stack_size(1 << 30).build().unwrap();
            for way in Way::ALL {
                // Room for the heap, but not for a thread's stack; the monitor's is as small as others.
                let room = proc::virtual_memory() as u64 + (256 << 20);
                proc::limit(libc::RLIMIT_AS, room);
                let failures = runtime.handle().metrics().thread_failures;
                let started = runtime.handle().metrics().threads_started;
                let job = runtime.spawn_blocking(|| 7);
                let (gate, handle) = (Gate::default(), runtime.handle().clone());
                let foreign = {
                    let gate = gate.clone();
                    // Gives threads back when one was refused, or if there are enough from before.
                    move || {
                        until(|| gate.came() == 5 || handle.metrics().thread_failures > failures);
                        proc::limit(libc::RLIMIT_AS, u64::MAX);
                    }
                };
                thread::scope(|scope| {
                    let foreign = thread::Builder::new()
                        .stack_size(1 << 20)
                        .spawn_scoped(scope, foreign)
                        .unwrap();
                    runtime.block_on(async {
                        let blocked: Vec<_> = (0..5)
                            .map(|_| {
                                let gate = gate.clone();
                                gopark::spawn(async move { way.run(|| gate.pass()) })
                            })
                            .collect();
                        let releaser = gopark::spawn(async move {
                            gate.has_blocked(5).await;
                            gate.open();
                        });
                        for task in blocked.into_iter().chain([releaser]) {
                            task.await.unwrap();
                        }
                        // If there was no thread at all when it came, it was given up.
                        match job.await {
                            Ok(seven) => assert_eq!(seven, 7),
                            Err(error) => assert!(error.is_refused()),
                        }
                    });
                    foreign.join().unwrap();
                    assert_eq!(wait(runtime.spawn_blocking(|| 7)).unwrap(), 7);
                });
                let metrics = runtime.handle().metrics();
                assert!(metrics.threads_started >= started, "{way:?}");
            }
            let metrics = runtime.handle().metrics();
            assert!(metrics.thread_failures > 0, "{metrics:?}");
            assert!(metrics.threads_started > 0, "{metrics:?}");
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_monitor_that_is_refused_its_thread_starts_later() {
    use proof_support::proc;

    const NAME: &str = "a_monitor_that_is_refused_its_thread_starts_later";
    child::isolated(NAME, || {
        let _alarm = alarm();
        let runtime = multi(1);
        // The least of some looks: other threads may have mapped something for a moment.
        let looks = (0..20).map(|_| {
            thread::sleep(Duration::from_millis(1));
            proc::virtual_memory()
        });
        // A thread's stack is larger.
        proc::limit(libc::RLIMIT_AS, looks.min().unwrap() as u64 + (1 << 20));
        runtime.block_on(async {
            assert_eq!(gopark::block(|| 1), 1);
            for _ in 0..100 {
                gopark::spawn(async { gopark::block(|| ()) }).await.unwrap();
            }
        });
        assert_eq!(runtime.handle().metrics().looks, 0, "there is no monitor");
        assert!(runtime.handle().metrics().thread_failures > 0);
        proc::limit(libc::RLIMIT_AS, u64::MAX);
        // Now there can be one, and this needs it.
        runtime.block_on(async {
            let (gate, opener) = (Gate::default(), Gate::default());
            let theirs = gate.clone();
            while gopark::runtime::Handle::current().metrics().looks == 0 {
                gopark::block(|| ());
                gopark::yield_now().await;
            }
            let blocker = gopark::spawn(async move {
                drop(gopark::spawn(async move { theirs.open() }));
                gopark::block(|| gate.pass());
                opener.open();
            });
            blocker.await.unwrap();
        });
        assert!(runtime.handle().metrics().retakes_block > 0);
    });
}

#[test]
fn a_shutdown_with_a_limit_names_the_job_and_the_section_that_are_stuck() {
    let _alarm = alarm();
    // A thread inside `block_on` could be the one that gets stuck, so none is.
    for runtime in [multi(1), multi(2)] {
        let gate = Gate::default();
        let [in_job, in_block, in_eager] = [(); 3].map(|()| gate.clone());
        let lines = line!();
        let job = runtime.spawn_blocking(move || in_job.pass());
        let block = runtime.spawn(async move { gopark::block(|| in_block.pass()) });
        let eager = runtime.spawn(async move { gopark::block_eager(|| in_eager.pass()) });
        let idle = runtime.spawn(pending::<()>());
        until(|| gate.came() == 3);
        let handle = runtime.handle().clone();
        let error = runtime
            .shutdown_timeout(Duration::from_millis(20))
            .unwrap_err();
        let stuck = [job.id(), block.id(), eager.id()];
        let mut named: Vec<_> = error.tasks().iter().map(|task| task.id).collect();
        named.sort_unstable();
        let mut expected = stuck;
        expected.sort_unstable();
        assert_eq!(named, expected);
        for (n, id) in (1..).zip(stuck) {
            let task = error.tasks().iter().find(|task| task.id == id).unwrap();
            assert_eq!(task.location.line(), lines + n);
            let words = format!("task {id} spawned at {}", task.location);
            assert!(error.to_string().contains(&words), "{error}");
        }
        assert!(error.to_string().starts_with("3 tasks still run: "));
        assert!(wait(idle).unwrap_err().is_cancelled());
        // They go on, and end.
        gate.open();
        wait(job).unwrap();
        wait(block).unwrap();
        wait(eager).unwrap();
        until(|| handle.tasks().is_empty());
    }
}

#[test]
fn a_runtime_that_ends_waits_for_the_job_that_runs_and_cancels_those_that_have_not_begun() {
    let _alarm = alarm();
    for builder in [
        Builder::new_multi_thread().procs(1),
        Builder::new_multi_thread().procs(2),
        Builder::new_current_thread(),
    ] {
        let runtime = builder.max_blocking(1).build().unwrap();
        let (gate, drops, ran) = (Gate::default(), Counter::default(), Counter::default());
        let (theirs, captured, count) = (gate.clone(), drops.on_drop(), ran.clone());
        let first = runtime.spawn_blocking(move || {
            let _captured = captured;
            theirs.pass();
            count.add()
        });
        until(|| gate.came() == 1);
        let queued: Vec<_> = (0..20)
            .map(|_| {
                let (captured, ran) = (drops.on_drop(), ran.clone());
                runtime.spawn_blocking(move || {
                    let _captured = captured;
                    ran.add()
                })
            })
            .collect();
        let handle = runtime.handle().clone();
        let closer = thread::spawn(move || drop(runtime));
        for job in queued {
            assert!(wait(job).unwrap_err().is_cancelled());
        }
        assert_eq!((ran.get(), drops.get()), (0, 20));
        assert!(!first.is_finished());
        assert!(!closer.is_finished(), "the drop waits for what runs");
        gate.open();
        closer.join().unwrap();
        assert_eq!(wait(first).unwrap(), 1);
        assert_eq!((ran.get(), drops.get()), (1, 21));
        // One that comes too late is cancelled as well.
        let captured = drops.on_drop();
        let late = handle.spawn_blocking(move || drop(captured));
        assert!(wait(late).unwrap_err().is_cancelled());
        assert_eq!(drops.get(), 22);
    }
}

#[test]
fn a_runtime_may_end_while_tasks_of_every_kind_block() {
    let _alarm = alarm();
    for way in Way::ALL {
        for runtime in [multi(1), multi(2)] {
            let (gate, drops) = (Gate::default(), Counter::default());
            let mut tasks: Vec<_> = (0..6)
                .map(|_| {
                    let (gate, captured) = (gate.clone(), drops.on_drop());
                    runtime.spawn(async move {
                        let _captured = captured;
                        way.run(|| gate.pass());
                        // Not reached.
                        gopark::yield_now().await;
                        pending::<()>().await;
                    })
                })
                .collect();
            until(|| gate.came() == 6);
            let captured = drops.on_drop();
            tasks.push(runtime.spawn(async move {
                let _captured = captured;
                pending::<()>().await;
            }));
            let closer = thread::spawn(move || drop(runtime));
            // The one that does not block goes at once, wherever it was.
            assert!(wait(tasks.pop().unwrap()).unwrap_err().is_cancelled());
            gate.open();
            closer.join().unwrap();
            for task in tasks {
                assert!(wait(task).unwrap_err().is_cancelled());
            }
            assert_eq!(drops.get(), 7);
        }
    }
}

#[test]
fn a_runtime_may_be_dropped_by_a_task_in_a_section_and_by_a_job() {
    let _alarm = alarm();
    for kind in 0..3 {
        let runtime = Arc::new(multi(2));
        let (given, taken) = mpsc::channel::<Runtime>();
        let (dropped, was_dropped) = mpsc::channel();
        let waiter = runtime.spawn(pending::<()>());
        let dropper = move || {
            drop(taken.recv().unwrap());
            dropped.send(()).unwrap();
        };
        let end = match kind {
            0 => runtime.spawn(async move { gopark::block(dropper) }),
            1 => runtime.spawn(async move { gopark::block_eager(dropper) }),
            _ => runtime.spawn_blocking(dropper),
        };
        given.send(Arc::into_inner(runtime).unwrap()).unwrap();
        was_dropped.recv().unwrap();
        wait(end).unwrap();
        assert!(wait(waiter).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_section_that_outlives_its_runtime_comes_back_to_no_harm() {
    let _alarm = alarm();
    for way in Way::ALL {
        for runtime in every_kind() {
            let gate = Gate::default();
            let theirs = gate.clone();
            let (back, is_back) = mpsc::channel();
            if runtime.handle().flavor() == Flavor::CurrentThread {
                // The thread that is stuck in there when its runtime ends.
                let handle = runtime.handle().clone();
                drop(thread::spawn(move || handle.block_on(pending::<()>())));
            }
            let task = runtime.spawn(async move {
                way.run(|| theirs.pass());
                // The runtime is no more.
                let late = gopark::spawn(async {});
                let job = gopark::spawn_blocking(|| ());
                assert_eq!(way.run(|| 5), 5);
                assert!(late.is_finished() && job.is_finished());
                back.send(()).unwrap();
            });
            until(|| gate.came() == 1);
            let handle = runtime.handle().clone();
            runtime.shutdown_background();
            gate.open();
            is_back.recv().unwrap();
            wait(task).unwrap();
            until(|| handle.tasks().is_empty());
        }
    }
}

#[test]
fn a_waker_that_panics_in_a_section_ends_its_task_alone() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for way in Way::ALL {
            let task = runtime.spawn(async move {
                way.run(|| std::task::Waker::from(Arc::new(PanickingWaker::default())).wake());
            });
            assert!(runtime.block_on(task).unwrap_err().is_panic());
            // And one that waits for a job.
            let gate = Gate::default();
            let theirs = gate.clone();
            let mut job = runtime.spawn_blocking(move || theirs.pass());
            let waker = std::task::Waker::from(Arc::new(PanickingWaker::default()));
            let mut cx = std::task::Context::from_waker(&waker);
            assert!(std::pin::Pin::new(&mut job).poll(&mut cx).is_pending());
            gate.open();
            until(|| job.is_finished());
            assert_eq!(wait(runtime.spawn_blocking(|| 3)).unwrap(), 3);
            until(|| runtime.handle().metrics().jobs_running == 0);
        }
    }
}

#[test]
fn what_a_job_captured_may_panic_block_and_spawn_as_it_is_dropped() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for cancelled in [false, true] {
            let drops = Counter::default();
            let count = drops.clone();
            let captured = on_drop(move || {
                count.add();
                gopark::block(|| thread::sleep(Duration::from_millis(1)));
                gopark::block_eager(|| count.add());
                drop(gopark::spawn_blocking(|| ()));
                panic!("in the drop of a capture");
            });
            let gate = Gate::default();
            let theirs = gate.clone();
            let job = runtime.spawn_blocking(move || {
                theirs.pass();
                drop(captured);
            });
            if cancelled {
                job.abort();
            }
            gate.open();
            let error = wait(job).unwrap_err();
            assert!(error.is_panic() || (cancelled && error.is_cancelled()));
            assert_eq!(drops.get(), 2);
            assert_eq!(wait(runtime.spawn_blocking(|| 3)).unwrap(), 3);
        }
    }
}

/// The one line that is said of a limit, and the program that reaches it goes on.
fn says_of_a_limit(name: &str, program: impl FnOnce(Gate), words: &str) {
    if child::is_child(name) {
        let _alarm = alarm();
        let gate = Gate::default();
        let theirs = gate.clone();
        // The parent closes the pipe when it has read the line.
        let opener = thread::spawn(move || {
            std::io::stdin().lines().for_each(drop);
            theirs.open();
        });
        program(gate);
        opener.join().unwrap();
        return;
    }
    let mut started = child::command(name)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = std::io::BufReader::new(started.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr).map_while(Result::ok);
    let line = lines.find(|line| line.contains(words)).unwrap();
    assert!(line.contains("fault_blocking.rs:"), "{line}");
    drop(started.stdin.take());
    let again = lines.filter(|line| line.contains(words)).count();
    assert_eq!(again, 0, "it is said once");
    assert!(started.wait().unwrap().success());
}

#[test]
fn as_many_jobs_as_may_run_are_spoken_of() {
    says_of_a_limit(
        "as_many_jobs_as_may_run_are_spoken_of",
        |gate| {
            let builder = Builder::new_multi_thread().procs(2).max_blocking(2);
            let runtime = builder.build().unwrap();
            let jobs = [0; 5].map(|_| {
                let gate = gate.clone();
                runtime.spawn_blocking(move || gate.pass())
            });
            jobs.into_iter().for_each(|job| wait(job).unwrap());
        },
        "as many blocking jobs run as may (2, Builder::max_blocking): 3 more wait; spawned at ",
    );
}

#[test]
fn as_many_blocked_threads_as_may_be_are_spoken_of() {
    says_of_a_limit(
        "as_many_blocked_threads_as_may_be_are_spoken_of",
        |gate| {
            let builder = Builder::new_multi_thread().procs(1).max_blocked_threads(2);
            let runtime = builder.build().unwrap();
            let tasks = [0; 3].map(|_| {
                let gate = gate.clone();
                runtime.spawn(async move { gopark::block(|| gate.pass()) })
            });
            until(|| gate.came() == 3);
            let waits = runtime.spawn(async {});
            tasks.into_iter().for_each(|task| wait(task).unwrap());
            wait(waits).unwrap();
        },
        "as many tasks block as may (2, Builder::max_blocked_threads)",
    );
}

#[test]
fn jobs_and_tasks_that_block_have_limits_of_their_own() {
    let _alarm = alarm();
    let runtime = Builder::new_multi_thread()
        .procs(1)
        .max_blocking(2)
        .max_blocked_threads(2)
        .build()
        .unwrap();
    let gate = Gate::default();
    let jobs = [0; 2].map(|_| {
        let gate = gate.clone();
        runtime.spawn_blocking(move || gate.pass())
    });
    until(|| gate.came() == 2);
    let tasks = [0; 2].map(|_| {
        let gate = gate.clone();
        runtime.spawn(async move { gopark::block(|| gate.pass()) })
    });
    until(|| gate.came() == 4);
    // Each has taken a place of its own, so the processor is free for this one.
    wait(runtime.spawn(async move { gate.open() })).unwrap();
    jobs.into_iter().for_each(|job| wait(job).unwrap());
    tasks.into_iter().for_each(|task| wait(task).unwrap());
}
