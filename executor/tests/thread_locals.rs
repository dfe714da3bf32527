//! gopark in destructors of thread-locals, while the thread ends: whatever the order in which its own
//! thread-locals and those of the program were first used.

#[path = "task_support/mod.rs"]
mod task_support;

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::Duration;

use gopark::context::Context;
use gopark::net::{Reactor, TcpListener, TcpStream};
use gopark::runtime::{EnterGuard, Handle, Runtime};
use gopark::sync::{Mutex, Semaphore, oneshot};
use gopark::task::JoinSet;
use gopark::time::{sleep, timeout};
use gopark::{block, block_on, chan, select_blocking, spawn, spawn_blocking};
use task_support::{alarm, current, every_kind, multi, on_drop};

/// Everything that a destructor might do.
fn use_it_all() {
    let sum = block_on(async {
        let one = spawn(async {
            gopark::yield_now().await;
            1
        });
        let two = spawn_blocking(|| 2);
        let three = gopark::spawn_local(async { 3 });
        sleep(Duration::from_millis(1)).await;
        one.await.unwrap() + two.await.unwrap() + three.await.unwrap()
    });
    assert_eq!(sum, 6);
    let detached = spawn(async { 5 });
    assert_eq!(block_on(detached).unwrap(), 5);
    use_channels();
    use_sync();
    use_sockets();
    for runtime in every_kind() {
        runtime.spawn(std::future::pending::<()>());
        let guard = runtime.enter();
        assert_eq!(block_on(spawn(async { 7 })).unwrap(), 7);
        drop(guard);
        runtime.block_on(async { gopark::block_on(sleep(Duration::from_millis(1))) });
    }
    assert_eq!(block(|| 8), 8);
}

fn use_channels() {
    let (sender, receiver) = chan::bounded::<u32>(0);
    let (ours, theirs) = chan::bounded::<u32>(0);
    let peer = std::thread::spawn(move || {
        while let Ok(n) = receiver.recv_blocking() {
            // So that the other waits on its thread.
            std::thread::sleep(Duration::from_millis(1));
            if ours.send_blocking(n + 1).is_err() {
                return;
            }
        }
    });
    for n in 0..3 {
        sender.send_blocking(n).unwrap();
        assert_eq!(theirs.recv_blocking(), Ok(n + 1));
        sender.send_blocking(n).unwrap();
        let got = select_blocking! {
            answer = theirs.recv() => answer.unwrap(),
            never = chan::never::<u32>().recv() => never.unwrap(),
        };
        assert_eq!(got, n + 1);
    }
    assert!(
        theirs
            .recv_timeout_blocking(Duration::from_millis(1))
            .is_err()
    );
    drop((sender, theirs));
    peer.join().unwrap();
    // Often enough for a lock that is biased to its thread.
    let (sender, receiver) = chan::bounded(1);
    for n in 0..1_000 {
        sender.send_blocking(n).unwrap();
        assert_eq!(receiver.recv_blocking(), Ok(n));
    }
}

fn use_sync() {
    let lock = Mutex::new(0);
    *lock.lock_blocking() += 1;
    let semaphore = Semaphore::new(1);
    drop(semaphore.acquire_blocking());
    let (sender, receiver) = oneshot::channel();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1));
        sender.send(1)
    });
    assert_eq!(receiver.recv_blocking(), Ok(1));
    late.join().unwrap().unwrap();
    let (context, cancel) = Context::background().with_cancel();
    for _ in 0..20 {
        drop(context.with_cancel());
    }
    cancel.cancel();
    assert!(context.is_done());
    block_on(async {
        let mut set: JoinSet<_> = (0..4).map(|n| async move { n }).collect();
        while set.join_next().await.is_some() {}
        assert!(
            timeout(Duration::from_millis(1), std::future::pending::<()>())
                .await
                .is_err()
        );
    });
    gopark::task_local! { static NAME: String; }
    assert!(NAME.try_get().is_err());
    let get = async { NAME.get() };
    assert_eq!(block_on(NAME.scope("a".to_string(), get)), "a");
    assert_eq!(NAME.sync_scope("b".to_string(), || NAME.get()), "b");
}

