//! What the futures around a channel do, step by step: `Alone` is `Waiter` of `chan/core.rs` with the polls of
//! `chan/recv.rs` and `chan/send.rs`; `Select` is `Selecting` of `chan/select/engine.rs`.

use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::cell::UnsafeCell;
use loom::sync::Notify;

use super::lock::{Lock, PLACES};
use super::op::{Fired, Node, Op};
use super::state::{NotReceived, NotSent, State};

pub(super) type Chan = Lock<State<u32>>;

pub(super) fn chan(capacity: usize) -> Chan {
    Lock::new(State::new(capacity))
}

/// Shared by the threads of a model, which join before it goes.
pub(super) struct Shared<T>(pub(super) T);

// SAFETY: (1) what the models share is what the protocol says may be shared.
unsafe impl<T> Sync for Shared<T> {}
// SAFETY: as for Sync.
unsafe impl<T> Send for Shared<T> {}

pub(super) fn share<T: 'static>(value: T) -> Arc<Shared<T>> {
    Arc::new(Shared(value))
}

/// What a waker wakes. Its cell is written when the waker is made and read when it wakes, so loom fails
/// if the one is not ordered before the other.
pub(super) struct Sleeper {
    made: UnsafeCell<u32>,
    pub(super) bell: Notify,
}

// SAFETY: (1) loom watches the cell.
unsafe impl Sync for Sleeper {}
// SAFETY: as for Sync.
unsafe impl Send for Sleeper {}

impl Sleeper {
    pub(super) fn new() -> Arc<Self> {
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

pub(super) fn try_send(chan: &Chan, value: u32) -> Result<(), NotSent<u32>> {
    let sent = chan.lock().try_send(value);
    sent.map(|waker| waker.into_iter().for_each(Waker::wake))
}

pub(super) fn try_recv(chan: &Chan) -> Result<u32, NotReceived> {
    let received = chan.lock().try_recv();
    received.map(|(value, waker)| {
        waker.into_iter().for_each(Waker::wake);
        value
    })
}

pub(super) fn close(chan: &Chan) -> bool {
    let mut wakers = Vec::new();
    let closes = chan.lock().close(&mut wakers);
    wakers.into_iter().for_each(Waker::wake);
    closes
}

/// Permits that are dropped.
pub(super) fn give_back(chan: &Chan, places: usize) {
    let mut wakers = Vec::new();
    chan.lock().unreserve_many(places, &mut wakers);
    wakers.into_iter().for_each(Waker::wake);
}

/// An operation at one channel: `Waiter` of `chan/core.rs`.
pub(super) struct Alone {
    op: Op,
    node: Node,
    slot: std::cell::UnsafeCell<u32>,
}

impl Alone {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            op: Op::alone(),
            node: Node::new(),
            slot: std::cell::UnsafeCell::new(0),
        })
    }

    /// The first poll of a receive. None: it waits.
    pub(super) fn recv(&self, chan: &Chan, sleeper: &Arc<Sleeper>) -> Option<Result<u32, ()>> {
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
    pub(super) fn send(
        &self,
        chan: &Chan,
        value: u32,
        sleeper: &Arc<Sleeper>,
    ) -> Option<Result<(), ()>> {
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

    /// The first poll of a reservation of `count` places. None: it waits.
    pub(super) fn reserve(
        &self,
        chan: &Chan,
        count: usize,
        sleeper: &Arc<Sleeper>,
    ) -> Option<Result<(), ()>> {
        let mut state = chan.lock();
        match state.try_reserve(count) {
            Ok(()) => return Some(Ok(())),
            Err(NotReceived::Closed) => return Some(Err(())),
            Err(NotReceived::Empty) => {}
        }
        self.node.prepare(&self.op, 0, std::ptr::null_mut());
        self.node.set_places(count);
        self.op.begin(Waker::from(sleeper.clone()));
        // SAFETY: as in `recv`.
        unsafe { state.wait_for_places(&self.node) };
        None
    }

    /// The drop of a reservation of `count` places.
    pub(super) fn withdraw_places(self: Box<Self>, chan: &Chan, count: usize) {
        let mut wakers = Vec::new();
        let mut state = chan.lock();
        match self.fired() {
            None => state.withdraw_reservation(&self.node, &mut wakers),
            Some(Fired::Granted) => state.unreserve_many(count, &mut wakers),
            Some(_) => {}
        }
        drop(state);
        drop(self);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// `Waiter::rewake`.
    pub(super) fn rewake(&self, chan: &Chan, sleeper: &Arc<Sleeper>) -> Option<Fired> {
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

    pub(super) fn fired(&self) -> Option<Fired> {
        self.op.fired().map(|(what, _)| what)
    }

    /// Sleeps until it is fired.
    pub(super) fn wait(&self, sleeper: &Sleeper) -> Fired {
        loop {
            if let Some(what) = self.fired() {
                return what;
            }
            sleeper.bell.wait();
        }
    }

    /// `conclude` of `chan/recv.rs`.
    pub(super) fn conclude(self: Box<Self>, chan: &Chan, what: Fired) -> Result<u32, ()> {
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
    pub(super) fn withdraw(self: Box<Self>, chan: &Chan) {
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
pub(super) struct Select {
    pub(super) op: Op,
    nodes: [Node; 2],
}

impl Select {
    /// Step 3 of a round in which nothing was ready.
    pub(super) fn begin(chans: &[Chan; 2], sleeper: &Arc<Sleeper>) -> Box<Self> {
        let select = Box::new(Self {
            op: Op::new(),
            nodes: [Node::new(), Node::new()],
        });
        // Beyond the places: by the exchange.
        let entries = [
            chans[0].raw().acquire(PLACES),
            chans[1].raw().acquire(PLACES),
        ];
        select.op.begin(Waker::from(sleeper.clone()));
        for (case, (chan, node)) in chans.iter().zip(&select.nodes).enumerate() {
            // SAFETY: (1) the lock is held.
            let state = unsafe { chan.value() };
            assert!(state.try_recv().is_err());
            node.prepare(&select.op, case as u32, std::ptr::null_mut());
            // SAFETY: (1) boxed, and `finish` unlinks.
            unsafe { state.receivers.push(node) };
        }
        for (chan, entry) in chans.iter().zip(entries) {
            // SAFETY: (1) taken above.
            unsafe { chan.raw().release(entry) };
        }
        select
    }

    pub(super) fn wait(&self, sleeper: &Sleeper) {
        while self.op.fired().is_none() {
            sleeper.bell.wait();
        }
    }

    /// `finish`: with `keep` takes what was fired, else gives it up.
    pub(super) fn finish(&self, chans: &[Chan; 2], keep: bool) -> Option<u32> {
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
