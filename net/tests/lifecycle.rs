//! The life of a reactor: claims, the background thread, shutdown, and what is left afterwards.
//!
//! The tests count threads and descriptors of the process, so they take turns.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::executor::block_on;
use futures_io::AsyncRead;
use gopark_net::{Reactor, TcpListener, TcpStream};

mod common;
use common::{CountWakes, drive, pair, turn};

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many threads of the reactor this process has.
#[cfg(target_os = "linux")]
fn reactor_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("proc");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim() == "gopark-net")
        .count()
}

/// Makes what there is once for the process, waits for the end of what earlier tests left, and returns
/// the number of threads then: the one of the global reactor.
#[cfg(target_os = "linux")]
fn settle() -> usize {
    let (client, server) = block_on(pair()).expect("connected");
    block_on(client.write_all(b"x")).expect("written");
    assert_eq!(block_on(server.read(&mut [0; 8])).expect("read"), 1);
    becomes(1, reactor_threads);
    1
}

/// Waits for a count of the system's. A thread that has been joined is listed for a moment longer.
#[cfg(target_os = "linux")]
fn becomes(expected: usize, count: impl Fn() -> usize) {
    let start = std::time::Instant::now();
    while count() != expected {
        assert!(
            start.elapsed().as_secs() < 20,
            "{} instead of {expected}",
            count()
        );
        thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc").count()
}

fn is_shut_down<T: std::fmt::Debug>(outcome: io::Result<T>) -> bool {
    let error = outcome.expect_err("the reactor is gone");
    error.kind() == io::ErrorKind::Other && error.to_string().contains("has been shut down")
}

#[test]
#[cfg(target_os = "linux")]
fn the_background_thread_exists_only_for_sockets_of_an_unclaimed_reactor() {
    let _alone = alone();
    let before = settle();
    let reactor = Reactor::new().expect("a selector");
    let _entered = reactor.enter();
    let claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    assert_eq!(reactor_threads(), before, "the claimant polls");

    drop(claim);
    let echoed = block_on(async {
        client.write_all(b"x").await?;
        server.read(&mut [0; 8]).await
    });
    assert_eq!(echoed.expect("the thread polls"), 1);
    becomes(before + 1, reactor_threads);

    // A second claim sends it to sleep: now only our own turns report.
    let _claim = reactor.claim();
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 8];
    let mut read = pin!(server.read(&mut buf));
    assert!(read.as_mut().poll(&mut cx).is_pending());
    client.try_write(b"yz").expect("there is room");
    while wakes.count() == 0 {
        turn(&reactor);
    }
    assert!(matches!(read.as_mut().poll(&mut cx), Poll::Ready(Ok(2))));
    assert_eq!(reactor_threads(), before + 1, "asleep, for the next time");

    reactor.shutdown();
    becomes(before, reactor_threads);
}

#[test]
fn a_shutdown_wakes_everybody_and_fails_everything_after_it() {
    let _alone = alone();
    for claimed in [false, true] {
        let reactor = Reactor::new().expect("a selector");
        let claim = claimed.then(|| reactor.claim());
        let listener = {
            let _entered = reactor.enter();
            block_on(TcpListener::bind("127.0.0.1:0")).expect("bound")
        };
        let (client, server) = {
            let _claim = reactor.claim();
            drive(&reactor, pair()).expect("connected")
        };
        let waiting: Vec<_> = {
            let shared = Arc::new((client, server, listener));
            (0..3)
                .map(|i| {
                    let shared = shared.clone();
                    let (started, has_started) = std::sync::mpsc::channel();
                    let thread = thread::spawn(move || {
                        let (client, server, listener) = &*shared;
                        let mut buf = [0; 8];
                        let read = async {
                            match i {
                                0 => client.read(&mut buf).await.map(drop),
                                1 => server.readable_for_good().await,
                                _ => listener.accept().await.map(drop),
                            }
                        };
                        let mut read = pin!(read);
                        block_on(futures::future::poll_fn(|cx| {
                            let polled = read.as_mut().poll(cx);
                            let _ = started.send(());
                            polled
                        }))
                    });
                    has_started.recv().expect("it waits");
                    thread
                })
                .collect()
        };
        reactor.shutdown();
        for thread in waiting {
            assert!(is_shut_down(thread.join().expect("no panic")));
        }
        assert!(is_shut_down(reactor.poll(None, &mut Vec::new())));
        let _entered = reactor.enter();
        assert!(is_shut_down(block_on(TcpListener::bind("127.0.0.1:0"))));
        reactor.shutdown();
        drop(claim);
    }
}

