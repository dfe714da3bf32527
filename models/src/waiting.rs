//! Models of `executor/src/sched/waiting.rs`: "the wait-for-P race", and of what `hand_over` does for
//! those that wait. The stand-in is `machines/`.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::Ordering;

    use crate::check::check;
    use crate::machines::{Config, Own, Sched, spawn};

    fn strict(procs: usize, ms: usize) -> Arc<Sched> {
        let mut config = Config::new(procs, ms);
        config.strict_procs = true;
        Sched::new(config)
    }

    /// `m` comes out of a blocking section, goes on to the end of its poll, and parks its P. True if it
    /// had one.
    fn come_back_and_park(sched: &Sched, m: usize) -> bool {
        let own = Own::default();
        sched.come_back(m, &own);
        let p = own.p.take();
        if let Some(index) = p {
            sched.put_p(index, false);
        }
        p.is_some()
    }

    /// "The wait-for-P race": the only P is parked as an M begins to wait for one.
    #[test]
    fn an_m_that_waits_gets_the_p_that_is_parked() {
        check(3, || {
            let sched = strict(1, 1);
            let p = sched.idle.take(0).expect("it is idle");
            let parker = spawn(&sched, move |sched| sched.put_p(p, false));
            assert!(come_back_and_park(&sched, 0));
            parker.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// The same with an M that has work for ever and gives its P away at its 61st round, if only then.
    #[test]
    fn an_m_that_waits_gets_the_p_of_a_busy_one() {
        check(3, || {
            let sched = strict(1, 2);
            let p = sched.idle.take(0).expect("it is idle");
            sched.globq.store(2, Ordering::Relaxed);
            let busy = spawn(&sched, move |sched| {
                let own = Own::default();
                sched.install(&own, p, false);
                // One P, one M that waits: it waits until the P comes back to it.
                while sched.run_once(1, &own) {}
                if own.p.get().is_none() {
                    sched.come_back(1, &own);
                    while sched.run_once(1, &own) {}
                }
                if let Some(p) = own.p.take() {
                    sched.put_p(p, false);
                }
            });
            assert!(come_back_and_park(&sched, 0));
            busy.join().unwrap();
            assert_eq!(sched.ran.load(Ordering::Relaxed), 2);
            sched.assert_at_rest();
        });
    }

    /// Two wait, one P: each gets it, by hand of the other or of the third.
    #[test]
    fn two_ms_that_wait_get_the_only_p_one_after_the_other() {
        check(2, || {
            let sched = strict(1, 2);
            let p = sched.idle.take(0).expect("it is idle");
            let parker = spawn(&sched, move |sched| sched.put_p(p, false));
            let other = spawn(&sched, |sched| assert!(come_back_and_park(sched, 1)));
            assert!(come_back_and_park(&sched, 0));
            parker.join().unwrap();
            other.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// The runtime closes as an M begins to wait: it goes on, with a P if one comes in time.
    #[test]
    fn an_m_that_waits_goes_on_when_the_runtime_closes() {
        for p_comes in [false, true] {
            check(2, move || {
                let sched = strict(1, 1);
                let p = sched.idle.take(0).expect("it is idle");
                let closer = spawn(&sched, Sched::close);
                let parker = p_comes.then(|| spawn(&sched, move |sched| sched.put_p(p, false)));
                let had_p = come_back_and_park(&sched, 0);
                closer.join().unwrap();
                match parker {
                    Some(parker) => parker.join().unwrap(),
                    None => {
                        assert!(!had_p);
                        sched.put_p(p, false);
                    }
                }
                sched.assert_at_rest();
            });
        }
    }

    /// The monitor passes on a P with a task that nobody could steal, and keeps it for the M that waits,
    /// which is served by another P meanwhile. The task is not left behind in an idle P.
    #[test]
    fn a_p_kept_for_one_who_is_served_by_another_loses_no_task() {
        check(2, || {
            let mut config = Config::new(2, 2);
            config.strict_procs = true;
            config.first_spare = 1;
            let sched = Sched::new(config);
            let (full, other) = (sched.idle.take(0).unwrap(), sched.idle.take(1).unwrap());
            sched.push_private(full);
            let monitor = spawn(&sched, move |sched| sched.hand_over(full));
            let parker = spawn(&sched, move |sched| sched.put_p(other, false));
            let own = Own::default();
            sched.come_back(0, &own);
            monitor.join().unwrap();
            parker.join().unwrap();
            // The end of the poll, and what `find` finds.
            while sched.run_once(0, &own) {}
            sched.put_p(own.p.take().expect("it waited for one"), false);
            assert_eq!(sched.ran.load(Ordering::Relaxed), 1);
            sched.assert_at_rest();
        });
    }

    /// "The resize race" meets this one: who retires Ps has all idle ones in hand for a moment, also the
    /// one that an M begins to wait for.
    #[test]
    fn an_m_that_waits_gets_the_p_that_the_reaper_puts_back() {
        check(3, || {
            let sched = strict(2, 1);
            let resizer = spawn(&sched, |sched| sched.set_procs(1));
            assert!(come_back_and_park(&sched, 0));
            resizer.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// A P that is added goes to an M that waits, or would wait.
    #[test]
    fn an_m_that_waits_gets_the_p_that_is_added() {
        check(3, || {
            let sched = strict(2, 1);
            sched.set_procs(1);
            let p = sched.idle.take(0).expect("it is idle");
            let resizer = spawn(&sched, |sched| sched.set_procs(2));
            assert!(come_back_and_park(&sched, 0));
            resizer.join().unwrap();
            sched.put_p(p, false);
            sched.assert_at_rest();
        });
    }
}
