//! The values of a context: a list without a lock, of which each context has the head.
//!
//! It is apart from the tree of nodes: a context with one value more is the same node, so it costs no
//! place on a roll, and a context that no cancellation reaches still has its values.

use std::{any::Any, sync::Arc};

/// One value, and those that were there before it.
pub(super) struct Values {
    value: Box<dyn Any + Send + Sync>,
    before: Option<Arc<Self>>,
}

impl Values {
    pub(super) fn push<T: Any + Send + Sync>(before: Option<Arc<Self>>, value: T) -> Arc<Self> {
        Arc::new(Self {
            value: Box::new(value),
            before,
        })
    }

    /// The latest of that type.
    pub(super) fn find<T: Any>(mut values: Option<&Arc<Self>>) -> Option<&T> {
        while let Some(here) = values {
            if let Some(value) = here.value.downcast_ref() {
                return Some(value);
            }
            values = here.before.as_ref();
        }
        None
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        // A long list is freed by a loop and not by recursion.
        let mut before = self.before.take();
        while let Some(mut values) = before.and_then(Arc::into_inner) {
            before = values.before.take();
        }
    }
}
