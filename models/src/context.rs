//! What the included files find under `crate::context`.

pub(crate) use crate::group::Cancel;
