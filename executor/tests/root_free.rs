//! The future of a `block_on`, of `run`, `main` or a test is polled whatever the tasks of its runtime do: one
//! that blocks has another thread.

mod task_support;

use std::cell::Cell;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gopark::runtime::{Builder, Runtime};
use gopark::time::sleep;
use task_support::{alarm, current, every_kind, multi, panic_of};

/// How long a task blocks if nobody ends that: long enough to be told from a slow machine.
const LONG: Duration = Duration::from_secs(20);

fn kinds() -> [Runtime; 4] {
    [multi(1), multi(2), multi(4), current()]
}

/// How a task blocks.
#[derive(Clone, Copy, Debug)]
enum Way {
    Section,
    Eager,
    Unmarked,
    #[cfg(unix)]
    Fifo,
}

#[cfg(unix)]
const WAYS: [Way; 4] = [Way::Section, Way::Eager, Way::Unmarked, Way::Fifo];
#[cfg(not(unix))]
const WAYS: [Way; 3] = [Way::Section, Way::Eager, Way::Unmarked];

type Act = Box<dyn FnOnce() + Send>;

/// Something that blocks until somebody lets it go, and what lets it go.
fn gate(way: Way) -> (Act, Act) {
    #[cfg(unix)]
    if let Way::Fifo = way {
        let fifo = Fifo::new();
        let path = fifo.0.clone();
        let read = move || {
            let mut byte = [0];
            let mut end = std::fs::File::open(&fifo.0).unwrap();
            end.read_exact(&mut byte).unwrap();
        };
        let write = move || {
            let mut end = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            end.write_all(b"x").unwrap();
        };
        return (Box::new(read), Box::new(write));
    }
    let (sender, receiver) = mpsc::channel();
    let pass = move || receiver.recv_timeout(LONG).expect("nobody came");
    let pass = move || match way {
        Way::Section => gopark::block(pass),
        Way::Eager => gopark::block_eager(pass),
        _ => pass(),
    };
    (Box::new(pass), Box::new(move || sender.send(()).unwrap()))
}

/// A named pipe, which goes with this.
#[cfg(unix)]
struct Fifo(PathBuf);

#[cfg(unix)]
impl Fifo {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gopark-fifo-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        Self(path)
    }
}

#[cfg(unix)]
impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Lets a task go that blocks, which needs this to be polled after a sleep.
async fn let_go(way: Way) {
    let (pass, open) = gate(way);
    let task = gopark::spawn(async move { pass() });
    sleep(Duration::from_millis(10)).await;
    open();
    task.await.unwrap();
}

/// The same in a future that is no task.
async fn let_go_here(way: Way) {
    let not_send = Rc::new(());
    let_go(way).await;
    drop(not_send);
}

fn is_quick(what: impl std::fmt::Debug, f: impl FnOnce()) {
    let begun = Instant::now();
    f();
    assert!(begun.elapsed() < LONG / 2, "{what:?}");
}

#[test]
fn the_future_of_block_on_is_polled_while_a_task_blocks() {
    let _alarm = alarm();
    for way in WAYS {
        for runtime in kinds() {
            for _ in 0..3 {
                is_quick((way, &runtime), || runtime.block_on(let_go_here(way)));
            }
        }
    }
}

#[test]
fn the_future_of_run_is_polled_while_a_task_blocks() {
    let _alarm = alarm();
    for way in WAYS {
        for runtime in kinds() {
            for _ in 0..3 {
                is_quick((way, &runtime), || runtime.run(let_go(way)));
            }
        }
    }
}

#[test]
fn the_body_of_main_is_polled_while_a_task_blocks() {
    #[gopark::main(procs = 1)]
    async fn one() {
        for way in WAYS {
            let_go(way).await;
        }
    }
    #[gopark::main(procs = 2)]
    async fn two() {
        for way in WAYS {
            let_go(way).await;
        }
    }
    #[gopark::main(procs = 2)]
    async fn two_not_send() {
        for way in WAYS {
            let_go_here(way).await;
        }
    }
    #[gopark::main(procs = 4)]
    async fn four() {
        for way in WAYS {
            let_go(way).await;
        }
    }
    #[gopark::main(flavor = "current_thread")]
    async fn on_current() {
        for way in WAYS {
            let_go(way).await;
        }
    }
    #[gopark::main(flavor = "current_thread")]
    async fn on_current_not_send() {
        for way in WAYS {
            let_go_here(way).await;
        }
    }
    let _alarm = alarm();
    let bodies = [
        one,
        two,
        two_not_send,
        four,
        on_current,
        on_current_not_send,
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        is_quick(number, body);
    }
}

