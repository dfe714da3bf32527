//! A paused clock, and what is no task: sockets, jobs, sections, threads that wait, other threads that change the
//! clock.

mod proof_support;

use std::io::Write;
use std::sync::mpsc;
use std::thread;

use gopark::chan;
use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Runtime};
use gopark::sync::Mutex;
use gopark::time::{self, Duration, Instant, sleep, timeout};
use gopark::{block, block_eager, spawn, spawn_blocking};
use proof_support::{alarm, child};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn paused() -> Runtime {
    Builder::new_current_thread()
        .pause_time(true)
        .build()
        .unwrap()
}

/// Runs `test` as a task of a runtime whose clock stands still.
fn paused_task<F>(test: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    paused().block_on(async { spawn(test).await.unwrap() });
}

#[test]
fn a_clock_that_is_resumed_while_another_thread_polls_lets_sleeps_end() {
    let _alarm = alarm();
    for _ in 0..10 {
        let runtime = paused();
        let (sender, receiver) = chan::bounded::<()>(1);
        thread::scope(|threads| {
            // It waits in the reactor, without any timer.
            threads.spawn(|| runtime.block_on(receiver.recv()).unwrap());
            while runtime.handle().metrics().reactor_waits == 0 {
                thread::yield_now();
            }
            runtime.block_on(async {
                time::resume();
                sleep(20 * MS).await;
            });
            sender.send_blocking(()).unwrap();
        });
    }
}

#[test]
fn a_thread_outside_resumes_the_clock_that_a_section_holds() {
    let _alarm = alarm();
    let runtime = paused();
    let (end, ended) = mpsc::channel();
    let (begun, begins) = mpsc::channel();
    thread::scope(|threads| {
        let runtime = &runtime;
        threads.spawn(move || {
            begins.recv().unwrap();
            let waits = runtime.handle().metrics().reactor_waits;
            while runtime.handle().metrics().reactor_waits == waits {
                thread::yield_now();
            }
            let _entered = runtime.enter();
            time::resume();
        });
        let main = async move {
            let section = spawn(async move {
                block_eager(|| {
                    begun.send(()).unwrap();
                    ended.recv().unwrap();
                });
            });
            sleep(20 * MS).await;
            end.send(()).unwrap();
            section.await.unwrap();
        };
        runtime.block_on(async { spawn(main).await.unwrap() });
    });
}

#[test]
fn a_clock_that_is_paused_from_outside_jumps_to_the_next_timer() {
    let _alarm = alarm();
    let runtime = Builder::new_current_thread().build().unwrap();
    thread::scope(|threads| {
        threads.spawn(|| runtime.block_on(sleep(HOUR)));
        while runtime.handle().metrics().reactor_waits == 0 {
            thread::yield_now();
        }
        let _entered = runtime.enter();
        time::pause();
    });
}

#[test]
fn a_task_that_blocks_for_one_that_sleeps_does_not_hold_the_clock() {
    let _alarm = alarm();
    for _ in 0..10 {
        paused_task(async move {
            let start = Instant::now();
            let (sender, receiver) = chan::bounded(1);
            let blocks = spawn(async move { receiver.recv_blocking() });
            spawn(async move {
                sleep(HOUR).await;
                sender.send(7).await.unwrap();
            });
            assert_eq!(blocks.await.unwrap(), Ok(7));
            assert_eq!(start.elapsed(), HOUR);

            let mutex = std::sync::Arc::new(Mutex::new(()));
            let guard = mutex.clone().lock_owned().await;
            let blocks = spawn(async move { drop(mutex.lock_blocking()) });
            sleep(HOUR).await;
            drop(guard);
            blocks.await.unwrap();
            assert_eq!(start.elapsed(), 2 * HOUR);
        });
    }
}

