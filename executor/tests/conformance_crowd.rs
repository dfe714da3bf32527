//! Processors that only wait for the lock of one channel are laid off, and come back.

mod proof_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gopark::chan;
use gopark::runtime::{Runtime, StallPolicy};
use gopark::task::JoinHandle;
use proof_support::blocking::{until, wait, with_policy};
use proof_support::{alarm, multi};

/// Tasks that do nothing but talk through one channel, until they are told to stop.
struct Chatter {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<usize>>,
    receivers: Vec<JoinHandle<usize>>,
}

impl Chatter {
    fn begin(runtime: &Runtime) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tx, rx) = chan::bounded(1);
        let send = |_| {
            let (tx, stop) = (tx.clone(), stop.clone());
            runtime.spawn(async move {
                let mut sent = 0;
                while !stop.load(Ordering::Relaxed) {
                    tx.send(()).await.unwrap();
                    sent += 1;
                }
                sent
            })
        };
        let receive = |_| {
            let rx = rx.clone();
            runtime.spawn(async move {
                let mut received = 0;
                while rx.recv().await.is_ok() {
                    received += 1;
                }
                received
            })
        };
        Self {
            senders: (0..16).map(send).collect(),
            receivers: (0..16).map(receive).collect(),
            stop,
        }
    }

    /// Stops them; each message was received once.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let sum = |tasks: Vec<JoinHandle<usize>>| {
            let counts = tasks.into_iter().map(|task| wait(task).unwrap());
            counts.sum::<usize>()
        };
        assert_eq!(sum(self.senders), sum(self.receivers));
    }
}

/// One test at a time: threads that the kernel keeps from its processors do not wait for locks.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether two threads can be inside of the lock's code at once.
fn has_two_processors() -> bool {
    std::thread::available_parallelism().is_ok_and(|count| count.get() > 1)
}

#[test]
fn who_only_waits_for_a_channel_is_laid_off_and_back_when_all_is_quiet() {
    let _alone = alone();
    let _alarm = alarm();
    if !has_two_processors() {
        return;
    }
    let runtime = multi(2);
    let handle = runtime.handle();
    let chatter = Chatter::begin(&runtime);
    until(|| handle.metrics().procs_laid_off > 0);
    chatter.end();
    until(|| handle.metrics().laid_off_procs == 0 && handle.metrics().idle_procs == 2);
    assert_eq!(handle.metrics().procs, 2, "what was asked for");
}

#[test]
fn without_hand_over_nobody_is_laid_off() {
    let _alone = alone();
    let _alarm = alarm();
    let runtime = with_policy(2, StallPolicy::Off);
    let chatter = Chatter::begin(&runtime);
    until(|| runtime.handle().metrics().polls > 200_000);
    chatter.end();
    assert_eq!(runtime.handle().metrics().procs_laid_off, 0);
}
