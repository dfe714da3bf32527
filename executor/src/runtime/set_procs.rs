//! Changing the number of processors.

use std::error::Error;
use std::fmt;

use super::{Flavor, Handle, env};
use crate::sched::idle::MAX_PROCS;

impl Handle {
    /// Changes how many processors the runtime has, that is how many tasks may be polled at the same
    /// time, and returns how many it had: Go's `GOMAXPROCS(n)`.
    ///
    /// Nothing stops for it. New processors take part at once. One that is given up finishes the poll it
    /// is in; what waits in its queue goes to the others.
    ///
    /// # Errors
    ///
    /// Fails if `procs` is 0 or more than 1,024, and if it is not 1 on the current-thread flavour.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gopark::runtime::Builder::new_multi_thread().procs(2).build()?;
    /// assert_eq!(runtime.handle().set_procs(8)?, 2);
    /// assert_eq!(runtime.handle().metrics().procs, 8);
    /// let error = runtime.handle().set_procs(0).unwrap_err();
    /// assert_eq!(error.to_string(), "set_procs(0): expected a number of processors from 1 to 1024");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_procs(&self, procs: usize) -> Result<usize, SetProcsError> {
        if env::check(Some(procs)).is_none() {
            return Err(SetProcsError(procs, Reason::OutOfRange));
        }
        if self.flavor() == Flavor::CurrentThread && procs != 1 {
            return Err(SetProcsError(procs, Reason::CurrentThread));
        }
        Ok(self.sched().set_procs(procs))
    }
}

/// The error of [`Handle::set_procs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetProcsError(usize, Reason);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    OutOfRange,
    CurrentThread,
}

impl fmt::Display for SetProcsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(procs, reason) = self;
        match reason {
            Reason::OutOfRange => write!(
                f,
                "set_procs({procs}): expected a number of processors from 1 to {MAX_PROCS}"
            ),
            Reason::CurrentThread => write!(
                f,
                "set_procs({procs}) on the current-thread flavour, which has exactly 1 processor"
            ),
        }
    }
}

impl Error for SetProcsError {}