#[gopark::test]
async fn the_body_of_a_test_is_polled_while_a_task_blocks() {
    let _alarm = alarm();
    for way in WAYS {
        let_go(way).await;
    }
}

#[gopark::test]
async fn the_body_of_a_test_that_is_not_send_is_polled_while_a_task_blocks() {
    let _alarm = alarm();
    for way in WAYS {
        let_go_here(way).await;
    }
}

#[test]
fn every_root_is_polled_while_tasks_block() {
    let _alarm = alarm();
    for way in WAYS {
        for runtime in kinds() {
            is_quick((way, &runtime), || {
                thread::scope(|scope| {
                    for _ in 0..3 {
                        scope.spawn(|| runtime.block_on(let_go_here(way)));
                    }
                });
            });
        }
    }
}

/// More of them than processors, and the last is not let go before the root has seen the first.
#[test]
fn a_root_is_polled_while_many_tasks_block() {
    let _alarm = alarm();
    for way in WAYS {
        for runtime in kinds() {
            is_quick((way, &runtime), || {
                runtime.block_on(async {
                    let (tasks, opens): (Vec<_>, Vec<_>) = (0..10)
                        .map(|_| {
                            let (pass, open) = gate(way);
                            (gopark::spawn(async move { pass() }), open)
                        })
                        .unzip();
                    for (task, open) in tasks.into_iter().zip(opens) {
                        sleep(Duration::from_millis(1)).await;
                        open();
                        task.await.unwrap();
                    }
                });
            });
        }
    }
}

#[test]
fn the_thread_inside_block_on_runs_its_own_work_alone() {
    let _alarm = alarm();
    for runtime in kinds() {
        let here = thread::current().id();
        runtime.block_on(async {
            for _ in 0..100 {
                let local = gopark::spawn_local(async { thread::current().id() });
                let task = gopark::spawn(async { thread::current().id() });
                assert_ne!(task.await.unwrap(), here);
                assert_eq!(local.await.unwrap(), here);
                assert_eq!(thread::current().id(), here);
            }
        });
    }
}

#[test]
fn on_the_current_thread_flavour_one_thing_goes_on_at_a_time() {
    let _alarm = alarm();
    let runtime = current();
    let inside = AtomicUsize::new(0);
    let inside: &'static AtomicUsize = Box::leak(Box::new(inside));
    async fn step(inside: &AtomicUsize) {
        for _ in 0..200 {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            for _ in 0..50 {
                std::hint::spin_loop();
            }
            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
            gopark::yield_now().await;
        }
    }
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                runtime.block_on(async {
                    let tasks = [(); 3].map(|()| gopark::spawn(step(inside)));
                    let local = gopark::spawn_local(step(inside));
                    step(inside).await;
                    for task in tasks {
                        task.await.unwrap();
                    }
                    local.await.unwrap();
                });
            });
        }
    });
}

#[test]
fn on_the_current_thread_flavour_nothing_runs_outside_of_block_on() {
    let _alarm = alarm();
    let runtime = current();
    let polls: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
    drop(runtime.spawn(async {
        loop {
            polls.fetch_add(1, Ordering::SeqCst);
            gopark::yield_now().await;
        }
    }));
    for _ in 0..20 {
        runtime.block_on(sleep(Duration::from_millis(1)));
        // The poll that was under way, and no other.
        let before = polls.load(Ordering::SeqCst);
        thread::sleep(Duration::from_millis(1));
        assert!(polls.load(Ordering::SeqCst) <= before + 1);
    }
}

