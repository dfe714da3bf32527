//! Cases that are no operations on channels: any other future, and a case that is switched off.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::super::lock::{Everywhere, RawLock};
use super::super::op::{Fired, Op};
use super::case::{Case, TakeOutput};

/// Any other future. It is polled only while nothing waits in a channel for this select, so that never
/// both it and a channel's case are done.
pub struct FutureCase<F: Future> {
    future: F,
    output: Option<F::Output>,
}

impl<F: Future> FutureCase<F> {
    pub(in super::super) fn new(future: F) -> Self {
        Self {
            future,
            output: None,
        }
    }
}

impl<F: Future> TakeOutput for FutureCase<F> {
    type Output = F::Output;

    fn take_output(self: Pin<&mut Self>) -> F::Output {
        // SAFETY: (1) the output is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        this.output
            .take()
            .expect("the case that was chosen has an output")
    }
}

// SAFETY: (1) it has no lock and no node.
unsafe impl<F: Future> Case for FutureCase<F> {
    fn lock(&self) -> Option<&RawLock> {
        None
    }

    fn is_future(&self) -> bool {
        true
    }

    fn is_plainly_unready(&self, _: &Everywhere) -> bool {
        false // only its poll tells
    }

    unsafe fn try_commit(self: Pin<&mut Self>, _: &mut Vec<Waker>) -> bool {
        false
    }

    unsafe fn enqueue(self: Pin<&mut Self>, _: *const Op, _: u32, _: &mut Vec<Waker>) {}

    fn conclude(self: Pin<&mut Self>, _: Fired, _: bool, _: &mut Vec<Waker>) {
        unreachable!("nobody fires a future")
    }

    fn unlink(self: Pin<&mut Self>) {}

    unsafe fn try_alone(self: Pin<&mut Self>, cx: &mut Context<'_>, _: &mut Vec<Waker>) -> bool {
        // SAFETY: (1) the future is pinned with us, and not moved.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: (1) as above.
        match unsafe { Pin::new_unchecked(&mut this.future) }.poll(cx) {
            Poll::Ready(value) => {
                this.output = Some(value);
                true
            }
            Poll::Pending => false,
        }
    }

    fn output_slot(self: Pin<&mut Self>) -> *mut () {
        // SAFETY: (1) the output is not pinned.
        (&raw mut unsafe { self.get_unchecked_mut() }.output).cast()
    }
}

/// A case that may be off, for its condition is false or its pattern did not match: then it is never ready.
impl<C: TakeOutput> TakeOutput for Option<C> {
    type Output = C::Output;

    fn take_output(self: Pin<&mut Self>) -> C::Output {
        self.as_pin_mut()
            .expect("a case that is off is not chosen")
            .take_output()
    }
}

// SAFETY: as for the case within; None has no lock and no node.
unsafe impl<C: Case> Case for Option<C> {
    fn lock(&self) -> Option<&RawLock> {
        self.as_ref().and_then(C::lock)
    }

    fn is_future(&self) -> bool {
        self.as_ref().is_some_and(C::is_future)
    }

    fn is_plainly_unready(&self, everywhere: &Everywhere) -> bool {
        let is_unready = |case: &C| case.is_plainly_unready(everywhere);
        self.as_ref().is_none_or(is_unready)
    }

    unsafe fn try_commit(self: Pin<&mut Self>, wakers: &mut Vec<Waker>) -> bool {
        // SAFETY: the caller's promise.
        self.as_pin_mut()
            .is_some_and(|case| unsafe { case.try_commit(wakers) })
    }

    unsafe fn enqueue(self: Pin<&mut Self>, op: *const Op, case: u32, wakers: &mut Vec<Waker>) {
        if let Some(inner) = self.as_pin_mut() {
            // SAFETY: the caller's promise.
            unsafe { inner.enqueue(op, case, wakers) };
        }
    }

    fn conclude(self: Pin<&mut Self>, what: Fired, keep: bool, wakers: &mut Vec<Waker>) {
        if let Some(case) = self.as_pin_mut() {
            case.conclude(what, keep, wakers);
        }
    }

    fn unlink(self: Pin<&mut Self>) {
        if let Some(case) = self.as_pin_mut() {
            case.unlink();
        }
    }

    unsafe fn try_alone(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        // SAFETY: the caller's promise.
        self.as_pin_mut()
            .is_some_and(|case| unsafe { case.try_alone(cx, wakers) })
    }

    fn output_slot(self: Pin<&mut Self>) -> *mut () {
        self.as_pin_mut()
            .map_or(std::ptr::null_mut(), C::output_slot)
    }
}

impl<F: Future> fmt::Debug for FutureCase<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureCase").finish_non_exhaustive()
    }
}
