//! The local queue: `runnext`, the hand, the spill.
//!
//! Not inside `runq.rs`, which is compiled under loom, too, with another capacity.

use std::ptr::NonNull;

use crate::globq::GlobalQueue;
use crate::ring::CAPACITY;
use crate::runq::{RunQueue, Steal, Word};

/// Stands for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(usize);

impl Word for Number {
    fn into_word(self) -> NonNull<()> {
        // One more, so that it is not null.
        NonNull::new(std::ptr::without_provenance_mut(self.0 + 1)).unwrap()
    }

    unsafe fn from_word(word: NonNull<()>) -> Self {
        Self(word.as_ptr().addr() - 1)
    }
}

fn with(numbers: std::ops::Range<usize>) -> (RunQueue<Number>, GlobalQueue<Number>) {
    let (queue, spill) = (RunQueue::new(), GlobalQueue::new());
    for number in numbers {
        queue.push_back(Number(number), &spill);
    }
    (queue, spill)
}

/// All there is, with others about who might steal or with nobody (`sole`).
fn drain(queue: &RunQueue<Number>, sole: bool) -> Vec<usize> {
    std::iter::from_fn(|| queue.pop(|| sole))
        .map(|number| number.0)
        .collect()
}

#[test]
fn the_push_beyond_the_capacity_spills_the_older_half() {
    let (queue, spill) = with(0..CAPACITY);
    assert_eq!((spill.spills(), spill.len()), (0, 0));
    queue.push_back(Number(CAPACITY), &spill);
    assert_eq!((spill.spills(), spill.len()), (1, CAPACITY / 2));
    let spilled: Vec<_> = std::iter::from_fn(|| spill.pop()).map(|n| n.0).collect();
    assert_eq!(spilled, (0..CAPACITY / 2).collect::<Vec<_>>());
    assert_eq!(
        drain(&queue, false),
        (CAPACITY / 2..=CAPACITY).collect::<Vec<_>>()
    );
}

#[test]
fn only_a_push_that_displaces_runnext_is_worth_a_wake_up() {
    let (queue, spill) = with(0..0);
    assert!(!queue.push_next(Number(1), &spill));
    assert!(queue.push_next(Number(2), &spill));
    assert_eq!(queue.pop(|| false), Some(Number(2)));
    // The slot is empty again; that the ring is not does not matter.
    assert!(!queue.push_next(Number(3), &spill));
    assert_eq!(drain(&queue, false), [3, 1]);
}

#[test]
fn runnext_gives_way_after_32_turns_in_a_row() {
    for sole in [false, true] {
        let (queue, spill) = with(100..103);
        let mut order = Vec::new();
        for turn in 0..120 {
            assert!(!queue.push_next(Number(turn), &spill));
            order.push(queue.pop(|| sole).unwrap().0);
            if order.last() == Some(&turn) {
                continue;
            }
            // It is still there, and comes next.
            assert_eq!(queue.pop(|| sole), Some(Number(turn)));
        }
        let gaps: Vec<_> = order
            .iter()
            .enumerate()
            .filter(|(_, number)| (100..103).contains(*number))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(gaps[0], 32);
        assert!(
            gaps.windows(2).all(|pair| pair[1] - pair[0] <= 33),
            "{gaps:?}"
        );
    }
}

#[test]
fn a_thief_gets_neither_runnext_nor_what_is_in_the_hand() {
    let (queue, spill) = with(0..20);
    assert!(!queue.push_next(Number(99), &spill));
    assert_eq!(queue.pop(|| true), Some(Number(99)));
    // With nobody about, eight are taken at once.
    assert_eq!(queue.pop(|| true), Some(Number(0)));
    assert_eq!(queue.stealable(), 12);
    assert!(!queue.push_next(Number(98), &spill));
    let thief = RunQueue::<Number>::new();
    assert!(matches!(
        thief.steal_from(&queue.stealer()),
        Steal::Task(Number(8))
    ));
    assert_eq!(drain(&thief, false), (9..14).collect::<Vec<_>>());
    let rest: Vec<_> = [98].into_iter().chain(1..8).chain(14..20).collect();
    assert_eq!(drain(&queue, true), rest);
    assert!(queue.is_empty());
}

#[test]
fn with_others_about_the_owner_takes_one_at_a_time() {
    let (queue, _spill) = with(0..20);
    assert_eq!(queue.pop(|| false), Some(Number(0)));
    assert_eq!(queue.stealable(), 19);
    assert_eq!(queue.stealer().steal_one(), Some(Number(1)));
    assert_eq!(drain(&queue, false), (2..20).collect::<Vec<_>>());
}

#[test]
fn a_share_of_the_global_queue_is_no_more_than_its_limit_and_keeps_its_order() {
    for limit in [1, 2, 7, 32] {
        let (queue, global) = with(0..0);
        for number in 0..100 {
            global.push(Number(number));
        }
        assert_eq!(queue.steal_from_global(&global, limit), Some(Number(0)));
        let taken = 100 - global.len();
        assert!((1..=limit).contains(&taken), "{taken}");
        assert_eq!(drain(&queue, false), (1..taken).collect::<Vec<_>>());
    }
}
