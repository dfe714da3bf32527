//! The ring: who gets which words.
//!
//! Not inside `ring.rs`, which is compiled under loom, too, with another capacity.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::ring::{CAPACITY, Full, Ring, Stolen};

fn with(words: std::ops::Range<usize>) -> Ring {
    let ring = Ring::new();
    for word in words {
        ring.push(word).unwrap();
    }
    ring
}

fn drain(ring: &Ring) -> Vec<usize> {
    std::iter::from_fn(|| ring.take()).collect()
}

#[test]
fn a_thief_takes_the_older_half_rounded_up_and_leaves_the_rest_in_order() {
    for len in [1, 2, 3, 4, 5, 100, 101, CAPACITY - 1, CAPACITY] {
        let (victim, thief) = (with(0..len), Ring::new());
        let half = len.div_ceil(2);
        assert_eq!(victim.steal_into(&thief), Stolen::Word(0));
        assert_eq!(drain(&thief), (1..half).collect::<Vec<_>>());
        assert_eq!(drain(&victim), (half..len).collect::<Vec<_>>());
    }
}

#[test]
fn there_is_nothing_to_steal_from_an_empty_ring() {
    assert_eq!(Ring::new().steal_into(&Ring::new()), Stolen::Empty);
    assert_eq!(Ring::new().take(), None);
}

#[test]
fn a_full_ring_gives_the_word_back() {
    let ring = with(0..CAPACITY);
    assert_eq!(ring.push(77), Err(Full(77)));
    assert_eq!(ring.len(), CAPACITY);
    assert_eq!(ring.take(), Some(0));
    ring.push(77).unwrap();
    assert_eq!(ring.push(78), Err(Full(78)));
}

#[test]
fn a_claim_takes_the_oldest_words_as_many_as_fit() {
    let ring = with(0..10);
    let mut few = [0; 4];
    assert_eq!(ring.claim(&mut few), 4);
    assert_eq!(few, [0, 1, 2, 3]);
    let mut many = [0; 100];
    assert_eq!(ring.claim(&mut many), 6);
    assert_eq!(many[..6], [4, 5, 6, 7, 8, 9]);
    assert_eq!(ring.claim(&mut many), 0);
}

#[test]
fn the_order_holds_over_many_turns_of_the_ring() {
    let ring = Ring::new();
    let mut next = 0;
    for word in 0..10 * CAPACITY {
        ring.push(word).unwrap();
        if word % 3 != 0 || ring.len() == CAPACITY {
            assert_eq!(ring.take(), Some(next));
            next += 1;
        }
    }
    assert_eq!(drain(&ring), (next..10 * CAPACITY).collect::<Vec<_>>());
}

#[test]
fn an_owner_and_two_thieves_share_every_word_once() {
    const WORDS: usize = 200_000;
    let ring = Ring::new();
    let over = AtomicBool::new(false);
    let steal = || {
        let own = Ring::new();
        let mut got = Vec::new();
        loop {
            let last = over.load(Ordering::SeqCst);
            match ring.steal_into(&own) {
                Stolen::Word(word) => {
                    got.push(word);
                    got.extend(drain(&own));
                }
                Stolen::Empty if last => return got,
                Stolen::Empty | Stolen::Retry => thread::yield_now(),
            }
        }
    };
    let all = thread::scope(|scope| {
        let thieves = [scope.spawn(steal), scope.spawn(steal)];
        let mut got = Vec::new();
        let mut buffer = [0; 8];
        for word in 0..WORDS {
            let mut pushed = ring.push(word);
            while let Err(Full(word)) = pushed {
                let count = ring.claim(&mut buffer);
                got.extend_from_slice(&buffer[..count]);
                pushed = ring.push(word);
            }
            if word % 5 == 0 {
                let count = ring.claim(&mut buffer[..word % 8]);
                got.extend_from_slice(&buffer[..count]);
            }
        }
        over.store(true, Ordering::SeqCst);
        for thief in thieves {
            let stolen = thief.join().unwrap();
            assert!(stolen.is_sorted(), "a thief gets them in order");
            got.extend(stolen);
        }
        got
    });
    assert_eq!(all.len(), WORDS);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), WORDS);
}
