//! Polls that hold their processor without saying so, and what the monitor does for the others: they
//! get the processor, the reactor, their turn.

mod proof_support;

use std::future::poll_fn;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Runtime, StallPolicy};
use proof_support::blocking::{
    Computing, Gate, Way, compute, processor_time, until, wait, with_policy,
};
use proof_support::{Bell, Counter, alarm, current, multi};

/// A socket of the runtime and a socket of std, connected.
async fn pair() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().await.unwrap().0, theirs)
}

#[test]
fn sockets_are_served_while_the_thread_that_waited_in_the_reactor_blocks_in_a_task() {
    let _alarm = alarm();
    for way in Way::ALL {
        for runtime in [multi(1), multi(2), multi(4)] {
            served_while_blocked(way, &runtime, false);
            served_while_blocked(way, &runtime, true);
        }
    }
    for way in Way::MARKED {
        for runtime in [current(), with_policy(1, StallPolicy::Off)] {
            served_while_blocked(way, &runtime, true);
        }
    }
}

/// One task is woken by a socket and blocks until another, which is woken by a socket as well,
/// releases it.
fn served_while_blocked(way: Way, runtime: &Runtime, in_block_on: bool) {
    let gate = Gate::default();
    let theirs = gate.clone();
    let story = async move {
        let (first, mut ring_first) = pair().await;
        let (second, mut ring_second) = pair().await;
        let blocker = gopark::spawn(async move {
            first.read_exact(&mut [0]).await.unwrap();
            way.run(|| theirs.pass());
        });
        let opener = gate.clone();
        let releaser = gopark::spawn(async move {
            second.read_exact(&mut [0]).await.unwrap();
            opener.open();
        });
        let foreign = thread::spawn(move || {
            ring_first.write_all(b"1").unwrap();
            until(|| gate.came() == 1);
            ring_second.write_all(b"2").unwrap();
        });
        blocker.await.unwrap();
        releaser.await.unwrap();
        foreign.join().unwrap();
    };
    if in_block_on {
        runtime.block_on(story);
    } else {
        wait(runtime.spawn(story)).unwrap();
    }
}

#[test]
fn sockets_are_served_while_all_but_one_of_the_tasks_compute() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let server = runtime.spawn(async move {
            let (socket, mut theirs) = pair().await;
            let hog = gopark::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let client = thread::spawn(move || {
                for n in 0..5 {
                    theirs.write_all(&[n]).unwrap();
                    theirs.read_exact(&mut [0]).unwrap();
                }
            });
            for _ in 0..5 {
                let mut byte = [0];
                socket.read_exact(&mut byte).await.unwrap();
                socket.write_all(&byte).await.unwrap();
            }
            end.store(true, Ordering::Relaxed);
            hog.await.unwrap();
            client.join().unwrap();
        });
        wait(server).unwrap();
    }
}

/// Two tasks that wake each other, and a count of their polls.
#[derive(Default)]
struct Game {
    polls: AtomicUsize,
    over: AtomicBool,
    wakers: [Mutex<Option<Waker>>; 2],
}

