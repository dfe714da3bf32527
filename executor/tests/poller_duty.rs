//! Whoever leaves the reactor, or makes a processor idle, sees to it that timers and sockets go on.

mod task_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use gopark::runtime::{Builder, Runtime, StallPolicy};
use gopark::time::sleep;
use task_support::{alarm, current, multi};

/// For how long somebody is busy who was the poller; the sleeps of others take a hundredth of it.
const BUSY: Duration = Duration::from_secs(2);
const NAP: Duration = Duration::from_millis(20);

fn kinds() -> [Runtime; 4] {
    let unwatched = || Builder::new_multi_thread().stall_policy(StallPolicy::Off);
    [
        multi(1),
        multi(2),
        current(),
        unwatched().procs(1).build().unwrap(),
    ]
}

/// What a root does that was the poller and was woken.
#[derive(Clone, Copy, Debug)]
enum Then {
    Returns,
    Blocks,
    RunsAnother,
}

/// One thread waits in the reactor, a second sleeps, a third wakes the first, which does what is asked. The second
/// wakes up in time.
fn leave_the_reactor(runtime: &Runtime, then: Then) {
    let (wake, woken) = oneshot::channel::<()>();
    let over = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let first = scope.spawn({
            let over = over.clone();
            move || {
                runtime.block_on(async move {
                    woken.await.unwrap();
                    let wait = move || {
                        let end = Instant::now() + BUSY;
                        while !over.load(Ordering::SeqCst) && Instant::now() < end {
                            thread::yield_now();
                        }
                    };
                    match then {
                        Then::Returns => {}
                        Then::Blocks => gopark::block_eager(wait),
                        Then::RunsAnother => current().block_on(async { gopark::block(wait) }),
                    }
                });
            }
        });
        thread::sleep(Duration::from_millis(2));
        let second = scope.spawn(|| {
            let begun = Instant::now();
            runtime.block_on(sleep(NAP));
            over.store(true, Ordering::SeqCst);
            begun.elapsed()
        });
        thread::sleep(Duration::from_millis(2));
        scope.spawn(|| runtime.block_on(async { wake.send(()).unwrap() }));
        let took = second.join().unwrap();
        assert!(
            took < BUSY / 2,
            "{then:?}: a sleep of {NAP:?} took {took:?}"
        );
        first.join().unwrap();
    });
}

#[test]
fn a_root_that_leaves_the_reactor_leaves_no_sleeper_behind() {
    let _alarm = alarm();
    for then in [Then::Returns, Then::Blocks, Then::RunsAnother] {
        for runtime in kinds() {
            for _ in 0..10 {
                leave_the_reactor(&runtime, then);
            }
        }
    }
}

#[test]
fn a_root_that_computes_after_it_left_the_reactor_delays_no_sleeper_for_long() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2)] {
        for _ in 0..5 {
            let (wake, woken) = oneshot::channel::<()>();
            let over = Arc::new(AtomicBool::new(false));
            thread::scope(|scope| {
                scope.spawn(|| {
                    runtime.block_on(async {
                        woken.await.unwrap();
                        let end = Instant::now() + BUSY;
                        while !over.load(Ordering::SeqCst) && Instant::now() < end {
                            std::hint::spin_loop();
                        }
                    });
                });
                thread::sleep(Duration::from_millis(2));
                let second = scope.spawn(|| {
                    let begun = Instant::now();
                    runtime.block_on(sleep(NAP));
                    over.store(true, Ordering::SeqCst);
                    begun.elapsed()
                });
                thread::sleep(Duration::from_millis(2));
                scope.spawn(|| runtime.block_on(async { wake.send(()).unwrap() }));
                let took = second.join().unwrap();
                assert!(took < BUSY / 2, "a sleep of {NAP:?} took {took:?}");
            });
        }
    }
}

