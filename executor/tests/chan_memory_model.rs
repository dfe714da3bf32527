//! What a channel orders, in the words of Go's memory model. The data beside the channels is plain: a race
//! would be seen as a torn or an old value, and by a race detector as a race.

mod chan_support;

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use chan_support::{alarm, channel, rounds};
use gopark::chan;

/// Four words that are always the same, if nobody looks while they are written.
struct Plain(UnsafeCell<[usize; 4]>);

// SAFETY: (1) that only one thread touches it at a time is what the tests show.
unsafe impl Sync for Plain {}

impl Plain {
    fn new() -> Self {
        Self(UnsafeCell::new([0; 4]))
    }

    fn write(&self, value: usize) {
        // SAFETY: (1) ordered by the channels.
        let words = unsafe { &mut *self.0.get() };
        words.fill(value);
    }

    fn read(&self) -> usize {
        // SAFETY: (1) ordered by the channels.
        let words = unsafe { &*self.0.get() };
        assert!(words.iter().all(|word| *word == words[0]), "{words:?}");
        words[0]
    }
}

/// "A send on a channel is synchronized before the completion of the corresponding receive."
#[test]
fn what_was_done_before_a_send_is_seen_after_its_receive() {
    let _alarm = alarm();
    let rounds = rounds(40_000);
    for capacity in [0, 1, 3, usize::MAX] {
        let cells: Vec<_> = (0..rounds).map(|_| Plain::new()).collect();
        let (tx, rx) = channel(capacity);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (round, cell) in cells.iter().enumerate() {
                    cell.write(round + 1);
                    tx.send_blocking(round).unwrap();
                }
            });
            for _ in 0..rounds {
                let round = rx.recv_blocking().unwrap();
                assert_eq!(cells[round].read(), round + 1);
            }
        });
    }
}

/// "The kth receive on a channel with capacity C is synchronized before the completion of the k+Cth send from
/// that channel." So a channel is a semaphore: no more than C are inside.
#[test]
fn a_channel_of_capacity_c_lets_c_in() {
    let _alarm = alarm();
    let rounds = rounds(20_000);
    for capacity in [1, 2] {
        let (tx, rx) = channel(capacity);
        let inside = AtomicUsize::new(0);
        let alone = Plain::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        tx.send_blocking(()).unwrap();
                        // Relaxed: the channel orders it.
                        let others = inside.fetch_add(1, Ordering::Relaxed);
                        assert!(others < capacity);
                        if capacity == 1 {
                            alone.write(alone.read() + 1);
                        }
                        inside.fetch_sub(1, Ordering::Relaxed);
                        rx.recv_blocking().unwrap();
                    }
                });
            }
        });
        assert_eq!(alone.read(), if capacity == 1 { 3 * rounds } else { 0 });
    }
}

/// "The closing of a channel is synchronized before a receive that returns because the channel is closed."
#[test]
fn what_was_done_before_a_close_is_seen_by_who_learns_of_it() {
    let _alarm = alarm();
    for round in 0..rounds(8000) {
        let cell = Plain::new();
        let (tx, rx) = channel::<u8>(round % 3);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                cell.write(1);
                tx.close();
            });
            match round % 4 {
                0 => assert!(rx.recv_blocking().is_err()),
                1 => while !rx.try_recv().is_err_and(|error| error.is_disconnected()) {},
                2 => while !rx.is_closed() {},
                _ => gopark::select_blocking! {
                    received = rx.recv() => assert!(received.is_err()),
                    _ = chan::never::<()>() => unreachable!(),
                },
            }
            assert_eq!(cell.read(), 1);
        });
    }
}

/// "A receive from an unbuffered channel is synchronized before the completion of the corresponding send."
#[test]
fn at_capacity_0_what_was_done_before_a_receive_is_seen_after_the_send() {
    let _alarm = alarm();
    let rounds = rounds(40_000);
    let cells: Vec<_> = (0..rounds).map(|_| Plain::new()).collect();
    let (tx, rx) = chan::rendezvous();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (round, cell) in cells.iter().enumerate() {
                cell.write(round + 1);
                if round % 2 == 0 {
                    rx.recv_blocking().unwrap();
                } else {
                    gopark::select_blocking! {
                        received = rx.recv() => received.unwrap(),
                        _ = chan::never::<()>() => unreachable!(),
                    }
                }
            }
        });
        for (round, cell) in cells.iter().enumerate() {
            if round % 3 == 0 {
                gopark::select_blocking! {
                    sent = tx.send(()) => sent.unwrap(),
                    _ = chan::never::<()>() => unreachable!(),
                }
            } else {
                tx.send_blocking(()).unwrap();
            }
            assert_eq!(cell.read(), round + 1);
        }
    });
}
