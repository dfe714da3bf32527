//! A process that forks while runtimes work: what the child can do. A process of its own, for every thread of
//! this one may hold some lock when it forks.
#![cfg(unix)]

#[path = "task_support/mod.rs"]
mod task_support;

use std::future::{Future, pending};
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use gopark::net::{Reactor, TcpListener, TcpStream};
use gopark::runtime::{Handle, Runtime};
use gopark::task::{JoinHandle, JoinSet};
use gopark::time::sleep;
use gopark::{chan, spawn, spawn_blocking};
use task_support::{alarm, current, multi, panic_of};

/// Runs `f` in a child of this process, which then ends at once. Its status: 0, or the step at which it failed.
fn in_child(f: impl FnOnce(&mut i32)) -> i32 {
    // SAFETY: (1) the child calls what is under test, and ends without running anything of its parent's.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: (1) no memory is involved. A child that hangs is killed.
        unsafe { libc::alarm(30) };
        let mut step = 0;
        let ended = catch_unwind(AssertUnwindSafe(|| f(&mut step)));
        let status = if ended.is_ok() { 0 } else { 100 + step };
        // SAFETY: (1) no memory is involved.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: (1) `status` is written to.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -libc::WTERMSIG(status)
    }
}

/// Tasks that spawn, sleep, talk, and send, until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
}