/// A processor that an M gives up for another one keeps its timers: the M parks as a task comes, for which it takes
/// the idle processor with the lowest number.
#[test]
fn a_timer_of_a_processor_that_is_exchanged_for_another_is_not_forgotten() {
    let _alarm = alarm();
    let runtime = multi(4);
    // Enough threads that one is the poller and others sleep beside it.
    let meeting = Arc::new(Barrier::new(4));
    let meet = (0..4).map(|_| {
        let meeting = meeting.clone();
        runtime.spawn(async move {
            meeting.wait();
        })
    });
    for task in meet.collect::<Vec<_>>() {
        futures::executor::block_on(task).unwrap();
    }
    let over = Arc::new(AtomicBool::new(false));
    let theirs = over.clone();
    let holder = runtime.spawn(async move {
        while !theirs.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
    });
    let trials = if cfg!(debug_assertions) { 500 } else { 3_000 };
    for trial in 0..trials {
        let armed = Arc::new(AtomicBool::new(false));
        let theirs = armed.clone();
        let sleeper = runtime.spawn(async move {
            let end = Instant::now() + Duration::from_micros(20 + trial % 80);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            let begun = Instant::now();
            theirs.store(true, Ordering::SeqCst);
            sleep(Duration::from_millis(1)).await;
            begun.elapsed()
        });
        while !armed.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        let end = Instant::now() + Duration::from_nanos(trial * 137 % 12_000);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        drop(runtime.spawn(async {}));
        let took = futures::executor::block_on(sleeper).unwrap();
        assert!(took < BUSY / 4, "trial {trial}: it took {took:?}");
    }
    over.store(true, Ordering::SeqCst);
    futures::executor::block_on(holder).unwrap();
}

/// A clock that stands still goes on whoever waits, and wherever.
#[test]
fn a_paused_clock_goes_on_while_tasks_wait_in_nested_block_ons() {
    let _alarm = alarm();
    for tasks in [1, 2, 3, 10] {
        for _ in 0..20 {
            let paused = Builder::new_current_thread().pause_time(true);
            let runtime = paused.build().unwrap();
            let begun = gopark::time::Duration::from_secs(3600);
            runtime.block_on(async {
                let start = gopark::time::Instant::now();
                let tasks: Vec<_> = (0..tasks)
                    .map(|_| gopark::spawn(async move { gopark::block_on(sleep(begun)) }))
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
                assert!(start.elapsed() >= begun);
            });
        }
    }
}

#[test]
fn a_paused_clock_goes_on_while_other_roots_come_and_go() {
    let _alarm = alarm();
    let runtime = Builder::new_current_thread()
        .pause_time(true)
        .build()
        .unwrap();
    let over = AtomicBool::new(false);
    for _ in 0..5 {
        over.store(false, Ordering::SeqCst);
        thread::scope(|scope| {
            scope.spawn(|| {
                runtime.block_on(async {
                    while !over.load(Ordering::SeqCst) {
                        sleep(Duration::from_secs(60)).await;
                    }
                });
            });
            scope.spawn(|| {
                for _ in 0..300 {
                    runtime.block_on(async {});
                }
                over.store(true, Ordering::SeqCst);
            });
        });
    }
}

/// After a few sockets, a job and a look-up: with more threads about.
#[test]
fn a_paused_clock_goes_on_in_a_nested_block_on_after_sockets_and_jobs() {
    use gopark::net::{TcpListener, TcpStream};

    let _alarm = alarm();
    for _ in 0..30 {
        let runtime = Builder::new_current_thread()
            .pause_time(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = gopark::spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"x").await.unwrap();
            });
            let (stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0]).await.unwrap();
            client.await.unwrap();
            gopark::spawn_blocking(|| ()).await.unwrap();
            let _ = gopark::net::lookup_host("localhost:80").await;
            let hour = Duration::from_secs(3600);
            gopark::spawn(async move { gopark::block_on(sleep(hour)) })
                .await
                .unwrap();
        });
    }
}
