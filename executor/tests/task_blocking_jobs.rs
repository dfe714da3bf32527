//! `spawn_blocking`: closures on threads of the runtime, in which order, how many at a time, and how they
//! end.

mod proof_support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gopark::runtime::{Builder, Runtime};
use gopark::spawn_blocking;
use proof_support::blocking::{Gate, Way, until, wait};
use proof_support::{Bell, Counter, alarm, current, every_kind, multi, panic_of};

/// One runtime of each kind, on which so many may block at a time.
fn limited(max: usize) -> [Runtime; 3] {
    let multi = |procs| Builder::new_multi_thread().procs(procs);
    [multi(1), multi(2), Builder::new_current_thread()]
        .map(|builder| builder.max_blocking(max).build().unwrap())
}

#[test]
fn a_job_gives_back_what_its_closure_does() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            assert_eq!(spawn_blocking(|| 1).await.unwrap(), 1);
            let text = String::from("moved in");
            let job = spawn_blocking(move || text + " and out");
            assert_eq!(job.await.unwrap(), "moved in and out");
            gopark::spawn(async {
                assert_eq!(spawn_blocking(|| vec![2]).await.unwrap(), [2]);
            })
            .await
            .unwrap();
            let me = thread::current().id();
            let other = spawn_blocking(|| thread::current().id());
            assert_ne!(other.await.unwrap(), me, "a thread in block_on runs no job");
        });
    }
}

#[test]
fn jobs_may_be_handed_in_from_anywhere() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.handle().clone();
        assert_eq!(wait(runtime.spawn_blocking(|| 1)).unwrap(), 1);
        assert_eq!(wait(handle.spawn_blocking(|| 2)).unwrap(), 2);
        let theirs = handle.clone();
        let foreign = thread::spawn(move || wait(theirs.spawn_blocking(|| 3)).unwrap());
        assert_eq!(foreign.join().unwrap(), 3);
        let _entered = handle.enter();
        assert_eq!(wait(spawn_blocking(|| 4)).unwrap(), 4);
        // From one runtime to another.
        let other = multi(1);
        let there = other.block_on(async { handle.spawn_blocking(|| 5).await.unwrap() });
        assert_eq!(there, 5);
    }
    // And to the one that is there without being asked for.
    let job = thread::spawn(|| spawn_blocking(|| 6)).join().unwrap();
    assert_eq!(wait(job).unwrap(), 6);
}

#[test]
fn a_panic_of_a_job_fails_its_handle_and_nothing_else() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for _ in 0..10 {
            let error = wait(runtime.spawn_blocking(|| panic!("at work"))).unwrap_err();
            assert!(error.is_panic());
            let payload = error.into_panic();
            assert_eq!(*payload.downcast::<&str>().unwrap(), "at work");
            // Also if nobody waits for it.
            drop(runtime.spawn_blocking(|| panic!("alone")));
            assert_eq!(wait(runtime.spawn_blocking(|| 1)).unwrap(), 1);
        }
        until(|| runtime.handle().metrics().jobs_running == 0);
    }
}

#[test]
fn jobs_begin_in_the_order_in_which_they_came() {
    let _alarm = alarm();
    for runtime in limited(1) {
        let gate = Gate::default();
        let theirs = gate.clone();
        let first = runtime.spawn_blocking(move || theirs.pass());
        until(|| gate.came() == 1);
        let order = Arc::new(Mutex::new(Vec::new()));
        let jobs: Vec<_> = (0..200)
            .map(|n| {
                let order = order.clone();
                runtime.spawn_blocking(move || order.lock().unwrap().push(n))
            })
            .collect();
        assert_eq!(runtime.handle().metrics().jobs_queued, 200);
        assert_eq!(runtime.handle().metrics().jobs_begun, 1);
        gate.open();
        wait(first).unwrap();
        for job in jobs {
            wait(job).unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..200).collect::<Vec<_>>());
    }
}

#[test]
fn never_do_more_jobs_run_than_may_and_never_fewer_if_they_wait_for_each_other() {
    let _alarm = alarm();
    for max in [1, 3, 20] {
        for runtime in limited(max) {
            let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            for _ in 0..3 {
                let gate = Gate::default();
                let jobs: Vec<_> = (0..3 * max)
                    .map(|_| {
                        let (gate, running) = (gate.clone(), running.clone());
                        let most = most.clone();
                        runtime.spawn_blocking(move || {
                            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now, Ordering::SeqCst);
                            // All that may run are needed to open it.
                            gate.pass();
                            running.fetch_sub(1, Ordering::SeqCst);
                        })
                    })
                    .collect();
                until(|| gate.came() == max);
                let metrics = runtime.handle().metrics();
                assert_eq!((metrics.jobs_running, metrics.jobs_queued), (max, 2 * max));
                gate.open();
                for job in jobs {
                    wait(job).unwrap();
                }
            }
            assert_eq!(most.load(Ordering::SeqCst), max);
        }
    }
}

