//! `block` and `block_eager`: what they give back, what may be done in them, and where.

mod proof_support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use gopark::runtime::{Builder, Handle};
use gopark::time::Instant;
use gopark::{block, block_eager};
use proof_support::blocking::{Gate, Way, until, wait};
use proof_support::{Bell, Counter, alarm, every_kind, multi, on_drop, panic_of};

#[test]
fn a_section_gives_back_what_its_closure_does() {
    let _alarm = alarm();
    let story = || async {
        assert_eq!(block(|| 1), 1);
        assert_eq!(block_eager(|| String::from("2")), "2");
        assert_eq!(block(|| Err::<(), _>(3)), Err(3));
        assert_eq!(block(|| block_eager(|| block(|| 4))), 4);
        assert_eq!(block_eager(|| block(|| block_eager(|| 5))), 5);
        for way in Way::ALL {
            assert_eq!(way.run(|| vec![way]), [way]);
        }
    };
    for runtime in every_kind() {
        runtime.block_on(story());
        runtime.block_on(async { gopark::spawn(story()).await.unwrap() });
    }
}

#[test]
fn a_section_may_borrow_and_need_not_be_send() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let mut text = String::from("a");
            let shared = Rc::new(Cell::new(1));
            for section in 0..2 {
                let mut work = || {
                    text.push('b');
                    shared.set(shared.get() + 1);
                    Rc::clone(&shared)
                };
                let given = if section == 0 {
                    block(&mut work)
                } else {
                    block_eager(&mut work)
                };
                assert!(Rc::ptr_eq(&given, &shared));
            }
            assert_eq!((text.as_str(), shared.get()), ("abb", 3));
            let local = gopark::spawn_local(async move { block_eager(|| shared.get()) });
            assert_eq!(local.await.unwrap(), 3);
        });
    }
}

#[test]
fn a_section_runs_on_the_thread_of_its_poll() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            for way in Way::MARKED {
                gopark::spawn(async move {
                    let me = thread::current().id();
                    let gate = Gate::default();
                    let theirs = gate.clone();
                    drop(gopark::spawn(async move { theirs.open() }));
                    way.run(|| gate.pass());
                    assert_eq!(thread::current().id(), me);
                })
                .await
                .unwrap();
            }
        });
    }
}

#[test]
fn outside_of_any_runtime_a_section_only_calls_its_closure() {
    let me = thread::current().id();
    assert_eq!(block(|| thread::current().id()), me);
    assert_eq!(block_eager(|| block(|| thread::current().id())), me);
    let (message, ..) = panic_of(|| block(|| panic!("in vain")));
    assert_eq!(message, "in vain");
    assert_eq!(wait(async { block(|| 3) }), 3);
    // The guard alone does not make a thread one that runs tasks.
    let runtime = multi(1);
    let _entered = runtime.enter();
    assert_eq!(block(|| block_eager(|| thread::current().id())), me);
    assert!(block(Handle::try_current).is_ok());
}

#[test]
fn the_runtime_is_at_hand_in_a_section() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.handle().clone();
        let work = async move {
            for way in Way::ALL {
                let spawned = way.run(|| {
                    assert!(Handle::try_current().is_ok());
                    gopark::spawn(async { 7 })
                });
                assert_eq!(spawned.await.unwrap(), 7);
                let job = way.run(|| gopark::spawn_blocking(|| 8));
                assert_eq!(job.await.unwrap(), 8);
            }
            // What waits is waited for by a thread that is blocked already.
            for section in [true, false] {
                let inner = || {
                    gopark::block_on(async {
                        gopark::time::sleep(Duration::from_millis(1)).await;
                        gopark::spawn(gopark::yield_now()).await.unwrap();
                        9
                    })
                };
                let nine = if section {
                    block(inner)
                } else {
                    block_eager(inner)
                };
                assert_eq!(nine, 9);
            }
        };
        handle.block_on(async { gopark::spawn(work).await.unwrap() });
    }
}

#[test]
fn a_panic_in_a_section_passes_through_it_and_leaves_the_thread_of_use() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for way in Way::ALL {
            // It ends the task, or the root, and nothing else.
            let task = runtime.spawn(async move { way.run(|| panic!("out of a section")) });
            let error = runtime.block_on(task).unwrap_err();
            let payload = error.into_panic();
            assert_eq!(*payload.downcast::<&str>().unwrap(), "out of a section");
            let (message, ..) =
                panic_of(|| runtime.block_on(async { way.run(|| panic!("out of a root")) }));
            assert_eq!(message, "out of a root");
            // It may be caught in the middle of a poll that goes on, with a hand-over or without.
            runtime.block_on(async {
                let goes_on = gopark::spawn(async move {
                    for long in [false, true] {
                        let caught = catch_unwind(AssertUnwindSafe(|| {
                            way.run(|| {
                                if long {
                                    thread::sleep(Duration::from_millis(2));
                                }
                                panic!("caught");
                            })
                        }));
                        assert!(caught.is_err());
                        gopark::spawn(gopark::yield_now()).await.unwrap();
                    }
                });
                goes_on.await.unwrap();
            });
        }
        // The thread may block again, and is counted as often as it does.
        let gate = Gate::default();
        let opener = gate.clone();
        let task = runtime.spawn(async move {
            drop(gopark::spawn(async move { opener.open() }));
            block(|| gate.pass());
        });
        runtime.block_on(task).unwrap();
    }
}

