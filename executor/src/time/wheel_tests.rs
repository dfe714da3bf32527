//! The wheel against a model that looks at every entry.

use std::{
    cell::{Cell, UnsafeCell},
    collections::BTreeMap,
};

use super::*;

struct Node {
    id: usize,
    /// The tick at which it is due: the one at which it is filed, or a later one.
    due: Cell<u64>,
    links: UnsafeCell<Links<Self>>,
}

// SAFETY: a field of its own in each node, and the tests keep nodes alive while they are filed.
unsafe impl Linked for Node {
    fn links(this: NonNull<Self>) -> NonNull<Links<Self>> {
        // SAFETY: the pointer is that of a live node.
        let cell = unsafe { &raw const (*this.as_ptr()).links };
        NonNull::new(UnsafeCell::raw_get(cell)).expect("the field of a node")
    }
}

/// A wheel and all nodes that were ever filed in it, by number.
struct Bench {
    wheel: Wheel<Node>,
    nodes: Vec<NonNull<Node>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            wheel: Wheel::new(),
            nodes: Vec::new(),
        }
    }

    /// Files a new node; `None` if it is due already.
    fn insert(&mut self, when: u64) -> Option<usize> {
        let id = self.nodes.len();
        let node = Box::new(Node {
            id,
            due: Cell::new(when),
            links: UnsafeCell::new(Links::new()),
        });
        self.nodes.push(NonNull::from(Box::leak(node)));
        // SAFETY: a new node, freed when the bench is.
        unsafe { self.wheel.insert(self.nodes[id], when) }.then_some(id)
    }

    fn remove(&mut self, id: usize) {
        // SAFETY: the tests remove only what is filed.
        unsafe { self.wheel.remove(self.nodes[id]) };
    }

    /// Who fires up to `now`, in order, in steps of `batch`.
    fn expire(&mut self, now: u64, batch: usize) -> Vec<usize> {
        let mut fired = Vec::new();
        while self.expire_once(now, batch, &mut fired) == Progress::More {}
        fired
    }

    /// One batch of that, for a turner that gives the wheel back in between.
    fn expire_once(&mut self, now: u64, batch: usize, fired: &mut Vec<usize>) -> Progress {
        self.wheel.expire(now, batch, &mut |node, now| {
            // SAFETY: nodes live as long as the bench.
            let node = unsafe { node.as_ref() };
            if node.due.get() > now {
                return Verdict::Later(node.due.get());
            }
            fired.push(node.id);
            Verdict::Fired
        })
    }

    /// When a filed node is due, which may be set to a later tick.
    fn due(&self, id: usize) -> &Cell<u64> {
        // SAFETY: nodes live as long as the bench.
        &unsafe { self.nodes[id].as_ref() }.due
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for node in &self.nodes {
            // SAFETY: leaked by `insert`, and freed only here.
            drop(unsafe { Box::from_raw(node.as_ptr()) });
        }
    }
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// A delay of any order of magnitude: most levels of the wheel, and beyond its horizon.
    fn delay(&mut self) -> u64 {
        let bits = self.below(50);
        self.below(1 << (bits + 1))
    }
}

#[test]
fn everything_fires_at_its_tick_and_in_order() {
    let mut bench = Bench::new();
    let ticks = [
        1,
        63,
        64,
        65,
        4095,
        4096,
        4097,
        1 << 18,
        1 << 24,
        1 << 30,
        (1 << 36) - 1,
        1 << 36,
    ];
    for tick in ticks.into_iter().rev() {
        assert!(bench.insert(tick).is_some());
    }
    for (fired, tick) in ticks.into_iter().enumerate() {
        assert_eq!(bench.wheel.next_expiration(), Some(tick));
        assert_eq!(bench.expire(tick - 1, 64), []);
        assert_eq!(bench.expire(tick, 64), [ticks.len() - 1 - fired]);
    }
    assert_eq!(
        (bench.wheel.next_expiration(), bench.wheel.len()),
        (None, 0)
    );
}

#[test]
fn what_is_due_at_one_tick_fires_in_the_order_of_arming() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        bench.insert(100);
    }
    bench.remove(2);
    assert_eq!(bench.expire(1000, 64), [0, 1, 3, 4]);
}

#[test]
fn what_is_due_already_is_not_filed() {
    let mut bench = Bench::new();
    assert_eq!(bench.expire(10, 64), []);
    assert_eq!(bench.insert(10), None);
    assert_eq!(bench.insert(0), None);
    assert!(bench.insert(11).is_some());
    assert_eq!(bench.wheel.len(), 1);
}

