//! Models of `net/src/readiness.rs` and `net/src/table.rs`.
//!
//! The kernel is a counter of bytes: a report says that it has grown, an operation takes one or "would
//! block". What is checked is always the same: nobody sleeps while there is a byte and no report to come.

#[path = "../../net/src/readiness.rs"]
mod protocol;
#[path = "../../net/src/table.rs"]
mod table;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use loom::sync::Mutex;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;

    use super::protocol::{
        Direction::Read, Direction::Write, Readiness, Ready, Refused, Wait, WaiterId,
    };
    use super::table::Table;

    struct CountWakes(AtomicUsize);

    impl CountWakes {
        fn new() -> Arc<Self> {
            Arc::new(Self(AtomicUsize::new(0)))
        }

        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for CountWakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The kernel's side of a source: how many bytes it holds.
    struct Kernel {
        bytes: AtomicUsize,
        readiness: Readiness,
    }

    impl Kernel {
        fn new(assumed: Ready) -> Arc<Self> {
            Arc::new(Self {
                bytes: AtomicUsize::new(0),
                readiness: Readiness::new(assumed),
            })
        }

        /// A byte arrives, and the poller reports it and wakes who waited.
        fn arrive(&self) {
            self.bytes.fetch_add(1, Ordering::Relaxed);
            let mut ready = Vec::new();
            self.readiness.deliver(Ready::READABLE, &mut ready);
            ready.into_iter().for_each(Waker::wake);
        }

        fn take(&self) -> bool {
            self.bytes
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
        }

        /// The loop of an operation in `source.rs`: `true` when a byte was taken, `false` when parked.
        fn read(&self, id: &mut WaiterId, waker: &Waker) -> bool {
            loop {
                let seen = match self.readiness.ready(Read) {
                    Some(seen) => seen,
                    None => match self.readiness.wait(Read, id, waker) {
                        Wait::Ready(seen) => seen,
                        Wait::Parked => return false,
                        Wait::Down => unreachable!("nobody shuts down"),
                    },
                };
                if self.take() {
                    return true;
                }
                self.readiness.clear(Read, seen, Refused::ByKernel);
            }
        }
    }

    #[test]
    fn a_report_between_would_block_and_clear_is_not_erased() {
        loom::model(|| {
            let kernel = Kernel::new(Ready::READABLE);
            let poller = thread::spawn({
                let kernel = kernel.clone();
                move || kernel.arrive()
            });
            let wakes = CountWakes::new();
            let waker = Waker::from(wakes.clone());
            let mut id = WaiterId::NEW;
            let took = kernel.read(&mut id, &waker);
            poller.join().unwrap();
            if !took {
                assert_eq!(wakes.count(), 1, "parked with a byte there and no wake");
                assert!(kernel.read(&mut id, &waker));
            }
        });
    }

    #[test]
    fn a_waiter_that_enlists_during_a_report_is_woken_or_sees_it() {
        loom::model(|| {
            let kernel = Kernel::new(Ready::EMPTY);
            let poller = thread::spawn({
                let kernel = kernel.clone();
                move || {
                    kernel.arrive();
                    kernel.arrive();
                }
            });
            let wakes = CountWakes::new();
            let waker = Waker::from(wakes.clone());
            let mut taken = 0;
            let mut id = WaiterId::ANONYMOUS;
            let mut woken = 0;
            while taken < 2 {
                if kernel.read(&mut id, &waker) {
                    taken += 1;
                    continue;
                }
                while wakes.count() == woken {
                    thread::yield_now();
                }
                woken = wakes.count();
            }
            poller.join().unwrap();
        });
    }

    #[test]
    fn two_waiters_of_one_direction_are_both_woken() {
        loom::model(|| {
            let kernel = Kernel::new(Ready::EMPTY);
            let other = thread::spawn({
                let kernel = kernel.clone();
                move || {
                    let wakes = CountWakes::new();
                    let waker = Waker::from(wakes.clone());
                    let mut id = WaiterId::NEW;
                    (kernel.read(&mut id, &waker), wakes)
                }
            });
            let wakes = CountWakes::new();
            let waker = Waker::from(wakes.clone());
            let mut id = WaiterId::NEW;
            let parked = !kernel.read(&mut id, &waker);
            assert!(parked, "no byte has arrived");
            kernel.arrive();
            let (took, other_wakes) = other.join().unwrap();
            assert_eq!(wakes.count(), 1);
            if !took {
                // It parked, before the report or (having consumed nothing) never: so it was woken,
                // unless it enlisted after the report and found the byte.
                assert_eq!(other_wakes.count(), 1);
            }
        });
    }

    #[test]
    fn a_third_party_that_clears_a_report_leaves_no_sleeper_behind() {
        loom::model(|| {
            let kernel = Kernel::new(Ready::EMPTY);
            let thief = thread::spawn({
                let kernel = kernel.clone();
                move || {
                    // Takes the byte if it is there, and finds out that there is no second one.
                    let Some(seen) = kernel.readiness.ready(Read) else {
                        return 0;
                    };
                    let took = usize::from(kernel.take());
                    kernel.readiness.clear(Read, seen, Refused::ByKernel);
                    took
                }
            });
            let poller = thread::spawn({
                let kernel = kernel.clone();
                move || kernel.arrive()
            });
            let wakes = CountWakes::new();
            let waker = Waker::from(wakes.clone());
            let mut id = WaiterId::NEW;
            let took = kernel.read(&mut id, &waker);
            poller.join().unwrap();
            let stolen = thief.join().unwrap();
            if !took && stolen == 0 {
                assert!(
                    wakes.count() > 0,
                    "the byte is there, and nobody was woken for it"
                );
            }
        });
    }

    #[test]
    fn a_cancelled_waiter_takes_no_wake_away_from_another() {
        loom::model(|| {
            let kernel = Kernel::new(Ready::EMPTY);
            let (cancelled, stays) = (CountWakes::new(), CountWakes::new());
            let (mut gone, mut here) = (WaiterId::NEW, WaiterId::NEW);
            assert!(!kernel.read(&mut gone, &Waker::from(cancelled.clone())));
            assert!(!kernel.read(&mut here, &Waker::from(stays.clone())));
            let poller = thread::spawn({
                let kernel = kernel.clone();
                move || kernel.arrive()
            });
            kernel.readiness.cancel(Read, gone);
            poller.join().unwrap();
            assert_eq!(stays.count(), 1);
            assert!(cancelled.count() <= 1);
            // Nothing of either is left in the list: only the kernel's clones above held wakers.
            assert_eq!(Arc::strong_count(&cancelled), 1);
            assert_eq!(Arc::strong_count(&stays), 1);
        });
    }

    #[test]
    fn both_directions_wake_by_themselves() {
        loom::model(|| {
            let readiness = Arc::new(Readiness::new(Ready::EMPTY));
            let (reads, writes) = (CountWakes::new(), CountWakes::new());
            let mut id = WaiterId::NEW;
            let parked = readiness.wait(Read, &mut id, &Waker::from(reads.clone()));
            assert!(matches!(parked, Wait::Parked));
            let poller = thread::spawn({
                let readiness = readiness.clone();
                move || {
                    let mut ready = Vec::new();
                    readiness.deliver(Ready::WRITABLE, &mut ready);
                    ready.into_iter().for_each(Waker::wake);
                }
            });
            let mut id = WaiterId::NEW;
            let wait = readiness.wait(Write, &mut id, &Waker::from(writes.clone()));
            poller.join().unwrap();
            if matches!(wait, Wait::Parked) {
                assert_eq!(writes.count(), 1);
            }
            assert_eq!(reads.count(), 0);
        });
    }

    #[test]
    fn a_shutdown_leaves_no_sleeper_behind() {
        loom::model(|| {
            let readiness = Arc::new(Readiness::new(Ready::READABLE));
            let stopper = thread::spawn({
                let readiness = readiness.clone();
                move || {
                    let mut ready = Vec::new();
                    readiness.shut_down(&mut ready);
                    ready.into_iter().for_each(Waker::wake);
                }
            });
            let poller = thread::spawn({
                let readiness = readiness.clone();
                move || {
                    let mut ready = Vec::new();
                    readiness.deliver(Ready::WRITABLE, &mut ready);
                    ready.into_iter().for_each(Waker::wake);
                }
            });
            let wakes = CountWakes::new();
            if let Some(seen) = readiness.ready(Read) {
                readiness.clear(Read, seen, Refused::ByKernel);
            }
            let mut id = WaiterId::NEW;
            let wait = readiness.wait(Read, &mut id, &Waker::from(wakes.clone()));
            stopper.join().unwrap();
            poller.join().unwrap();
            assert!(readiness.is_down());
            assert!(readiness.ready(Read).is_none() && readiness.ready(Write).is_none());
            if matches!(wait, Wait::Parked) {
                assert_eq!(wakes.count(), 1);
            }
        });
    }

    #[test]
    fn a_stale_report_does_not_reach_the_successor_in_the_slot() {
        loom::model(|| {
            let table = Arc::new(Mutex::new(Table::new()));
            let insert = |table: &mut Table<Arc<Readiness>>| {
                let mut token = 0;
                let source = table.insert_with(|t| {
                    token = t;
                    Arc::new(Readiness::new(Ready::EMPTY))
                });
                (token, source.expect("room").clone())
            };
            let (old, first) = insert(&mut table.lock().unwrap());
            // The selector reported `old`; the poller gets to it while the source is replaced.
            let poller = thread::spawn({
                let table = table.clone();
                move || {
                    let table = table.lock().unwrap();
                    let Some(source) = table.get(old) else { return };
                    source.deliver(Ready::READABLE, &mut Vec::new());
                }
            });
            let (_, second) = {
                let mut table = table.lock().unwrap();
                drop(table.remove(old));
                insert(&mut table)
            };
            poller.join().unwrap();
            assert!(
                second.ready(Read).is_none(),
                "the successor got a stale report"
            );
            drop(first);
        });
    }

    /// The loop of an operation of a user's: it refuses the first time, whatever the kernel says.
    fn refuse_once(readiness: &Readiness, refused: Refused, waker: &Waker) -> bool {
        let mut id = WaiterId::NEW;
        for attempt in 0.. {
            let seen = match readiness.ready(Read) {
                Some(seen) => seen,
                None => match readiness.wait(Read, &mut id, waker) {
                    Wait::Ready(seen) => seen,
                    Wait::Parked => return false,
                    Wait::Down => unreachable!("nobody shuts down"),
                },
            };
            if attempt > 0 {
                break;
            }
            readiness.clear(Read, seen, refused);
        }
        true
    }

    #[test]
    fn a_hang_up_outlives_an_operation_that_refuses() {
        loom::model(|| {
            let readiness = Arc::new(Readiness::new(Ready::READABLE));
            let poller = thread::spawn({
                let readiness = readiness.clone();
                move || {
                    let mut ready = Vec::new();
                    readiness.deliver(Ready::READABLE | Ready::READ_CLOSED, &mut ready);
                    ready.into_iter().for_each(Waker::wake);
                }
            });
            let wakes = CountWakes::new();
            let waker = Waker::from(wakes.clone());
            let done = refuse_once(&readiness, Refused::ByUser, &waker);
            poller.join().unwrap();
            assert!(done || wakes.count() == 1, "it waits for a second hang-up");
            assert!(
                readiness
                    .ready(Read)
                    .is_some_and(|seen| seen.ready().is_read_closed())
            );
        });
    }

    #[test]
    fn a_fifo_that_was_hung_up_waits_for_the_next_writer() {
        loom::model(|| {
            let readiness = Arc::new(Readiness::new(Ready::EMPTY));
            readiness.deliver(Ready::READ_CLOSED, &mut Vec::new());
            let poller = thread::spawn({
                let readiness = readiness.clone();
                move || {
                    // Another writer has come, and wrote.
                    let mut ready = Vec::new();
                    readiness.deliver(Ready::READABLE, &mut ready);
                    ready.into_iter().for_each(Waker::wake);
                }
            });
            let wakes = CountWakes::new();
            let waker = Waker::from(wakes.clone());
            let done = refuse_once(&readiness, Refused::ByKernel, &waker);
            poller.join().unwrap();
            assert!(
                done || wakes.count() == 1,
                "it sleeps beside the new writer"
            );
            if !done {
                assert!(
                    readiness
                        .ready(Read)
                        .is_some_and(|seen| !seen.ready().is_read_closed())
                );
            }
        });
    }

    #[test]
    fn anonymous_waiters_are_collected_and_come_back() {
        loom::model(|| {
            let readiness = Readiness::new(Ready::EMPTY);
            let wakes: Vec<_> = (0..5).map(|_| CountWakes::new()).collect();
            let wait = |count: &Arc<CountWakes>| {
                let mut id = WaiterId::ANONYMOUS;
                let wait = readiness.wait(Read, &mut id, &Waker::from(count.clone()));
                assert!(matches!(wait, Wait::Parked));
            };
            let woken = || wakes.iter().map(|count| count.count()).collect::<Vec<_>>();
            wakes.iter().for_each(wait);
            // One in the first place; two that were collected by the fourth, which the models' limit says.
            assert_eq!(woken(), [0, 1, 1, 0, 0]);
            // They come back, and the bound has grown: from now on there is no wake without a report.
            for _ in 0..3 {
                wakes.iter().for_each(wait);
            }
            assert_eq!(woken(), [0, 1, 1, 0, 0]);
            let mut ready = Vec::new();
            readiness.deliver(Ready::READABLE, &mut ready);
            assert_eq!(ready.len(), 5);
        });
    }
}
