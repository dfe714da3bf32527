//! Models of `executor/src/sched/jobs.rs`: "submit against park" for jobs, with their limit, on the
//! multi-thread flavour. The stand-in is `machines/`. There is no monitor: what it would put right later
//! is right without it.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loom::sync::atomic::Ordering;

    use crate::check::check;
    use crate::machines::{Config, Own, Sched, spawn};

    fn with_spares(procs: usize, ms: usize, spares: usize, max_jobs: usize) -> Arc<Sched> {
        let mut config = Config::new(procs, ms + spares);
        config.first_spare = ms;
        config.max_jobs = max_jobs;
        Sched::new(config)
    }

    /// The worker `m` finds nothing, up to its first sleep, where it ends.
    fn work(sched: &Sched, m: usize, p: usize) {
        let own = Own::default();
        sched.install(&own, p, false);
        sched.work(m, &own);
    }

    /// "Submit against park": a job is submitted while the only M with a P parks.
    #[test]
    fn a_job_submitted_while_the_last_m_parks_is_run() {
        check(3, || {
            let sched = with_spares(1, 2, 1, 1);
            let p = sched.idle.take(0).expect("it is idle");
            let worker = spawn(&sched, move |sched| work(sched, 1, p));
            sched.submit_job();
            worker.join().unwrap();
            assert_eq!(sched.ran.load(Ordering::Relaxed), 1, "a job waits");
            sched.assert_at_rest();
        });
    }

    /// Two Ms, two jobs, and one of them may run: who is over the limit steps back, and who was within
    /// comes back for the next, though it may not know yet that there is room again.
    #[test]
    fn of_two_jobs_at_the_limit_each_is_run_by_one_or_the_other() {
        check(2, || {
            let mut config = Config::new(2, 3);
            config.work = 2;
            config.closes = true;
            let sched = Sched::new(config);
            sched.jobs.store(2, Ordering::Relaxed);
            let other = spawn(&sched, |sched| sched.run(2, None));
            sched.run(1, None);
            other.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// A root is woken for a job that it must not run, and passes the wake-up on to a worker; whichever
    /// of the two lies on its parker and which in the reactor.
    #[test]
    fn a_root_that_is_woken_for_a_job_passes_it_on() {
        check(1, || {
            let sched = with_spares(1, 2, 0, 1);
            let worker = spawn(&sched, |sched| sched.run(1, None));
            let submitter = spawn(&sched, Sched::submit_job);
            sched.run(0, Some(&|| sched.ran.load(Ordering::Relaxed) == 1));
            sched.close();
            worker.join().unwrap();
            submitter.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// The same with a root that parks its P as the job comes, and a worker that is started.
    #[test]
    fn a_root_that_parks_leaves_the_job_to_a_worker() {
        check(3, || {
            let sched = with_spares(1, 1, 1, 1);
            let submitter = spawn(&sched, Sched::submit_job);
            sched.run(0, Some(&|| sched.ran.load(Ordering::Relaxed) == 1));
            submitter.join().unwrap();
            sched.assert_at_rest();
        });
    }

    /// A runner without a P, woken or started, and an M with one come for the same job.
    #[test]
    fn a_runner_and_an_m_with_a_p_run_a_job_once() {
        check(2, || {
            let sched = with_spares(1, 1, 2, 2);
            sched.jobs.store(1, Ordering::Relaxed);
            let monitor = spawn(&sched, |sched| assert!(sched.start_runner()));
            sched.submit_job();
            monitor.join().unwrap();
            assert_eq!(sched.ran.load(Ordering::Relaxed), 2, "a job waits");
            sched.assert_at_rest();
        });
    }
}
