//! `select!`: patterns that may not match, and `else`.

mod chan_support;

use std::cell::Cell;
use std::future::{pending, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chan_support::{alarm, on_drop, waiting};
use gopark::chan::{self, RecvError};
use gopark::task::JoinSet;

#[gopark::test]
async fn what_does_not_match_turns_its_arm_off_and_the_others_are_waited_for() {
    let (tx, rx) = chan::bounded(4);
    let (other, of_other) = chan::bounded(4);
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    {
        let mut select = waiting(async {
            gopark::select! {
                Ok(2) = rx.recv() => "two",
                got = of_other.recv() => got.unwrap(),
            }
        });
        // The arm is off: the 2 is not for it any more.
        assert_eq!(rx.len(), 1);
        assert!(select.poll().is_pending());
        other.try_send("other").unwrap();
        assert_eq!(select.woken(), "other");
    }
    // And in the next select it is on.
    let got = gopark::select! {
        Ok(2) = rx.recv() => "two",
        got = of_other.recv() => got.unwrap(),
    };
    assert_eq!(got, "two");
}

#[gopark::test]
async fn an_end_turns_its_arm_off() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let (_keep, other) = chan::bounded::<u8>(1);
    drop(tx);
    let said = gopark::select! {
        Ok(_) = rx.recv() => unreachable!(),
        Ok(_) = other.recv() => unreachable!(),
        () = gopark::yield_now() => "went on",
    };
    assert_eq!(said, "went on");
}

#[gopark::test]
async fn else_runs_when_all_arms_are_off() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let mut set = JoinSet::<u8>::new();
    for round in 0..100 {
        let no = round > 1000;
        let said = gopark::select! {
            Some(_) = set.join_next() => unreachable!(),
            Some(()) = ready(None) => unreachable!(),
            _ = rx.recv(), if no => unreachable!(),
            else => round,
        };
        assert_eq!(said, round);
    }
    drop(tx);
    assert_eq!(gopark::select! { Ok(got) = rx.recv() => got, else => 7 }, 7);
    assert_eq!(gopark::select! { else => 8 }, 8);
    // All by their conditions, which is no pattern's doing.
    let off = gopark::select! {
        _ = rx.recv(), if !rx.is_closed() => 0,
        () = pending(), if rx.is_empty() && !rx.is_closed() => 1,
        else => 2,
    };
    assert_eq!(off, 2);
}

#[gopark::test]
async fn else_waits_while_an_arm_is_on() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let mut select = waiting(async {
        gopark::select! {
            Some(()) = ready(None) => 0,
            Ok(got) = rx.recv() => got,
            else => 100,
        }
    });
    assert!(select.poll().is_pending());
    drop(tx);
    assert_eq!(select.woken(), 100);
}

#[gopark::test]
async fn a_set_of_tasks_is_selected_from_until_it_is_empty() {
    let (stop, stopped) = chan::bounded::<()>(1);
    let mut set = JoinSet::new();
    for number in 1..=10 {
        set.spawn(async move { number });
    }
    let mut sum = 0;
    while sum < 55 {
        gopark::select! {
            Some(number) = set.join_next() => sum += number.unwrap(),
            _ = stopped.recv() => unreachable!(),
        }
    }
    stop.send(()).await.unwrap();
    gopark::select! {
        Some(_) = set.join_next() => unreachable!(),
        got = stopped.recv() => got.unwrap(),
    }
}

#[test]
fn with_a_default_an_arm_that_is_off_is_not_ready() {
    let (tx, rx) = chan::bounded(2);
    tx.try_send(5).unwrap();
    let got = gopark::select_blocking! {
        Ok(6) = rx.recv() => 6,
        default => 0,
    };
    assert_eq!(got, 0);
    tx.try_send(6).unwrap();
    let got = gopark::select_blocking! {
        Ok(6) = rx.recv() => 6,
        default => 0,
    };
    assert_eq!(got, 6);
}

#[test]
fn what_did_not_match_is_dropped_before_the_others_are_waited_for() {
    let dropped = Rc::new(Cell::new(0));
    let guard = || {
        let dropped = dropped.clone();
        on_drop(move || dropped.set(dropped.get() + 1))
    };
    let (tx, rx) = chan::bounded(1);
    tx.try_send((1, guard())).unwrap();
    let never = chan::never::<()>();
    let select = waiting(async {
        gopark::select! {
            Ok((2, kept)) = rx.recv() => drop(kept),
            _ = never.recv() => unreachable!(),
        }
    });
    assert_eq!(dropped.get(), 1);
    drop(select);
    assert_eq!(dropped.get(), 1);
    // One that does match is moved whole, once.
    tx.try_send((2, guard())).unwrap();
    let kept = gopark::select_blocking! {
        Ok((2, kept)) = rx.recv() => kept,
        _ = never.recv() => unreachable!(),
    };
    assert_eq!(dropped.get(), 1);
    drop(kept);
    assert_eq!(dropped.get(), 2);
}

#[derive(Debug, PartialEq)]
enum Command {
    Stop,
    Say(String),
    Add { left: u32, right: u32 },
    Boxed(Box<u32>),
}

