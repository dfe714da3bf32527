//! [`AfterFunc`]: a function that runs once its context is done.
//!
//! It is an item on the roll of the context's node. *Stop against end*: both take the item out of its
//! list, and the lock gives it to one of them.

use std::{fmt, future::Future, panic::Location, sync::Arc};

use super::{
    Context,
    node::{Member, Node},
    roll::Place,
};
use crate::{
    runtime::{Handle, default_runtime},
    sched,
};

/// A function that was registered by [`Context::after_func`].
///
/// It keeps what can end the context alive, as a [`Context`] does. Dropping it does not stop the function.
#[must_use = "it keeps the function alive: without it, and without the context, it never runs"]
pub struct AfterFunc {
    node: Option<Arc<Node>>,
    /// `None` if the context was done already, or never will be.
    place: Option<Place>,
}

impl AfterFunc {
    /// Keeps the function from running. True if this call did; false if the context is done, so that
    /// the function was started, and may have ended.
    ///
    /// It does not wait for a function that runs.
    pub fn stop(self) -> bool {
        let Some(node) = &self.node else {
            return true;
        };
        self.place.and_then(|place| node.remove(place)).is_some()
    }
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterFunc").finish_non_exhaustive()
    }
}

pub(super) fn register<F, R>(
    context: &Context,
    f: F,
    location: &'static Location<'static>,
) -> AfterFunc
where
    F: FnOnce() -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let node = context.node_arc().cloned();
    let Some(node) = node else {
        return AfterFunc { node, place: None };
    };
    let home = Handle::try_current().ok();
    let start = move || {
        let future = async move { f().await };
        // The task is detached; a panic of it has been reported by the panic hook.
        drop(match home {
            Some(home) => sched::spawn(home.sched(), future, location),
            None => sched::spawn(default_runtime().sched(), future, location),
        });
    };
    let place = match node.add(Member::Func(Box::new(start))) {
        Ok(place) => Some(place),
        Err(Member::Func(start)) => {
            start();
            None
        }
        Err(Member::Child(_) | Member::Waiter(_)) => {
            unreachable!("the roll gives back what it got")
        }
    };
    AfterFunc {
        node: Some(node),
        place,
    }
}