/// Reads until there is nothing more to read.
trait ReadableForGood {
    async fn readable_for_good(&self) -> io::Result<()>;
}

impl ReadableForGood for TcpStream {
    async fn readable_for_good(&self) -> io::Result<()> {
        loop {
            self.readable().await?;
            match self.try_read(&mut [0; 8]) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome.map(drop),
            }
        }
    }
}

#[test]
fn sockets_that_outlive_their_reactor_fail_and_can_be_dropped() {
    let _alone = alone();
    let reactor = Reactor::new().expect("a selector");
    let claim = reactor.claim();
    let (client, server) = drive(&reactor, pair()).expect("connected");
    drop(reactor);
    let mut buf = [0; 8];
    assert!(is_shut_down(client.try_read(&mut buf)));
    assert!(is_shut_down(client.try_write(&buf)));
    assert!(is_shut_down(block_on(client.read(&mut buf))));
    assert!(is_shut_down(block_on(client.write(&buf))));
    assert!(is_shut_down(block_on(client.peek(&mut buf))));
    assert!(is_shut_down(block_on(client.writable())));
    drop(claim);

    // The socket itself is whole: it can go on elsewhere.
    let client = TcpStream::from_std(client.into_std().expect("whole")).expect("registered");
    drop(server);
    assert_eq!(block_on(client.read(&mut buf)).expect("read"), 0);
}

#[test]
fn a_poll_in_progress_ends_by_a_shutdown() {
    let _alone = alone();
    let reactor = Reactor::new().expect("a selector");
    let _claim = reactor.claim();
    let poller = thread::spawn({
        let reactor = reactor.clone();
        move || while reactor.poll(None, &mut Vec::new()).is_ok() {}
    });
    reactor.shutdown();
    poller.join().expect("it ended");
}

#[test]
fn the_current_reactor_is_the_one_entered_last() {
    let _alone = alone();
    let global = Reactor::global().expect("a selector");
    assert!(Reactor::current().expect("the global one").same(&global));
    let (outer, inner) = (
        Reactor::new().expect("a selector"),
        Reactor::new().expect("a selector"),
    );
    {
        let _outer = outer.enter();
        {
            let _inner = inner.enter();
            assert!(Reactor::current().expect("entered").same(&inner));
            thread::spawn(move || {
                assert!(Reactor::current().expect("the global one").same(&global));
            })
            .join()
            .expect("other threads are not concerned");
        }
        assert!(Reactor::current().expect("entered").same(&outer));
    }
    assert!(!Reactor::current().expect("the global one").same(&outer));
}

#[test]
#[cfg(target_os = "linux")]
fn a_thousand_reactors_leave_no_descriptor_and_no_thread() {
    let _alone = alone();
    let threads = settle();
    let files = open_files();
    let mut leftover = Vec::new();
    for i in 0..1000 {
        let reactor = Reactor::new().expect("a selector");
        match i % 4 {
            0 => {}
            1 => {
                // Unclaimed, so a thread serves these.
                let _entered = reactor.enter();
                let (client, server) = block_on(pair()).expect("connected");
                block_on(client.write_all(b"x")).expect("written");
                assert_eq!(block_on(server.read(&mut [0; 8])).expect("read"), 1);
            }
            2 => {
                let _claim = reactor.claim();
                let (client, _server) = drive(&reactor, pair()).expect("connected");
                reactor.shutdown();
                assert!(is_shut_down(block_on(client.read(&mut [0; 8]))));
            }
            _ => {
                // The sockets go only after the reactor.
                let _claim = reactor.claim();
                leftover.push(drive(&reactor, pair()).expect("connected"));
                leftover.truncate(5);
            }
        }
    }
    drop(leftover);
    assert_eq!(open_files(), files);
    becomes(threads, reactor_threads);
}

#[test]
fn a_waker_that_panics_does_not_stop_the_background_thread() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            // Unwinds without a message from the hook.
            std::panic::resume_unwind(Box::new("a bad waker"));
        }
    }
    let _alone = alone();
    let reactor = Reactor::new().expect("a selector");
    let _entered = reactor.enter();
    let (client, server) = block_on(pair()).expect("connected");
    let mut buf = [0; 8];
    let bad = Waker::from(Arc::new(Panics));
    let mut cx = Context::from_waker(&bad);
    // By the trait, which withdraws no waker.
    assert!(pin!(&server).poll_read(&mut cx, &mut buf).is_pending());
    client.try_write(b"x").expect("there is room");
    assert_eq!(
        block_on(server.read(&mut buf)).expect("the thread lives"),
        1
    );
}
