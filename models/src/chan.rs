//! Models of `executor/src/chan/{lock,op,state}.rs`: who waits at a channel, who fires it, and who goes.
//!
//! The futures around them are stand-ins with the steps of `chan/core.rs` (`Alone`) and of
//! `chan/select/engine.rs` (`Select`). The cells in the real files are not loom's, so each
//! model leaves a cell of its own where a race would be: in the waker, and beside what is sent.

#[path = "../../executor/src/chan/lock.rs"]
mod lock;
#[path = "../../executor/src/chan/op.rs"]
mod op;
#[path = "../../executor/src/chan/state.rs"]
mod state;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use loom::cell::UnsafeCell;
    use loom::sync::Notify;
    use loom::thread;

    use super::lock::Lock;
    use super::op::{Fired, Node, Op};
    use super::state::{NotReceived, NotSent, State};
    use crate::check::check;

    type Chan = Lock<State<u32>>;

    fn chan(capacity: usize) -> Chan {
        Lock::new(State::new(capacity))
    }

    /// Shared by the threads of a model, which join before it goes.
    struct Shared<T>(T);

    // SAFETY: (1) what the models share is what the protocol says may be shared.
    unsafe impl<T> Sync for Shared<T> {}
    // SAFETY: as for Sync.
    unsafe impl<T> Send for Shared<T> {}

    fn share<T: 'static>(value: T) -> Arc<Shared<T>> {
        Arc::new(Shared(value))
    }

    /// What a waker wakes. Its cell is written when the waker is made and read when it wakes, so loom fails
    /// if the one is not ordered before the other.
    struct Sleeper {
        made: UnsafeCell<u32>,
        bell: Notify,
    }

    // SAFETY: (1) loom watches the cell.
    unsafe impl Sync for Sleeper {}
    // SAFETY: as for Sync.
    unsafe impl Send for Sleeper {}

    impl Sleeper {
        fn new() -> Arc<Self> {
            let sleeper = Self {
                made: UnsafeCell::new(0),
                bell: Notify::new(),
            };
            // SAFETY: (1) ours still.
            sleeper.made.with_mut(|made| unsafe { *made = 1 });
            Arc::new(sleeper)
        }
    }

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            // SAFETY: (1) loom fails if the writing is not before this.
            assert_eq!(self.made.with(|made| unsafe { *made }), 1);
            self.bell.notify();
        }
    }

    fn try_send(chan: &Chan, value: u32) -> Result<(), NotSent<u32>> {
        let sent = chan.lock().try_send(value);
        sent.map(|waker| waker.into_iter().for_each(Waker::wake))
    }

    fn try_recv(chan: &Chan) -> Result<u32, NotReceived> {
        let received = chan.lock().try_recv();
        received.map(|(value, waker)| {
            waker.into_iter().for_each(Waker::wake);
            value
        })
    }

    fn close(chan: &Chan) -> bool {
        let mut wakers = Vec::new();
        let closes = chan.lock().close(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        closes
    }

    /// An operation at one channel: `Waiter` of `chan/core.rs`.
    struct Alone {
        op: Op,
        node: Node,
        slot: std::cell::UnsafeCell<u32>,
    }

    impl Alone {
        fn new() -> Box<Self> {
            Box::new(Self {
                op: Op::alone(),
                node: Node::new(),
                slot: std::cell::UnsafeCell::new(0),
            })
        }

        /// The first poll of a receive. None: it waits.
        fn recv(&self, chan: &Chan, sleeper: &Arc<Sleeper>) -> Option<Result<u32, ()>> {
            let mut state = chan.lock();
            match state.try_recv() {
                Ok((value, waker)) => {
                    drop(state);
                    waker.into_iter().for_each(Waker::wake);
                    return Some(Ok(value));
                }
                Err(NotReceived::Closed) => return Some(Err(())),
                Err(NotReceived::Empty) => {}
            }
            self.node.prepare(&self.op, 0, std::ptr::null_mut());
            self.op.begin(Waker::from(sleeper.clone()));
            // SAFETY: (1) boxed, and each model ends it by `conclude` or `withdraw`.
            unsafe { state.receivers.push(&self.node) };
            None
        }

        /// The first poll of a send. None: it waits.
        fn send(&self, chan: &Chan, value: u32, sleeper: &Arc<Sleeper>) -> Option<Result<(), ()>> {
            let mut state = chan.lock();
            match state.try_send(value) {
                Ok(waker) => {
                    drop(state);
                    waker.into_iter().for_each(Waker::wake);
                    return Some(Ok(()));
                }
                Err(NotSent::Closed(_)) => return Some(Err(())),
                Err(NotSent::Full(_)) => {}
            }
            // SAFETY: (1) nobody knows of it yet.
            unsafe { *self.slot.get() = value };
            self.node.prepare(&self.op, 0, self.slot.get().cast());
            self.op.begin(Waker::from(sleeper.clone()));
            // SAFETY: as in `recv`.
            unsafe { state.senders.push(&self.node) };
            None
        }

        /// `Waiter::rewake`.
        fn rewake(&self, chan: &Chan, sleeper: &Arc<Sleeper>) -> Option<Fired> {
            let fired = self.fired();
            if fired.is_some() {
                return fired;
            }
            let waker = Waker::from(sleeper.clone());
            let state = chan.lock();
            let unused = match self.fired() {
                None => self.op.replace_waker(waker),
                Some(_) => Some(waker),
            };
            drop(state);
            drop(unused);
            self.fired()
        }

        fn fired(&self) -> Option<Fired> {
            self.op.fired().map(|(what, _)| what)
        }

        /// Sleeps until it is fired.
        fn wait(&self, sleeper: &Sleeper) -> Fired {
            loop {
                if let Some(what) = self.fired() {
                    return what;
                }
                sleeper.bell.wait();
            }
        }

        /// `conclude` of `chan/recv.rs`.
        fn conclude(self: Box<Self>, chan: &Chan, what: Fired) -> Result<u32, ()> {
            drop(self);
            if what != Fired::Promised {
                return Err(());
            }
            let mut wakers = Vec::new();
            let value = chan.lock().take_promised(&mut wakers);
            wakers.into_iter().for_each(Waker::wake);
            Ok(value)
        }

        /// The drop of a receive.
        fn withdraw(self: Box<Self>, chan: &Chan) {
            let mut state = chan.lock();
            let fired = self.fired();
            state.receivers.unlink(&self.node);
            let waker = (fired == Some(Fired::Promised))
                .then(|| state.break_promise())
                .flatten();
            drop(state);
            drop(self);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Receives at two channels: the steps of `Selecting`.
    struct Select {
        op: Op,
        nodes: [Node; 2],
    }

    impl Select {
        /// Step 3 of a round in which nothing was ready.
        fn begin(chans: &[Chan; 2], sleeper: &Arc<Sleeper>) -> Box<Self> {
            let select = Box::new(Self {
                op: Op::new(),
                nodes: [Node::new(), Node::new()],
            });
            chans.iter().for_each(Lock::acquire);
            select.op.begin(Waker::from(sleeper.clone()));
            for (case, (chan, node)) in chans.iter().zip(&select.nodes).enumerate() {
                // SAFETY: (1) the lock is held.
                let state = unsafe { chan.value() };
                assert!(state.try_recv().is_err());
                node.prepare(&select.op, case as u32, std::ptr::null_mut());
                // SAFETY: (1) boxed, and `finish` unlinks.
                unsafe { state.receivers.push(node) };
            }
            for chan in chans {
                // SAFETY: (1) taken above.
                unsafe { chan.release() };
            }
            select
        }

        fn wait(&self, sleeper: &Sleeper) {
            while self.op.fired().is_none() {
                sleeper.bell.wait();
            }
        }

        /// `finish`: with `keep` takes what was fired, else gives it up.
        fn finish(&self, chans: &[Chan; 2], keep: bool) -> Option<u32> {
            let fired = self.op.withdraw();
            let mut wakers = Vec::new();
            let mut value = None;
            for (case, (chan, node)) in chans.iter().zip(&self.nodes).enumerate() {
                let mut state = chan.lock();
                if fired == Some((Fired::Promised, case as u32)) {
                    assert!(!node.is_linked());
                    if keep {
                        value = Some(state.take_promised(&mut wakers));
                    } else {
                        wakers.extend(state.break_promise());
                    }
                } else {
                    state.receivers.unlink(node);
                }
            }
            drop(self.op.reset());
            wakers.into_iter().for_each(Waker::wake);
            value
        }
    }

    #[test]
    fn the_lock_lets_one_in_at_a_time() {
        check(3, || {
            let shared = share(Lock::new(UnsafeCell::new(0)));
            let enter = |lock: &Lock<UnsafeCell<u32>>| {
                // SAFETY: (1) the lock is held; loom watches.
                lock.lock().with_mut(|count| unsafe { *count += 1 });
            };
            let other = thread::spawn({
                let shared = shared.clone();
                move || {
                    enter(&shared.0);
                    enter(&shared.0);
                }
            });
            enter(&shared.0);
            other.join().unwrap();
            // SAFETY: (1) the other has ended.
            assert_eq!(shared.0.lock().with(|count| unsafe { *count }), 3);
        });
    }

    #[test]
    fn a_receive_that_is_dropped_as_its_message_comes_passes_it_on() {
        check(3, || {
            let shared = share(chan(0));
            let chan = &shared.0;
            let sleepers = [Sleeper::new(), Sleeper::new()];
            let (first, second) = (Alone::new(), Alone::new());
            assert!(first.recv(chan, &sleepers[0]).is_none());
            assert!(second.recv(chan, &sleepers[1]).is_none());
            let sender = thread::spawn({
                let shared = shared.clone();
                move || try_send(&shared.0, 7).unwrap()
            });
            first.withdraw(chan);
            let what = second.wait(&sleepers[1]);
            assert_eq!(second.conclude(chan, what), Ok(7));
            sender.join().unwrap();
            assert_eq!(chan.lock().len(), 0);
        });
    }

    #[test]
    fn a_receive_that_is_polled_with_another_waker_is_woken_or_sees_the_message() {
        check(3, || {
            let shared = share((chan(1), UnsafeCell::new(0)));
            let (chan, beside) = &shared.0;
            let receive = Alone::new();
            assert!(receive.recv(chan, &Sleeper::new()).is_none());
            let sender = thread::spawn({
                let shared = shared.clone();
                move || {
                    // SAFETY: (1) loom watches.
                    shared.0.1.with_mut(|beside| unsafe { *beside = 1 });
                    try_send(&shared.0.0, 7).unwrap();
                }
            });
            // Made meanwhile: who fires must not have it before it is left.
            let sleeper = Sleeper::new();
            let what = match receive.rewake(chan, &sleeper) {
                Some(what) => what,
                None => receive.wait(&sleeper),
            };
            assert_eq!(receive.conclude(chan, what), Ok(7));
            // SAFETY: (1) loom watches: what was done before the send is seen after the receive.
            assert_eq!(beside.with(|beside| unsafe { *beside }), 1);
            sender.join().unwrap();
        });
    }

    #[test]
    fn a_select_that_is_polled_with_another_waker_is_woken_or_sees_the_message() {
        check(3, || {
            let shared = share([chan(0), chan(0)]);
            let select = Select::begin(&shared.0, &Sleeper::new());
            let sender = thread::spawn({
                let shared = shared.clone();
                move || try_send(&shared.0[1], 7).unwrap()
            });
            // As above.
            let sleeper = Sleeper::new();
            if select.op.rewake(&Waker::from(sleeper.clone())).is_none() {
                select.wait(&sleeper);
            }
            assert_eq!(select.finish(&shared.0, true), Some(7));
            sender.join().unwrap();
        });
    }

    #[test]
    fn of_two_channels_that_fire_a_select_one_commits() {
        check(3, || {
            let shared = share([chan(0), chan(0)]);
            let sleeper = Sleeper::new();
            let select = Select::begin(&shared.0, &sleeper);
            let sender = thread::spawn({
                let shared = shared.clone();
                move || try_send(&shared.0[1], 1).is_ok()
            });
            let here = try_send(&shared.0[0], 0).is_ok();
            let there = sender.join().unwrap();
            assert!(here != there, "both were sent, or neither");
            select.wait(&sleeper);
            assert_eq!(select.finish(&shared.0, true), Some(u32::from(there)));
            assert!(try_send(&shared.0[0], 2).is_err());
        });
    }

    #[test]
    fn a_select_that_is_dropped_while_two_channels_fire_it_loses_nothing() {
        check(2, || {
            let shared = share([chan(0), chan(0)]);
            let sleeper = Sleeper::new();
            let select = Select::begin(&shared.0, &sleeper);
            let senders = [0, 1].map(|at| {
                let shared = shared.clone();
                thread::spawn(move || try_send(&shared.0[at], at as u32).is_ok())
            });
            assert_eq!(select.finish(&shared.0, false), None);
            let sent = senders.map(|sender| sender.join().unwrap());
            assert!(sent != [true, true]);
            for (at, sent) in sent.into_iter().enumerate() {
                let left = try_recv(&shared.0[at]);
                assert_eq!(left.ok(), sent.then_some(at as u32));
            }
        });
    }

    #[test]
    fn a_close_a_send_that_waits_and_a_receive_agree() {
        check(3, || {
            let shared = share(chan(0));
            let chan = &shared.0;
            let sleeper = Sleeper::new();
            let send = Alone::new();
            assert!(send.send(chan, 7, &sleeper).is_none());
            let closer = thread::spawn({
                let shared = shared.clone();
                move || assert!(close(&shared.0))
            });
            let received = try_recv(chan);
            let what = send.wait(&sleeper);
            drop(send);
            match received {
                Ok(value) => assert_eq!((value, what), (7, Fired::Sent)),
                Err(error) => assert_eq!((error, what), (NotReceived::Closed, Fired::Closed)),
            }
            closer.join().unwrap();
        });
    }

    /// Two wait. The second learns of the end once the first has taken what was sent before it; or gets
    /// it, if the first is dropped.
    fn two_receives_that_wait(first_is_dropped: bool) {
        check(3, move || {
            let shared = share(chan(1));
            let chan = &shared.0;
            let sleepers = [Sleeper::new(), Sleeper::new()];
            let (first, second) = (Alone::new(), Alone::new());
            assert!(first.recv(chan, &sleepers[0]).is_none());
            assert!(second.recv(chan, &sleepers[1]).is_none());
            let closer = thread::spawn({
                let shared = shared.clone();
                move || assert!(close(&shared.0))
            });
            let sent = try_send(chan, 7).is_ok();
            let mut got = Vec::new();
            if first_is_dropped {
                first.withdraw(chan);
            } else {
                let what = first.wait(&sleepers[0]);
                got.extend(first.conclude(chan, what));
            }
            let what = second.wait(&sleepers[1]);
            got.extend(second.conclude(chan, what));
            assert_eq!(got, if sent { vec![7] } else { vec![] });
            closer.join().unwrap();
        });
    }

    #[test]
    fn a_close_a_send_and_receives_that_wait_agree() {
        two_receives_that_wait(false);
    }

    #[test]
    fn a_close_leaves_the_last_message_to_who_waits_behind_a_receive_that_is_dropped() {
        two_receives_that_wait(true);
    }

    /// Op rule 4, for an operation that waits alone: who fires it does all it has to do before the store.
    #[test]
    fn an_owner_goes_only_after_who_fired_it_has_done() {
        check(3, || {
            let shared = share((Lock::new(()), Op::alone(), UnsafeCell::new(0)));
            let (lock, op, slot) = &shared.0;
            let sleeper = Sleeper::new();
            {
                let _guard = lock.lock();
                op.begin(Waker::from(sleeper.clone()));
            }
            let peer = thread::spawn({
                let shared = shared.clone();
                move || {
                    let (lock, op, slot) = &shared.0;
                    let guard = lock.lock();
                    // SAFETY: (1) loom watches.
                    let take = || assert_eq!(slot.with(|slot| unsafe { *slot }), 0);
                    let waker = op.fire(Fired::Sent, 0, take).expect("nobody else fires");
                    drop(guard);
                    waker.into_iter().for_each(Waker::wake);
                }
            });
            while op.fired().is_none() {
                sleeper.bell.wait();
            }
            // The owner goes, and another is in its place.
            // SAFETY: (1) loom watches.
            slot.with_mut(|slot| unsafe { *slot = 1 });
            peer.join().unwrap();
        });
    }

    /// Op rule 4, for a select: its owner passes through the lock.
    #[test]
    fn the_owner_of_a_select_goes_only_after_who_fired_it_has_done() {
        check(3, || {
            let shared = share((Lock::new(()), Op::new(), UnsafeCell::new(0)));
            let (lock, op, slot) = &shared.0;
            let sleepers = [Sleeper::new(), Sleeper::new()];
            {
                let _guard = lock.lock();
                op.begin(Waker::from(sleepers[0].clone()));
            }
            let peer = thread::spawn({
                let shared = shared.clone();
                move || {
                    let (lock, op, slot) = &shared.0;
                    let guard = lock.lock();
                    // SAFETY: (1) loom watches.
                    let take = || assert_eq!(slot.with(|slot| unsafe { *slot }), 0);
                    let waker = op.fire(Fired::Sent, 0, take).expect("nobody else fires");
                    // It takes the waker after the exchange, under the lock.
                    // SAFETY: (1) loom watches.
                    slot.with(|slot| assert_eq!(unsafe { *slot }, 0));
                    drop(guard);
                    waker.into_iter().for_each(Waker::wake);
                }
            });
            if op.rewake(&Waker::from(sleepers[1].clone())).is_none() {
                while op.fired().is_none() {
                    sleepers[1].bell.wait();
                }
            }
            assert!(op.withdraw().is_some());
            drop(lock.lock());
            // SAFETY: (1) loom watches.
            slot.with_mut(|slot| unsafe { *slot = 1 });
            drop(op.reset());
            peer.join().unwrap();
        });
    }
}
