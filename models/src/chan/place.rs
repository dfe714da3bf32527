//! Stands for `executor/src/chan/place.rs`: each thread of a model has a place from the start.

use std::sync::Arc;

use super::lock::Place;

loom::lazy_static! {
    /// They live to the end of a run, as the real ones live for ever.
    static ref PLACES: Places = Places(std::sync::Mutex::new(Vec::new()));
}

/// No step of the model: loom runs one thread at a time.
struct Places(std::sync::Mutex<Vec<Arc<Place>>>);

loom::thread_local! {
    static HERE: Arc<Place> = {
        let place = Arc::new(Place::new());
        PLACES.0.lock().unwrap().push(place.clone());
        place
    };
}

pub(super) fn here() -> *const Place {
    HERE.with(Arc::as_ptr)
}

pub(super) fn settle() -> *const Place {
    here()
}
