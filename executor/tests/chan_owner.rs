//! The lock of a channel belongs to the thread that uses it most: while it changes hands no message is lost,
//! and none is there twice.

mod proof_support;

use std::pin::pin;
use std::sync::Barrier;
use std::task::Poll;
use std::thread;

use futures::poll;
use gopark::chan;
use proof_support::{Random, alarm, seed};

/// So many operations in a row make a thread the owner of a lock, and then some.
const RUN: usize = 10_000;

#[test]
fn a_channel_that_changes_hands_keeps_its_messages() {
    let _alarm = alarm();
    // With a runtime about there is the fence that ownership needs.
    gopark::block_on(async {});
    let mut random = Random::new(seed());
    for _ in 0..20 {
        let (tx, rx) = chan::unbounded::<usize>();
        let start = Barrier::new(2);
        let runs = [random.below(3), random.below(3)];
        let use_it = |run: usize| {
            start.wait();
            // Alone for a while, or not, before the other comes.
            let rounds = RUN * (run + 1);
            (0..rounds)
                .map(|n| {
                    tx.try_send(n).unwrap();
                    rx.try_recv().unwrap()
                })
                .sum::<usize>()
        };
        let sum = thread::scope(|scope| {
            let other = scope.spawn(|| use_it(runs[0]));
            use_it(runs[1]) + other.join().unwrap()
        });
        let expected = |run: usize| (0..RUN * (run + 1)).sum::<usize>();
        assert_eq!(sum, expected(runs[0]) + expected(runs[1]));
        assert!(rx.try_recv().is_err());
    }
}

#[test]
fn what_a_thread_owned_another_may_own_after_its_end() {
    let _alarm = alarm();
    gopark::block_on(async {});
    let (tx, rx) = chan::bounded::<usize>(1);
    for _ in 0..50 {
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..RUN {
                    tx.try_send(n).unwrap();
                    assert_eq!(rx.try_recv(), Ok(n));
                }
            });
        });
    }
    tx.try_send(1).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));
}

/// A default is decided under all locks at once, also by who owns them while another comes and takes them: a
/// token is always in one channel at least.
#[test]
fn the_default_is_decided_at_one_moment_by_who_owns_the_channels() {
    let _alarm = alarm();
    gopark::block_on(async {});
    for _ in 0..100 {
        let [(to_a, a), (to_b, b)] = std::array::from_fn(|_| chan::bounded::<()>(1));
        for _ in 0..RUN {
            for (to, from) in [(&to_a, &a), (&to_b, &b)] {
                to.try_send(()).unwrap();
                from.try_recv().unwrap();
            }
        }
        to_a.try_send(()).unwrap();
        let start = Barrier::new(2);
        thread::scope(|scope| {
            let hopper = scope.spawn(|| {
                start.wait();
                for (to, from) in [(&to_b, &a), (&to_a, &b)].into_iter().cycle().take(100) {
                    to.send_blocking(()).unwrap();
                    from.recv_blocking().unwrap();
                }
            });
            start.wait();
            while !hopper.is_finished() {
                let full = gopark::select_blocking! {
                    _ = a.recv() => &to_a,
                    _ = b.recv() => &to_b,
                    default => panic!("one of the channels is full at any moment"),
                };
                full.try_send(()).unwrap();
            }
        });
    }
}

/// Has this thread own the channel's lock.
fn own<T>(receiver: &chan::Receiver<T>) {
    (0..RUN).for_each(|_| assert!(receiver.try_recv().is_err()));
}

#[test]
fn an_owner_takes_the_default_only_if_no_case_is_ready() {
    let _alarm = alarm();
    gopark::block_on(async {
        macro_rules! is_ready {
            ($operation:expr) => {
                gopark::select! { _ = $operation => true, default => false }
            };
        }

        let (tx, rx) = chan::rendezvous::<u8>();
        own(&rx);
        assert!(!is_ready!(rx.recv()) && !is_ready!(tx.send(0)) && !is_ready!(tx.reserve()));
        {
            let mut send = pin!(tx.send(1));
            assert!(poll!(&mut send).is_pending());
            assert!(is_ready!(rx.recv()), "a sender waits");
            assert_eq!(poll!(&mut send), Poll::Ready(Ok(())));
        }
        for reserves in [false, true] {
            let mut recv = pin!(rx.recv());
            assert!(poll!(&mut recv).is_pending());
            if reserves {
                assert!(is_ready!(tx.reserve()), "a receiver waits");
                assert!(poll!(&mut recv).is_pending());
            } else {
                assert!(is_ready!(tx.send(2)), "a receiver waits");
                assert_eq!(poll!(&mut recv), Poll::Ready(Ok(2)));
            }
        }

        let (tx, rx) = chan::bounded::<u8>(1);
        own(&rx);
        assert!(!is_ready!(rx.recv()));
        assert!(
            is_ready!(tx.reserve()) && is_ready!(tx.send(3)),
            "there is room"
        );
        assert!(!is_ready!(tx.send(4)) && !is_ready!(tx.reserve()));
        assert!(is_ready!(rx.recv()), "there is a message");
        tx.try_send(6).unwrap();
        tx.close();
        assert!(is_ready!(tx.send(5)) && is_ready!(tx.reserve()), "closed");
        assert_eq!(rx.try_recv(), Ok(6));
        assert!(is_ready!(rx.recv()), "closed");
    });
}