#[test]
fn a_job_that_waits_for_a_task_that_sleeps_does_not_hold_the_clock() {
    let _alarm = alarm();
    paused_task(async move {
        let start = Instant::now();
        let (sender, receiver) = chan::bounded(1);
        let job = spawn_blocking(move || receiver.recv_blocking());
        sleep(HOUR).await;
        sender.send(7).await.unwrap();
        assert_eq!(job.await.unwrap(), Ok(7));
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn who_blocks_for_a_time_on_a_paused_clock_waits_for_that_clock() {
    let _alarm = alarm();
    paused_task(async move {
        let start = Instant::now();
        let (sender, receiver) = chan::bounded(1);
        sender.send(0).await.unwrap();
        let full = sender.clone();
        let sends = spawn(async move { full.send_timeout_blocking(1, HOUR) });
        assert!(sends.await.unwrap().is_err());
        assert_eq!(start.elapsed(), HOUR);
        assert_eq!(receiver.recv().await, Ok(0));
        let empty = receiver.clone();
        let deadline = Instant::now() + HOUR;
        let receives = spawn(async move { empty.recv_deadline_blocking(deadline) });
        assert!(receives.await.unwrap().is_err());
        assert_eq!(start.elapsed(), 2 * HOUR);
        let receives = spawn(async move { receiver.recv_timeout_blocking(HOUR) });
        sleep(HOUR / 2).await;
        sender.send(2).await.unwrap();
        assert_eq!(receives.await.unwrap(), Ok(2));
    });
}

#[test]
fn what_the_system_or_another_thread_ends_holds_the_clock() {
    let _alarm = alarm();
    paused_task(async move {
        let start = Instant::now();
        let pause = || thread::sleep(30 * MS);
        timeout(HOUR, spawn_blocking(pause)).await.unwrap().unwrap();
        for eager in [false, true] {
            let section = spawn(async move {
                if eager {
                    block_eager(pause);
                } else {
                    block(pause);
                }
            });
            timeout(HOUR, section).await.unwrap().unwrap();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn tasks_that_block_on_sleeps_end_on_a_paused_clock() {
    let _alarm = alarm();
    for round in 0..100 {
        for tasks in [1, 2, 3, 10] {
            paused_task(async move {
                let start = Instant::now();
                let tasks: Vec<_> = (0..tasks)
                    .map(|_| spawn(async { gopark::block_on(sleep(HOUR)) }))
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
                assert_eq!(start.elapsed(), HOUR, "round {round}");
            });
        }
    }
}

#[test]
fn a_nested_sleep_ends_after_sockets_jobs_and_a_look_up_were_used() {
    let _alarm = alarm();
    for _ in 0..20 {
        paused_task(async move {
            let (a, b) = pair().await;
            a.write_all(b"x").await.unwrap();
            b.read_exact(&mut [0]).await.unwrap();
            spawn_blocking(|| ()).await.unwrap();
            drop(gopark::net::lookup_host("localhost:80").await.unwrap());
            spawn(async { gopark::block_on(sleep(HOUR)) })
                .await
                .unwrap();
        });
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[test]
fn bytes_on_their_way_through_the_kernel_are_waited_for() {
    let _alarm = alarm();
    const LEN: usize = 5 << 20;
    for round in 0..6 {
        paused_task(async move {
            let start = Instant::now();
            let (client, server) = pair().await;
            let writer = spawn(async move {
                let chunk = vec![7; 64 << 10];
                for _ in 0..LEN / chunk.len() {
                    timeout(1000 * MS, client.write_all(&chunk))
                        .await
                        .unwrap()
                        .unwrap();
                }
            });
            let mut buffer = vec![0; 64 << 10];
            let mut read = 0;
            while read < LEN {
                let got = timeout(1000 * MS, server.read(&mut buffer)).await;
                read += got
                    .unwrap_or_else(|_| panic!("round {round}: {read} came"))
                    .unwrap();
            }
            writer.await.unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO);
        });
    }
}

#[test]
fn bytes_that_come_late_are_waited_for_as_long_as_the_grace_is() {
    let _alarm = alarm();
    let runtime = Builder::new_current_thread()
        .pause_time(true)
        .pause_grace(Duration::from_secs(5))
        .build()
        .unwrap();
    runtime.block_on(async {
        let start = Instant::now();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            for byte in 0..20 {
                thread::sleep(2 * MS);
                stream.write_all(&[byte]).unwrap();
            }
        });
        let (stream, _) = listener.accept().await.unwrap();
        for byte in 0..20 {
            let mut got = [0];
            let read = timeout(1000 * MS, stream.read_exact(&mut got)).await;
            read.unwrap_or_else(|_| panic!("byte {byte} was jumped over"))
                .unwrap();
            assert_eq!(got, [byte]);
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        peer.join().unwrap();
    });
}

#[test]
fn a_socket_that_waits_in_vain_holds_the_clock_for_a_moment_only() {
    let _alarm = alarm();
    paused_task(async move {
        let start = Instant::now();
        let (client, _server) = pair().await;
        assert!(timeout(HOUR, client.read(&mut [0])).await.is_err());
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn timers_alone_take_no_real_time() {
    let _alarm = alarm();
    let real = std::time::Instant::now();
    paused().block_on(async {
        // Sockets that nobody waits for hold nothing.
        let _sockets = pair().await;
        for _ in 0..10_000 {
            sleep(HOUR).await;
        }
    });
    // A grace for each would be 50 s.
    assert!(
        real.elapsed() < Duration::from_secs(25),
        "{:?}",
        real.elapsed()
    );
}

#[test]
fn a_section_that_holds_the_time_it_waits_for_is_reported() {
    const NAME: &str = "a_section_that_holds_the_time_it_waits_for_is_reported";
    if child::is_child(NAME) {
        let (sender, receiver) = mpsc::channel();
        paused().block_on(async {
            let blocks = spawn(async move { block(|| receiver.recv()) });
            // The parent closes the pipe when it has read the report.
            thread::spawn(move || {
                std::io::stdin().lines().for_each(drop);
                sender.send(()).unwrap();
            });
            sleep(HOUR).await;
            blocks.await.unwrap().unwrap();
        });
        return;
    }
    let mut started = child::command(NAME)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(started.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("the paused time stands still")));
    let who = lines.next().unwrap().unwrap();
    assert!(who.contains("time_pause_outside.rs:"), "{who}");
    drop(started.stdin.take());
    assert!(started.wait().unwrap().success());
}
