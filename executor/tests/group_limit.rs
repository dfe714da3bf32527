//! Groups with a limit: never exceeded, given in turn, and lost by nobody who gives up.

mod task_support;

use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use gopark::group::{Group, LimitError};
use gopark::runtime::{Handle, WaitReason};
use gopark::time::{Duration, Instant, sleep};
use task_support::{Counter, alarm, every_kind, multi, poll_once};

const SECOND: Duration = Duration::from_secs(1);

/// Counts who is inside, and the most that ever were.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

impl Gauge {
    fn enter(&self) -> impl Drop + Send + use<> {
        let inside = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(inside, Ordering::SeqCst);
        let gauge = self.clone();
        task_support::on_drop(move || {
            gauge.0.0.fetch_sub(1, Ordering::SeqCst);
        })
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

#[test]
fn a_bad_limit_is_named() {
    let group = Group::<()>::new();
    let error: LimitError = group.set_limit(0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a limit of 0 would let no task of the group run; expected 1 or more"
    );
    assert_eq!(group.set_limit(1), Ok(()));
    assert_eq!(group.set_limit(usize::MAX), Ok(()));
}

#[gopark::test(paused = true)]
async fn go_waits_for_a_place_and_the_limit_holds() {
    let _alarm = alarm();
    let gauge = Gauge::default();
    let mut group = Group::<()>::new();
    group.set_limit(3).unwrap();
    let began = Instant::now();
    for n in 0..12 {
        let gauge = gauge.clone();
        group
            .go(async move {
                let _inside = gauge.enter();
                sleep(SECOND).await;
                Ok(())
            })
            .await;
        assert_eq!(began.elapsed(), n / 3 * SECOND);
    }
    assert_eq!(group.wait().await, Ok(()));
    assert_eq!((began.elapsed(), gauge.most()), (4 * SECOND, 3));
}

#[gopark::test(paused = true)]
async fn try_go_gives_back_what_finds_no_place() {
    let _alarm = alarm();
    let mut group = Group::<()>::new();
    group.set_limit(2).unwrap();
    let task = async |n: u32| {
        sleep(n * SECOND).await;
        Ok(())
    };
    assert!(group.try_go(sleep(SECOND).map_ok()).is_ok());
    assert!(group.try_go(sleep(2 * SECOND).map_ok()).is_ok());
    let Err(back) = group.try_go(Box::pin(async move { task(1).await })) else {
        panic!("there was no place");
    };
    sleep(SECOND).await;
    gopark::yield_now().await;
    assert!(group.try_go(back).is_ok());
    assert_eq!(group.wait().await, Ok(()));
}

trait MapOk: Future<Output = ()> + Sized {
    fn map_ok(self) -> impl Future<Output = Result<(), ()>> {
        async {
            self.await;
            Ok(())
        }
    }
}

impl<F: Future<Output = ()>> MapOk for F {}

#[gopark::test(paused = true)]
async fn a_limit_that_is_changed_lets_more_or_fewer_in() {
    let _alarm = alarm();
    let group = Group::<()>::new();
    group.set_limit(1).unwrap();
    let done = || sleep(SECOND).map_ok();
    group.go(done()).await;
    let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(group.go(done()))).collect();
    for wait in &mut waiting {
        assert!(poll_once(wait).is_pending());
    }
    group.set_limit(3).unwrap();
    let ready = |waiting: &mut Vec<Pin<Box<_>>>| {
        let before = waiting.len();
        waiting.retain_mut(|wait: &mut Pin<Box<_>>| poll_once(wait).is_pending());
        before - waiting.len()
    };
    assert_eq!(ready(&mut waiting), 2);
    group.set_limit(1).unwrap();
    assert_eq!((ready(&mut waiting), group.len()), (0, 3));
    sleep(SECOND).await;
    gopark::yield_now().await;
    assert_eq!(ready(&mut waiting), 1, "three have ended, and one may run");
}

#[gopark::test(paused = true)]
async fn places_are_given_in_turn_and_who_gives_up_loses_none() {
    let _alarm = alarm();
    let mut group = Group::<()>::new();
    group.set_limit(1).unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let task = |n| {
        let order = order.clone();
        async move {
            order.lock().unwrap().push(n);
            sleep(SECOND).await;
            Ok(())
        }
    };
    group.go(task(0)).await;
    let mut waiting: Vec<_> = (1..=5).map(|n| Box::pin(group.go(task(n)))).collect();
    for wait in &mut waiting {
        assert!(poll_once(wait).is_pending());
    }
    drop(waiting.remove(3)); // queued
    sleep(SECOND).await;
    gopark::yield_now().await;
    drop(waiting.remove(0)); // granted
    for wait in waiting {
        wait.await;
    }
    assert_eq!(group.wait().await, Ok(()));
    assert_eq!(*order.lock().unwrap(), [0, 2, 3, 5]);
}

#[test]
fn who_waits_for_a_place_says_so_and_is_freed_by_an_error() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let task = gopark::spawn(async {
                let mut group = Group::new();
                group.set_limit(1).unwrap();
                let (fail, failed) = futures::channel::oneshot::channel();
                group.go(async { failed.await.unwrap() }).await;
                let mut wait = Box::pin(group.go(async { unreachable!("the group has failed") }));
                assert!(futures::poll!(wait.as_mut()).is_pending());
                fail.send(Err("enough")).unwrap();
                wait.as_mut().await;
                drop(wait);
                group.wait().await
            });
            assert_eq!(task.await.unwrap(), Err("enough"));
        });
    }
    multi(1).block_on(async {
        let task = gopark::spawn(async {
            let group = Group::<()>::new();
            group.set_limit(1).unwrap();
            for _ in 0..2 {
                group.go(std::future::pending()).await;
            }
        });
        while !Handle::current()
            .tasks()
            .iter()
            .any(|task| task.wait_reason == WaitReason::Semaphore)
        {
            gopark::yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

/// Groups in which tasks fail, panic, give up and are dropped at random, with a limit that changes.
#[test]
fn a_limit_is_never_exceeded_and_every_task_ends() {
    let _alarm = alarm();
    let seed = std::env::var("GOPARK_TEST_SEED").ok();
    let seed = seed.map_or_else(
        || RandomState::new().hash_one(0),
        |seed| seed.parse().unwrap(),
    );
    println!("GOPARK_TEST_SEED={seed}");
    let mut state = seed | 1;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % below
    };
    for runtime in every_kind() {
        for _ in 0..60 {
            let limit = 1 + random(4) as usize;
            let count = random(60);
            let plan: Vec<_> = (0..count)
                .map(|_| (random(5), random(40), random(8)))
                .collect();
            let (gauge, begun, ended) = (Gauge::default(), Counter::default(), Counter::default());
            let fails = plan.iter().any(|(_, what, _)| *what == 0);
            runtime.block_on(async {
                let mut group = Group::new();
                group.set_limit(limit).unwrap();
                for (yields, what, patience) in plan {
                    let (gauge, begun, guard) = (gauge.clone(), begun.clone(), ended.on_drop());
                    let task = async move {
                        let _guard = guard;
                        begun.add();
                        let _inside = gauge.enter();
                        for _ in 0..yields {
                            gopark::yield_now().await;
                        }
                        if what == 0 { Err("failed") } else { Ok(()) }
                    };
                    let mut go = pin!(group.go(task));
                    let mut polls = 0;
                    while futures::poll!(go.as_mut()) == Poll::Pending && polls < 100 * patience {
                        polls += 1;
                        gopark::yield_now().await;
                    }
                }
                let waited = group.wait().await;
                assert!(waited.is_ok() || fails, "{waited:?}");
                assert_eq!(ended.get(), count as usize);
            });
            assert!(gauge.most() <= limit, "{} > {limit}", gauge.most());
        }
    }
}