#[test]
fn run_gives_what_the_future_gives_and_passes_its_panic_on() {
    let _alarm = alarm();
    for runtime in every_kind() {
        assert_eq!(runtime.run(async { 1 }), 1);
        let text = runtime.run(async {
            gopark::yield_now().await;
            gopark::spawn(async { String::from("a") }).await.unwrap()
        });
        assert_eq!(text, "a");
        let payload = catch_unwind(AssertUnwindSafe(|| runtime.run(async { panic_any(7_u64) })));
        assert_eq!(payload.unwrap_err().downcast_ref(), Some(&7_u64));
        assert_eq!(runtime.run(async { 2 }), 2);
    }
    assert_eq!(gopark::run(async { 3 }), 3);
}

#[test]
fn run_may_be_called_within_a_task_and_within_run() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let sum = runtime.run(async {
            let inner = gopark::run(async { gopark::spawn(async { 1 }).await.unwrap() });
            let task = gopark::spawn(async { gopark::run(async { 2 }) });
            inner + task.await.unwrap()
        });
        assert_eq!(sum, 3);
    }
}

#[test]
fn run_on_a_runtime_that_has_ended_says_so_and_blames_its_caller() {
    let runtime = multi(1);
    let handle = runtime.handle().clone();
    drop(runtime);
    let expected = (file!().to_string(), line!() + 1);
    let (message, file, line) = panic_of(|| handle.run(async {}));
    assert!(message.contains("shut down"), "{message}");
    assert_eq!((file, line), expected);
}

#[test]
fn a_body_that_may_be_a_task_is_one_and_any_other_stays_on_its_thread() {
    #[gopark::main(flavor = "current_thread")]
    async fn send() -> (bool, thread::ThreadId) {
        (gopark::task::try_id().is_some(), thread::current().id())
    }
    #[gopark::main(flavor = "current_thread", local = true)]
    async fn local() -> (bool, thread::ThreadId) {
        (gopark::task::try_id().is_some(), thread::current().id())
    }
    #[gopark::main(flavor = "current_thread")]
    async fn holds_rc() -> (bool, thread::ThreadId) {
        let rc = Rc::new(Cell::new(false));
        gopark::yield_now().await;
        rc.set(gopark::task::try_id().is_some());
        (rc.get(), thread::current().id())
    }
    #[gopark::main(flavor = "current_thread")]
    async fn returns_rc() -> Rc<(bool, thread::ThreadId)> {
        Rc::new((gopark::task::try_id().is_some(), thread::current().id()))
    }
    #[gopark::main(flavor = "current_thread")]
    async fn borrows(text: &str) -> (usize, bool) {
        gopark::yield_now().await;
        (text.len(), gopark::task::try_id().is_some())
    }
    let _alarm = alarm();
    let here = thread::current().id();
    let (is_task, thread) = send();
    assert!(is_task && thread != here);
    assert_eq!(local(), (false, here));
    assert_eq!(holds_rc(), (false, here));
    assert_eq!(*returns_rc(), (false, here));
    assert_eq!(borrows("abc"), (3, false));
}

#[test]
fn local_tasks_of_a_body_that_is_a_task_are_run() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let sum = runtime.run(async {
            let mut sum = 0;
            for n in 0..20 {
                let local = gopark::spawn_local(async move {
                    let rc = Rc::new(n);
                    gopark::yield_now().await;
                    *rc
                });
                sum += local.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 190);
    }
}

/// A `block_on` alone is not worth a thread.
#[test]
fn a_root_without_tasks_starts_no_thread() {
    let _alarm = alarm();
    for runtime in [multi(2), current()] {
        runtime.block_on(async {
            for _ in 0..3 {
                sleep(Duration::from_millis(1)).await;
                gopark::yield_now().await;
            }
            gopark::spawn_local(async {}).await.unwrap();
        });
        assert_eq!(runtime.handle().metrics().threads_started, 0);
    }
}

#[test]
fn a_root_that_computes_keeps_no_task_of_many_processors_waiting() {
    let _alarm = alarm();
    let runtime = Builder::new_multi_thread().procs(1).build().unwrap();
    runtime.block_on(async {
        let (sender, receiver) = mpsc::channel();
        drop(gopark::spawn(async move { sender.send(()).unwrap() }));
        let begun = Instant::now();
        while receiver.try_recv().is_err() {
            assert!(begun.elapsed() < LONG, "the task was not run");
            std::hint::spin_loop();
        }
    });
}
