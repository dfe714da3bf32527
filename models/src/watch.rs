//! The watch channel: `sync/gate.rs`, around which it is made, sends against who waits for a change.
//!
//! The value stands beside the gate in a cell of loom's, and is read by who has seen its version: the
//! lock that keeps a second writer away is not part of the models. Besides its own claim every model
//! checks that no waker is lost (its count of references is one in the end).

// The included file finds them under `super`.
use crate::waiters::{waiters, wakes};

#[path = "../../executor/src/sync/gate.rs"]
pub(crate) mod gate;

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Poll, Waker},
    };

    use loom::{cell::UnsafeCell, thread};

    use super::gate::{Gate, Place, UNIT};
    use crate::{
        check::{check_either, race},
        count::Count,
    };

    const CLOSED: u64 = UNIT;
    const STEP: u64 = UNIT << 1;

    struct Watched {
        gate: Gate,
        /// Written by the first send only.
        value: UnsafeCell<u64>,
    }

    // SAFETY: that the cell is read after it was written is what loom checks.
    unsafe impl Send for Watched {}
    // SAFETY: as above.
    unsafe impl Sync for Watched {}

    type At = Pin<Box<Place<'static>>>;

    impl Watched {
        /// Leaked, so that a place can be kept while threads come and go.
        fn new() -> &'static Self {
            Box::leak(Box::new(Self {
                gate: Gate::new(0),
                value: UnsafeCell::new(0),
            }))
        }

        fn place(&'static self) -> At {
            Box::pin(Place::new(&self.gate))
        }

        fn send_first(&self) {
            // SAFETY: as above.
            self.value.with_mut(|value| unsafe { *value = 1 });
            self.send();
        }

        fn send(&self) {
            self.gate.open(self.gate.add(STEP));
        }

        fn close(&self) {
            self.gate.open(self.gate.set(CLOSED));
        }

        fn poll(&self, place: &mut At, waker: &Waker, seen: u64) -> Poll<u64> {
            let polled = place
                .as_mut()
                .poll(waker, |word| (word != seen).then_some(word));
            if polled.is_ready() {
                // SAFETY: as above.
                assert_eq!(self.value.with(|value| unsafe { *value }), 1);
            }
            polled
        }
    }

    #[test]
    fn who_waits_for_a_change_sees_it_or_is_woken() {
        check_either(3, |left| {
            let watched = Watched::new();
            let (count, waker) = Count::pair();
            let receiver = move || {
                let mut place = watched.place();
                let polled = watched.poll(&mut place, &waker, 0);
                (place, polled, waker)
            };
            let ((mut place, polled, waker), ()) =
                race(left, receiver, move || watched.send_first());
            let again = watched.poll(&mut place, &waker, 0);
            assert_eq!(again, Poll::Ready(STEP));
            drop(place);
            drop(waker);
            assert_eq!(count.wakes_in_all(), usize::from(polled.is_pending()));
        });
    }

    #[test]
    fn who_has_seen_the_first_change_sees_the_second_or_is_woken() {
        check_either(3, |left| {
            let watched = Watched::new();
            let (count, waker) = Count::pair();
            let receiver = move || {
                let mut place = watched.place();
                let mut seen = 0;
                while let Poll::Ready(news) = watched.poll(&mut place, &waker, seen) {
                    seen = news;
                    if seen & CLOSED != 0 {
                        break;
                    }
                }
                (place, seen, waker)
            };
            let ((mut place, seen, waker), ()) = race(left, receiver, move || {
                watched.send_first();
                watched.send();
                watched.close();
            });
            let end = (2 * STEP) | CLOSED;
            if seen != end {
                let again = watched.poll(&mut place, &waker, seen);
                assert_eq!(again, Poll::Ready(end));
            }
            drop(place);
            drop(waker);
            assert_eq!(count.wakes_in_all(), usize::from(seen != end));
        });
    }

    #[test]
    fn who_waits_with_another_waker_is_woken_by_it_or_sees_the_change() {
        check_either(3, |left| {
            let watched = Watched::new();
            let ((old, first), (new, second)) = (Count::pair(), Count::pair());
            let mut place = watched.place();
            assert!(watched.poll(&mut place, &first, 0).is_pending());
            drop(first);
            let receiver = move || {
                let polled = watched.poll(&mut place, &second, 0);
                drop(second);
                (place, polled)
            };
            let ((place, polled), ()) = race(left, receiver, move || watched.send_first());
            drop(place);
            let (old, new) = (old.wakes_in_all(), new.wakes_in_all());
            assert_eq!(new == 1, polled.is_pending());
            assert!(old + new <= 1);
        });
    }

    #[test]
    fn one_who_leaves_takes_no_wake_away() {
        check_either(3, |left| {
            let watched = Watched::new();
            let ((gone, first), (here, second)) = (Count::pair(), Count::pair());
            let (mut leaves, mut stays) = (watched.place(), watched.place());
            assert!(watched.poll(&mut leaves, &first, 0).is_pending());
            assert!(watched.poll(&mut stays, &second, 0).is_pending());
            drop((first, second));
            race(left, move || drop(leaves), move || watched.send_first());
            drop(stays);
            assert!(gone.wakes_in_all() <= 1);
            assert_eq!(here.wakes_in_all(), 1);
        });
    }

    #[test]
    fn of_two_who_send_each_wakes_who_came_before() {
        check_either(2, |left| {
            let watched = Watched::new();
            watched.send_first();
            let (count, waker) = Count::pair();
            let other = thread::spawn(move || watched.send());
            let receiver = move || {
                let mut place = watched.place();
                let polled = watched.poll(&mut place, &waker, 2 * STEP);
                (place, polled, waker)
            };
            // Looking for anything but the second version, it waits only if it has seen that.
            let ((mut place, polled, waker), ()) = race(left, receiver, move || watched.send());
            other.join().unwrap();
            if polled.is_pending() {
                let again = watched.poll(&mut place, &waker, 2 * STEP);
                assert_eq!(again, Poll::Ready(3 * STEP));
            }
            drop(place);
            drop(waker);
            assert_eq!(count.wakes_in_all() == 1, polled.is_pending());
        });
    }
}
