//! [`Cancel`] and [`DropGuard`]: the handles that cancel.

use std::{error::Error, fmt, sync::Arc};

use super::{
    error::{ContextError, Reason},
    node::Node,
};

/// Cancels the context that it was made with, and all that descend from it.
///
/// It may be cloned, sent and called from any thread. **Dropping it does not cancel**: a context whose
/// handles are all gone ends with its parents or at its deadline, or not at all. To cancel at the end of
/// a scope turn it into a [`drop_guard`](Self::drop_guard).
///
/// # Examples
///
/// ```
/// use gopark::context::{Context, ContextError};
///
/// let (context, cancel) = Context::background().with_cancel();
/// cancel.cancel_with("the user has left");
/// cancel.cancel(); // too late to change anything
/// assert_eq!(context.err(), Some(ContextError::Cancelled));
/// assert_eq!(context.cause().unwrap().to_string(), "the user has left");
/// ```
#[derive(Clone)]
pub struct Cancel {
    node: Arc<Node>,
}

impl Cancel {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// Cancels. The first call counts, and so does an end that came before it.
    ///
    /// When it returns, the context is done. What descends from it, and who waits, is told by whoever
    /// was first: by this call, unless another one is at it. Wakers run on this thread; a panic of
    /// one of them is caught.
    pub fn cancel(&self) {
        self.end(None);
    }

    /// Cancels, and says why: any error, or a string. See [`Context::cause`](super::Context::cause).
    pub fn cancel_with(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        self.end(Some(cause.into()));
    }

    fn end(&self, cause: Option<Box<dyn Error + Send + Sync>>) {
        self.node.end(Reason {
            error: ContextError::Cancelled,
            cause: cause.map(Arc::from),
        });
    }

    /// A guard that cancels when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let (context, cancel) = Context::background().with_cancel();
    /// {
    ///     let _guard = cancel.drop_guard();
    ///     assert!(!context.is_done());
    /// }
    /// assert!(context.is_done());
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { cancel: Some(self) }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.node.reason().map(|reason| reason.error);
        f.debug_struct("Cancel").field("err", &error).finish()
    }
}

/// Cancels a context when it is dropped; from [`Cancel::drop_guard`].
#[derive(Debug)]
#[must_use = "dropping it at once cancels the context at once"]
pub struct DropGuard {
    /// `None` once it is disarmed.
    cancel: Option<Cancel>,
}

impl DropGuard {
    /// Ends the guard without cancelling, and gives the handle back.
    pub fn disarm(mut self) -> Cancel {
        match self.cancel.take() {
            Some(cancel) => cancel,
            None => unreachable!("only `disarm` takes it, and that ends the guard"),
        }
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
    }
}
