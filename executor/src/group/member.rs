//! What a group spawns: the user's future or closure, and the guard that tells its end.
//!
//! The future is dropped before the guard tells, whichever way it ends: so who has waited for a group
//! knows that nothing of its futures is left.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::shared::{Guard, Outcome, Payload};
use crate::{big::clear, quietly::quietly};

pin_project! {
    pub(super) struct Member<F, E> {
        // None once it is over. Before `guard`, for fields are dropped in their order.
        #[pin]
        future: Option<F>,
        guard: Option<Guard<E>>,
    }
}

impl<F, E> Member<F, E> {
    pub(super) fn new(future: F, guard: Guard<E>) -> Self {
        Self {
            future: Some(future),
            guard: Some(guard),
        }
    }
}

impl<F: Future<Output = Result<(), E>>, E> Future for Member<F, E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return Poll::Ready(Ok(()));
            };
            let polled = future.poll(cx);
            if polled.is_ready() {
                clear(this.future.as_mut());
            }
            polled
        }));
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => outcome(Ok(result)),
            Err(payload) => {
                quietly(|| clear(this.future.as_mut()));
                outcome(Err(payload))
            }
        };
        if let Some(guard) = this.guard.take() {
            guard.end(outcome);
        }
        Poll::Ready(())
    }
}

/// Runs a member that is a closure.
pub(super) fn run_blocking<E>(f: impl FnOnce() -> Result<(), E>, guard: Guard<E>) {
    guard.end(outcome(catch_unwind(AssertUnwindSafe(f))));
}

fn outcome<E>(result: Result<Result<(), E>, Payload>) -> Outcome<E> {
    match result {
        Ok(Ok(())) => Outcome::Done,
        Ok(Err(error)) => Outcome::Failed(error),
        Err(payload) => Outcome::Panicked(payload),
    }
}