#[test]
fn one_jump_over_several_rotations_fires_all() {
    let mut bench = Bench::new();
    let horizon = 1_u64 << 36;
    let ticks = [
        3,
        horizon + 3,
        5 * horizon + 3,
        5 * horizon + 4,
        7 * horizon,
    ];
    for tick in ticks {
        bench.insert(tick);
    }
    assert_eq!(bench.expire(5 * horizon + 3, 1), [0, 1, 2]);
    assert_eq!(bench.wheel.next_expiration(), Some(5 * horizon + 4));
    assert_eq!(bench.expire(8 * horizon, 1), [3, 4]);
}

#[test]
fn a_jump_over_millions_of_years_looks_at_each_entry_a_few_times() {
    let mut bench = Bench::new();
    let far = 1 << 62;
    let ticks = [far, far + 5, 1 << 45, far - 1, 40];
    for tick in ticks {
        bench.insert(tick);
    }
    let mut fired = Vec::new();
    let mut batches = 1;
    while bench.expire_once(far, 1, &mut fired) == Progress::More {
        batches += 1;
    }
    assert_eq!(fired, [4, 2, 3, 0]);
    assert!(batches < 64, "{batches} entries were touched");
    assert_eq!(bench.wheel.next_expiration(), Some(far + 5));
}

#[test]
fn a_postponed_entry_is_filed_again() {
    let mut bench = Bench::new();
    bench.insert(5);
    let mut asked = Vec::new();
    for now in [4, 5, 99, 100] {
        let mut fire = |_, _| {
            asked.push(now);
            if now < 100 {
                Verdict::Later(100)
            } else {
                Verdict::Fired
            }
        };
        assert_eq!(bench.wheel.expire(now, 64, &mut fire), Progress::Done);
    }
    assert_eq!(
        asked,
        [5, 100],
        "it is looked at when its tick comes, and not in between"
    );
    assert_eq!(bench.wheel.len(), 0);
}

#[test]
fn an_unfinished_batch_stays_due_and_can_be_cancelled() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.insert(40);
    }
    let mut fired = 0;
    let mut fire = |_, _| {
        fired += 1;
        Verdict::Fired
    };
    assert_eq!(bench.wheel.expire(80, 2, &mut fire), Progress::More);
    assert_eq!(fired, 2);
    assert!(bench.wheel.next_expiration().is_some_and(|tick| tick <= 80));
    bench.remove(2);
    assert_eq!(bench.expire(80, 64), [3]);
}

#[test]
fn removing_the_last_entry_of_a_slot_corrects_the_next_expiration() {
    let mut bench = Bench::new();
    bench.insert(500);
    bench.insert(70);
    bench.remove(1);
    assert_eq!(bench.wheel.next_expiration(), Some(500));
    bench.remove(0);
    assert_eq!(bench.wheel.next_expiration(), None);
}

#[test]
fn every_entry_can_be_popped() {
    let mut bench = Bench::new();
    for tick in [1, 1, 100, 10_000, 1 << 37] {
        bench.insert(tick);
    }
    let mut popped: Vec<usize> = std::iter::from_fn(|| bench.wheel.pop_any())
        // SAFETY: nodes live as long as the bench.
        .map(|node| unsafe { node.as_ref() }.id)
        .collect();
    popped.sort_unstable();
    assert_eq!(popped, [0, 1, 2, 3, 4]);
    assert_eq!(
        (bench.wheel.len(), bench.wheel.next_expiration()),
        (0, None)
    );
}

