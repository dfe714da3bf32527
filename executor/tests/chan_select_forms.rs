//! `select!`: its chances, its order, its forms.

mod chan_support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use chan_support::{about_equal, alarm, on_drop, rounds, waiting};
use futures::FutureExt;
use gopark::chan;

#[test]
fn each_case_that_is_ready_has_the_same_chance() {
    let (tx, rx) = chan::unbounded();
    let (full, _keep) = chan::bounded::<u8>(0);
    let mut counts = [0; 4];
    for _ in 0..20_000 {
        tx.try_send(0).unwrap();
        let chosen = gopark::select_blocking! {
            _ = rx.recv() => 0,
            _ = tx.send(1) => 1,
            _ = full.send(1) => unreachable!(),
            permit = tx.reserve() => { drop(permit); 2 }
            () = std::future::ready(()) => 3,
        };
        counts[chosen] += 1;
    }
    about_equal(&counts);
}

#[test]
fn with_a_default_the_chances_are_the_same() {
    let ready: Vec<_> = (0..3)
        .map(|_| chan::tick(std::time::Duration::ZERO))
        .collect();
    let mut counts = [0; 3];
    for _ in 0..20_000 {
        let chosen = gopark::select_blocking! {
            _ = ready[0].recv() => 0,
            _ = ready[1].recv() => 1,
            _ = ready[2].recv() => 2,
            default => unreachable!(),
        };
        counts[chosen] += 1;
    }
    about_equal(&counts);
}

#[test]
fn a_list_gives_the_same_chances_up_to_64() {
    let ready: Vec<_> = (0..64)
        .map(|_| chan::tick(std::time::Duration::ZERO))
        .collect();
    let mut counts = [0; 64];
    for _ in 0..rounds(64_000) {
        let mut select = chan::Select::new();
        for rx in &ready {
            select.recv(rx);
        }
        counts[select.try_select().unwrap().index()] += 1;
    }
    about_equal(&counts);
}

#[test]
fn biased_takes_the_first_that_is_ready() {
    for first in 0..4 {
        let channels: Vec<_> = (0..4).map(|_| chan::bounded(1)).collect();
        for (tx, _) in &channels[first..] {
            tx.try_send(()).unwrap();
        }
        let chosen = gopark::select_blocking! {
            biased;
            _ = channels[0].1.recv() => 0,
            _ = channels[1].1.recv() => 1,
            _ = channels[2].1.recv() => 2,
            _ = channels[3].1.recv() => 3,
        };
        assert_eq!(chosen, first);
    }
    let ready = chan::tick(std::time::Duration::ZERO);
    let mut select = chan::Select::new_biased();
    let (first, second) = (select.recv(&ready), select.recv(&ready));
    assert_eq!(select.try_select().unwrap().index(), first);
    assert_eq!(select.try_select().unwrap().index(), second);
    assert!(select.try_select().is_none());
}

#[test]
fn a_case_whose_guard_is_false_is_never_ready() {
    let ready = chan::tick(std::time::Duration::ZERO);
    for _ in 0..1000 {
        let (yes, no) = (true, false);
        gopark::select_blocking! {
            _ = ready.recv(), if no => unreachable!(),
            _ = std::future::ready(()), if !yes => unreachable!(),
            _ = ready.recv(), if yes => (),
        }
    }
    let chosen = gopark::select_blocking! {
        _ = ready.recv(), if false => 1,
        default => 2,
    };
    assert_eq!(chosen, 2);
    let waits = waiting(async {
        gopark::select! {
            _ = ready.recv(), if false => (),
        }
    });
    drop(waits);
}

#[test]
fn a_select_without_cases_waits_for_ever() {
    let mut waits = waiting(async {
        gopark::select! {};
    });
    assert!(waits.poll().is_pending());
    assert_eq!(waits.wakes(), 0);
    let mut list = chan::Select::new();
    assert!(list.try_select().is_none());
    assert!(list.select().now_or_never().is_none());
}

