//! A waker that counts how often it is woken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

/// Not a loom atomic: it is looked at only after all threads were joined.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Count {
    pub(crate) fn pair() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), Waker::from(count))
    }

    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// How often it was woken, once nobody may have a waker of it any more.
    pub(crate) fn wakes_in_all(self: &Arc<Self>) -> usize {
        assert_no_waker_left(&[self]);
        self.wakes()
    }
}

pub(crate) fn assert_no_waker_left(counts: &[&Arc<Count>]) {
    for count in counts {
        assert_eq!(Arc::strong_count(count), 1, "a waker was leaked");
    }
}