#[test]
fn ten_thousand_jobs_all_run_once() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let ran = Counter::default();
        let sum: usize = runtime.block_on(async {
            let jobs: Vec<_> = (0..10_000)
                .map(|n| {
                    let ran = ran.clone();
                    spawn_blocking(move || {
                        ran.add();
                        n
                    })
                })
                .collect();
            let mut sum = 0;
            for job in jobs {
                sum += job.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, (0..10_000).sum());
        assert_eq!(ran.get(), 10_000);
        assert_eq!(runtime.handle().metrics().jobs_begun, 10_000);
    }
}

#[test]
fn a_job_that_is_aborted_before_it_begins_never_runs_and_drops_what_it_captured_once() {
    let _alarm = alarm();
    for runtime in limited(1) {
        let gate = Gate::default();
        let theirs = gate.clone();
        let first = runtime.spawn_blocking(move || theirs.pass());
        until(|| gate.came() == 1);
        let (ran, drops) = (Counter::default(), Counter::default());
        let jobs: Vec<_> = (0..10)
            .map(|_| {
                let (ran, captured) = (ran.clone(), drops.on_drop());
                runtime.spawn_blocking(move || {
                    let _captured = captured;
                    ran.add()
                })
            })
            .collect();
        for job in &jobs {
            job.abort();
        }
        let last = runtime.spawn_blocking(|| 7);
        gate.open();
        for job in jobs {
            assert!(wait(job).unwrap_err().is_cancelled());
        }
        wait(first).unwrap();
        assert_eq!(wait(last).unwrap(), 7);
        assert_eq!((ran.get(), drops.get()), (0, 10));
    }
}

#[test]
fn an_abort_of_a_job_that_has_begun_has_no_effect() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (gate, drops) = (Gate::default(), Counter::default());
        let (theirs, captured) = (gate.clone(), drops.on_drop());
        let job = runtime.spawn_blocking(move || {
            let _captured = captured;
            theirs.pass();
            7
        });
        until(|| gate.came() == 1);
        job.abort();
        assert!(!job.is_finished());
        gate.open();
        assert_eq!(wait(job).unwrap(), 7);
        assert_eq!(drops.get(), 1);
    }
}

#[test]
fn a_job_whose_handle_is_dropped_runs_all_the_same() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let ran = Counter::default();
        for _ in 0..50 {
            let ran = ran.clone();
            drop(runtime.spawn_blocking(move || ran.add()));
        }
        until(|| ran.get() == 50);
    }
}

#[test]
fn a_job_may_spawn_and_block_and_hand_in_others() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let job = || {
            let inner = spawn_blocking(|| 1);
            let task = gopark::spawn(async {
                gopark::time::sleep(Duration::from_millis(1)).await;
                2
            });
            let (one, two) =
                gopark::block_on(async { (inner.await.unwrap(), task.await.unwrap()) });
            let blocked = gopark::block(|| gopark::block_eager(|| 4));
            one + two + blocked
        };
        let outcome = runtime.block_on(async move { spawn_blocking(job).await.unwrap() });
        assert_eq!(outcome, 7);
        if runtime.handle().metrics().procs == 2 {
            assert_eq!(wait(runtime.spawn_blocking(job)).unwrap(), 7);
        }
    }
}

#[test]
fn a_tree_of_jobs_that_wait_for_their_children_ends() {
    fn tree(depth: usize) -> usize {
        if depth == 0 {
            return 1;
        }
        let children = [0; 2].map(|_| spawn_blocking(move || tree(depth - 1)));
        children
            .into_iter()
            .map(|child| gopark::block_on(child).unwrap())
            .sum()
    }

    let _alarm = alarm();
    for runtime in every_kind() {
        let sum = runtime.block_on(async { spawn_blocking(|| tree(5)).await.unwrap() });
        assert_eq!(sum, 32);
    }
}

