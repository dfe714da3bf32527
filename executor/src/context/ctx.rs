//! [`Context`]: a node of the tree, and the head of a list of values.
//!
//! The two are apart: a value adds no node, so it costs no place on a roll; and what no cancellation
//! reaches has its values all the same.

use std::{any::Any, error::Error, fmt, future::Future, panic::Location, sync::Arc};

use super::{
    AfterFunc, Cancel, Cause, ContextError, Done, DoneOwned, Run, after, deadline::Timer,
    node::Node, values::Values,
};
use crate::time::{Duration, Instant};

/// Says when work should stop, and carries values to it; see the [module](super).
///
/// It is cheap to clone, and all clones are one context. It is never done without a reason: a
/// [`background`](Self::background) context has none, and is the root of all others.
#[derive(Clone, Default)]
pub struct Context {
    /// `None` if it is never done.
    node: Option<Arc<Node>>,
    values: Option<Arc<Values>>,
}

impl Context {
    /// The context that is never done, has no deadline and no values. It allocates nothing.
    pub const fn background() -> Self {
        Self {
            node: None,
            values: None,
        }
    }

    /// A context below this one that can also be cancelled by itself.
    ///
    /// If this context is done, so is the new one. The new one is on a list of this one for as long as
    /// it lives, and leaves that in constant time.
    #[must_use = "without the handle it cannot be cancelled"]
    pub fn with_cancel(&self) -> (Self, Cancel) {
        self.below(self.deadline(), None)
    }

    /// A context below this one that ends at `deadline`, if it has not ended before, with
    /// [`ContextError::DeadlineExceeded`].
    ///
    /// A deadline after that of this context changes nothing, and one that has passed ends the new
    /// context at once. Precision is that of timers: never early, and up to a millisecond late.
    ///
    /// The deadline is kept by the runtime that this thread is in, otherwise by the default one. If that
    /// runtime shuts down first, the context is cancelled then, with a cause that says so.
    ///
    /// # Panics
    ///
    /// Panics if the default runtime is needed and cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    /// use gopark::runtime::Builder;
    /// use gopark::time::{Duration, Instant};
    ///
    /// # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
    /// let deadline = Instant::now() + Duration::from_secs(1);
    /// let (context, _cancel) = Context::background().with_deadline(deadline);
    /// assert_eq!(context.deadline(), Some(deadline));
    /// context.done().await;
    /// assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
    /// assert!(Instant::now() >= deadline);
    /// # });
    /// ```
    #[must_use = "a context that nobody holds has no deadline"]
    pub fn with_deadline(&self, deadline: Instant) -> (Self, Cancel) {
        self.until(deadline, None)
    }

    /// Like [`with_deadline`](Self::with_deadline), with the [`cause`](Self::cause) of the end at the
    /// deadline. It is not the cause of a cancellation before it.
    ///
    /// # Panics
    ///
    /// As [`with_deadline`](Self::with_deadline).
    #[must_use = "a context that nobody holds has no deadline"]
    pub fn with_deadline_cause(
        &self,
        deadline: Instant,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> (Self, Cancel) {
        self.until(deadline, Some(Arc::from(cause.into())))
    }

    /// A context below this one that ends after `duration`; see [`with_deadline`](Self::with_deadline).
    /// A duration too long for an [`Instant`] means no limit.
    ///
    /// # Panics
    ///
    /// As [`with_deadline`](Self::with_deadline).
    #[must_use = "a context that nobody holds has no deadline"]
    pub fn with_timeout(&self, duration: Duration) -> (Self, Cancel) {
        self.until(Instant::now() + duration, None)
    }

    /// Like [`with_timeout`](Self::with_timeout), with the [`cause`](Self::cause) of the end when the time
    /// is up.
    ///
    /// # Panics
    ///
    /// As [`with_deadline`](Self::with_deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::context::Context;
    /// use gopark::time::Duration;
    ///
    /// let none = Duration::ZERO;
    /// let (context, _cancel) = Context::background().with_timeout_cause(none, "the cache was too slow");
    /// assert_eq!(context.cause().unwrap().to_string(), "the cache was too slow");
    /// ```
    #[must_use = "a context that nobody holds has no deadline"]
    pub fn with_timeout_cause(
        &self,
        duration: Duration,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> (Self, Cancel) {
        self.with_deadline_cause(Instant::now() + duration, cause)
    }

    fn until(&self, deadline: Instant, cause: Option<Cause>) -> (Self, Cancel) {
        match self.deadline() {
            Some(earlier) if earlier <= deadline => self.with_cancel(),
            _ => {
                let timer = Timer::new(deadline, cause);
                let made = self.below(Some(deadline), Some(timer));
                if let Some(node) = &made.0.node {
                    Timer::arm(node);
                }
                made
            }
        }
    }

    fn below(&self, deadline: Option<Instant>, timer: Option<Timer>) -> (Self, Cancel) {
        let node = Node::new(self.node.as_ref(), deadline, timer);
        let context = Self {
            node: Some(node.clone()),
            values: self.values.clone(),
        };
        (context, Cancel::new(node))
    }

    /// This context, with a value more. It is done when this one is, and by the same cancellation.
    ///
    /// The type of the value is its key. A later value hides an earlier one of the same type, so give a
    /// value a type of its own rather than that of a number or a string.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// struct RequestId(u64);
    ///
    /// let context = Context::background().with_value(RequestId(7));
    /// let (below, _cancel) = context.with_cancel();
    /// assert_eq!(below.value::<RequestId>().unwrap().0, 7);
    /// assert!(below.value::<String>().is_none());
    /// ```
    #[must_use = "it is the new context that has the value"]
    pub fn with_value<T: Any + Send + Sync>(&self, value: T) -> Self {
        Self {
            node: self.node.clone(),
            values: Some(Values::push(self.values.clone(), value)),
        }
    }

    /// The value of that type which was added last, here or above. It looks at all values that were
    /// added later.
    pub fn value<T: Any + Send + Sync>(&self) -> Option<&T> {
        Values::find(self.values.as_ref())
    }

    /// A context with the values of this one, that is never done: for what must go on when the rest
    /// stops.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// let (request, cancel) = Context::background().with_value(7_u32).with_cancel();
    /// let cleanup = request.without_cancel();
    /// cancel.cancel();
    /// assert!(!cleanup.is_done());
    /// assert_eq!(cleanup.value::<u32>(), Some(&7));
    /// ```
    #[must_use = "it is the new context that goes on"]
    pub fn without_cancel(&self) -> Self {
        Self {
            node: None,
            values: self.values.clone(),
        }
    }

    /// Whether it was cancelled or its deadline has passed: one load. True stays true.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.node().is_some_and(|node| node.reason().is_some())
    }

    /// How it ended; `None` while it has not.
    pub fn err(&self) -> Option<ContextError> {
        Some(self.node()?.reason()?.error)
    }

    /// Why it ended, in the words of whoever ended it or the ancestor with which it ended; if nothing was
    /// said, the [`ContextError`] itself. `None` while it has not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use gopark::context::{Context, ContextError};
    ///
    /// let (parent, cancel) = Context::background().with_cancel();
    /// let (child, _) = parent.with_cancel();
    /// cancel.cancel_with(io::Error::other("no disk"));
    /// let cause = child.cause().unwrap();
    /// assert!(cause.is::<io::Error>());
    ///
    /// let (silent, cancel) = Context::background().with_cancel();
    /// cancel.cancel();
    /// assert!(silent.cause().unwrap().is::<ContextError>());
    /// ```
    pub fn cause(&self) -> Option<Cause> {
        Some(self.node()?.reason()?.cause())
    }

    /// When it ends at the latest, if there is such a time.
    pub fn deadline(&self) -> Option<Instant> {
        self.node()?.deadline
    }

    /// Waits until it is done, and says why: what [`err`](Self::err) says then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::{FutureExt, select_biased};
    /// use gopark::context::{Context, ContextError};
    ///
    /// gopark::block_on(async {
    ///     let (context, cancel) = Context::background().with_cancel();
    ///     gopark::spawn(async move { cancel.cancel() });
    ///     let mut forever = std::pin::pin!(std::future::pending::<()>().fuse());
    ///     select_biased! {
    ///         why = context.done().fuse() => assert_eq!(why, ContextError::Cancelled),
    ///         () = forever => unreachable!(),
    ///     }
    /// });
    /// ```
    pub fn done(&self) -> Done<'_> {
        Done::new(self)
    }

