//! From what is written in an arm of `select!` to a case: an operation on a channel is one, and any other
//! future becomes one.
//!
//! The macro calls `Probe(expression).into_case()`. For the operations of channels that is a method of
//! the type itself, which goes before that of a trait; for all else it is [`FutureProbe`]'s. What it gives
//! becomes the case by [`Seed::grow`], in the place where that stays.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;

use super::super::core::{Chan, Reach};
use super::super::receiver::Receiver;
use super::super::recv::Recv;
use super::super::reserve::Reserve;
use super::super::send::{Send, SendOpt};
use super::case::{Case, RecvCase, ReserveCase, SendCase, SendOptCase, TakeOutput};
use super::other::FutureCase;

/// See the module.
#[derive(Debug)]
pub struct Probe<T>(pub T);

const BEGUN: &str = "an operation that was polled before was given to select! by value; give a pinned \
                     reference to it";

impl<'a, T> Probe<Recv<'a, T>> {
    /// The case of a receive.
    #[inline]
    pub fn into_case(self) -> RecvSeed<T, &'a Chan<T>> {
        let (chan, waiter) = self.0.parts();
        assert!(waiter.is_idle(), "{BEGUN}");
        RecvSeed(chan, PhantomData)
    }
}

impl<T> Probe<Receiver<T>> {
    /// The case of a receive from a channel of one's own, such as a timer's.
    pub fn into_case(self) -> RecvSeed<T, Receiver<T>> {
        RecvSeed(self.0, PhantomData)
    }
}

impl<'a, T> Probe<Send<'a, T>> {
    /// The case of a send.
    #[inline]
    pub fn into_case(mut self) -> SendSeed<'a, T> {
        let value = self.0.take_fresh();
        SendSeed(self.0.reach(), value.expect(BEGUN))
    }
}

impl<'a, T> Probe<SendOpt<'a, T>> {
    /// The case of a send that leaves its value with the caller.
    pub fn into_case(self) -> SendOptCase<'a, T> {
        let (chan, source) = self.0.into_parts().expect(BEGUN);
        SendOptCase::new(chan, source)
    }
}

impl<'a, T> Probe<Reserve<'a, T>> {
    /// The case of a reservation.
    pub fn into_case(self) -> ReserveSeed<'a, T> {
        let (chan, waiter) = self.0.parts();
        assert!(waiter.is_idle(), "{BEGUN}");
        ReserveSeed(chan)
    }
}

/// A receive that becomes a case where that is to lie. The case itself, with the room for its node and its
/// message, would be moved there: a load of what was just stored, in other pieces, for which the processor
/// waits.
#[derive(Debug)]
pub struct RecvSeed<T, R>(R, PhantomData<fn() -> T>);

/// The same for a send.
#[derive(Debug)]
pub struct SendSeed<'a, T>(&'a Chan<T>, T);

/// The same for a reservation.
#[derive(Debug)]
pub struct ReserveSeed<'a, T>(&'a Chan<T>);

/// What becomes a case.
pub trait Seed {
    /// The case.
    type Case: Case + TakeOutput;

    /// The case, to be pinned where it is made.
    fn grow(self) -> Self::Case;
}

impl<T, R: Reach<T>> Seed for RecvSeed<T, R> {
    type Case = RecvCase<T, R>;

    #[inline]
    fn grow(self) -> Self::Case {
        RecvCase::new(self.0)
    }
}

impl<'a, T> Seed for SendSeed<'a, T> {
    type Case = SendCase<'a, T>;

    #[inline]
    fn grow(self) -> Self::Case {
        SendCase::new(self.0, self.1)
    }
}

impl<'a, T> Seed for ReserveSeed<'a, T> {
    type Case = ReserveCase<'a, T>;

    #[inline]
    fn grow(self) -> Self::Case {
        ReserveCase::new(self.0)
    }
}

impl<S: Seed> Seed for Option<S> {
    type Case = Option<S::Case>;

    #[inline]
    fn grow(self) -> Self::Case {
        self.map(S::grow)
    }
}

/// Made at once, for its value has left the caller.
impl<T> Seed for SendOptCase<'_, T> {
    type Case = Self;

    #[inline]
    fn grow(self) -> Self {
        self
    }
}

impl<F: Future> Seed for FutureCase<F> {
    type Case = Self;

    #[inline]
    fn grow(self) -> Self {
        self
    }
}

/// See the module.
pub trait FutureProbe {
    /// The future.
    type Future: Future;

    /// The case of a future.
    fn into_case(self) -> FutureCase<Self::Future>;
}

impl<F: IntoFuture> FutureProbe for Probe<F> {
    type Future = F::IntoFuture;

    #[inline]
    fn into_case(self) -> FutureCase<F::IntoFuture> {
        FutureCase::new(self.0.into_future())
    }
}

/// Stands for the type of `cases`.
pub fn sample<S>(_cases: &S) -> PhantomData<S> {
    PhantomData
}
