//! What the included files find under `crate::task`.

pub(crate) use crate::group::AbortHandle;
