//! The runtime of those who build none.

use std::sync::OnceLock;

use super::{Builder, Runtime};

/// The default runtime; starts it at the first call.
///
/// # Panics
///
/// Panics if it cannot be built: a bad `GOPARK_PROCS`, or no file descriptors for the reactor.
#[track_caller]
pub(crate) fn default_runtime() -> &'static Runtime {
    static DEFAULT: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = DEFAULT.get() {
        return runtime;
    }
    // Built outside of `get_or_init`, so that the panic carries the caller's location.
    match Builder::new_multi_thread().build() {
        Ok(runtime) => DEFAULT.get_or_init(|| runtime),
        Err(error) => panic!("gopark's default runtime cannot be started: {error}"),
    }
}
