//! Contexts: cancellation, deadlines and values that go down a tree of calls, after Go's package
//! `context`.
//!
//! A [`Context`] is handed to whatever works on one request, and says when that work should stop: it was
//! cancelled, or its time is up. Contexts form a tree. What ends one ends all that descend from it, with
//! the same cause; never its parents or siblings.
//!
//! ```
//! use gopark::context::{Context, ContextError};
//! use gopark::runtime::Builder;
//! use gopark::time::{Duration, sleep};
//!
//! # Builder::new_current_thread().pause_time(true).build().unwrap().block_on(async {
//! let (request, cancel) = Context::background().with_cancel();
//! let (query, _) = request.with_timeout(Duration::from_secs(2));
//!
//! // Dropped, and an error, when `query` is done.
//! let rows = query.run(sleep(Duration::from_secs(60))).await;
//! assert_eq!(rows, Err(ContextError::DeadlineExceeded));
//! assert!(!request.is_done());
//! cancel.cancel();
//! assert!(request.is_done());
//! # });
//! ```
//!
//! # Coming from Go
//!
//! | Go | here |
//! |---|---|
//! | `context.Background()`, `context.TODO()` | [`Context::background`] |
//! | `WithCancel`, `WithCancelCause` | [`Context::with_cancel`]; [`Cancel::cancel`], [`Cancel::cancel_with`] |
//! | `WithDeadline`, `WithTimeout`, and `…Cause` | [`Context::with_deadline`], [`Context::with_timeout`], and `…_cause` |
//! | `WithValue(ctx, key, v)`, `ctx.Value(key)` | [`Context::with_value`], [`Context::value`]: the type is the key |
//! | `WithoutCancel`, `AfterFunc` | [`Context::without_cancel`], [`Context::after_func`] |
//! | `<-ctx.Done()` | `ctx.done().await`, also as a branch of a select |
//! | `ctx.Err() != nil` | [`Context::is_done`] |
//! | `context.Cause(ctx)` | [`Context::cause`] |
//! | `defer cancel()` | `let _guard = cancel.drop_guard();` |
//!
//! Two things differ. A context is freed when nobody holds it, with its timer, so a [`Cancel`] need not be
//! called for that. And a future can be dropped from outside: [`Context::run`] ends one that knows
//! nothing of contexts.
//!
//! # Cost
//!
//! [`Context::is_done`] is one load. Waiting in [`Context::done`] takes a lock once; when many threads wait
//! on one context, or make children of it, they find 16 locks instead of one. A deadline is a timer in the
//! runtime's wheel; there is no task behind a context.
//!
//! | file | is |
//! |---|---|
//! | `roll` | who is to be told of an end: the protocol |
//! | `node`, `deadline` | what is cancelled as one; its timer |
//! | `values` | the values |
//! | `error` | why a context is done |
//! | `ctx` | [`Context`] |
//! | `cancel`, `done`, `run`, `after` | the handles and futures |

mod after;
mod cancel;
mod ctx;
mod deadline;
mod done;
mod error;
mod node;
mod roll;
mod run;
mod values;

pub use self::{
    after::AfterFunc,
    cancel::{Cancel, DropGuard},
    ctx::Context,
    done::{Done, DoneOwned},
    error::{Cause, ContextError},
    run::Run,
};