#[test]
fn the_wheel_agrees_with_the_naive_model() {
    for seed in 1..=60 {
        agrees_with_the_naive_model(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
    }
}

/// Some thousand random steps. The model keeps `(tick, number)`, and numbers count up, so its order is
/// that of firing.
fn agrees_with_the_naive_model(seed: u64) {
    let mut random = Random(seed | 1);
    let mut bench = Bench::new();
    let mut model = BTreeMap::new();
    let mut now = 0;
    for step in 0..2000 {
        let place = format!("seed {seed:#x}, step {step}, now {now}");
        match random.below(10) {
            0..5 => {
                let when = now + random.delay();
                match bench.insert(when) {
                    Some(id) => drop(model.insert((when, id), ())),
                    None => assert_eq!(when, now, "{place}: not filed though it lies ahead"),
                }
            }
            5..7 => {
                let nth = random.below(model.len() as u64 + 1) as usize;
                if let Some(&(when, id)) = model.keys().nth(nth) {
                    model.remove(&(when, id));
                    bench.remove(id);
                }
            }
            kind => {
                now = match (kind, model.keys().next()) {
                    // To the very tick at which something is due.
                    (7, Some(&(when, _))) => when,
                    _ => now + random.delay(),
                };
                let later = model.split_off(&(now + 1, 0));
                let due = std::mem::replace(&mut model, later);
                let due: Vec<_> = due.into_keys().map(|(_, id)| id).collect();
                let fired = bench.expire(now, 1 + random.below(8) as usize);
                assert_eq!(fired, due, "{place}");
            }
        }
        let truth = model.keys().next().map(|&(when, _)| when);
        let claim = bench.wheel.next_expiration();
        assert_eq!(bench.wheel.len(), model.len(), "{place}");
        match (claim, truth) {
            (None, None) => {}
            (Some(claim), Some(truth)) => {
                assert!(claim <= truth, "{place}: {claim} is later than {truth}");
                assert!(claim > now, "{place}: nothing is due at {claim}");
            }
            _ => panic!("{place}: the wheel says {claim:?}, the model {truth:?}"),
        }
    }
}

/// One who turns the wheel: it read the clock once, and comes back for another batch until there is
/// nothing left.
struct Turner {
    now: Option<u64>,
}

#[test]
fn who_turns_the_wheel_with_an_older_now_puts_nothing_off() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.insert(40);
    }
    let mut fired = Vec::new();
    assert_eq!(bench.expire_once(41, 2, &mut fired), Progress::More);
    assert_eq!(bench.expire_once(39, 64, &mut fired), Progress::Done);
    assert_eq!(fired, [0, 1, 2, 3], "the wheel has seen tick 40");
}

#[test]
fn several_who_turn_the_wheel_agree_with_a_sorted_list() {
    for seed in 1..=200 {
        several_turners_agree(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
    }
}

/// Up to three turners take turns at one wheel, each with its own `now` and batches of a few entries,
/// while entries are armed, cancelled and postponed. Nothing fires before its tick, and who is done
/// leaves nothing that is due at its `now`.
fn several_turners_agree(seed: u64) {
    let mut random = Random(seed | 1);
    let mut bench = Bench::new();
    let mut model = BTreeMap::new();
    let mut turners = [const { Turner { now: None } }; 3];
    let mut clock = 0;
    // Few ticks, so that many entries share one, or all orders of magnitude.
    let dense = random.below(2) == 0;
    for step in 0..3000 {
        let place = format!("seed {seed:#x}, step {step}, clock {clock}");
        let delay = match dense {
            true => random.below(200),
            false => random.delay(),
        };
        match random.below(12) {
            0..4 => {
                if let Some(id) = bench.insert(clock + delay) {
                    model.insert((clock + delay, id), ());
                }
            }
            4 => {
                let nth = random.below(model.len() as u64 + 1) as usize;
                if let Some(&(due, id)) = model.keys().nth(nth) {
                    model.remove(&(due, id));
                    bench.remove(id);
                }
            }
            5 => {
                let nth = random.below(model.len() as u64 + 1) as usize;
                if let Some(&(due, id)) = model.keys().nth(nth) {
                    model.remove(&(due, id));
                    model.insert((due + delay, id), ());
                    bench.due(id).set(due + delay);
                }
            }
            6 => clock += delay,
            _ => {
                let turner = &mut turners[random.below(3) as usize];
                let now = *turner.now.get_or_insert(clock);
                let mut fired = Vec::new();
                let batch = 1 + random.below(4) as usize;
                let progress = bench.expire_once(now, batch, &mut fired);
                for id in fired {
                    let due = bench.due(id).get();
                    assert!(due <= clock, "{place}: {id} is early, at {due}");
                    assert!(model.remove(&(due, id)).is_some(), "{place}: {id} again");
                }
                if progress == Progress::Done {
                    turner.now = None;
                    let first = model.keys().next();
                    assert!(
                        first.is_none_or(|first| first.0 > now),
                        "{place}: {first:?} is late"
                    );
                }
            }
        }
        assert_eq!(bench.wheel.len(), model.len(), "{place}");
        let truth = model.keys().next().map_or(u64::MAX, |&(due, _)| due);
        let claim = bench.wheel.next_expiration().unwrap_or(u64::MAX);
        assert!(claim <= truth, "{place}: {claim} is later than {truth}");
    }
    let left: Vec<_> = bench.expire(u64::MAX >> 1, 7);
    assert_eq!(
        left.len(),
        model.len(),
        "seed {seed:#x}: not all fire in the end"
    );
}