#[test]
fn a_value_that_blocks_and_panics_as_it_is_dropped_in_a_section_hurts_nobody() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            for way in Way::ALL {
                let task = gopark::spawn(async move {
                    let drops = Counter::default();
                    let inner = drops.clone();
                    let value = on_drop(move || {
                        block(|| inner.add());
                        panic!("in a drop");
                    });
                    let _guard = on_drop(move || assert_eq!(drops.get(), 1));
                    way.run(move || drop(value));
                });
                assert!(task.await.unwrap_err().is_panic());
                assert_eq!(gopark::spawn(async { 1 }).await.unwrap(), 1);
            }
        });
    }
}

#[test]
fn the_siblings_of_a_section_wait_and_other_tasks_do_not() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let gate = Gate::default();
            let opener = gate.clone();
            let sibling = Counter::default();
            let theirs = sibling.clone();
            let task = gopark::spawn(async move {
                futures::join!(async { block(|| gate.pass()) }, async { theirs.add() });
            });
            gopark::spawn(async move {
                opener.has_blocked(1).await;
                assert_eq!(sibling.get(), 0);
                opener.open();
            })
            .await
            .unwrap();
            task.await.unwrap();
        });
    }
}

#[test]
fn what_wakes_a_task_that_is_in_a_section_polls_it_again_afterwards() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for way in [Way::Block, Way::Eager, Way::Nested] {
            let (gate, bell) = (Gate::default(), Bell::default());
            let (theirs, rung) = (gate.clone(), bell.rung());
            let task = runtime.spawn(async move {
                let mut rung = std::pin::pin!(rung);
                assert!(futures::poll!(&mut rung).is_pending());
                way.run(|| theirs.pass());
                rung.await;
            });
            let waker = runtime.spawn(async move {
                gate.has_blocked(1).await;
                bell.ring();
                gate.open();
            });
            runtime.block_on(async {
                waker.await.unwrap();
                task.await.unwrap();
            });
        }
    }
}

#[test]
fn a_task_that_is_aborted_in_a_section_ends_after_its_poll() {
    let _alarm = alarm();
    for runtime in every_kind() {
        for way in Way::MARKED {
            let (gate, ran_on) = (Gate::default(), Counter::default());
            let (theirs, mark) = (gate.clone(), ran_on.clone());
            let task = runtime.spawn(async move {
                way.run(|| theirs.pass());
                mark.add();
                std::future::pending::<()>().await;
            });
            let abort = task.abort_handle();
            let aborter = runtime.spawn(async move {
                gate.has_blocked(1).await;
                abort.abort();
                assert!(!abort.is_finished());
                gate.open();
            });
            runtime.block_on(async {
                aborter.await.unwrap();
                assert!(task.await.unwrap_err().is_cancelled());
            });
            assert_eq!(ran_on.get(), 1);
        }
    }
}

#[test]
fn a_clock_that_is_paused_does_not_jump_while_a_section_or_a_job_lasts() {
    const HOUR: Duration = Duration::from_secs(3600);
    let _alarm = alarm();
    for kind in 0..4 {
        let builder = Builder::new_current_thread().pause_time(true);
        builder.build().unwrap().block_on(async {
            let start = Instant::now();
            let gate = Gate::default();
            let sleeper = gopark::spawn(gopark::time::sleep(HOUR));
            let (theirs, opener) = (gate.clone(), gate.clone());
            let handle = Handle::current();
            let foreign = thread::spawn(move || {
                until(|| opener.came() == 1 && handle.metrics().idle_procs == 1);
                // A moment in which the clock could jump.
                thread::sleep(Duration::from_millis(5));
                opener.open();
            });
            match kind {
                0 => block(|| theirs.pass()),
                1 => gopark::spawn(async move { block(|| theirs.pass()) })
                    .await
                    .unwrap(),
                2 => gopark::spawn(async move { block_eager(|| theirs.pass()) })
                    .await
                    .unwrap(),
                _ => gopark::spawn_blocking(move || theirs.pass()).await.unwrap(),
            }
            assert_eq!(start.elapsed(), Duration::ZERO, "{kind}");
            foreign.join().unwrap();
            // And then it does.
            sleeper.await.unwrap();
            assert!(start.elapsed() >= HOUR);
        });
    }
}
