//! The rules by which tasks wait for their turn: who gives way to whom, and after how many polls.
//!
//! Polls are counted, and time plays no part.

mod proof_support;

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use gopark::runtime::{Handle, Runtime};
use proof_support::{alarm, current, every_kind, multi, without_workers};

/// From how many rounds on a task that comes from outside may not wait: Go's number.
const ROUNDS: usize = 61;

/// How many polls in a row may come from `runnext` while others wait.
const RUNNEXT_RUN: usize = 32;

/// What a local ring holds.
const RING: usize = 1024;

/// The most that one look at the global queue takes.
const BATCH: usize = 32;

/// Two wakers, and a count of the polls of those who exchange them.
#[derive(Default)]
struct Game {
    polls: AtomicUsize,
    over: AtomicBool,
    wakers: [Mutex<Option<Waker>>; 2],
}

impl Game {
    /// Starts two tasks that wake each other for ever; `at_poll` sees the number of each poll,
    /// before the other player is woken.
    fn start(self: &Arc<Self>, handle: &Handle, at_poll: impl Fn(usize) + Clone + Send + 'static) {
        for player in 0..2 {
            let game = self.clone();
            let at_poll = at_poll.clone();
            drop(handle.spawn(poll_fn(move |cx| {
                at_poll(game.polls.fetch_add(1, Ordering::SeqCst) + 1);
                *game.wakers[player].lock().unwrap() = Some(cx.waker().clone());
                let other = game.wakers[1 - player].lock().unwrap().take();
                if let Some(other) = other {
                    other.wake();
                }
                if game.over.load(Ordering::SeqCst) {
                    return Poll::Ready(());
                }
                Poll::Pending
            })));
        }
    }

    fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }

    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Spawns from this thread, again and again, a task on the busy `handle`; the most polls of the game
/// between a spawn and its task's first poll.
fn longest_wait_of_an_injected_task(handle: &Handle, polls: &Arc<AtomicUsize>) -> usize {
    // What the game began with may be in the injector still, and one round takes half of what is there.
    futures::executor::block_on(handle.spawn(async {})).unwrap();
    (0..200)
        .map(|_| {
            let now = polls.clone();
            let task = handle.spawn(async move { now.load(Ordering::SeqCst) });
            // Read after the spawn, so that a pause of this thread shortens the wait.
            let spawned = polls.load(Ordering::SeqCst);
            let polled = futures::executor::block_on(task).unwrap();
            polled.saturating_sub(spawned)
        })
        .max()
        .unwrap()
}

#[test]
fn tasks_that_wake_each_other_let_an_injected_task_run_within_61_rounds() {
    let _alarm = alarm();
    let runtime = multi(1);
    let game = Arc::new(Game::default());
    let polls = Arc::new(AtomicUsize::new(0));
    let count = polls.clone();
    game.start(runtime.handle(), move |n| count.store(n, Ordering::SeqCst));
    let wait = longest_wait_of_an_injected_task(runtime.handle(), &polls);
    assert!(wait <= ROUNDS, "{wait} polls");
    game.end();
}

#[test]
fn tasks_that_respawn_themselves_let_an_injected_task_run_within_61_rounds() {
    fn respawn(polls: Arc<AtomicUsize>, over: Arc<AtomicBool>) {
        polls.fetch_add(1, Ordering::SeqCst);
        if !over.load(Ordering::SeqCst) {
            drop(gopark::spawn(async { respawn(polls, over) }));
        }
    }

    let _alarm = alarm();
    let runtime = multi(1);
    let polls = Arc::new(AtomicUsize::new(0));
    let over = Arc::new(AtomicBool::new(false));
    for _ in 0..2 {
        let (polls, over) = (polls.clone(), over.clone());
        drop(runtime.spawn(async { respawn(polls, over) }));
    }
    let wait = longest_wait_of_an_injected_task(runtime.handle(), &polls);
    assert!(wait <= ROUNDS, "{wait} polls");
    over.store(true, Ordering::SeqCst);
}

#[test]
fn a_chain_of_tasks_that_wake_each_other_gives_way_within_32_polls() {
    let _alarm = alarm();
    // The queued task comes at different points of the chain's run.
    for phase in 100..164 {
        for runtime in [multi(1), current()] {
            let game = Arc::new(Game::default());
            let waited = runtime.block_on(async {
                let (done, is_done) = async_channel::bounded(1);
                let third = game.clone();
                game.start(&Handle::current(), move |n| {
                    if n == phase {
                        // It runs next, until the waking of the other player displaces it.
                        let (third, done) = (third.clone(), done.clone());
                        drop(gopark::spawn(async move {
                            done.try_send(third.polls() - phase).unwrap();
                        }));
                    }
                });
                is_done.recv().await.unwrap()
            });
            game.end();
            assert!(waited <= RUNNEXT_RUN, "{waited} polls from poll {phase} on");
        }
    }
}

/// In which order the tasks ran that one task spawned.
fn run_in_one_burst(runtime: &Runtime, tasks: usize) -> Vec<usize> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let log = order.clone();
    let spawner = runtime.spawn(async move {
        let tasks: Vec<_> = (0..tasks)
            .map(|n| {
                let log = log.clone();
                gopark::spawn(async move { log.lock().unwrap().push(n) })
            })
            .collect();
        let metrics = Handle::current().metrics();
        for task in tasks {
            task.await.unwrap();
        }
        metrics
    });
    let metrics = runtime.block_on(spawner).unwrap();
    // The last one runs next, the others fill the ring.
    if tasks <= RING + 1 {
        assert_eq!((metrics.spills, metrics.global_queue), (0, 0));
    } else {
        assert_eq!((metrics.spills, metrics.global_queue), (1, RING / 2));
    }
    Arc::into_inner(order).unwrap().into_inner().unwrap()
}

