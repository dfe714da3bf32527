//! Aborting tasks: before, during and after everything.

mod task_support;

use std::future::pending;
use std::sync::mpsc;

use futures::channel::oneshot;
use task_support::{Counter, alarm, current, every_kind, multi};

#[test]
fn a_task_aborted_before_its_first_poll_is_never_polled() {
    let _alarm = alarm();
    // On the current-thread flavour nothing runs while the root does, so "before" is certain.
    current().block_on(async {
        let (polls, drops) = (Counter::default(), Counter::default());
        let (count, guard) = (polls.clone(), drops.on_drop());
        let handle = gopark::spawn(async move {
            let _guard = guard;
            count.add();
        });
        handle.abort();
        let error = handle.await.unwrap_err();
        assert!(error.is_cancelled() && !error.is_panic());
        assert_eq!((polls.get(), drops.get()), (0, 1));
    });
}

#[test]
fn a_task_aborted_before_its_runtime_runs_is_never_polled() {
    let _alarm = alarm();
    let runtime = current();
    let polls = Counter::default();
    let count = polls.clone();
    let handle = runtime.spawn(async move { count.add() });
    handle.abort();
    assert!(runtime.block_on(handle).unwrap_err().is_cancelled());
    assert_eq!(polls.get(), 0);
}

#[test]
fn a_parked_task_is_dropped_by_an_abort() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        let guard = drops.on_drop();
        let (parked, is_parked) = oneshot::channel();
        runtime.block_on(async {
            let handle = gopark::spawn(async move {
                let _guard = guard;
                parked.send(()).unwrap();
                pending::<()>().await;
            });
            is_parked.await.unwrap();
            assert_eq!(drops.get(), 0);
            handle.abort();
            let id = handle.id();
            let error = handle.await.unwrap_err();
            assert!(error.is_cancelled());
            assert_eq!(error.id(), id);
            assert!(error.to_string().contains("was cancelled"), "{error}");
            assert_eq!(drops.get(), 1);
        });
    }
}

#[test]
fn a_detached_task_is_aborted_through_its_abort_handle() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let (alive, is_gone) = oneshot::channel::<()>();
        runtime.block_on(async {
            let abort = gopark::spawn(async move {
                let _alive = alive;
                pending::<()>().await;
            })
            .abort_handle();
            gopark::yield_now().await;
            abort.clone().abort();
            assert!(is_gone.await.is_err());
            while !abort.is_finished() {
                gopark::yield_now().await;
            }
        });
    }
}

#[test]
fn an_abort_after_completion_is_harmless() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let handle = gopark::spawn(async { 5 });
            let abort = handle.abort_handle();
            while !handle.is_finished() {
                gopark::yield_now().await;
            }
            handle.abort();
            abort.abort();
            assert_eq!(handle.await.unwrap(), 5);
            abort.abort();
            assert!(abort.is_finished());
        });
        drop(runtime);
    }
}

#[test]
fn an_abort_after_the_end_of_the_runtime_is_harmless() {
    let _alarm = alarm();
    for runtime in every_kind() {
        let drops = Counter::default();
        let guard = drops.on_drop();
        let handle = runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let abort = handle.abort_handle();
        drop(runtime);
        assert_eq!(drops.get(), 1);
        abort.abort();
        handle.abort();
        assert!(abort.is_finished() && handle.is_finished());
        assert!(
            futures::executor::block_on(handle)
                .unwrap_err()
                .is_cancelled()
        );
        abort.abort();
    }
}

#[test]
fn a_task_that_aborts_itself_finishes_the_poll_it_is_in() {
    let _alarm = alarm();
    for runtime in every_kind() {
        runtime.block_on(async {
            let (give, take) = oneshot::channel::<gopark::task::AbortHandle>();
            let handle = gopark::spawn(async move {
                take.await.unwrap().abort();
                "finished"
            });
            give.send(handle.abort_handle()).unwrap();
            assert_eq!(handle.await.unwrap(), "finished");

            let (give, take) = oneshot::channel::<gopark::task::AbortHandle>();
            let handle = gopark::spawn(async move {
                take.await.unwrap().abort();
                gopark::yield_now().await;
                unreachable!("it is aborted at the end of its poll");
            });
            give.send(handle.abort_handle()).unwrap();
            assert!(handle.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn an_abort_that_races_completion_gives_the_output_or_cancels_and_drops_once() {
    let _alarm = alarm();
    let runtime = multi(2);
    let (sender, receiver) = mpsc::channel::<gopark::task::AbortHandle>();
    let aborter = std::thread::spawn(move || receiver.iter().for_each(|abort| abort.abort()));
    let (mut completed, mut cancelled) = (0, 0);
    const ROUNDS: usize = 20_000;
    for round in 0..ROUNDS {
        let (future_drops, output_drops) = (Counter::default(), Counter::default());
        let (guard, output) = (future_drops.on_drop(), output_drops.on_drop());
        let handle = runtime.spawn(async move {
            let _guard = guard;
            for _ in 0..round % 5 {
                gopark::yield_now().await;
            }
            output
        });
        sender.send(handle.abort_handle()).unwrap();
        match runtime.block_on(handle) {
            Ok(output) => {
                completed += 1;
                assert_eq!(output_drops.get(), 0);
                drop(output);
            }
            Err(error) => {
                assert!(error.is_cancelled(), "{error}");
                cancelled += 1;
            }
        }
        assert_eq!(
            (future_drops.get(), output_drops.get()),
            (1, 1),
            "in round {round}"
        );
    }
    drop(sender);
    aborter.join().unwrap();
    assert_eq!(completed + cancelled, ROUNDS);
}

#[test]
fn an_abort_that_races_a_wake_loses_neither() {
    let _alarm = alarm();
    let runtime = multi(2);
    for round in 0..5_000 {
        let drops = Counter::default();
        let guard = drops.on_drop();
        let (wake, woken) = oneshot::channel::<()>();
        let handle = runtime.spawn(async move {
            let _guard = guard;
            woken.await.unwrap();
        });
        let abort = handle.abort_handle();
        let waker = runtime.spawn(async move {
            let _ = wake.send(());
        });
        let aborter = runtime.spawn(async move { abort.abort() });
        runtime.block_on(async {
            waker.await.unwrap();
            aborter.await.unwrap();
            if let Err(error) = handle.await {
                assert!(error.is_cancelled(), "{error} in round {round}");
            }
        });
        assert_eq!(drops.get(), 1, "in round {round}");
    }
}

#[test]
fn many_aborts_of_one_task_from_many_threads_drop_it_once() {
    let _alarm = alarm();
    let runtime = multi(2);
    for _ in 0..200 {
        let drops = Counter::default();
        let guard = drops.on_drop();
        let handle = runtime.spawn(async move {
            let _guard = guard;
            loop {
                gopark::yield_now().await;
            }
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let abort = handle.abort_handle();
                scope.spawn(move || abort.abort());
            }
        });
        assert!(runtime.block_on(handle).unwrap_err().is_cancelled());
        assert_eq!(drops.get(), 1);
    }
}