#[test]
fn operands_are_evaluated_once_up_front_in_the_order_of_the_source() {
    let log = RefCell::new(Vec::new());
    let say = |what| log.borrow_mut().push(what);
    let (tx, rx) = chan::bounded::<u8>(1);
    let channel = |what| {
        say(what);
        &rx
    };
    for _ in 0..20 {
        gopark::select_blocking! {
            _ = channel("a").recv() => unreachable!(),
            sent = { say("b"); &tx }.send({ say("c"); 1 }) => sent.unwrap(),
            _ = channel("not").recv(), if { say("guard"); false } => unreachable!(),
            () = { say("d"); std::future::pending() } => unreachable!(),
        }
        assert_eq!(log.take(), ["a", "b", "c", "guard", "d"]);
        rx.try_recv().unwrap();
    }
}

#[test]
fn a_panic_in_an_operand_leaves_nothing_behind() {
    let (tx, rx) = chan::rendezvous();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        gopark::select_blocking! {
            _ = rx.recv() => (),
            _ = tx.send(if rx.is_empty() { panic!("an operand") } else { 1 }) => (),
        }
    }));
    assert!(panicked.is_err());
    assert!(tx.try_send(1).unwrap_err().is_full(), "nobody waits");
    assert!(rx.try_recv().unwrap_err().is_empty());
}

#[test]
fn a_panic_in_a_future_takes_every_case_back() {
    let (tx, rx) = chan::rendezvous();
    let mut polls = 0;
    let mut select = waiting(async {
        gopark::select! {
            got = rx.recv() => got,
            got = std::future::poll_fn(|_| {
                polls += 1;
                assert!(polls < 2, "this future panics");
                std::task::Poll::Pending
            }) => got,
        }
    });
    assert!(catch_unwind(AssertUnwindSafe(|| select.poll().is_ready())).is_err());
    assert!(tx.try_send(1).unwrap_err().is_full());
}

macro_rules! by_another_macro {
    (blocks $($pattern:pat = $operation:expr => $body:block)*) => {
        gopark::select_blocking! { $($pattern = $operation => $body)* }
    };
    (commas $($result:ident = $rx:ident.recv() => $body:expr),* $(,)?) => {
        gopark::select_blocking! { $($result = $rx.recv() => $body),* }
    };
    (trailing $($result:ident = $rx:expr => $body:expr;)* ; $default:expr) => {
        gopark::select_blocking! { $($result = $rx => $body,)* default => $default, }
    };
}

#[test]
#[allow(unused_braces, reason = "blocks are what is passed on")]
fn arms_may_come_from_another_macro() {
    let (tx, rx) = chan::bounded(1);
    let other = chan::never::<u8>();
    tx.try_send(1).unwrap();
    let got = by_another_macro! {
        blocks
        _ = other.recv() => { 0 }
        got = rx.recv() => { got.unwrap() }
    };
    assert_eq!(got, 1);
    tx.try_send(2).unwrap();
    assert_eq!(by_another_macro!(commas got = rx.recv() => got.unwrap()), 2);
    tx.try_send(3).unwrap();
    assert_eq!(
        by_another_macro!(commas got = rx.recv() => got.unwrap(), _got = other.recv() => 0,),
        3
    );
    assert_eq!(
        by_another_macro!(trailing got = rx.recv() => got.unwrap(); ; 4),
        4
    );
}

#[test]
fn bodies_are_expressions_of_the_function_around_them() {
    fn first(rx: &chan::Receiver<u8>) -> Result<u8, chan::RecvError> {
        let mut rounds = 0;
        let value = loop {
            rounds += 1;
            gopark::select_blocking! {
                got = rx.recv() => break got?,
                _ = chan::never::<()>() => continue,
            }
        };
        Ok(value + rounds)
    }
    let (tx, rx) = chan::bounded(1);
    tx.try_send(1).unwrap();
    assert_eq!(first(&rx), Ok(2));
    drop(tx);
    assert_eq!(first(&rx), Err(chan::RecvError));
}

#[gopark::test]
async fn selects_may_be_nested() {
    let (tx, rx) = chan::bounded(4);
    for n in 1..5 {
        tx.try_send(n).unwrap();
    }
    let got = gopark::select! {
        one = rx.recv() => gopark::select! {
            two = rx.recv() => one.unwrap() * 10 + two.unwrap(),
            default => 0,
        },
        _ = async { gopark::select! { _ = chan::never::<()>() => () } } => 0,
    };
    assert_eq!(got, 12);
}