    /// [`done`](Self::done), with the context inside, so that it may outlive this reference.
    pub fn done_owned(self) -> DoneOwned {
        DoneOwned::new(self)
    }

    /// Runs `future` until this context is done, and drops it then.
    ///
    /// The context is asked before each poll of `future`, which is thus not polled once the context is
    /// done, not even the first time. A future that is ready at its first poll costs that one load.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`; it is as cancel safe as that. When the context ends, `future` is
    /// dropped in the middle, at its current `.await`.
    ///
    /// # Errors
    ///
    /// [`err`](Self::err), when the context is done before `future` is ready.
    ///
    /// # Panics
    ///
    /// Polling it after it was ready panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::context::{Context, ContextError};
    ///
    /// gopark::block_on(async {
    ///     let (context, cancel) = Context::background().with_cancel();
    ///     assert_eq!(context.run(async { 7 }).await, Ok(7));
    ///     gopark::spawn(async move { cancel.cancel() });
    ///     let ended = context.run(std::future::pending::<()>()).await;
    ///     assert_eq!(ended, Err(ContextError::Cancelled));
    /// });
    /// ```
    pub fn run<F: IntoFuture>(&self, future: F) -> Run<'_, F::IntoFuture> {
        Run::new(self, future.into_future())
    }

    /// Calls `f` in a task of its own once this context is done; at once, if it is.
    ///
    /// The task belongs to the runtime that this thread is in now, otherwise to the default one. `f`
    /// belongs to the context: if nobody holds that any more, neither a [`Context`], nor a [`Cancel`],
    /// nor the [`AfterFunc`], nor one that descends from it, then `f` is dropped and never runs.
    ///
    /// # Panics
    ///
    /// Panics if this context is done, the default runtime is needed, and it cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use gopark::context::Context;
    ///
    /// gopark::block_on(async {
    ///     let (context, cancel) = Context::background().with_cancel();
    ///     let (tell, told) = futures::channel::oneshot::channel();
    ///     let first = context.after_func(async || unreachable!("it is stopped"));
    ///     let _second = context.after_func(async || tell.send("cleaned up").unwrap());
    ///     assert!(first.stop());
    ///     cancel.cancel();
    ///     assert_eq!(told.await.unwrap(), "cleaned up");
    /// });
    /// ```
    #[track_caller]
    pub fn after_func<F, R>(&self, f: F) -> AfterFunc
    where
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        after::register(self, f, Location::caller())
    }

    #[inline]
    pub(super) fn node(&self) -> Option<&Node> {
        self.node.as_deref()
    }

    #[inline]
    pub(super) fn node_arc(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Context");
        if let Some(node) = self.node() {
            debug
                .field("err", &self.err())
                .field("deadline", &node.deadline)
                .field("members", &node.members());
        }
        debug.finish_non_exhaustive()
    }
}
