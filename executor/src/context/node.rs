//! A node of the tree: what is cancelled as one.
//!
//! ```text
//!   Context, Cancel, AfterFunc, children
//!          │ strong                            ┌── timer (deadline.rs)
//!          ▼            strong                 │
//!        Node ──────── link.parent ──▶ Node ───┴── roll: Child(weak), Waiter, Func
//!          ▲                            │
//!          └────────── weak ────────────┘
//! ```
//!
//! # Invariants
//!
//! 1. References go up only: whoever holds a node holds all that could end it. So a node that nobody
//!    holds is freed, and takes itself off its parent's roll.
//! 2. `link.place` is set once, by the maker of the node, before anybody else sees the node but by the
//!    weak reference on the roll; it is read when the node is freed.
//! 3. A node that has ended has no parent whose end it has not heard of; it stays linked until it is freed.
//!
//! The *child against cancel* race is the roll's "add against end": a node that comes too late for the
//! roll is ended by its maker, with the parent's reason, before anybody has it.
//!
//! | | written by | read by |
//! |---|---|---|
//! | `roll` | anyone | anyone |
//! | `link` | its maker | its maker; the last who holds the node |
//! | `timer` | its maker; who ends the node; its bell | the same, under its lock |
//!
//! Trees may be deep: ending and freeing go by loops and not by recursion.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::Waker,
};

use super::{
    deadline::Timer,
    error::Reason,
    roll::{Place, Roll},
};
use crate::{quietly::quietly, time::Instant};

/// What is on a node's roll.
pub(super) enum Member {
    Child(Weak<Node>),
    Waiter(Waker),
    Func(Box<dyn FnOnce() + Send>),
}

struct Link {
    parent: Arc<Node>,
    place: OnceLock<Place>,
}

pub(super) struct Node {
    roll: Roll<Reason, Member>,
    link: Option<Link>,
    /// The earliest of its own and its ancestors'.
    pub(super) deadline: Option<Instant>,
    pub(super) timer: Option<Timer>,
}

// No code of a user runs while a change is half made, so a panic of that leaves it whole.
impl std::panic::RefUnwindSafe for Node {}

/// A number that differs between threads.
fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    LANE.with(|lane| *lane)
}

impl Node {
    /// A node below `parent`. If that is done, so is the node.
    pub(super) fn new(
        parent: Option<&Arc<Self>>,
        deadline: Option<Instant>,
        timer: Option<Timer>,
    ) -> Arc<Self> {
        let node = Arc::new(Self {
            roll: Roll::new(),
            link: parent.map(|parent| Link {
                parent: parent.clone(),
                place: OnceLock::new(),
            }),
            deadline,
            timer,
        });
        if let Some(link) = &node.link {
            match link.parent.add(Member::Child(Arc::downgrade(&node))) {
                Ok(place) => {
                    let fresh = link.place.set(place);
                    debug_assert!(fresh.is_ok(), "only its maker files a node");
                }
                Err(_) => {
                    if let Some(reason) = link.parent.reason() {
                        node.end(reason.clone());
                    }
                }
            }
        }
        node
    }

    #[inline]
    pub(super) fn reason(&self) -> Option<&Reason> {
        self.roll.ended()
    }

    pub(super) fn add(&self, member: Member) -> Result<Place, Member> {
        self.roll.add(lane(), member)
    }

    /// See [`Roll::remove`].
    pub(super) fn remove(&self, place: Place) -> Option<Member> {
        self.roll.remove(place)
    }

    /// See [`Roll::exchange`].
    pub(super) fn exchange(&self, place: Place, member: Member) -> Result<Member, Member> {
        self.roll.exchange(place, member)
    }

    pub(super) fn members(&self) -> usize {
        self.roll.len()
    }

    /// Ends the node and all below it; of several ends the first counts.
    pub(super) fn end(self: &Arc<Self>, reason: Reason) {
        let mut below = Vec::new();
        self.end_alone(reason.clone(), &mut below);
        while let Some(child) = below.pop() {
            child.end_alone(reason.clone(), &mut below);
        }
    }

    /// Ends the node, and leaves its children, which must be ended, in `below`.
    fn end_alone(&self, reason: Reason, below: &mut Vec<Arc<Self>>) {
        let ended = self.roll.end(reason, |member| match member {
            Member::Child(child) => below.extend(child.upgrade()),
            Member::Waiter(waker) => quietly(|| waker.wake()),
            Member::Func(func) => quietly(func),
        });
        if ended {
            if let Some(timer) = &self.timer {
                timer.stop();
            }
        }
    }

    /// Takes the node, which nobody else holds, off its parent's roll; returns the parent.
    fn leave(&mut self) -> Option<Arc<Self>> {
        let Link { parent, place } = self.link.take()?;
        if let Some(place) = place.get() {
            drop(parent.remove(*place));
        }
        Some(parent)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut above = self.leave();
        while let Some(mut parent) = above.and_then(Arc::into_inner) {
            above = parent.leave();
        }
    }
}
