//! Models of `executor/src/sched/{park,start}.rs` and the flags of `executor/src/m.rs`: "claims",
//! "the bound-wake race" and "wake against lie down".
//!
//! Those files hold threads, reactors and tasks, so they are not included: a stand-in has the same
//! steps in the same order under the same names, around the real `Idle`. An M is a thread in
//! `block_on` on the current-thread flavour (so no thread can be started), its parker is loom's
//! `Notify`, and a wake-up that is lost is a deadlock, which loom reports.

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use loom::cell::UnsafeCell;
    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
    use loom::sync::{Mutex, MutexGuard, Notify};
    use loom::thread;

    use crate::check::check;
    use crate::idle::protocol::Idle;

    const NULL: usize = usize::MAX;

    struct M {
        next_p: AtomicUsize,
        next_spinning: AtomicBool,
        claimed: AtomicBool,
        parked: AtomicBool,
        bound_ready: AtomicBool,
        root_ready: AtomicBool,
        /// The parker, and the reactor for the poller: both keep one token.
        bed: Notify,
        /// Written when the M's thread frees the M.
        freed: UnsafeCell<bool>,
    }

    #[derive(Default)]
    struct IdleMs {
        list: Vec<usize>,
        poller: Option<usize>,
    }

    struct Sched {
        idle: Idle,
        /// The content of each P.
        ps: Vec<UnsafeCell<u32>>,
        /// The injector: how many tasks are in it.
        globq: AtomicUsize,
        ran: AtomicUsize,
        idle_ms: Mutex<IdleMs>,
        ms: Vec<M>,
        closing: AtomicBool,
    }

    // SAFETY: (1) a P is touched by its owner only, and `freed` is written when nobody may use the M
    // any more; loom checks both.
    unsafe impl Sync for Sched {}

    impl M {
        fn new() -> Self {
            Self {
                next_p: AtomicUsize::new(NULL),
                next_spinning: AtomicBool::new(false),
                claimed: AtomicBool::new(false),
                parked: AtomicBool::new(false),
                bound_ready: AtomicBool::new(false),
                root_ready: AtomicBool::new(false),
                bed: Notify::new(),
                freed: UnsafeCell::new(false),
            }
        }

        fn has_bound(&self, own: &Own) -> bool {
            own.root.get() || self.bound_ready.load(Ordering::Relaxed)
        }

        /// Whether the root is due.
        fn begin_bound(&self, own: &Own) -> bool {
            let own = own.root.replace(false);
            let remote = take(&self.bound_ready) && take(&self.root_ready);
            own || remote
        }

        fn assert_not_freed(&self) {
            // SAFETY: (1) loom fails if the M is freed meanwhile.
            assert!(!self.freed.with(|freed| unsafe { *freed }));
        }
    }

    /// `flag.swap(false)`. As a swap it would store also where it finds nothing, and loom, which does
    /// not know that nothing comes between a swap's load and its store, would then let that store
    /// overwrite a later `true`.
    fn take(flag: &AtomicBool) -> bool {
        flag.compare_exchange(true, false, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// What an M's own thread keeps: its P, whether it spins, and whether it has woken its own root.
    #[derive(Default)]
    struct Own {
        root: Cell<bool>,
        p: Cell<Option<usize>>,
        spinning: Cell<bool>,
    }

    impl Sched {
        fn new(procs: usize, ms: usize) -> Arc<Self> {
            Arc::new(Self {
                idle: Idle::new(procs),
                ps: (0..procs).map(|_| UnsafeCell::new(0)).collect(),
                globq: AtomicUsize::new(0),
                ran: AtomicUsize::new(0),
                idle_ms: Mutex::new(IdleMs::default()),
                ms: (0..ms).map(|_| M::new()).collect(),
                closing: AtomicBool::new(false),
            })
        }

        fn idle_ms(&self) -> MutexGuard<'_, IdleMs> {
            self.idle_ms.lock().expect("no model panics under the lock")
        }

        fn work_visible(&self) -> bool {
            self.globq.load(Ordering::Relaxed) != 0
        }

        /// From a thread that is no M.
        fn ready_remote(&self) {
            self.globq.fetch_add(1, Ordering::Release);
            if self.idle.should_wake() {
                self.wakep();
            }
        }

        fn wakep(&self) {
            if let Some(index) = self.idle.take_for_wake() {
                self.start_m(index, true);
            }
        }

        fn start_m(&self, mut index: usize, mut spinning: bool) {
            loop {
                if self.wake_with_p(index, spinning) {
                    return;
                }
                self.idle.park(index, spinning);
                if !self.has_idle_m() || !self.work_visible() {
                    return;
                }
                match self.idle.take_for_wake() {
                    Some(taken) => (index, spinning) = (taken, true),
                    None => return,
                }
            }
        }

        fn has_idle_m(&self) -> bool {
            let ms = self.idle_ms();
            !ms.list.is_empty() || ms.poller.is_some()
        }

        fn wake_with_p(&self, index: usize, spinning: bool) -> bool {
            let mut ms = self.idle_ms();
            let Some(m) = ms.list.pop().or_else(|| ms.poller.take()) else {
                return false;
            };
            self.claim(m, Some((index, spinning)));
            true
        }

        fn wake_m(&self, m: usize) {
            let mut ms = self.idle_ms();
            if !ms.leave_list(m) && !ms.leave_poller(m) {
                return;
            }
            let p = self.idle.take(0).map(|index| (index, false));
            self.claim(m, p);
        }

        fn wake_all(&self) {
            let mut ms = self.idle_ms();
            while let Some(m) = ms.list.pop() {
                self.claim(m, None);
            }
            if let Some(m) = ms.poller.take() {
                self.claim(m, None);
            }
        }

        /// Under the lock, which the caller holds.
        fn claim(&self, m: usize, p: Option<(usize, bool)>) {
            let m = &self.ms[m];
            m.assert_not_freed();
            if let Some((index, spinning)) = p {
                m.next_p.store(index, Ordering::Relaxed);
                m.next_spinning.store(spinning, Ordering::Relaxed);
            }
            m.claimed.store(true, Ordering::Release);
            m.bed.notify();
        }

        /// `M::wake_root` from another thread.
        fn wake_root(&self, m: usize) {
            let it = &self.ms[m];
            it.root_ready.swap(true, Ordering::AcqRel);
            it.bound_ready.swap(true, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            if it.parked.load(Ordering::Relaxed) {
                self.wake_m(m);
            }
        }

        /// `Sched::close`, up to its walk.
        fn close(&self) {
            self.closing.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            self.wake_all();
        }

        fn may_rise(&self, m: &M, own: &Own, is_root: bool) -> bool {
            m.has_bound(own)
                || (self.closing.load(Ordering::Relaxed) && !is_root)
                || (self.idle.should_wake() && self.work_visible())
        }

        fn sit_down(&self, own: &Own) {
            if let Some(index) = self.idle.take(0) {
                self.install(own, index, false);
            }
        }

        fn install(&self, own: &Own, index: usize, spinning: bool) {
            assert_eq!(own.p.replace(Some(index)), None, "an M holds one P at most");
            own.spinning.set(spinning);
            // SAFETY: (1) the P is ours; loom fails if it is not.
            self.ps[index].with_mut(|touched| unsafe { *touched += 1 });
        }

        fn park(&self, m: usize, own: &Own, is_root: bool) {
            let it = &self.ms[m];
            if let Some(index) = own.p.take() {
                self.idle.park(index, own.spinning.replace(false));
                if self.work_visible() {
                    if let Some(index) = self.idle.take_for_wake() {
                        self.install(own, index, true);
                        return;
                    }
                }
            }
            if it.has_bound(own) {
                self.sit_down(own);
                return;
            }
            if self.idle.become_poller() {
                self.wait_in_reactor(m, own, is_root);
            } else {
                self.wait_on_parker(m, own, is_root);
            }
        }

        fn wait_on_parker(&self, m: usize, own: &Own, is_root: bool) {
            let it = &self.ms[m];
            self.lie_down(it, |ms| ms.list.push(m));
            if self.may_rise(it, own, is_root) && self.get_up(it, |ms| ms.leave_list(m)) {
                self.sit_down(own);
                return;
            }
            while !take(&it.claimed) {
                it.bed.wait();
            }
            self.after_claim(it, own);
        }

        fn wait_in_reactor(&self, m: usize, own: &Own, is_root: bool) {
            let it = &self.ms[m];
            self.lie_down(it, |ms| ms.poller = Some(m));
            loop {
                if !self.may_rise(it, own, is_root) && !it.claimed.load(Ordering::Relaxed) {
                    it.bed.wait();
                }
                if !self.get_up(it, |ms| ms.leave_poller(m)) {
                    while !take(&it.claimed) {
                        thread::yield_now();
                    }
                    self.idle.resign_poller();
                    self.after_claim(it, own);
                    return;
                }
                if self.may_rise(it, own, is_root) {
                    self.sit_down(own);
                    if own.p.get().is_some() || self.may_rise(it, own, is_root) {
                        self.idle.resign_poller();
                        return;
                    }
                }
                self.lie_down(it, |ms| ms.poller = Some(m));
            }
        }

        fn lie_down(&self, m: &M, enter: impl FnOnce(&mut IdleMs)) {
            m.parked.store(true, Ordering::Relaxed);
            enter(&mut self.idle_ms());
            fence(Ordering::SeqCst);
        }

        fn get_up(&self, m: &M, leave: impl FnOnce(&mut IdleMs) -> bool) -> bool {
            let left = leave(&mut self.idle_ms());
            if left {
                m.parked.store(false, Ordering::Relaxed);
            }
            left
        }

        fn after_claim(&self, m: &M, own: &Own) {
            m.parked.store(false, Ordering::Relaxed);
            let index = m.next_p.swap(NULL, Ordering::Relaxed);
            if index != NULL {
                self.install(own, index, m.next_spinning.load(Ordering::Relaxed));
            }
        }

        /// `Sched::run`, with `handoff` and the end of the M. `poll` is the root's, if it has one.
        fn run(&self, m: usize, poll: Option<&dyn Fn() -> bool>) {
            let it = &self.ms[m];
            let own = Own::default();
            self.sit_down(&own);
            loop {
                if poll.is_none() && self.closing.load(Ordering::Relaxed) {
                    break;
                }
                if it.has_bound(&own) {
                    let root = it.begin_bound(&own);
                    self.stop_spinning(&own);
                    if root && poll.is_some_and(|poll| poll()) {
                        break;
                    }
                    continue;
                }
                if own.p.get().is_some() && self.find() {
                    self.stop_spinning(&own);
                    self.ran.fetch_add(1, Ordering::Relaxed);
                    // The root of M 0 joins every task.
                    if m == 0 {
                        own.root.set(true);
                    } else {
                        self.wake_root(0);
                    }
                    continue;
                }
                self.park(m, &own, poll.is_some());
            }
            if let Some(index) = own.p.take() {
                self.idle.park(index, own.spinning.get());
                if self.work_visible() {
                    self.wakep();
                }
            }
        }

        /// The thread of an M that was in no list when it ended frees it.
        fn free(&self, m: usize) {
            // SAFETY: (1) see the field.
            self.ms[m].freed.with_mut(|freed| unsafe { *freed = true });
        }

        fn find(&self) -> bool {
            self.globq
                .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
        }

        fn stop_spinning(&self, own: &Own) {
            if own.spinning.replace(false) && self.idle.stop_spinning() && self.work_visible() {
                self.wakep();
            }
        }

        /// After all have ended: no P was lost on the way, no claim is left over.
        fn assert_at_rest(&self) {
            let view = self.idle.view();
            assert_eq!((view.idle(), view.spinning()), (self.ps.len(), 0));
            assert!(!view.has_poller());
            let ms = self.idle_ms();
            assert!(ms.list.is_empty() && ms.poller.is_none());
            for m in &self.ms {
                assert!(!m.claimed.load(Ordering::Relaxed) && !m.parked.load(Ordering::Relaxed));
                assert_eq!(m.next_p.load(Ordering::Relaxed), NULL);
            }
        }
    }

    impl IdleMs {
        fn leave_list(&mut self, m: usize) -> bool {
            let position = self.list.iter().position(|&other| other == m);
            position.map(|index| self.list.remove(index)).is_some()
        }

        fn leave_poller(&mut self, m: usize) -> bool {
            self.poller.take_if(|poller| *poller == m).is_some()
        }
    }

    fn spawn(sched: &Arc<Sched>, f: impl FnOnce(&Sched) + 'static) -> thread::JoinHandle<()> {
        let sched = sched.clone();
        thread::spawn(move || f(&sched))
    }

    /// "The bound-wake race", in the reactor and on the parker: the root is woken as its M parks.
    #[test]
    fn a_root_that_is_woken_while_its_m_parks_is_polled() {
        for poller_elsewhere in [false, true] {
            check(3, move || {
                let sched = Sched::new(1, 1);
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
            let sched = Sched::new(1, 1);
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
                let sched = Sched::new(1, 1);
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
            let sched = Sched::new(1, 1);
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
            let sched = Sched::new(2, 1);
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
            let sched = Sched::new(1, 2);
            let worker = spawn(&sched, |sched| sched.run(1, None));
            let submitter = spawn(&sched, Sched::ready_remote);
            sched.run(0, Some(&|| sched.ran.load(Ordering::Relaxed) == 1));
            sched.close();
            worker.join().unwrap();
            submitter.join().unwrap();
            sched.assert_at_rest();
        });
    }
}