#[test]
fn jobs_get_threads_while_all_processors_compute() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        let over = Arc::new(AtomicBool::new(false));
        let computing = Counter::default();
        let hogs: Vec<_> = (0..2)
            .map(|_| {
                let (over, computing) = (over.clone(), computing.clone());
                runtime.spawn(async move {
                    computing.add();
                    while !over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        until(|| computing.get() >= 1);
        // Four that need each other.
        let gate = Gate::default();
        let jobs: Vec<_> = (0..4)
            .map(|_| {
                let gate = gate.clone();
                runtime.spawn_blocking(move || gate.pass())
            })
            .collect();
        until(|| gate.came() == 4);
        gate.open();
        for job in jobs {
            wait(job).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        for hog in hogs {
            wait(hog).unwrap();
        }
    }
}

#[test]
fn jobs_begin_while_tasks_yield_for_ever() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let over = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let over = over.clone();
                runtime.spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        gopark::yield_now().await;
                    }
                })
            })
            .collect();
        runtime.block_on(async {
            let end = over.clone();
            let job = spawn_blocking(move || end.store(true, Ordering::Relaxed));
            for task in busy {
                task.await.unwrap();
            }
            job.await.unwrap();
        });
    }
}

#[test]
fn a_job_may_wait_for_a_root_for_its_local_tasks_and_for_tasks() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            for _ in 0..10 {
                let gates = [(); 3].map(|()| Gate::default());
                let (root, local, task) = (gates[0].clone(), gates[1].clone(), gates[2].clone());
                let began = Bell::default();
                let begins = began.clone();
                let job = spawn_blocking(move || {
                    begins.ring();
                    gates.iter().for_each(Gate::pass);
                });
                began.rung().await;
                let locals = gopark::spawn_local(async move { local.open() });
                drop(gopark::spawn(async move { task.open() }));
                gopark::yield_now().await;
                root.open();
                job.await.unwrap();
                locals.await.unwrap();
            }
        });
    }
}

#[test]
fn jobs_that_queue_behind_a_full_house_run_when_one_ends() {
    let _alarm = alarm();
    for runtime in limited(2) {
        let gates = [Gate::default(), Gate::default()];
        let [first, second] = [0, 1].map(|n: usize| {
            let gate = gates[n].clone();
            runtime.spawn_blocking(move || gate.pass())
        });
        until(|| gates.iter().all(|gate| gate.came() == 1));
        let queued = runtime.spawn_blocking(|| 7);
        assert!(!queued.is_finished());
        gates[0].open();
        // The second one blocks on.
        assert_eq!(wait(queued).unwrap(), 7);
        assert!(!second.is_finished());
        gates[1].open();
        wait(first).unwrap();
        wait(second).unwrap();
    }
}

#[test]
fn threads_that_a_burst_has_brought_end_after_their_keep_alive() {
    const BURST: usize = 40;
    let _alarm = alarm();
    let short = Duration::from_millis(10);
    for (builder, sections) in [
        (Builder::new_multi_thread().procs(2), true),
        (Builder::new_multi_thread().procs(2), false),
        (Builder::new_current_thread(), false),
    ] {
        let runtime = builder.thread_keep_alive(short).build().unwrap();
        for round in 1..=3 {
            let gate = Gate::default();
            let blocked: Vec<_> = (0..BURST)
                .map(|_| {
                    let gate = gate.clone();
                    if sections {
                        runtime.spawn(async move { Way::Eager.run(|| gate.pass()) })
                    } else {
                        runtime.spawn_blocking(move || gate.pass())
                    }
                })
                .collect();
            until(|| gate.came() == BURST);
            assert!(runtime.handle().metrics().threads >= BURST);
            gate.open();
            for task in blocked {
                wait(task).unwrap();
            }
            // As many as there are processors stay, and the one in the reactor.
            until(|| runtime.handle().metrics().threads <= 3);
            let ended = runtime.handle().metrics().threads_ended;
            assert!(ended as usize >= round * (BURST - 3), "{ended}");
        }
        runtime.block_on(async { spawn_blocking(|| ()).await.unwrap() });
    }
}

#[test]
fn a_number_of_blocked_threads_that_cannot_be_is_blamed_on_the_caller() {
    let (message, file, _) = panic_of(|| Builder::new_multi_thread().max_blocking(0));
    assert_eq!(message, "max_blocking(0): expected at least 1 thread");
    assert!(file.ends_with("task_blocking_jobs.rs"), "{file}");
    assert!(current().handle().metrics().jobs_begun == 0);
}
