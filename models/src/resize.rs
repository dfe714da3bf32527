//! Models of `executor/src/sched/procs.rs`: "the resize race". The stand-in is `machines/`; every model
//! ends with each P in use at its place among the idle ones, each other retired, once, and empty.

#[cfg(test)]
mod tests {
    use loom::sync::atomic::Ordering;

    use crate::check::check;
    use crate::machines::{Config, Own, Sched, spawn};

    /// "The resize race": a P is parked as it becomes surplus. Its M retires it, or the one who set the
    /// number, not both and not neither.
    #[test]
    fn a_p_that_is_parked_as_it_becomes_surplus_is_retired() {
        for other_is_idle in [false, true] {
            check(3, move || {
                let sched = Sched::new(Config::new(2, 1));
                let other = (!other_is_idle).then(|| sched.idle.take(0).expect("it is idle"));
                let p = sched.idle.take(1).expect("it is idle");
                let resizer = spawn(&sched, |sched| sched.set_procs(1));
                sched.put_p(p, false);
                resizer.join().unwrap();
                if let Some(other) = other {
                    sched.put_p(other, false);
                }
                sched.assert_at_rest();
            });
        }
    }

    /// Somebody takes a P, perhaps the one that has become surplus, and comes to its 61st round with it.
    #[test]
    fn a_p_that_is_taken_as_it_becomes_surplus_is_retired_by_its_m() {
        for work in [0, 1] {
            check(3, move || {
                let sched = Sched::new(Config::new(2, 2));
                sched.globq.store(work, Ordering::Relaxed);
                let resizer = spawn(&sched, |sched| sched.set_procs(1));
                let own = Own::default();
                if let Some(p) = sched.idle.take(1) {
                    sched.install(&own, p, false);
                    sched.run_once(1, &own);
                    if let Some(p) = own.p.take() {
                        sched.put_p(p, false);
                    }
                }
                resizer.join().unwrap();
                sched.assert_at_rest();
            });
        }
    }

    /// The number goes down and up again while the P is parked: it is retired and comes back, or never
    /// was.
    #[test]
    fn a_p_that_becomes_surplus_and_is_wanted_again_is_idle_once() {
        check(3, || {
            let sched = Sched::new(Config::new(2, 1));
            let p = sched.idle.take(1).expect("it is idle");
            let resizer = spawn(&sched, |sched| {
                sched.set_procs(1);
                sched.set_procs(2);
            });
            sched.put_p(p, false);
            resizer.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// The number goes up and down again while one retires the P, finds it in use after all, and puts it
    /// back: by then it is surplus again.
    #[test]
    fn a_p_that_is_put_back_by_the_reaper_is_looked_at_again() {
        check(3, || {
            let sched = Sched::new(Config::new(2, 1));
            let p = sched.idle.take(1).expect("it is idle");
            sched.set_procs(1);
            let resizer = spawn(&sched, |sched| {
                sched.set_procs(2);
                sched.set_procs(1);
            });
            sched.put_p(p, false);
            resizer.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// A taker counts on a surplus P that was just parked, and gets the bit of another that is parked at
    /// the same moment and not counted yet. Who counts that one sees to the surplus P.
    #[test]
    fn a_surplus_p_whose_count_goes_with_the_bit_of_another_is_retired() {
        check(2, || {
            let sched = Sched::new(Config::new(2, 1));
            let stays = sched.idle.take(0).expect("it is idle");
            let goes = sched.idle.take(1).expect("it is idle");
            sched.set_procs(1);
            let parker = spawn(&sched, move |sched| sched.put_p(stays, false));
            let taker = spawn(&sched, |sched| {
                if let Some(p) = sched.idle.take(0) {
                    sched.put_p(p, false);
                }
            });
            sched.put_p(goes, false);
            parker.join().unwrap();
            taker.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// Two set the number, one M parks: the last one counts, and no P is lost or doubled.
    #[test]
    fn two_who_set_the_number_agree_on_who_is_retired() {
        check(2, || {
            let sched = Sched::new(Config::new(3, 1));
            let p = sched.idle.take(2).expect("it is idle");
            let first = spawn(&sched, |sched| sched.set_procs(1));
            let second = spawn(&sched, |sched| sched.set_procs(2));
            sched.put_p(p, false);
            first.join().unwrap();
            second.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// A P with a task is retired at its M's 61st round while the only M that stays parks: the task goes to
    /// the global queue, and that M is woken, or has seen it.
    #[test]
    fn the_tasks_of_a_p_that_is_retired_are_run() {
        check(3, || {
            let mut config = Config::new(2, 3);
            config.first_spare = 2;
            let sched = Sched::new(config);
            let stays = sched.idle.take(0).expect("it is idle");
            let goes = sched.idle.take(1).expect("it is idle");
            sched.push_private(goes);
            sched.set_procs(1);
            let parker = spawn(&sched, move |sched| {
                let own = Own::default();
                sched.install(&own, stays, false);
                sched.work(1, &own);
            });
            let own = Own::default();
            sched.install(&own, goes, false);
            sched.retire_own(&own);
            parker.join().unwrap();
            assert_eq!(sched.ran.load(Ordering::Relaxed), 1, "a wake-up was lost");
            sched.assert_at_rest();
        });
    }

    /// The same by one who sets the number and finds the P idle, with what it could not be started for.
    #[test]
    fn the_tasks_of_an_idle_p_that_is_retired_are_run() {
        check(3, || {
            let mut config = Config::new(2, 3);
            config.first_spare = 2;
            let sched = Sched::new(config);
            let stays = sched.idle.take(0).expect("it is idle");
            let goes = sched.idle.take(1).expect("it is idle");
            sched.push_private(goes);
            sched.put_p(goes, false);
            let parker = spawn(&sched, move |sched| {
                let own = Own::default();
                sched.install(&own, stays, false);
                sched.work(1, &own);
            });
            sched.set_procs(1);
            parker.join().unwrap();
            assert_eq!(sched.ran.load(Ordering::Relaxed), 1, "a wake-up was lost");
            sched.assert_at_rest();
        });
    }
}
