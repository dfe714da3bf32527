//! The one way in which everything in `fs` blocks: ask the budget, then one `block` section.
//!
//! The unit of the budget is spent before the section and not after it. A section never ends in
//! "not yet", so there is nothing to give back.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use gopark_net::note;

use crate::task::block;

/// Runs `op` in a block section, in the first poll for which there is budget.
///
/// Not an `async fn`: its state would hold `op` twice.
#[inline]
pub(super) fn section<F, R>(op: F) -> Section<F>
where
    F: FnOnce() -> R,
{
    Section(Some(op))
}

/// The future of [`section`].
pub(super) struct Section<F>(Option<F>);

// Nothing is pinned: `op` is moved out and called.
impl<F> Unpin for Section<F> {}

impl<F, R> Future for Section<F>
where
    F: FnOnce() -> R,
{
    type Output = R;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        poll_section(cx, || {
            let op = self.0.take();
            op.expect("a file operation was polled after it had completed")()
        })
    }
}

/// As [`section`], for poll functions.
#[inline]
pub(super) fn poll_section<R>(cx: &mut Context<'_>, op: impl FnOnce() -> R) -> Poll<R> {
    ready!(note::poll_proceed(cx)).made_progress();
    Poll::Ready(block(op))
}

/// Repeats `op` for as long as a signal interrupts it.
///
/// Rust programs have no use for that error; a caller that wants to stop on a signal waits for the
/// signal.
#[inline]
pub(super) fn uninterrupted<R>(mut op: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use super::*;

    struct Woken;

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_section_waits_for_budget_and_charges_it_once() {
        let runs = Cell::new(0);
        // One that wakes nobody is never refused.
        let waker = Waker::from(Arc::new(Woken));
        let mut cx = Context::from_waker(&waker);
        let mut future = section(|| runs.set(runs.get() + 1));

        note::begin_poll(0);
        assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
        assert_eq!(note::wait_reason(), note::WaitReason::Yield);
        assert_eq!(runs.get(), 0, "nothing happens without budget");

        note::begin_poll(5);
        assert!(Pin::new(&mut future).poll(&mut cx).is_ready());
        assert_eq!((runs.get(), note::budget()), (1, 4));
        note::begin_poll(note::UNLIMITED);
    }

    #[test]
    fn interruptions_are_repeated_and_other_errors_are_not() {
        use io::ErrorKind::{Interrupted, NotFound};

        let mut outcomes = [Err(Interrupted), Err(Interrupted), Ok(7)].into_iter();
        let mut next = || outcomes.next().unwrap().map_err(io::Error::from);
        assert_eq!(uninterrupted(&mut next).unwrap(), 7);

        let mut outcomes = [Err::<(), _>(NotFound), Ok(())].into_iter();
        let mut next = || outcomes.next().unwrap().map_err(io::Error::from);
        assert_eq!(uninterrupted(&mut next).unwrap_err().kind(), NotFound);
    }
}
