//! Opting out of the cooperation budget.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use gopark_net::note;
use pin_project_lite::pin_project;

pin_project! {
    /// The future of [`unconstrained`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Unconstrained<F> {
        #[pin]
        inner: F,
    }
}

/// Polls a future without the budget that otherwise makes a task yield after 128 operations of
/// channels, sockets, timers and join handles that were all ready at once.
///
/// Other tasks wait as long as this one finds something ready.
///
/// # Cancel safety
///
/// That of the inner future.
///
/// # Examples
///
/// ```
/// gopark::block_on(async {
///     assert_eq!(gopark::task::unconstrained(async { 1 }).await, 1);
/// });
/// ```
pub fn unconstrained<F>(inner: F) -> Unconstrained<F> {
    Unconstrained { inner }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        /// Gives the outer future its budget back, also when the inner one panics.
        struct Restore(u8);
        impl Drop for Restore {
            fn drop(&mut self) {
                note::set_budget(self.0);
            }
        }
        let _restore = Restore(note::budget());
        note::set_budget(note::UNLIMITED);
        self.project().inner.poll(cx)
    }
}
