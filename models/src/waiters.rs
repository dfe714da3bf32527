//! Waiters of locks, semaphores and signals: `waiters`, `queue` and `wakes` of `executor/src/sync`.
//!
//! A baton stands in for a primitive: a number of permits, each of which goes to one waiter. What every
//! model checks besides its own claim: no waker is lost or dropped twice (its count of references is
//! one in the end), no permit is lost, and nobody touches a node that its owner has freed (`Waiter`'s
//! Drop writes to the cell that holds the waker, and loom would see a concurrent read).

#[path = "../../executor/src/sync/queue.rs"]
mod queue;
#[path = "../../executor/src/sync/waiters.rs"]
#[expect(
    clippy::module_inception,
    reason = "it is the model of the file of that name"
)]
pub(crate) mod waiters;
#[path = "../../executor/src/sync/wakes.rs"]
pub(crate) mod wakes;

#[cfg(test)]
mod tests {
    use std::{
        ops::ControlFlow,
        pin::Pin,
        sync::Arc,
        task::{Poll, Waker},
    };

    use super::{
        waiters::{Home, Locked, Queue, Waiter},
        wakes::Wakes,
    };
    use crate::{
        check::{check_either, race},
        count::{Count, assert_no_waker_left},
    };

    /// Permits under the lock; what is granted is the number of a waiter.
    struct Baton(Queue<usize, u32>);

    // SAFETY: the queue is a field of what the Arc keeps in its place.
    unsafe impl Home for Arc<Baton> {
        type State = usize;
        type Kind = u32;

        fn queue(&self) -> &Queue<usize, u32> {
            &self.0
        }

        fn left(&self, locked: &mut Locked<usize, u32>, _: &u32, wakes: &mut Wakes) {
            if locked.state > 0 && locked.grant_front(wakes) {
                locked.state -= 1;
            }
        }

        fn returned(&self, _: u32) {
            self.give();
        }
    }

    impl Baton {
        fn new() -> Arc<Self> {
            Arc::new(Self(Queue::new(0)))
        }

        fn give(&self) {
            let mut wakes = Wakes::new();
            let mut locked = self.0.lock();
            if !locked.grant_front(&mut wakes) {
                locked.state += 1;
            }
            drop(locked);
            wakes.wake_all();
        }

        fn give_all(&self) {
            let mut locked = self.0.lock();
            locked.dismiss_all();
            self.0.grant_leaving(locked);
        }

        /// What is there besides what was granted.
        fn permits(&self) -> usize {
            self.0.lock().state
        }
    }

    type Waiting = Pin<Box<Waiter<Arc<Baton>>>>;

    /// A waiter that is queued, because there is no permit.
    fn queued(baton: &Arc<Baton>, number: u32, waker: &Waker) -> Waiting {
        let mut waiter = Box::pin(Waiter::new(baton.clone()));
        let decided = waiter.as_mut().enqueue(Some(waker), |locked| {
            assert_eq!(locked.state, 0);
            ControlFlow::<(), _>::Continue(number)
        });
        assert!(decided.is_continue());
        waiter
    }