/// What a pattern binds, in every way that patterns know.
#[gopark::test]
async fn patterns_bind_by_move_by_reference_and_by_copy() {
    async fn obey(command: Command) -> String {
        let (tx, rx) = chan::bounded(1);
        tx.try_send(command).unwrap();
        let receive = || async { rx.recv().await.unwrap() };
        gopark::select! {
            Command::Say(mut text) = receive() => { text.push('!'); text }
            default => String::from("something else"),
        }
    }
    assert_eq!(obey(Command::Say("hey".into())).await, "hey!");
    assert_eq!(obey(Command::Stop).await, "something else");

    let both = gopark::select! {
        Command::Add { left, right: right @ 2..=9 } = ready(Command::Add { left: 1, right: 2 }) => left + right,
        else => 0,
    };
    assert_eq!(both, 3);
    let miss = gopark::select! {
        Command::Add { left, right: right @ 2..=9 } = ready(Command::Add { left: 1, right: 1 }) => left + right,
        else => 0,
    };
    assert_eq!(miss, 0);
    let boxed = gopark::select! {
        Command::Boxed(number) = ready(Command::Boxed(Box::new(5))) => *number,
        else => 0,
    };
    assert_eq!(boxed, 5);
    let by_ref = gopark::select! {
        Some(ref text) = ready(Some(String::from("text"))) => text.len(),
        else => 0,
    };
    assert_eq!(by_ref, 4);
    let by_mut = gopark::select! {
        Some(ref mut text) = ready(Some(String::from("text"))) => { text.push('s'); text.len() }
        else => 0,
    };
    assert_eq!(by_mut, 5);
    let number = 7;
    let of_reference = gopark::select! {
        &7 = ready(&number) => "seven",
        else => "another",
    };
    assert_eq!(of_reference, "seven");
    let either = gopark::select! {
        Ok(got) | Err(got) = ready(Err::<u8, u8>(3)) => got,
    };
    assert_eq!(either, 3);
    let whole = gopark::select! {
        whole @ (Command::Stop | Command::Boxed(_)) = ready(Command::Stop) => whole,
        else => Command::Say(String::new()),
    };
    assert_eq!(whole, Command::Stop);
    let range = gopark::select! {
        0..=9 = ready(5_u8) => "digit",
        else => "more",
    };
    assert_eq!(range, "digit");
    const LIMIT: u32 = 4;
    let constant = gopark::select! {
        (LIMIT, [first, .., last]) = ready((4, [1, 2, 3])) => first + last,
        else => 0,
    };
    assert_eq!(constant, 4);
    let shared = Arc::new(());
    let rest = gopark::select! {
        Some((kept, ..)) = ready(Some((shared.clone(), 1, 2))) => Arc::strong_count(&kept),
        else => 0,
    };
    assert_eq!((rest, Arc::strong_count(&shared)), (2, 1));
}

/// Patterns that match always are a `let`, also where the compiler alone knows it.
#[gopark::test]
async fn patterns_of_structs_need_no_else() {
    struct Pair {
        left: u8,
        right: u8,
    }
    struct New(u8);
    let sum = gopark::select! {
        Pair { left, right } = ready(Pair { left: 1, right: 2 }) => left + right,
        New(only) = pending::<New>() => only,
    };
    assert_eq!(sum, 3);
}

#[gopark::test(paused = true)]
async fn each_arm_has_its_turn_before_the_else() {
    let mut asked = Vec::new();
    let mut ask = |number: u8| {
        asked.push(number);
        async move {
            gopark::time::sleep(Duration::from_millis(u64::from(number))).await;
            (number == 3).then_some(number)
        }
    };
    let (one, two, three) = (ask(1), ask(2), ask(3));
    let got = gopark::select! {
        Some(got) = one => got,
        Some(got) = two => got,
        Some(got) = three => got,
        else => 0,
    };
    assert_eq!((got, asked), (3, vec![1, 2, 3]));
}

/// The body is outside of the loop that waits: `break` and `continue` are the function's.
#[gopark::test]
async fn bodies_leave_the_loop_around_the_select() {
    let (tx, rx) = chan::bounded(8);
    for number in [1, 2, 3, 4] {
        tx.try_send(number).unwrap();
    }
    drop(tx);
    let mut odd = Vec::new();
    let end = loop {
        gopark::select! {
            Ok(number) = rx.recv() => {
                if number % 2 == 0 {
                    continue;
                }
                odd.push(number);
            }
            else => break RecvError,
        }
    };
    assert_eq!((odd, end), (vec![1, 3], RecvError));
}

#[test]
fn a_send_whose_outcome_does_not_match_drops_its_value() {
    let _alarm = alarm();
    let (tx, rx) = chan::rendezvous();
    let value = Arc::new(());
    drop(rx);
    let said = gopark::select_blocking! {
        Ok(()) = tx.send(value.clone()) => "sent",
        else => "closed",
    };
    assert_eq!((said, Arc::strong_count(&value)), ("closed", 1));
    let mut slot = Some(value);
    let said = gopark::select_blocking! {
        Ok(()) = tx.send_opt(&mut slot) => "sent",
        else => "closed",
    };
    assert_eq!((said, slot.is_some()), ("closed", true));
}

/// An arm that is off is no future: while it waits, the select keeps its places in the queues.
#[test]
fn a_select_with_an_arm_that_is_off_keeps_its_place() {
    let (tx, rx) = chan::rendezvous();
    let first_off = |tag: u8| {
        let rx = rx.clone();
        waiting(async move {
            gopark::select! {
                got = rx.recv() => (tag, got.unwrap()),
                () = pending(), if tag == 9 => unreachable!(),
            }
        })
    };
    let (mut first, mut second) = (first_off(1), first_off(2));
    assert!(first.poll().is_pending());
    tx.try_send('a').unwrap();
    assert_eq!(first.woken(), (1, 'a'));
    assert!(second.poll().is_pending());
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn a_select_with_such_patterns_can_be_spawned() {
    let (tx, rx) = chan::bounded(1);
    let select = is_send(async move {
        gopark::select! {
            Ok(got) = rx.recv() => got,
            Some(()) = ready(None) => unreachable!(),
            else => 0,
        }
    });
    tx.try_send(4).unwrap();
    assert_eq!(gopark::block_on(gopark::spawn(select)).unwrap(), 4);
}