#[test]
fn a_ring_that_is_just_full_spills_nothing_and_keeps_its_order() {
    let _alarm = alarm();
    for runtime in [multi(1), current()] {
        let order = run_in_one_burst(&runtime, RING + 1);
        let expected: Vec<_> = [RING].into_iter().chain(0..RING).collect();
        assert_eq!(order, expected);
    }
}

#[test]
fn a_ring_that_overflows_spills_its_older_half_to_the_global_queue() {
    let _alarm = alarm();
    for runtime in [multi(1), current()] {
        let order = run_in_one_burst(&runtime, RING + 2);
        assert_eq!(order[0], RING + 1, "the last one spawned runs next");
        let (older, newer): (Vec<_>, Vec<_>) =
            order[1..].iter().copied().partition(|n| *n < RING / 2);
        assert_eq!(newer, (RING / 2..=RING).collect::<Vec<_>>());
        // The global queue keeps its order, too; but the first of a share that a round looking
        // outside takes runs at once, before the rest of an earlier share.
        let mut sorted = older.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..RING / 2).collect::<Vec<_>>());
        let out_of_turn = older.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(out_of_turn <= order.len() / ROUNDS, "{older:?}");
        // The ring has most of the turns as long as it lasts.
        let newer_are_through = order.iter().rposition(|n| *n >= RING / 2).unwrap();
        assert!(newer_are_through < RING / 2 + 1 + BATCH * (order.len() / ROUNDS + 1));
    }
}

/// Lets one thread work off tasks that were injected into a runtime of `procs` processors; the sizes
/// of the batches that it took, and of the global queue before each.
fn batches(runtime: &Runtime, tasks: usize) -> Vec<(usize, usize)> {
    let looks = Arc::new(Mutex::new(Vec::new()));
    let handles: Vec<_> = (0..tasks)
        .map(|_| {
            let looks = looks.clone();
            runtime.spawn(async move {
                let metrics = Handle::current().metrics();
                let look = (metrics.from_global, metrics.global_queue);
                looks.lock().unwrap().push(look);
            })
        })
        .collect();
    let start = runtime.handle().metrics();
    assert_eq!(start.global_queue, tasks);
    runtime.block_on(async {
        for handle in handles {
            handle.await.unwrap();
        }
    });
    let looks = looks.lock().unwrap();
    assert_eq!(looks.len(), tasks);
    let (mut taken, mut before) = (start.from_global, tasks);
    let mut batches = Vec::new();
    for &(from_global, left) in &*looks {
        if from_global > taken {
            assert_eq!(from_global, taken + 1, "a batch is run before the next one");
            batches.push((before - left, before));
            (taken, before) = (from_global, left);
        }
        assert_eq!(left, before, "a look that was not counted");
    }
    assert_eq!(batches.iter().map(|(batch, _)| batch).sum::<usize>(), tasks);
    batches
}

#[test]
fn a_look_at_the_global_queue_takes_a_fair_share_and_at_most_32() {
    let _alarm = alarm();
    for (runtime, procs) in [
        (current(), 1),
        (without_workers(2), 2),
        (without_workers(4), 4),
    ] {
        for tasks in [1, 3, 12, 100, 500] {
            let batches = batches(&runtime, tasks);
            for &(batch, before) in &batches {
                let share = before / procs + 1;
                assert!(batch <= share.min(BATCH), "{batch} of {before} for {procs}");
            }
            // Not one by one: `crossbeam-deque` takes half of what is there or the limit, but no more
            // than what is left of a block of 31, so it may need twice as many looks.
            let mut fewest = 0;
            let mut left = tasks;
            while left > 0 {
                left -= (left / procs + 1).min(BATCH).min(left.div_ceil(2));
                fewest += 1;
            }
            let most = 2 * fewest + tasks / ROUNDS + 1;
            assert!(batches.len() <= most, "{batches:?}");
        }
    }
}

#[test]
fn a_spawn_that_is_awaited_wakes_no_thread() {
    let _alarm = alarm();
    let runtime = multi(2);
    let rounds = if cfg!(debug_assertions) {
        100_000
    } else {
        1_000_000
    };
    let before = runtime.handle().metrics();
    runtime.run(async move {
        for _ in 0..rounds {
            gopark::spawn(async {}).await.unwrap();
        }
    });
    let after = runtime.handle().metrics();
    // Some at the beginning and at the end: the worker that runs it, one that looks for more, and the thread inside
    // `run`, which sleeps until it is done.
    assert!(after.threads_started <= 2, "{after:?}");
    assert!(after.unparks - before.unparks <= 5, "{after:?}");
    assert!(after.parks - before.parks <= 10, "{after:?}");
}

#[test]
fn every_task_of_a_burst_runs_once_whatever_the_ring_spills() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let ran = Arc::new(Mutex::new(HashSet::new()));
        let tasks = 5 * RING;
        runtime.block_on(async {
            let tasks: Vec<_> = (0..tasks)
                .map(|n| {
                    let ran = ran.clone();
                    gopark::spawn(async move { assert!(ran.lock().unwrap().insert(n)) })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(ran.lock().unwrap().len(), tasks);
        assert!(runtime.handle().metrics().spills > 0);
    }
}
