//! Futures and closures of some size, on threads with the usual 2 MiB of stack: each entry moves them
//! through few frames. (Copies that the compiler does not elide are what overflows, so this is about debug builds most.)

#[path = "task_support/mod.rs"]
mod task_support;

use std::future::Future;
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use gopark::group::{Group, scope_blocking};
use gopark::runtime::Runtime;
use gopark::task::JoinSet;
use gopark::time::timeout;
use task_support::{alarm, current, multi};

const SIZE: usize = if cfg!(debug_assertions) {
    256 << 10
} else {
    1 << 20
};

/// That much in a future.
#[allow(clippy::manual_async_fn, reason = "the type says that it is Send")]
fn big() -> impl Future<Output = u8> + Send {
    async {
        let mut bytes = [0_u8; SIZE];
        black_box(&mut bytes)[SIZE - 1] = 7;
        gopark::yield_now().await;
        black_box(&bytes)[SIZE - 1]
    }
}

/// That much in a closure.
fn closure() -> impl FnOnce() -> u8 + Send {
    let bytes = [7_u8; SIZE];
    move || black_box(&bytes)[SIZE - 1]
}

/// Runs `f` for both flavours, each on a thread with 2 MiB of stack.
fn on_a_thread(f: fn(&Runtime)) {
    let _alarm = alarm();
    assert!(size_of_val(&big()) >= SIZE);
    for make in [|| multi(2), current] {
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || f(&make()))
            .unwrap()
            .join()
            .unwrap();
    }
}

#[test]
fn spawn_takes_a_big_future() {
    on_a_thread(|runtime| {
        assert_eq!(
            runtime.block_on(async { gopark::spawn(big()).await.unwrap() }),
            7
        );
    });
}

#[test]
fn spawn_from_outside_takes_a_big_future() {
    on_a_thread(|runtime| {
        let task = runtime.spawn(big());
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    });
    on_a_thread(|runtime| {
        let task = runtime.handle().spawn(big());
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    });
}

#[test]
fn spawn_inside_a_task_takes_a_big_future() {
    on_a_thread(|runtime| {
        let task = runtime.spawn(async { gopark::spawn(big()).await.unwrap() });
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    });
}

#[test]
fn spawn_local_takes_a_big_future() {
    on_a_thread(|runtime| {
        assert_eq!(
            runtime.block_on(async { gopark::spawn_local(big()).await.unwrap() }),
            7
        );
    });
}

#[test]
fn spawn_takes_a_big_future_with_a_timeout() {
    on_a_thread(|runtime| {
        let limit = Duration::from_secs(60);
        let limited = async move { gopark::spawn(timeout(limit, big())).await.unwrap() };
        assert_eq!(runtime.block_on(limited), Ok(7));
    });
}

#[test]
fn spawn_blocking_takes_a_big_closure() {
    on_a_thread(|runtime| {
        assert_eq!(
            runtime.block_on(async { gopark::spawn_blocking(closure()).await.unwrap() }),
            7
        );
    });
    on_a_thread(|runtime| {
        let job = runtime.spawn_blocking(closure());
        assert_eq!(runtime.block_on(job).unwrap(), 7);
    });
    on_a_thread(|runtime| {
        let job = runtime.handle().spawn_blocking(closure());
        assert_eq!(runtime.block_on(job).unwrap(), 7);
    });
}

#[test]
fn a_join_set_takes_big_futures() {
    on_a_thread(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(big());
            assert_eq!(set.join_all().await, [7]);
        });
    });
    on_a_thread(|runtime| {
        let mut set = JoinSet::new();
        set.spawn_on(big(), runtime.handle());
        assert_eq!(runtime.block_on(set.join_all()), [7]);
    });
    on_a_thread(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            set.spawn_local(big());
            assert_eq!(set.join_all().await, [7]);
        });
    });
}

#[test]
fn a_join_set_takes_big_closures() {
    on_a_thread(|runtime| {
        runtime.block_on(async {
            let mut set = JoinSet::new();
            set.spawn_blocking(closure());
            assert_eq!(set.join_all().await, [7]);
        });
    });
    on_a_thread(|runtime| {
        let mut set = JoinSet::new();
        set.spawn_blocking_on(closure(), runtime.handle());
        assert_eq!(runtime.block_on(set.join_all()), [7]);
    });
}

/// That much in a closure for a group.
fn member_closure() -> impl FnOnce() -> Result<(), u8> + Send {
    let bytes = [7_u8; SIZE];
    move || Err(black_box(&bytes)[SIZE - 1])
}

/// A member of a group.
#[allow(clippy::manual_async_fn, reason = "the type says that it is Send")]
fn member() -> impl Future<Output = Result<(), u8>> + Send {
    async { Err(big().await) }
}

#[test]
fn a_group_takes_big_futures() {
    on_a_thread(|runtime| {
        runtime.block_on(async {
            let mut group = Group::new();
            group.go(member()).await;
            assert_eq!(group.wait().await, Err(7));
        });
    });
    on_a_thread(|runtime| {
        runtime.block_on(async {
            let mut group = Group::new();
            // It may give the future back, by value: so that lies on the stack twice, and a quarter of a
            // megabyte is what fits in every build.
            let member = async {
                let mut bytes = [7_u8; 256 << 10];
                black_box(&mut bytes);
                gopark::yield_now().await;
                Err(black_box(&bytes)[1])
            };
            assert!(group.try_go(member).is_ok());
            assert_eq!(group.wait().await, Err(7));
        });
    });
}

#[test]
fn a_group_takes_big_closures() {
    on_a_thread(|runtime| {
        runtime.block_on(async {
            let mut group = Group::new();
            group.spawn_blocking(member_closure()).await;
            assert_eq!(group.wait().await, Err(7));
        });
    });
}

#[test]
fn a_scope_takes_big_futures() {
    on_a_thread(|runtime| {
        let _entered = runtime.enter();
        let out = AtomicU8::new(0);
        scope_blocking(|scope| {
            scope.spawn(async { out.store(big().await, Ordering::Relaxed) });
        });
        assert_eq!(out.into_inner(), 7);
    });
}

#[test]
fn block_on_takes_a_big_future() {
    on_a_thread(|runtime| assert_eq!(runtime.block_on(big()), 7));
    on_a_thread(|runtime| assert_eq!(runtime.handle().block_on(big()), 7));
    on_a_thread(|runtime| {
        let _entered = runtime.enter();
        assert_eq!(gopark::block_on(big()), 7);
    });
}

#[test]
fn a_nested_block_on_takes_a_big_future() {
    on_a_thread(|runtime| {
        assert_eq!(runtime.block_on(async { gopark::block_on(big()) }), 7);
        let task = runtime.spawn(async { gopark::block_on(big()) });
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    });
}

#[test]
fn run_takes_a_big_future() {
    on_a_thread(|runtime| assert_eq!(runtime.run(big()), 7));
    on_a_thread(|runtime| assert_eq!(runtime.handle().run(big()), 7));
    on_a_thread(|runtime| {
        let _entered = runtime.enter();
        assert_eq!(gopark::run(big()), 7);
    });
}
