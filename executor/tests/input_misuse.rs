//! Calls that make no sense: each panics and blames the caller, or fails with a clear error; none
//! hangs.

mod proof_support;

use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;

use gopark::net::{TcpListener, TcpStream};
use gopark::runtime::{Builder, Handle, Runtime};
use gopark::time::{self, Duration, Instant};
use proof_support::{alarm, every_kind, multi, panic_of};

/// `misuse` panics with all `words`, in this file, on line `line`.
fn blames<R>(line: u32, words: &[&str], misuse: impl FnOnce() -> R) {
    let (message, file, blamed) = panic_of(misuse);
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert!(file.ends_with("input_misuse.rs"), "{file}");
    assert_eq!(blamed, line, "{message}");
}

#[test]
fn a_number_of_processors_that_cannot_be_is_blamed_on_the_caller() {
    let builder = Builder::new_multi_thread;
    blames(line!(), &["procs(0)", "1 to 1024"], || builder().procs(0));
    blames(line!(), &["procs(5000)", "1024"], || builder().procs(5000));
    let builder = Builder::new_current_thread;
    blames(line!(), &["procs(2)", "exactly 1"], || builder().procs(2));
    blames(line!(), &["procs(0)", "1 to 1024"], || builder().procs(0));
    drop(Builder::new_multi_thread().procs(1024));
    drop(Builder::new_current_thread().procs(1));
}

#[test]
fn paused_time_on_several_threads_is_blamed_on_the_caller() {
    let builder = Builder::new_multi_thread;
    let words = ["pause_time(true)", "new_current_thread"];
    blames(line!(), &words, || builder().pause_time(true));
    drop(Builder::new_multi_thread().pause_time(false));
}

#[test]
fn the_current_handle_outside_a_runtime_is_blamed_on_the_caller() {
    let words = ["Handle::current()", "no gopark runtime", "expected"];
    // A closure, since a function that is called through a trait has a caller in the library.
    blames(line!(), &words, || Handle::current());
    assert!(Handle::try_current().is_err());
}

#[test]
fn timers_at_the_end_of_time_hurt_nobody() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let far = [
                Duration::MAX,
                Duration::MAX / 2,
                Duration::from_secs(u64::MAX / 1000),
            ];
            let mut forever = Vec::new();
            for far in far {
                forever.push(gopark::spawn(time::sleep(far)));
                forever.push(gopark::spawn(async move {
                    let limited = time::timeout(far, pending::<()>());
                    assert!(limited.await.is_err());
                }));
                forever.push(gopark::spawn(time::sleep_until(Instant::now() + far)));
                forever.push(gopark::spawn(async move {
                    let mut ticks = time::interval(far);
                    ticks.tick().await;
                    ticks.tick().await;
                }));
            }
            for _ in 0..3 {
                gopark::spawn(time::sleep(Duration::from_millis(1)))
                    .await
                    .unwrap();
                assert!(forever.iter().all(|task| !task.is_finished()));
            }
            for task in forever {
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
        });
    }
}

#[test]
fn a_spawn_after_the_end_resolves_as_cancelled() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.handle().clone();
        drop(runtime);
        let error = futures::executor::block_on(handle.spawn(pending::<()>())).unwrap_err();
        assert!(error.is_cancelled());
        assert!(error.to_string().contains("was cancelled"), "{error}");
        let object = futures::task::Spawn::spawn_obj(&handle, Box::pin(async {}).into());
        assert!(object.unwrap_err().is_shutdown());
    }
}

fn is_gone<T>(what: &str, outcome: io::Result<T>) {
    let Err(error) = outcome else {
        panic!("{what} went well without a runtime");
    };
    let message = error.to_string();
    assert!(message.contains("has been shut down"), "{what}: {message}");
}

fn pair(runtime: &Runtime) -> (TcpListener, TcpStream, TcpStream) {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (listener, client, server)
    })
}

#[test]
fn every_operation_of_a_socket_whose_runtime_is_gone_fails_clearly() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let handle = runtime.handle().clone();
        let (listener, client, server) = pair(&runtime);
        drop(runtime);
        let mut buffer = [0; 8];
        futures::executor::block_on(async {
            is_gone("accept", listener.accept().await);
            is_gone("try_accept", listener.try_accept());
            is_gone("read", client.read(&mut buffer).await);
            is_gone("read_exact", client.read_exact(&mut [0; 8]).await);
            is_gone("peek", client.peek(&mut buffer).await);
            is_gone("try_read", client.try_read(&mut buffer));
            is_gone("write", client.write(b"x").await);
            is_gone("write_all", server.write_all(b"x").await);
            is_gone("try_write", server.try_write(b"x"));
            is_gone("readable", server.readable().await);
            is_gone("writable", server.writable().await);
            let _entered = handle.enter();
            is_gone("bind", TcpListener::bind("127.0.0.1:0").await);
            is_gone("connect", TcpStream::connect("127.0.0.1:1").await);
        });
        // In another runtime it is no better.
        multi(1).block_on(async { is_gone("read", client.read(&mut buffer).await) });
        handle.block_on(async { is_gone("read", client.read(&mut buffer).await) });
    }
}

#[test]
fn a_read_that_another_executor_waits_for_ends_with_the_runtime_of_its_socket() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (_listener, client, server) = pair(&runtime);
        let (waits, has_waited) = mpsc::channel();
        let theirs = waits.clone();
        let foreign = thread::spawn(move || {
            let mut buffer = [0; 8];
            let mut read = pin!(client.read(&mut buffer));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(read.as_mut().poll(&mut cx).is_pending());
            theirs.send(()).unwrap();
            futures::executor::block_on(read).map(drop)
        });
        let other = thread::spawn(move || {
            multi(1).block_on(async {
                let mut buffer = [0; 8];
                let mut read = pin!(server.read(&mut buffer));
                let mut cx = Context::from_waker(Waker::noop());
                assert!(read.as_mut().poll(&mut cx).is_pending());
                waits.send(()).unwrap();
                read.await.map(drop)
            })
        });
        has_waited.recv().unwrap();
        has_waited.recv().unwrap();
        drop(runtime);
        is_gone("read", foreign.join().unwrap());
        is_gone("read", other.join().unwrap());
    }
}
