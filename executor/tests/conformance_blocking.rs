//! A blocked thread costs no processor: more tasks block than there are processors, and what
//! releases them is a task of the same runtime. Without a hand-over each of these tests would hang.

mod proof_support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use gopark::runtime::{Builder, Handle, Runtime, StallPolicy};
use gopark::task::JoinSet;
use proof_support::blocking::{Gate, Way, wait, with_policy};
use proof_support::{Bell, Counter, alarm, current, multi};

/// The runtimes on which a poll may block in this way.
fn runtimes(way: Way) -> Vec<Runtime> {
    let mut runtimes = vec![multi(1), multi(2)];
    runtimes.push(if way == Way::Unmarked {
        let builder = Builder::new_current_thread().stall_policy(StallPolicy::HandOff);
        builder.build().unwrap()
    } else {
        current()
    });
    runtimes
}

fn for_every_way(test: impl Fn(Way, &Runtime)) {
    let _alarm = alarm();
    for way in Way::ALL {
        for runtime in runtimes(way) {
            test(way, &runtime);
        }
    }
}

/// Many more tasks than processors.
const MANY: usize = 9;

#[test]
fn more_tasks_than_processors_may_block_until_another_task_releases_them() {
    for_every_way(|way, runtime| {
        let gate = Gate::default();
        let blocked: Vec<_> = (0..MANY)
            .map(|n| {
                let gate = gate.clone();
                runtime.spawn(async move {
                    gopark::yield_now().await;
                    way.run(|| gate.pass());
                    gopark::yield_now().await;
                    n
                })
            })
            .collect();
        let releaser = runtime.spawn(async move {
            gate.has_blocked(MANY).await;
            gate.open();
        });
        runtime.block_on(async {
            releaser.await.unwrap();
            for (n, task) in blocked.into_iter().enumerate() {
                assert_eq!(task.await.unwrap(), n);
            }
        });
    });
}

#[test]
fn threads_that_are_back_are_counted_as_blocked_no_longer() {
    for_every_way(|way, runtime| {
        let gate = Gate::default();
        let blocked: Vec<_> = (0..MANY)
            .map(|_| {
                let gate = gate.clone();
                runtime.spawn(async move { way.run(|| gate.pass()) })
            })
            .collect();
        // No root: one of those that block may do so on the root's thread.
        let opens = runtime.spawn(async move {
            gate.has_blocked(MANY).await;
            gate.open();
        });
        runtime.block_on(async {
            opens.await.unwrap();
            for task in blocked {
                task.await.unwrap();
            }
            while Handle::current().metrics().blocked_threads > 0 {
                gopark::yield_now().await;
            }
        });
    });
}

#[test]
fn as_many_tasks_as_may_block_do_so_again_and_again() {
    const MAX: usize = 3;
    let _alarm = alarm();
    for way in Way::ALL {
        let builder = Builder::new_multi_thread()
            .procs(1)
            .max_blocked_threads(MAX);
        let runtime = builder.build().unwrap();
        for _ in 0..20 {
            let gate = Gate::default();
            let blocked: Vec<_> = (0..MAX)
                .map(|_| {
                    let gate = gate.clone();
                    runtime.spawn(async move { way.run(|| gate.pass()) })
                })
                .collect();
            wait(runtime.spawn(async move {
                gate.has_blocked(MAX).await;
                gate.open();
            }))
            .unwrap();
            for task in blocked {
                wait(task).unwrap();
            }
        }
    }
}

/// More tasks than a pool for blocking jobs has threads meet at a barrier of `std`, while a clock ticks.
#[test]
fn six_hundred_tasks_that_block_until_all_have_come_do_not_stop_the_others() {
    const TASKS: usize = 600;
    let _alarm = alarm();
    for way in [Way::Block, Way::Unmarked] {
        let runtime = multi(2);
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(TASKS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let barrier = barrier.clone();
                runtime.spawn(async move { way.run(|| barrier.wait()) })
            })
            .collect();
        for _ in 0..10 {
            wait(runtime.spawn(gopark::time::sleep(Duration::from_millis(1)))).unwrap();
        }
        let leaders = tasks.into_iter().map(|task| wait(task).unwrap());
        assert_eq!(leaders.filter(|arrival| arrival.is_leader()).count(), 1);
    }
}

#[test]
fn sections_block_all_the_same_whatever_the_policy_on_unmarked_stalls() {
    let _alarm = alarm();
    for policy in [StallPolicy::Off, StallPolicy::Warn] {
        for way in Way::MARKED {
            let runtime = with_policy(2, policy);
            let gate = Gate::default();
            let blocked: Vec<_> = (0..MANY)
                .map(|_| {
                    let gate = gate.clone();
                    runtime.spawn(async move { way.run(|| gate.pass()) })
                })
                .collect();
            wait(runtime.spawn(async move {
                gate.has_blocked(MANY).await;
                gate.open();
            }))
            .unwrap();
            for task in blocked {
                wait(task).unwrap();
            }
        }
    }
}

