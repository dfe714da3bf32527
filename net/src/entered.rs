//! What a thread has entered: a list whose members leave in any order.
//!
//! Of the members that live the most recent rules. A member is a node that lies where its guard lies,
//! in a frame or in a box, so to enter costs no allocation of its own; the list begins in a
//! thread-local without a destructor, so it may be used in destructors of other thread-locals.
//!
//! For executors: what they enter together with a [`Reactor`](crate::Reactor) can follow the same rule.
//!
//! # Invariants
//! 1. A node in a list is pinned, so it is there until it is dropped, and its drop takes it out.
//! 2. A list and its nodes belong to one thread: nodes are not `Send`.
//! 3. What a node holds is an `Arc`: to clone it runs no code of a user, who could drop the node.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::thread::LocalKey;

/// Where the list of a thread begins; to be put into a `thread_local!` with a `const` initialiser.
#[derive(Debug)]
pub struct Head<T: 'static>(Cell<*const Node<T>>);

impl<T> Head<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    /// Forgets all members; they may be dropped later.
    pub fn clear(&self) {
        self.0.set(ptr::null());
    }

    /// What was entered last and not left since.
    pub fn top(&self) -> Option<Arc<T>> {
        // SAFETY: (1) invariant 1: what is in the list lives.
        unsafe { self.0.get().as_ref() }.map(|node| node.value.clone())
    }
}

impl<T> Default for Head<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A member of a list, or one that has not entered yet.
#[derive(Debug)]
pub struct Node<T: 'static> {
    value: Arc<T>,
    list: &'static LocalKey<Head<T>>,
    /// The member that entered before; null if there is none, and outside the list.
    below: Cell<*const Self>,
    entered: Cell<bool>,
    _pinned: PhantomPinned,
}

impl<T> Node<T> {
    /// A node outside its list.
    pub const fn new(list: &'static LocalKey<Head<T>>, value: Arc<T>) -> Self {
        Self {
            value,
            list,
            below: Cell::new(ptr::null()),
            entered: Cell::new(false),
            _pinned: PhantomPinned,
        }
    }

    /// Makes it the most recent member, until it is dropped. Repeating it does nothing.
    pub fn enter(self: Pin<&Self>) {
        if !self.entered.replace(true) {
            let node = ptr::from_ref(self.get_ref());
            self.list.with(|list| self.below.set(list.0.replace(node)));
        }
    }

    /// What it holds.
    pub const fn value(&self) -> &Arc<T> {
        &self.value
    }

    /// Takes it out of the list, wherever it is in it, ahead of its drop.
    pub fn leave(&self) {
        if self.entered.replace(false) {
            self.list.with(|list| {
                let mut link = &list.0;
                while !ptr::eq(link.get(), self) {
                    // SAFETY: (1) invariant 1: what is in the list lives.
                    match unsafe { link.get().as_ref() } {
                        Some(node) => link = &node.below,
                        // The list was cleared.
                        None => return,
                    }
                }
                link.set(self.below.replace(ptr::null()));
            });
        }
    }
}

impl<T> Drop for Node<T> {
    fn drop(&mut self) {
        self.leave();
    }
}
