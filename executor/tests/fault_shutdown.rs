//! A runtime that ends while others use it.

mod proof_support;

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use gopark::net::TcpStream;
use gopark::runtime::{Builder, Flavor, Handle};
use gopark::task::{AbortHandle, JoinHandle};
use proof_support::{Bell, Counter, Random, alarm, every_kind, on_drop, seed};

/// What a task left behind so that foreign threads can wake it.
type Wakers = Arc<Mutex<Vec<Waker>>>;

/// A task that gives its waker away at each poll, and sometimes ends. `drops` counts its end.
async fn victim(mut random: Random, wakers: Wakers, drops: Counter) {
    let _guard = drops.on_drop();
    let polls = random.below(20);
    for _ in 0..polls {
        match random.below(4) {
            0 => gopark::yield_now().await,
            1 => gopark::time::sleep(Duration::from_micros(random.below(2000) as u64)).await,
            _ => {
                let mut woken = false;
                poll_fn(|cx| {
                    if std::mem::replace(&mut woken, true) {
                        return Poll::Ready(());
                    }
                    wakers.lock().unwrap().push(cx.waker().clone());
                    Poll::Pending
                })
                .await;
            }
        }
    }
    if random.coin() {
        pending::<()>().await;
    }
}

/// Spawns, wakes and aborts until told to stop; gives back all handles.
fn hammer(
    handle: &Handle,
    mut random: Random,
    wakers: &Wakers,
    drops: &Counter,
    stop: &AtomicBool,
) -> Vec<JoinHandle<()>> {
    let mut handles = Vec::new();
    let mut aborts: Vec<AbortHandle> = Vec::new();
    while !stop.load(Ordering::Relaxed) && handles.len() < 2000 {
        match random.below(4) {
            0 => {
                let spawned = handle.spawn(victim(random.fork(), wakers.clone(), drops.clone()));
                aborts.push(spawned.abort_handle());
                handles.push(spawned);
            }
            1 if !aborts.is_empty() => aborts[random.below(aborts.len())].abort(),
            _ => {
                let waker = wakers.lock().unwrap().pop();
                if let Some(waker) = waker {
                    if random.coin() {
                        wakers.lock().unwrap().push(waker.clone());
                    }
                    waker.wake();
                }
            }
        }
    }
    handles
}

#[test]
fn threads_that_wake_spawn_and_abort_while_the_runtime_ends_lose_nothing() {
    let _alarm = alarm();
    let mut random = Random::new(seed());
    for round in 0..200 {
        let runtime = if round % 4 == 0 {
            Builder::new_current_thread().build().unwrap()
        } else {
            Builder::new_multi_thread()
                .procs(1 + random.below(3))
                .build()
                .unwrap()
        };
        let drops = Counter::default();
        let wakers = Wakers::default();
        let stop = AtomicBool::new(false);
        let handle = runtime.handle().clone();
        let handles: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, random) = (handle.clone(), random.fork());
                    let (wakers, drops, stop) = (&wakers, &drops, &stop);
                    scope.spawn(move || hammer(&handle, random, wakers, drops, stop))
                })
                .collect();
            let yields = random.below(50);
            runtime.block_on(async {
                for _ in 0..yields {
                    gopark::yield_now().await;
                }
            });
            drop(runtime);
            stop.store(true, Ordering::Relaxed);
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let spawned = handles.len();
        for one in handles {
            if let Err(error) = futures::executor::block_on(one) {
                assert!(error.is_cancelled(), "round {round}: {error}");
            }
        }
        // Wakers of what is gone.
        wakers.lock().unwrap().drain(..).for_each(Waker::wake);
        // A future that was dropped before its first poll has not made its guard.
        assert!(drops.get() <= spawned, "round {round}");
        assert!(handle.tasks().is_empty(), "round {round}");
    }
}

#[test]
fn every_future_is_dropped_once_however_its_runtime_ends() {
    let _alarm = alarm();
    let mut random = Random::new(seed());
    for round in 0..100 {
        for runtime in every_kind() {
            let drops = Counter::default();
            let wakers = Wakers::default();
            let spawned = random.below(200);
            let handles: Vec<_> = (0..spawned)
                .map(|_| {
                    // Made here, so that it counts even if the task is never polled.
                    let guard = drops.on_drop();
                    let (random, wakers) = (random.fork(), wakers.clone());
                    let silent = Counter::default();
                    runtime.spawn(async move {
                        let _guard = guard;
                        victim(random, wakers, silent).await;
                    })
                })
                .collect();
            let yields = random.below(20);
            runtime.block_on(async {
                for _ in 0..yields {
                    gopark::yield_now().await;
                }
            });
            drop(runtime);
            assert_eq!(drops.get(), spawned, "round {round}");
            for one in handles {
                if let Err(error) = futures::executor::block_on(one) {
                    assert!(error.is_cancelled(), "round {round}: {error}");
                }
            }
            wakers.lock().unwrap().drain(..).for_each(Waker::wake);
            assert_eq!(drops.get(), spawned, "round {round}");
        }
    }
}

