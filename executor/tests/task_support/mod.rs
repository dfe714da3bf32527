//! What the tests of tasks share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use gopark::runtime::{Builder, Runtime};

pub(crate) fn multi(procs: usize) -> Runtime {
    Builder::new_multi_thread().procs(procs).build().unwrap()
}

pub(crate) fn current() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// One processor, two processors, and the current-thread flavour.
pub(crate) fn every_kind() -> [Runtime; 3] {
    [multi(1), multi(2), current()]
}

/// Ends the process if the test that holds it hangs.
pub(crate) struct Alarm(#[allow(dead_code, reason = "held for its Drop")] mpsc::Sender<()>);

pub(crate) fn alarm() -> Alarm {
    let (sender, receiver) = mpsc::channel::<()>();
    let test = std::thread::current().name().unwrap_or("?").to_string();
    std::thread::spawn(move || {
        if receiver.recv_timeout(Duration::from_secs(120)) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("the test {test} hangs");
            std::process::exit(101);
        }
    });
    Alarm(sender)
}

/// Counts how often any of its clones' owners asked it to.
#[derive(Clone, Default, Debug)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A value that adds one when it is dropped.
    pub(crate) fn on_drop(&self) -> OnDrop<impl FnOnce() + Send + use<>> {
        let counter = self.clone();
        on_drop(move || {
            counter.add();
        })
    }
}

/// Runs a function when it is dropped.
pub(crate) struct OnDrop<F: FnOnce()>(Option<F>);

pub(crate) fn on_drop<F: FnOnce()>(f: F) -> OnDrop<F> {
    OnDrop(Some(f))
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// Panics at each wake, and counts them.
#[derive(Default)]
pub(crate) struct PanickingWaker(pub(crate) Counter);

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        self.0.add();
        panic!("this waker panics");
    }
}

/// Polls once with a waker that does nothing.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

thread_local! {
    static LAST_PANIC: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

/// Runs `f`, which must panic: its message, and the file and line that it blames.
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> (String, String, u32) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let location = info.location().unwrap();
            LAST_PANIC.with(|last| {
                *last.borrow_mut() = Some((location.file().to_string(), location.line()));
            });
            before(info);
        }));
    });
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("expected a panic, and there was none");
    };
    let message = match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_string(),
    };
    let (file, line) = LAST_PANIC.with(RefCell::take).unwrap();
    (message, file, line)
}
