//! Models of `executor/src/sched/{park,start}.rs` and the flags of `executor/src/m.rs`: "claims",
//! "the bound-wake race", "wake against lie down", and "the summons race". The stand-in is `machines/`.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::{AtomicUsize, Ordering};

    use crate::check::check;
    use crate::machines::{Config, SPEAK, Sched, spawn};

    /// "The bound-wake race", in the reactor and on the parker: the root is woken as its M parks.
    #[test]
    fn a_root_that_is_woken_while_its_m_parks_is_polled() {
        for poller_elsewhere in [false, true] {
            check(3, move || {
                let sched = Sched::new(Config::new(1, 1));
                // The models' way to send the M to its parker.
                let elsewhere = poller_elsewhere && sched.idle.become_poller();
                let value = Arc::new(AtomicUsize::new(0));
                let waker = spawn(&sched, {
                    let value = value.clone();
                    move |sched| {
                        value.store(1, Ordering::Relaxed);
                        sched.wake_root(0);
                    }
                });
                sched.run(0, Some(&|| value.load(Ordering::Relaxed) == 1));
                waker.join().unwrap();
                if elsewhere {
                    sched.idle.resign_poller();
                }
                sched.assert_at_rest();
            });
        }
    }

    /// "Claims": two threads wake the root of one M at once; one claims it, and no claim or P is left
    /// over for the next time.
    #[test]
    fn of_two_wakers_one_claims_the_m() {
        check(2, || {
            let sched = Sched::new(Config::new(1, 1));
            let value = Arc::new(AtomicUsize::new(0));
            let wake = |value: Arc<AtomicUsize>| {
                move |sched: &Sched| {
                    value.fetch_add(1, Ordering::Relaxed);
                    sched.wake_root(0);
                }
            };
            let first = spawn(&sched, wake(value.clone()));
            let second = spawn(&sched, wake(value.clone()));
            sched.run(0, Some(&|| value.load(Ordering::Relaxed) == 2));
            first.join().unwrap();
            second.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// "Wake against lie down": a thread readies a task while the only M is between its last look
    /// and its bed, and no thread can be started.
    #[test]
    fn a_task_readied_while_the_only_m_lies_down_is_run() {
        for poller_elsewhere in [false, true] {
            check(3, move || {
                let sched = Sched::new(Config::new(1, 1));
                let elsewhere = poller_elsewhere && sched.idle.become_poller();
                let submitter = spawn(&sched, Sched::ready_remote);
                sched.run(0, Some(&|| sched.ran.load(Ordering::Relaxed) == 1));
                submitter.join().unwrap();
                if elsewhere {
                    sched.idle.resign_poller();
                }
                sched.assert_at_rest();
            });
        }
    }

    /// A claim with a P for work, and a claim for the root: whichever comes first, both are served
    /// and the P is not lost.
    #[test]
    fn work_and_a_bound_wake_claim_the_same_m() {
        check(2, || {
            let sched = Sched::new(Config::new(1, 1));
            let value = Arc::new(AtomicUsize::new(0));
            let submitter = spawn(&sched, Sched::ready_remote);
            let waker = spawn(&sched, {
                let value = value.clone();
                move |sched| {
                    value.store(1, Ordering::Relaxed);
                    sched.wake_root(0);
                }
            });
            sched.run(
                0,
                Some(&|| {
                    value.load(Ordering::Relaxed) == 1 && sched.ran.load(Ordering::Relaxed) == 1
                }),
            );
            submitter.join().unwrap();
            waker.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// A root and a worker on two Ps: the worker ends because the runtime is closing, whether it was
    /// about to park, parked, or claimed for work at the time. Who claimed it touches it no more.
    #[test]
    fn a_worker_that_parks_while_the_runtime_closes_ends() {
        check(2, || {
            let sched = Sched::new(Config::new(2, 1));
            let worker = spawn(&sched, |sched| {
                sched.run(0, None);
                // The lock that the claimer held is the M's last common ground with it.
                sched.free(0);
            });
            let submitter = spawn(&sched, Sched::ready_remote);
            sched.close();
            worker.join().unwrap();
            submitter.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// Two Ms, one P: a root, and a worker that may run what the root waits for; one lies in the
    /// reactor, the other on its parker.
    #[test]
    fn a_worker_wakes_the_root_that_joins_its_task() {
        check(2, || {
            let sched = Sched::new(Config::new(1, 2));
            let worker = spawn(&sched, |sched| sched.run(1, None));
            let submitter = spawn(&sched, Sched::ready_remote);
            sched.run(0, Some(&|| sched.ran.load(Ordering::Relaxed) == 1));
            sched.close();
            worker.join().unwrap();
            submitter.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// "The summons race": the monitor asks something of an M that just now begins a turn of bound work
    /// for another reason, or parks. It is done, once, though nobody wakes the M again.
    #[test]
    fn a_summons_during_a_turn_of_bound_work_is_answered() {
        for poller_elsewhere in [false, true] {
            check(2, move || {
                let sched = Sched::new(Config::new(1, 1));
                let elsewhere = poller_elsewhere && sched.idle.become_poller();
                let value = Arc::new(AtomicUsize::new(0));
                let monitor = spawn(&sched, |sched| sched.summon(0, SPEAK));
                let waker = spawn(&sched, {
                    let value = value.clone();
                    move |sched| {
                        value.store(1, Ordering::Relaxed);
                        sched.wake_root(0);
                    }
                });
                sched.run(
                    0,
                    Some(&|| {
                        value.load(Ordering::Relaxed) == 1
                            && sched.spoken.load(Ordering::Relaxed) == 1
                    }),
                );
                monitor.join().unwrap();
                waker.join().unwrap();
                if elsewhere {
                    sched.idle.resign_poller();
                }
                sched.assert_at_rest();
            });
        }
    }

    /// "Claims", the keep-alive: an M that nobody has needed for long ends, or is claimed, as a task
    /// comes; not both, and the task is run, by it or by an M that is started.
    #[test]
    fn a_surplus_m_is_claimed_or_ends_and_the_task_is_run() {
        check(3, || {
            let mut config = Config::new(1, 2);
            config.first_spare = 1;
            config.work = 1;
            let sched = Sched::new(config);
            // The models' way to send the M to its parker.
            assert!(sched.idle.become_poller());
            let surplus = spawn(&sched, |sched| {
                sched.run(0, None);
                sched.free(0);
            });
            let submitter = spawn(&sched, Sched::ready_remote);
            sched.end_keep_alive(0);
            sched.done.wait();
            surplus.join().unwrap();
            submitter.join().unwrap();
            sched.idle.resign_poller();
            sched.assert_at_rest();
        });
    }

    /// "Claims" without a P: an M is sent into the reactor as a task comes, for which it or nobody is
    /// there. It parks once more and becomes the poller, and the task is run.
    #[test]
    fn an_m_that_is_sent_into_the_reactor_runs_the_task_that_came() {
        check(3, || {
            let sched = Sched::new(Config::new(1, 1));
            assert!(sched.idle.become_poller());
            let submitter = spawn(&sched, Sched::ready_remote);
            let monitor = spawn(&sched, |sched| {
                sched.idle.resign_poller();
                sched.wake_without_p();
            });
            sched.run(0, Some(&|| sched.ran.load(Ordering::Relaxed) == 1));
            submitter.join().unwrap();
            monitor.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// "Wake against lie down", with a P that is handed over: its last M left it a task that nobody can
    /// steal, the only M to take it is between its last look and its bed, and no thread can be
    /// started.
    #[test]
    fn a_p_handed_over_while_the_only_m_lies_down_loses_no_task() {
        for poller_elsewhere in [false, true] {
            check(3, move || {
                let sched = Sched::new(Config::new(1, 1));
                let elsewhere = poller_elsewhere && sched.idle.become_poller();
                let p = sched.idle.take(0).expect("it is idle");
                sched.push_private(p);
                let monitor = spawn(&sched, move |sched| sched.hand_over(p));
                sched.run(0, Some(&|| sched.ran.load(Ordering::Relaxed) == 1));
                monitor.join().unwrap();
                if elsewhere {
                    sched.idle.resign_poller();
                }
                sched.assert_at_rest();
            });
        }
    }
}