#[test]
fn a_select_of_what_is_send_can_be_spawned() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (tx, rx) = chan::bounded::<Cell<u8>>(1);
    let select = is_send(async move {
        let (other, _keep) = chan::rendezvous::<String>();
        gopark::select! {
            got = rx.recv() => got.unwrap().get(),
            _ = other.send(String::new()) => 0,
            _ = gopark::time::sleep(std::time::Duration::from_secs(60)) => 0,
            permit = other.reserve(), if false => { drop(permit); 0 }
        }
    });
    tx.try_send(Cell::new(7)).unwrap();
    assert_eq!(gopark::block_on(gopark::spawn(select)).unwrap(), 7);
}

#[test]
fn a_select_of_what_is_not_send_runs_where_it_is() {
    let (tx, rx) = chan::bounded(1);
    let shared = Rc::new(5);
    let got = gopark::block_on(async {
        gopark::select! {
            sent = tx.send(shared.clone()) => { sent.unwrap(); rx.recv().await.unwrap() }
            () = async { let _shared = shared.clone(); std::future::pending().await } => unreachable!(),
        }
    });
    assert_eq!(*got, 5);
}

/// A token hops from channel to channel, and is always in one at least: the default is never right.
#[test]
fn the_default_is_decided_at_one_moment() {
    let _alarm = alarm();
    for count in [4, 8, 16] {
        let channels: Vec<_> = (0..count).map(|_| chan::bounded::<()>(1)).collect();
        channels[0].0.try_send(()).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for at in (0..count).cycle() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    channels[(at + 1) % count].0.send_blocking(()).unwrap();
                    channels[at].1.recv_blocking().unwrap();
                }
            });
            // Also if this panics.
            let _stop = on_drop(|| stop.store(true, Ordering::Relaxed));
            for _ in 0..rounds(80_000) {
                let mut select = chan::Select::new();
                for (_, rx) in &channels {
                    select.recv(rx);
                }
                let chosen = select.try_select().map(|selected| selected.index());
                let at = chosen.expect("some channel is full at any moment");
                channels[at].0.try_send(()).unwrap();
            }
        });
    }
}

/// The same for sends: a gap hops, and one channel at least has room.
#[test]
fn the_default_beside_sends_is_decided_at_one_moment() {
    let _alarm = alarm();
    for count in [4, 8, 16] {
        let channels: Vec<_> = (0..count).map(|_| chan::bounded::<()>(1)).collect();
        for (tx, _) in &channels[1..] {
            tx.try_send(()).unwrap();
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for at in (0..count).cycle() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    channels[(at + 1) % count].1.recv_blocking().unwrap();
                    channels[at].0.send_blocking(()).unwrap();
                }
            });
            // Also if this panics.
            let _stop = on_drop(|| stop.store(true, Ordering::Relaxed));
            for _ in 0..rounds(80_000) {
                let mut select = chan::Select::new();
                for (tx, _) in &channels {
                    select.send(tx, ());
                }
                let chosen = select.try_select().map(|selected| selected.index());
                let at = chosen.expect("some channel has room at any moment");
                channels[at].1.try_recv().unwrap();
            }
        });
    }
}

#[test]
fn a_list_of_many_cases_of_two_channels_goes_on_after_selects_that_gave_up() {
    let ((to_a, a), (to_b, b)) = (chan::bounded::<usize>(1), chan::bounded::<usize>(1));
    let mut list = chan::Select::new_biased();
    for _ in 0..5 {
        list.recv(&a);
        list.recv(&b);
    }
    assert!(list.remove(0));
    assert!(!list.remove(0) && !list.remove(10));
    gopark::block_on(async {
        for round in 1..=3 {
            {
                let mut waiting = std::pin::pin!(list.select());
                assert!(futures::poll!(&mut waiting).is_pending());
            }
            assert!(list.try_select().is_none());
            to_b.try_send(round).unwrap();
            let mut selected = list.select().await;
            assert_eq!(selected.index(), 2 * round - 1);
            assert_eq!(selected.recv(&b), Ok(round));
        }
        to_a.try_send(4).unwrap();
        let mut selected = list.select().await;
        assert_eq!((selected.index(), selected.recv(&a)), (2, Ok(4)));
    });
}