    #[test]
    fn a_grant_races_with_a_cancel() {
        check_either(3, |left| {
            let baton = Baton::new();
            let (count, waker) = Count::pair();
            let waiter = queued(&baton, 1, &waker);
            let giver = baton.clone();
            race(left, move || giver.give(), move || drop(waiter));
            drop(waker);
            assert_eq!(baton.permits(), 1, "the permit was lost");
            assert!(count.wakes() <= 1);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn a_cancelled_grant_goes_to_the_next() {
        check_either(3, |left| {
            let baton = Baton::new();
            let (first_count, first_waker) = Count::pair();
            let (next_count, next_waker) = Count::pair();
            let first = queued(&baton, 1, &first_waker);
            let mut next = queued(&baton, 2, &next_waker);
            let giver = baton.clone();
            race(left, move || giver.give(), move || drop(first));
            assert_eq!(next.as_mut().poll_granted(&next_waker), Poll::Ready(2));
            assert_eq!(next_count.wakes(), 1);
            assert_eq!(baton.permits(), 0);
            drop((next, first_waker, next_waker));
            assert_no_waker_left(&[&first_count, &next_count]);
        });
    }

    #[test]
    fn a_grant_races_with_another_waker() {
        check_either(3, |left| {
            let baton = Baton::new();
            let (old_count, old) = Count::pair();
            let (new_count, new) = Count::pair();
            let mut waiter = queued(&baton, 1, &old);
            let giver = baton.clone();
            let ((), (polled, mut waiter)) = race(
                left,
                move || giver.give(),
                move || (waiter.as_mut().poll_granted(&new).map(drop), waiter),
            );
            if polled.is_pending() {
                assert_eq!(new_count.wakes(), 1, "the poll's waker was not woken");
                assert_eq!(old_count.wakes(), 0);
                assert_eq!(waiter.as_mut().poll_granted(&old), Poll::Ready(1));
            }
            drop((waiter, old));
            assert_eq!(baton.permits(), 0);
            assert_no_waker_left(&[&old_count, &new_count]);
        });
    }

    #[test]
    fn a_grant_races_with_the_same_waker_and_the_end() {
        check_either(3, |left| {
            let baton = Baton::new();
            let (count, waker) = Count::pair();
            let mut waiter = queued(&baton, 1, &waker);
            let giver = baton.clone();
            let ((), polled) = race(
                left,
                move || giver.give(),
                // The waiter is freed in either case: at once if it was granted.
                move || waiter.as_mut().poll_granted(&waker),
            );
            assert_eq!(baton.permits(), usize::from(polled.is_pending()));
            assert!(count.wakes() <= 1);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn neighbours_leave_while_one_is_granted() {
        check_either(2, |left| {
            let baton = Baton::new();
            let (count, waker) = Count::pair();
            let mut waiters: Vec<_> = (0..3).map(|n| queued(&baton, n, &waker)).collect();
            let middle = waiters.remove(1);
            let giver = baton.clone();
            race(left, move || giver.give(), move || drop(middle));
            let mut last = waiters.pop().unwrap();
            let mut first = waiters.pop().unwrap();
            assert_eq!(first.as_mut().poll_granted(&waker), Poll::Ready(0));
            assert!(last.as_mut().poll_granted(&waker).is_pending());
            baton.give();
            assert_eq!(last.as_mut().poll_granted(&waker), Poll::Ready(2));
            assert_eq!(baton.permits(), 0);
            drop((first, last, waker));
            assert_eq!(count.wakes(), 2);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn all_are_granted_in_batches_while_one_leaves_and_one_comes() {
        check_either(2, |left| {
            let baton = Baton::new();
            let (count, waker) = Count::pair();
            let mut waiters: Vec<_> = (0..3).map(|n| queued(&baton, n, &waker)).collect();
            let middle = waiters.remove(1);
            let giver = baton.clone();
            let (come_to, come_with) = (baton, waker.clone());
            let ((), mut late) = race(
                left,
                move || giver.give_all(),
                move || {
                    drop(middle);
                    let mut waiter = Box::pin(Waiter::new(come_to));
                    let _ = waiter.as_mut().enqueue(Some(&come_with), |locked| {
                        // A permit that the one which has just left gave back.
                        if locked.state > 0 {
                            locked.state -= 1;
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(9)
                        }
                    });
                    waiter
                },
            );
            for (number, waiter) in [0, 2].into_iter().zip(&mut waiters) {
                assert_eq!(waiter.as_mut().poll_granted(&waker), Poll::Ready(number));
            }
            if !late.is_idle() {
                let _ = late.as_mut().poll_granted(&waker);
            }
            drop((waiters, late, waker));
            assert_no_waker_left(&[&count]);
        });
    }
}