impl Load {
    fn start(handle: &Handle) -> Self {
        let load = Self {
            stop: Arc::default(),
            done: Arc::default(),
        };
        for n in 0..4 {
            let (stop, done) = (load.stop.clone(), load.done.clone());
            handle.spawn(async move {
                let (sender, receiver) = chan::bounded(1);
                while !stop.load(Ordering::Relaxed) {
                    let sender = sender.clone();
                    spawn(async move { sender.send(n).await.unwrap() });
                    receiver.recv().await.unwrap();
                    match n {
                        0 => sleep(Duration::from_micros(200)).await,
                        1 => spawn_blocking(|| ()).await.unwrap(),
                        _ => echo().await,
                    }
                    // Two runtimes of it must leave the child some time.
                    sleep(Duration::from_micros(500)).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        load
    }

    /// Waits until it has got on by so many rounds.
    fn get_on(&self, rounds: u64) {
        let goal = self.done.load(Ordering::Relaxed) + rounds;
        while self.done.load(Ordering::Relaxed) < goal {
            std::thread::yield_now();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// One byte through the loopback interface.
async fn echo() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let read = spawn(async move {
        let mut byte = [0];
        far.read_exact(&mut byte).await.unwrap();
        byte[0]
    });
    gopark::yield_now().await;
    near.write_all(b"x").await.unwrap();
    assert_eq!(read.await.unwrap(), b'x');
}

/// What a runtime is for.
async fn work() {
    echo().await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(spawn_blocking(|| 1).await.unwrap(), 1);
    let mut set: JoinSet<_> = (0..10).map(|n| async move { n }).collect();
    while set.join_next().await.is_some() {}
    let (sender, receiver) = chan::bounded(0);
    let send = spawn(async move { sender.send(2).await });
    assert_eq!(receiver.recv().await, Ok(2));
    send.await.unwrap().unwrap();
}

/// What is the parent's, as the child finds it.
struct Parents {
    runtime: Runtime,
    waits: JoinHandle<()>,
    set: JoinSet<()>,
    socket: TcpStream,
    reactor: Reactor,
}

/// In the child: all that is promised there.
fn be_a_child(step: &mut i32, whole: bool, mut parents: Parents) {
    assert!(Handle::try_current().is_err());
    *step = 1;
    assert_eq!(
        gopark::block_on(async { spawn(async { 1 }).await.unwrap() }),
        1
    );
    *step = 2;
    if whole {
        gopark::block_on(work());
        for runtime in [multi(2), current()] {
            runtime.block_on(work());
        }
    }
    *step = 4;
    let error = gopark::block_on(parents.waits).unwrap_err();
    assert!(
        error.is_cancelled() && error.to_string().contains("fork"),
        "{error}"
    );
    *step = 5;
    let error = gopark::block_on(parents.set.join_next())
        .unwrap()
        .unwrap_err();
    assert!(error.to_string().contains("fork"), "{error}");
    *step = 6;
    let handle = parents.runtime.handle().clone();
    let error = gopark::block_on(handle.spawn(async {})).unwrap_err();
    assert!(
        error.is_cancelled() && error.to_string().contains("fork"),
        "{error}"
    );
    let error = gopark::block_on(handle.spawn_blocking(|| ())).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    *step = 7;
    if whole {
        // Its backtrace takes more time than all the rest.
        let (message, ..) = panic_of(|| handle.block_on(async {}));
        assert!(message.contains("fork"), "{message}");
    }
    assert!(handle.tasks().is_empty());
    let _ = (handle.metrics(), format!("{handle:?}"));
    *step = 8;
    let mut byte = [0];
    let error = gopark::block_on(parents.socket.read(&mut byte)).unwrap_err();
    assert!(error.to_string().contains("fork"), "{error}");
    drop(parents.socket);
    *step = 9;
    let entered = parents.reactor.enter();
    let bound = gopark::block_on(async {
        let _again = parents.reactor.enter();
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
    });
    assert!(bound.unwrap_err().to_string().contains("fork"));
    drop(entered);
    drop(parents.reactor);
    *step = 10;
    drop(parents.set);
    let guard = handle.enter();
    drop(parents.runtime);
    drop(guard);
    drop(handle);
    *step = 11;
    if !whole {
        return gopark::block_on(sleep(Duration::from_millis(1)));
    }
    futures::executor::block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (near, far) = futures::join!(
            TcpStream::connect(listener.local_addr().unwrap()),
            listener.accept()
        );
        near.unwrap().write_all(b"x").await.unwrap();
        far.unwrap().0.read_exact(&mut byte).await.unwrap();
        assert_eq!(
            gopark::net::lookup_host("127.0.0.1:1")
                .await
                .unwrap()
                .count(),
            1
        );
    });
    *step = 12;
    gopark::block_on(work());
}

#[test]
fn a_child_of_a_process_under_load_has_runtimes_of_its_own() {
    let _alarm = alarm();
    let runtime = multi(2);
    let loads = [
        Load::start(runtime.handle()),
        // Of the default runtime.
        Load::start(&gopark::block_on(async { Handle::current() })),
    ];
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let socket = runtime.block_on(async { TcpStream::connect(addr).await.unwrap() });
    // The readiness is only assumed until an operation was refused.
    let mut byte = [0];
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(socket.read(&mut byte)).poll(&mut cx).is_pending());
    let (mut peer, _) = listener.accept().unwrap();
    let parents = Parents {
        waits: runtime.spawn(pending()),
        set: {
            let mut set = JoinSet::new();
            set.spawn_on(pending(), runtime.handle());
            set
        },
        reactor: runtime.block_on(async { Reactor::current().unwrap() }),
        socket,
        runtime,
    };
    for round in 0..100 {
        loads[round % 2].get_on(1);
        let status = in_child(|step| {
            // SAFETY: (1) the copy belongs to the child, which has memory of its own.
            let copy = unsafe { std::ptr::read(&raw const parents) };
            be_a_child(step, round % 10 == 0, copy)
        });
        assert_eq!(status, 0, "in round {round}");
    }
    // The parent has lost nothing: its tasks get on, and its socket is registered still.
    loads.iter().for_each(|load| load.get_on(10));
    std::io::Write::write_all(&mut peer, b"y").unwrap();
    parents
        .runtime
        .block_on(async { parents.socket.read_exact(&mut byte).await.unwrap() });
    assert_eq!(&byte, b"y");
    assert!(!parents.waits.is_finished());
}

#[test]
fn a_task_that_forks_finds_itself_outside_of_all_runtimes() {
    let _alarm = alarm();
    for runtime in [multi(1), multi(2), current()] {
        let statuses = runtime.block_on(async {
            let fork = || {
                in_child(|step| {
                    assert!(Handle::try_current().is_err());
                    assert!(gopark::task::try_id().is_none());
                    *step = 1;
                    gopark::block_on(work());
                })
            };
            let of_task = spawn(async move { fork() }).await.unwrap();
            let of_job = spawn_blocking(fork).await.unwrap();
            [fork(), of_task, of_job]
        });
        assert_eq!(statuses, [0; 3]);
        runtime.block_on(work());
    }
}

#[test]
fn a_child_may_fork_again() {
    let _alarm = alarm();
    gopark::block_on(work());
    let status = in_child(|step| {
        gopark::block_on(work());
        *step = 1;
        let spawn_one = async || spawn(pending::<()>());
        let task = gopark::block_on(spawn_one());
        let status = in_child(|step| {
            gopark::block_on(work());
            *step = 1;
            assert!(
                gopark::block_on(task)
                    .unwrap_err()
                    .to_string()
                    .contains("fork")
            );
        });
        assert_eq!(status, 0);
        gopark::block_on(work());
    });
    assert_eq!(status, 0);
}
