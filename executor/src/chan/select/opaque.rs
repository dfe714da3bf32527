//! What a case says of itself for debugging: its name.

use std::fmt;
use std::future::Future;

use super::super::core::Reach;
use super::case::{FutureCase, RecvCase, ReserveCase, SendCase, SendOptCase};

macro_rules! opaque_debug {
    ($(<$($parameter:tt),*> $case:ty, $name:literal;)*) => {
        $(impl<$($parameter),*> fmt::Debug for $case {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name).finish_non_exhaustive()
            }
        })*
    };
}

opaque_debug! {
    <T> SendCase<'_, T>, "SendCase";
    <T> SendOptCase<'_, T>, "SendOptCase";
    <T> ReserveCase<'_, T>, "ReserveCase";
}

impl<T, R: Reach<T>> fmt::Debug for RecvCase<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvCase").finish_non_exhaustive()
    }
}

impl<F: Future> fmt::Debug for FutureCase<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureCase").finish_non_exhaustive()
    }
}