#[test]
fn two_tasks_that_wake_each_other_give_way_at_the_end_of_their_time_slice() {
    let _alarm = alarm();
    // Nobody takes the processor from them, so a poll may be as long as it takes.
    let runtime = with_policy(1, StallPolicy::Warn);
    let handle = runtime.handle().clone();
    let (game, ended_at) = (Arc::new(Game::default()), Arc::new(AtomicUsize::new(0)));
    let third = game.clone();
    let (metrics, mark) = (handle.clone(), ended_at.clone());
    let ran = Arc::new(AtomicUsize::new(0));
    let ran_at = ran.clone();
    let players: Vec<_> = (0..2)
        .map(|player| {
            let (game, metrics, mark) = (game.clone(), metrics.clone(), mark.clone());
            let ran_at = ran_at.clone();
            poll_fn(move |cx| {
                let poll = game.polls.fetch_add(1, Ordering::SeqCst) + 1;
                *game.wakers[player].lock().unwrap() = Some(cx.waker().clone());
                if poll == 5 {
                    let (third, ran_at) = (game.clone(), ran_at.clone());
                    drop(gopark::spawn(async move {
                        ran_at.store(third.polls.load(Ordering::SeqCst), Ordering::SeqCst);
                        third.over.store(true, Ordering::SeqCst);
                    }));
                }
                let other = game.wakers[1 - player].lock().unwrap().take();
                if let Some(other) = other {
                    other.wake();
                }
                if poll == 5 {
                    until(|| metrics.metrics().slices_ended > 0);
                    mark.store(poll, Ordering::SeqCst);
                }
                if game.over.load(Ordering::SeqCst) {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
        })
        .collect();
    let players = wait(
        handle.spawn(async move { players.into_iter().map(gopark::spawn).collect::<Vec<_>>() }),
    )
    .unwrap();
    for player in players {
        wait(player).unwrap();
    }
    assert_eq!(third.polls.load(Ordering::SeqCst), 7, "both see the end");
    assert_eq!(ran.load(Ordering::SeqCst), ended_at.load(Ordering::SeqCst));
}

/// A task in the queue behind two that compute is not kept waiting for two time slices: the second of them comes
/// from the place of the first, and is expected to compute, too.
#[test]
#[cfg(target_os = "linux")]
fn the_next_task_of_a_place_that_computes_gets_no_time_slice_of_its_own() {
    let _alarm = alarm();
    let runtime = multi(1);
    let over = Arc::new(AtomicBool::new(false));
    let used = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let waits = runtime.spawn(async move {
        for used in used.clone() {
            let over = over.clone();
            drop(gopark::spawn(async move {
                let start = processor_time();
                while !over.load(Ordering::Relaxed) {
                    let micros = (processor_time() - start).as_micros();
                    used.store(micros as usize, Ordering::Relaxed);
                }
            }));
        }
        let last = gopark::spawn(async move {
            // To the end of the queue.
            gopark::yield_now().await;
            over.store(true, Ordering::Relaxed);
            used.map(|used| used.load(Ordering::Relaxed))
        });
        last.await.unwrap()
    });
    let mut used = wait(waits).unwrap();
    used.sort_unstable();
    // The least of both, for the other may have gone on computing without a processor for as long.
    assert!(used[0] < 10_000, "{used:?} us; a time slice is 10,000");
    assert_eq!(runtime.handle().metrics().retakes_computing, 2);
}

#[test]
fn a_task_that_computes_for_ever_keeps_nobody_from_running() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        let over = Arc::new(AtomicBool::new(false));
        let hog = {
            let over = over.clone();
            runtime.spawn(async move {
                let end = over.clone();
                // It is in `runnext`, where nobody can steal it.
                drop(gopark::spawn(
                    async move { end.store(true, Ordering::Relaxed) },
                ));
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        wait(hog).unwrap();
        assert!(runtime.handle().metrics().retakes_computing > 0);
        // And what comes from outside.
        over.store(false, Ordering::Relaxed);
        let hog = {
            let over = over.clone();
            runtime.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        wait(runtime.spawn(async move { over.store(true, Ordering::Relaxed) })).unwrap();
        wait(hog).unwrap();
    }
}

/// However many compute: whoever waits runs at some time.
#[test]
fn ten_tasks_that_compute_for_ever_on_two_processors_keep_nobody_from_running() {
    let _alarm = alarm();
    let runtime = multi(2);
    let over = Arc::new(AtomicBool::new(false));
    let hogs: Vec<_> = (0..10)
        .map(|_| {
            let over = over.clone();
            runtime.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    wait(runtime.spawn(async move { over.store(true, Ordering::Relaxed) })).unwrap();
    for hog in hogs {
        wait(hog).unwrap();
    }
}

/// Again and again, so that those that computed and are back count for nothing.
#[test]
fn as_many_tasks_as_there_are_processors_may_compute_for_ever_again_and_again() {
    let _alarm = alarm();
    let runtime = multi(2);
    for _ in 0..10 {
        let over = Arc::new(AtomicBool::new(false));
        let hogs: Vec<_> = (0..2)
            .map(|_| {
                let over = over.clone();
                runtime.spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        wait(runtime.spawn(async move { over.store(true, Ordering::Relaxed) })).unwrap();
        for hog in hogs {
            wait(hog).unwrap();
        }
    }
}

#[test]
fn of_many_tasks_that_compute_for_long_few_run_at_a_time() {
    let _alarm = alarm();
    let runtime = multi(2);
    let computing = Computing::default();
    let hogs: Vec<_> = (0..20)
        .map(|_| {
            let computing = computing.clone();
            runtime.spawn(async move { computing.compute(Duration::from_millis(40)) })
        })
        .collect();
    let setter = runtime.spawn(async {});
    for task in hogs.into_iter().chain([setter]) {
        wait(task).unwrap();
    }
    let most = computing.most();
    let metrics = runtime.handle().metrics();
    // Four have lost their processor, two have one; and now and then a retake strikes the next poll.
    assert!(most <= 8, "{most} at a time: {metrics:?}");
}

#[test]
fn where_the_policy_is_off_or_warn_a_stalled_poll_keeps_its_processor() {
    let _alarm = alarm();
    for policy in [StallPolicy::Off, StallPolicy::Warn] {
        let runtime = with_policy(1, policy);
        for stall in [thread::sleep as fn(Duration), compute] {
            let stalled = runtime.spawn(async move {
                let ran = Counter::default();
                let theirs = ran.clone();
                let next = gopark::spawn(async move { theirs.add() });
                stall(Duration::from_millis(50));
                (ran.get(), next)
            });
            let (ran, next) = wait(stalled).unwrap();
            assert_eq!(ran, 0, "{policy:?}: another task ran in the meantime");
            wait(next).unwrap();
        }
        let metrics = runtime.handle().metrics();
        assert_eq!(metrics.retakes_off_cpu, 0, "{metrics:?}");
        assert_eq!(metrics.retakes_computing, 0, "{metrics:?}");
    }
}

#[test]
fn where_the_policy_is_to_hand_over_a_stalled_poll_loses_its_processor() {
    let _alarm = alarm();
    let runtime = with_policy(1, StallPolicy::HandOff);
    for (n, way) in [Way::Unmarked, Way::Block].into_iter().enumerate() {
        let gate = Gate::default();
        let stalled = runtime.spawn(async move {
            let opener = gate.clone();
            drop(gopark::spawn(async move { opener.open() }));
            way.run(|| gate.pass());
        });
        wait(stalled).unwrap();
        let metrics = runtime.handle().metrics();
        assert!(metrics.retakes_off_cpu >= 1, "{metrics:?}");
        assert!(metrics.retakes_block >= n as u64, "{metrics:?}");
    }
}

#[test]
fn the_thread_inside_block_on_runs_no_task() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        runtime.block_on(async {
            let me = thread::current().id();
            for _ in 0..20 {
                let gate = Gate::default();
                let theirs = gate.clone();
                let stuck = gopark::spawn(async move {
                    theirs.pass();
                    thread::current().id()
                });
                while gate.came() == 0 {
                    gopark::yield_now().await;
                }
                // The root itself releases it.
                gate.open();
                assert_ne!(stuck.await.unwrap(), me);
            }
        });
    }
}

/// Its tasks would starve if it kept the processor.
#[test]
fn a_root_that_keeps_to_itself_and_yields_gives_way_to_tasks() {
    const YIELDS: usize = 1_000_000;
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        runtime.block_on(async {
            let stuck = gopark::spawn(async move {
                let gate = Gate::default();
                let opener = gate.clone();
                drop(gopark::spawn(async move { opener.open() }));
                gate.pass();
            });
            stuck.await.unwrap();
            for _ in 0..20 {
                let task = gopark::spawn(gopark::yield_now());
                let mut yields = 0;
                while !task.is_finished() {
                    gopark::yield_now().await;
                    yields += 1;
                    assert!(yields < YIELDS, "the task has not run yet");
                }
            }
        });
    }
}

#[test]
fn a_root_that_keeps_to_itself_still_has_its_timers_sockets_and_local_tasks() {
    let _alarm = alarm();
    let runtime = multi(1);
    runtime.block_on(async {
        let gate = Gate::default();
        let stuck = gopark::spawn(async move {
            let opener = gate.clone();
            drop(gopark::spawn(async move { opener.open() }));
            gate.pass();
        });
        stuck.await.unwrap();
        let (socket, mut theirs) = pair().await;
        let echo = gopark::spawn_local(async move {
            let mut byte = [0];
            socket.read_exact(&mut byte).await.unwrap();
            byte[0]
        });
        gopark::time::sleep(Duration::from_millis(1)).await;
        let bell = Bell::default();
        let rung = bell.rung();
        let foreign = thread::spawn(move || {
            theirs.write_all(b"7").unwrap();
            bell.ring();
        });
        rung.await;
        assert_eq!(echo.await.unwrap(), b'7');
        foreign.join().unwrap();
        gopark::spawn(async { gopark::spawn_local(async {}).await.unwrap() })
            .await
            .unwrap();
    });
}