#[test]
fn a_future_whose_drop_does_everything_forbidden_is_dropped_with_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        let polled = Bell::default();
        let (count, bell) = (drops.clone(), polled.clone());
        let everything = on_drop(move || {
            let inner = count.on_drop();
            drop(gopark::spawn(async move {
                let _inner = inner;
                pending::<()>().await;
            }));
            let spawned = gopark::spawn(async {});
            gopark::block_on(async {
                gopark::yield_now().await;
                assert!(spawned.await.unwrap_err().is_cancelled());
            });
            count.add();
            panic!("at the end of the drop");
        });
        let task = runtime.spawn(async move {
            let _everything = everything;
            bell.ring();
            pending::<()>().await;
        });
        runtime.block_on(polled.rung());
        drop(runtime);
        assert_eq!(drops.get(), 2);
        assert!(futures::executor::block_on(task).unwrap_err().is_panic());
    }
}

#[test]
fn a_future_whose_drop_sleeps_does_not_hold_up_the_end_of_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let polled = Bell::default();
        let (sender, receiver) = mpsc::channel();
        let bell = polled.clone();
        let sleeper = on_drop(move || {
            sender.send(()).unwrap();
            gopark::block_on(gopark::time::sleep(Duration::from_millis(1)));
            sender.send(()).unwrap();
        });
        drop(runtime.spawn(async move {
            let _sleeper = sleeper;
            bell.ring();
            pending::<()>().await;
        }));
        runtime.block_on(polled.rung());
        drop(runtime);
        assert_eq!(receiver.iter().count(), 2);
    }
}

#[test]
fn a_task_that_blocks_on_a_sleep_or_a_socket_does_not_hold_up_the_end_of_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let runtime = Arc::new(runtime);
        let (started, has_started) = mpsc::channel();
        let tasks: Vec<_> = [false, true]
            .into_iter()
            .map(|socket| {
                let started = started.clone();
                runtime.spawn(async move {
                    started.send(()).unwrap();
                    gopark::block_on(async {
                        if socket {
                            hear_from_afar().await;
                        } else {
                            gopark::time::sleep(Duration::from_millis(20)).await;
                        }
                    });
                })
            })
            .collect();
        let (inside, until) = futures::channel::oneshot::channel::<()>();
        if runtime.handle().flavor() == Flavor::CurrentThread {
            // A thread that is still in there when its runtime ends.
            let theirs = runtime.handle().clone();
            drop(thread::spawn(move || theirs.block_on(until)));
        }
        has_started.recv().unwrap();
        has_started.recv().unwrap();
        drop(Arc::into_inner(runtime));
        for task in tasks {
            futures::executor::block_on(task).unwrap();
        }
        drop(inside);
    }
}

/// Reads what a foreign thread writes after a while.
async fn hear_from_afar() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        std::io::Write::write_all(&mut peer, b"hello").unwrap();
    });
    stream.read_exact(&mut [0; 5]).await.unwrap();
}

#[test]
fn handles_and_wakers_of_a_runtime_that_has_ended_are_harmless() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let wakers = Wakers::default();
        let theirs = wakers.clone();
        let parked = runtime.spawn(poll_fn(move |cx| {
            theirs.lock().unwrap().push(cx.waker().clone());
            Poll::<()>::Pending
        }));
        runtime.block_on(async {
            while wakers.lock().unwrap().is_empty() {
                gopark::yield_now().await;
            }
        });
        let handle = runtime.handle().clone();
        drop(runtime);
        let late = handle.spawn(async {});
        assert!(late.is_finished());
        for task in [parked, late] {
            task.abort();
            let abort = task.abort_handle();
            assert!(
                futures::executor::block_on(task)
                    .unwrap_err()
                    .is_cancelled()
            );
            abort.abort();
            assert!(abort.is_finished());
        }
        for waker in wakers.lock().unwrap().drain(..) {
            waker.wake_by_ref();
            waker.wake();
        }
        assert!(handle.tasks().is_empty());
        let _entered = handle.enter();
        assert!(gopark::spawn(async {}).is_finished());
        assert_eq!(handle.block_on(async { 5 }), 5);
        assert!(handle.metrics().polls > 0);
    }
}