#[test]
fn what_a_task_spawned_or_woke_before_it_blocks_runs_meanwhile() {
    // With one only, it is in `runnext`; with more, the others are in the ring.
    for others in [1, 2, 20] {
        for_every_way(|way, runtime| {
            let (spawned, woken) = (Counter::default(), Counter::default());
            let bells: Vec<_> = (0..others).map(|_| Bell::default()).collect();
            let sleepers: Vec<_> = bells
                .iter()
                .map(|bell| {
                    let (rung, woken) = (bell.rung(), woken.clone());
                    runtime.spawn(async move {
                        rung.await;
                        woken.add();
                    })
                })
                .collect();
            let blocker = runtime.spawn(async move {
                gopark::yield_now().await;
                for wakes in [true, false] {
                    let gate = Gate::default();
                    let count = if wakes { &woken } else { &spawned };
                    for bell in &bells {
                        if wakes {
                            bell.ring();
                        } else {
                            let spawned = spawned.clone();
                            drop(gopark::spawn(async move {
                                spawned.add();
                            }));
                        }
                    }
                    let (opener, count) = (gate.clone(), count.clone());
                    drop(gopark::spawn(async move {
                        while count.get() < others {
                            gopark::yield_now().await;
                        }
                        opener.open();
                    }));
                    way.run(|| gate.pass());
                    gopark::yield_now().await;
                }
            });
            runtime.block_on(async {
                blocker.await.unwrap();
                for sleeper in sleepers {
                    sleeper.await.unwrap();
                }
            });
        });
    }
}

#[test]
fn the_only_task_in_runnext_runs_while_the_one_that_woke_it_blocks() {
    for_every_way(|way, runtime| {
        let blocker = runtime.spawn(async move {
            let gate = Gate::default();
            let opener = gate.clone();
            drop(gopark::spawn(async move { opener.open() }));
            way.run(|| gate.pass());
        });
        runtime.block_on(blocker).unwrap();
    });
}

#[test]
fn what_the_blocked_thread_had_in_hand_runs_meanwhile() {
    let _alarm = alarm();
    for way in Way::ALL {
        for runtime in [multi(1), runtimes(way).pop().unwrap()] {
            // The first of a burst, on the only processor, takes some of the others into the hand.
            let (gate, ran) = (Gate::default(), Counter::default());
            let burst = runtime.spawn(async move {
                let tasks: Vec<_> = (0..8)
                    .map(|n| {
                        let (gate, ran) = (gate.clone(), ran.clone());
                        gopark::spawn(async move {
                            if n == 0 {
                                way.run(|| gate.pass());
                            } else if ran.add() == 7 {
                                gate.open();
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
            runtime.block_on(burst).unwrap();
        }
    }
}

#[test]
fn a_root_may_block_until_a_task_releases_it() {
    for_every_way(|way, runtime| {
        for _ in 0..3 {
            runtime.block_on(async {
                let gate = Gate::default();
                let opener = gate.clone();
                let task = gopark::spawn(async move {
                    gopark::yield_now().await;
                    opener.open();
                });
                way.run(|| gate.pass());
                task.await.unwrap();
            });
        }
    });
}

#[test]
fn members_of_a_join_set_may_block_until_another_member_releases_them() {
    for_every_way(|way, runtime| {
        runtime.block_on(async {
            let gate = Gate::default();
            let mut set = JoinSet::new();
            for n in 0..MANY {
                let gate = gate.clone();
                set.spawn(async move {
                    way.run(|| gate.pass());
                    n
                });
            }
            set.spawn(async move {
                gate.has_blocked(MANY).await;
                gate.open();
                MANY
            });
            let mut sum = 0;
            while let Some(result) = set.join_next().await {
                sum += result.unwrap();
            }
            assert_eq!(sum, (0..=MANY).sum::<usize>());
        });
    });
}

#[test]
fn while_a_local_task_blocks_spawned_tasks_run_and_other_local_ones_wait() {
    for_every_way(|way, runtime| {
        runtime.block_on(async {
            let gate = Gate::default();
            let others = Rc::new(Cell::new(0));
            let (mine, theirs) = (others.clone(), others.clone());
            let opener = gate.clone();
            let spawned = gopark::spawn(async move {
                opener.has_blocked(1).await;
                for _ in 0..100 {
                    gopark::yield_now().await;
                }
                opener.open();
            });
            let blocker = gopark::spawn_local(async move {
                way.run(|| gate.pass());
                mine.get()
            });
            let other = gopark::spawn_local(async move { theirs.set(theirs.get() + 1) });
            assert_eq!(blocker.await.unwrap(), 0);
            other.await.unwrap();
            spawned.await.unwrap();
            assert_eq!(others.get(), 1);
        });
    });
}

#[test]
fn timers_go_on_while_four_times_as_many_tasks_block_as_there_are_processors() {
    for_every_way(|way, runtime| {
        let blocked = 4 * runtime.handle().metrics().procs + 1;
        let gate = Gate::default();
        let tasks: Vec<_> = (0..blocked)
            .map(|_| {
                let gate = gate.clone();
                runtime.spawn(async move { way.run(|| gate.pass()) })
            })
            .collect();
        let ticker = runtime.spawn(async move {
            let mut ticks = gopark::time::interval(Duration::from_millis(1));
            while gate.came() < blocked {
                ticks.tick().await;
            }
            for _ in 0..10 {
                ticks.tick().await;
            }
            gate.open();
        });
        runtime.block_on(async {
            ticker.await.unwrap();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn a_sleep_that_was_armed_on_the_processor_before_it_was_blocked_ends() {
    for_every_way(|way, runtime| {
        let (gate, armed) = (Gate::default(), Bell::default());
        let (opener, bell) = (gate.clone(), armed.clone());
        let sleeper = runtime.spawn(async move {
            let mut sleep = Box::pin(gopark::time::sleep(Duration::from_millis(2)));
            assert!(futures::poll!(&mut sleep).is_pending());
            bell.ring();
            sleep.await;
            opener.open();
        });
        let blocker = runtime.spawn(async move {
            armed.rung().await;
            way.run(|| gate.pass());
        });
        runtime.block_on(async {
            blocker.await.unwrap();
            sleeper.await.unwrap();
        });
    });
}