fn use_sockets() {
    let echo = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (far, _) = listener.accept().await.unwrap();
        near.write_all(b"x").await.unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"x");
        assert!(
            gopark::net::lookup_host("localhost:1")
                .await
                .unwrap()
                .count()
                > 0
        );
    };
    block_on(echo);
    let reactor = Reactor::new().unwrap();
    let entered = reactor.enter();
    assert!(Reactor::current().unwrap().same(&reactor));
    drop(entered);
}

thread_local! {
    static LAST: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) };
}

/// Puts a value into a thread-local of a new thread, before or after that thread has used all of gopark,
/// and waits for the end of the thread.
fn drop_at_the_end_of_a_thread(
    comes_first: bool,
    make: impl FnOnce() -> Box<dyn std::any::Any> + Send + 'static,
) {
    std::thread::spawn(move || {
        if comes_first {
            // Thread-locals end in the reverse order of their first use.
            LAST.with(|_| ());
            use_it_all();
            LAST.set(Some(make()));
        } else {
            use_it_all();
            LAST.set(Some(make()));
        }
    })
    .join()
    .unwrap();
}

#[test]
fn everything_works_in_the_destructor_of_a_thread_local() {
    let _alarm = alarm();
    for comes_first in [true, false] {
        let (sender, receiver) = mpsc::channel();
        drop_at_the_end_of_a_thread(comes_first, move || {
            Box::new(on_drop(move || {
                use_it_all();
                sender.send(()).unwrap();
            }))
        });
        receiver.recv().unwrap();
    }
}

#[test]
fn everything_works_there_on_a_thread_that_has_not_used_it_before() {
    let _alarm = alarm();
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        LAST.set(Some(Box::new(on_drop(move || {
            use_it_all();
            sender.send(()).unwrap();
        }))));
    });
    thread.join().unwrap();
    receiver.recv().unwrap();
}

#[test]
fn a_runtime_may_lie_in_a_thread_local() {
    let _alarm = alarm();
    for comes_first in [true, false] {
        for make in [|| current(), || multi(1), || multi(2)] {
            let (sender, receiver) = mpsc::channel();
            drop_at_the_end_of_a_thread(comes_first, move || {
                let runtime = make();
                // Its future ends in the destructor, in the runtime's context.
                let ended = on_drop(move || sender.send(Handle::try_current().is_ok()).unwrap());
                runtime.spawn(async move {
                    let _ended = ended;
                    std::future::pending::<()>().await
                });
                Box::new(runtime)
            });
            assert!(receiver.recv().unwrap());
        }
    }
}

#[test]
fn a_guard_of_enter_may_lie_in_a_thread_local() {
    let _alarm = alarm();
    struct Both(#[allow(dead_code)] Option<EnterGuard<'static>>, Runtime);
    impl Drop for Both {
        fn drop(&mut self) {
            let task = spawn(async { 9 });
            assert_eq!(self.1.block_on(task).unwrap(), 9);
        }
    }
    for comes_first in [true, false] {
        drop_at_the_end_of_a_thread(comes_first, || {
            let runtime = multi(1);
            let handle: &'static Handle = Box::leak(Box::new(runtime.handle().clone()));
            Box::new(Both(Some(handle.enter()), runtime))
        });
    }
}

#[test]
fn a_worker_may_use_it_all_when_it_ends() {
    let _alarm = alarm();
    let (sender, receiver) = mpsc::channel();
    let runtime = multi(2);
    let task = runtime.spawn(async move {
        LAST.with(|_| ());
        use_channels();
        let ended = on_drop(move || {
            use_it_all();
            sender.send(()).unwrap();
        });
        LAST.set(Some(Box::new(ended)));
    });
    // On whichever thread, but not on this one.
    futures::executor::block_on(task).unwrap();
    drop(runtime);
    receiver.recv().unwrap();
}
