//! Wakers that panic, on every path by which the scheduler wakes: it survives them, and wakes the
//! others.
#![cfg(unix)]

mod proof_support;

use std::future::Future;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use gopark::chan;
use gopark::net::AsyncFd;
use gopark::runtime::Runtime;
use gopark::time::{Sleep, sleep};
use proof_support::{Counter, PanickingWaker, alarm, every_kind};

const MS: Duration = Duration::from_millis(1);

struct CountingWaker(Counter);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.add();
    }
}

fn panicking() -> (Arc<PanickingWaker>, Waker) {
    let waker = Arc::new(PanickingWaker::default());
    (waker.clone(), Waker::from(waker))
}

fn arm(after: Duration, waker: &Waker) -> std::pin::Pin<Box<Sleep>> {
    let mut armed = Box::pin(sleep(after));
    assert!(
        armed
            .as_mut()
            .poll(&mut Context::from_waker(waker))
            .is_pending()
    );
    armed
}

/// A runtime that still runs tasks, timers and sockets.
fn goes_on(runtime: &Runtime) {
    runtime.block_on(async {
        let (mut writer, reader) = socket();
        let served = gopark::spawn(async move { reader.readable().await.map(drop) });
        gopark::spawn(sleep(MS)).await.unwrap();
        writer.write_all(b"x").unwrap();
        served.await.unwrap().unwrap();
    });
}

fn socket() -> (UnixStream, AsyncFd<UnixStream>) {
    let (writer, reader) = UnixStream::pair().unwrap();
    reader.set_nonblocking(true).unwrap();
    (writer, AsyncFd::new(reader).unwrap())
}

#[test]
fn a_panicking_waker_in_a_timer_is_survived_by_an_idle_thread() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (panics, waker) = panicking();
        runtime.block_on(async {
            let armed = [arm(MS, &waker), arm(MS, &waker), arm(2 * MS, &waker)];
            // It comes after them.
            sleep(20 * MS).await;
            assert!(armed.iter().all(|sleep| sleep.is_elapsed()));
        });
        assert_eq!(panics.0.get(), 3);
        goes_on(&runtime);
    }
}

#[test]
fn a_panicking_waker_in_a_timer_is_survived_by_a_busy_thread() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (panics, waker) = panicking();
        let task = runtime.spawn({
            let panics = panics.clone();
            async move {
                let _armed = [arm(MS, &waker), arm(MS, &waker)];
                while panics.0.get() < 2 {
                    gopark::yield_now().await;
                }
            }
        });
        runtime.block_on(task).unwrap();
        goes_on(&runtime);
    }
}

#[test]
fn a_panicking_waker_in_a_socket_is_survived_by_a_busy_and_an_idle_thread() {
    let _alarm = alarm();
    for busy in [false, true] {
        for runtime in every_kind() {
            let (panics, waker) = panicking();
            runtime.block_on(async {
                let sockets: Vec<_> = (0..3).map(|_| socket()).collect();
                for (mut writer, reader) in sockets.iter().map(|(writer, reader)| (writer, reader))
                {
                    let mut cx = Context::from_waker(&waker);
                    assert!(reader.poll_read_ready(&mut cx).is_pending());
                    writer.write_all(b"x").unwrap();
                }
                while panics.0.get() < 3 {
                    if busy {
                        gopark::yield_now().await;
                    } else {
                        sleep(MS).await;
                    }
                }
            });
            assert_eq!(panics.0.get(), 3);
            goes_on(&runtime);
        }
    }
}

#[test]
fn a_panicking_waker_in_a_timer_is_survived_by_the_end_of_its_runtime() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (panics, waker) = panicking();
        let (writer, reader) = runtime.block_on(async { socket() });
        let armed = runtime
            .block_on(async { [arm(Duration::MAX / 2, &waker), arm(3_600_000 * MS, &waker)] });
        let mut cx = Context::from_waker(&waker);
        assert!(reader.poll_read_ready(&mut cx).is_pending());
        drop(runtime);
        // The socket and the sleep that has an end; the other one waits for nothing.
        assert_eq!(panics.0.get(), 2);
        drop((writer, armed));
    }
}

#[test]
fn a_foreign_executor_is_not_charged_for_what_a_block_on_left_of_its_budget() {
    let _alarm = alarm();
    for panics in [false, true] {
        for runtime in every_kind() {
            let used_up = || {
                runtime.block_on(async {
                    // The budget of this poll is used up when it ends.
                    let mut many: Vec<_> = (0..1000).map(|_| gopark::spawn(async {})).collect();
                    while !many.iter().all(|one| one.is_finished()) {
                        gopark::yield_now().await;
                    }
                    let mut polled = 0;
                    for one in &mut many {
                        let mut cx = Context::from_waker(Waker::noop());
                        if std::pin::Pin::new(one).poll(&mut cx).is_pending() {
                            break;
                        }
                        polled += 1;
                    }
                    assert!(polled < 1000, "there is a budget");
                    assert!(!panics, "as this round wants it");
                    many.split_off(polled)
                })
            };
            let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(used_up));
            let left = left
                .unwrap_or_else(|_| (0..200).map(|_| runtime.handle().spawn(async {})).collect());
            let others = runtime.handle().clone();
            std::thread::scope(|scope| {
                // The current-thread flavour needs a thread to run what is left.
                let run = scope.spawn(move || {
                    others.block_on(async {
                        while !others.tasks().is_empty() {
                            sleep(MS).await;
                        }
                    });
                });
                for one in left {
                    futures::executor::block_on(one).unwrap();
                }
                run.join().unwrap();
            });
        }
    }
}

#[test]
fn a_panicking_waker_in_a_channel_keeps_nobody_from_being_woken() {
    let (panics, waker) = panicking();
    let counted = Counter::default();
    let (tx, rx) = chan::bounded(1);
    let (mut first, mut second) = (Box::pin(rx.recv()), Box::pin(rx.recv()));
    let mut third = Box::pin(rx.recv());
    let poll = |recv: &mut Pin<Box<chan::Recv<'_, u32>>>, waker: &Waker| {
        recv.as_mut().poll(&mut Context::from_waker(waker))
    };
    let well = Waker::from(Arc::new(CountingWaker(counted.clone())));
    assert!(poll(&mut first, &waker).is_pending());
    assert!(poll(&mut second, &waker).is_pending());
    assert!(poll(&mut third, &well).is_pending());
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(panics.0.get(), 1);
    assert!(tx.close());
    // The others learn of the end with the message that the first may still give back.
    assert_eq!(poll(&mut first, &waker), Poll::Ready(Ok(1)));
    assert_eq!((panics.0.get(), counted.get()), (2, 1));
    assert!(matches!(poll(&mut second, &waker), Poll::Ready(Err(_))));
    assert!(matches!(poll(&mut third, &well), Poll::Ready(Err(_))));
}
