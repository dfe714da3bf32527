//! Locks and the semaphore: `raw_mutex`, `raw_rwlock` and `raw_semaphore` of `executor/src/sync`, on top
//! of the real waiters.
//!
//! What a lock protects is a cell that loom watches: two holders at once, or one that does not see what
//! the holder before did, are an error. A waiter that has not been woken when all threads are through is
//! a lost wake-up.

// The included files find them under `super`.
use crate::waiters::{waiters, wakes};

#[path = "../../executor/src/sync/raw_mutex.rs"]
pub(crate) mod raw_mutex;
#[path = "../../executor/src/sync/raw_rwlock.rs"]
mod raw_rwlock;
#[path = "../../executor/src/sync/raw_semaphore.rs"]
mod raw_semaphore;

#[cfg(test)]
mod tests {
    use std::{pin::Pin, task::Poll};

    use loom::cell::UnsafeCell;

    use super::{
        raw_mutex::{RawMutex, poll_lock},
        raw_rwlock::{Access, RawRwLock, Wanted, poll_enter},
        raw_semaphore::{Acquire, RawSemaphore, Refused, poll_acquire},
        waiters::Waiter,
    };
    use crate::{
        check::{check_either, race},
        count::Count,
        leaked::Leaked,
    };

    /// A lock and what it protects.
    struct Shared<L> {
        lock: L,
        cell: UnsafeCell<usize>,
    }

    // SAFETY: (1) that only holders of the lock touch the cell is what the models check.
    unsafe impl<L: Sync> Sync for Shared<L> {}

    impl<L> Shared<L> {
        fn new(lock: L) -> Leaked<Self> {
            Leaked::new(Self {
                lock,
                cell: UnsafeCell::new(0),
            })
        }

        fn write(&self) {
            // SAFETY: (1) the models call it as holders; loom checks.
            self.cell.with_mut(|value| unsafe { *value += 1 });
        }

        fn read(&self) -> usize {
            // SAFETY: (1) as above.
            self.cell.with(|value| unsafe { *value })
        }
    }

    type Locking = Pin<Box<Waiter<&'static RawMutex>>>;

    fn locking(shared: Leaked<Shared<RawMutex>>) -> Locking {
        Box::pin(shared.0.lock.waiter())
    }

    #[test]
    fn a_mutex_is_unlocked_while_another_begins_to_wait() {
        check_either(3, |left| {
            let shared = Shared::new(RawMutex::new());
            assert!(shared.lock.try_lock());
            let (count, wake) = Count::pair();
            let wake_again = wake.clone();
            let ((), (mut waiter, polled)) = race(
                left,
                move || {
                    shared.write();
                    shared.lock.unlock();
                },
                move || {
                    let mut waiter = locking(shared);
                    let polled = poll_lock(waiter.as_mut(), &wake);
                    if polled.is_ready() {
                        shared.write();
                        shared.lock.unlock();
                    }
                    (waiter, polled)
                },
            );
            if polled.is_pending() {
                assert_eq!(count.wakes(), 1, "a lost wake-up");
                assert!(poll_lock(waiter.as_mut(), &wake_again).is_ready());
                shared.write();
                shared.lock.unlock();
            }
            drop(waiter);
            assert!(shared.lock.try_lock());
            assert_eq!(shared.read(), 2);
            shared.free();
        });
    }

    #[test]
    fn a_mutex_is_unlocked_while_the_only_waiter_gives_up() {
        check_either(3, |left| {
            let shared = Shared::new(RawMutex::new());
            assert!(shared.lock.try_lock());
            let (_, wake) = Count::pair();
            let mut waiter = locking(shared);
            assert!(poll_lock(waiter.as_mut(), &wake).is_pending());
            race(
                left,
                move || {
                    shared.write();
                    shared.lock.unlock();
                },
                move || drop(waiter),
            );
            assert!(shared.lock.try_lock(), "it stayed locked");
            shared.write();
            shared.free();
        });
    }

    #[test]
    fn a_mutex_goes_on_to_the_next_if_the_first_gives_up() {
        check_either(3, |left| {
            let shared = Shared::new(RawMutex::new());
            assert!(shared.lock.try_lock());
            let ((_, wake), (count, next_wake)) = (Count::pair(), Count::pair());
            let (mut first, mut next) = (locking(shared), locking(shared));
            assert!(poll_lock(first.as_mut(), &wake).is_pending());
            assert!(poll_lock(next.as_mut(), &next_wake).is_pending());
            race(
                left,
                move || {
                    shared.write();
                    shared.lock.unlock();
                },
                move || drop(first),
            );
            assert_eq!(count.wakes(), 1);
            assert!(poll_lock(next.as_mut(), &next_wake).is_ready());
            shared.write();
            shared.lock.unlock();
            drop(next);
            assert!(shared.lock.try_lock());
            shared.free();
        });
    }

    type Entering = Pin<Box<Waiter<Wanted<'static>>>>;

    fn entering(shared: Leaked<Shared<RawRwLock>>, access: Access) -> Entering {
        Box::pin(shared.0.lock.waiter(access))
    }

    #[test]
    fn the_last_reader_leaves_while_a_writer_begins_to_wait() {
        check_either(3, |left| {
            let shared = Shared::new(RawRwLock::new());
            assert!(shared.lock.try_enter(Access::Read));
            let (count, wake) = Count::pair();
            let wake_again = wake.clone();
            let ((), (mut writer, polled)) = race(
                left,
                move || {
                    shared.read();
                    shared.lock.leave_read();
                },
                move || {
                    let mut writer = entering(shared, Access::Write);
                    let polled = poll_enter(writer.as_mut(), &wake);
                    if polled.is_ready() {
                        shared.write();
                        shared.lock.leave_write();
                    }
                    (writer, polled)
                },
            );
            if polled.is_pending() {
                assert_eq!(count.wakes(), 1, "a lost wake-up");
                assert!(poll_enter(writer.as_mut(), &wake_again).is_ready());
                shared.write();
                shared.lock.leave_write();
            }
            drop(writer);
            assert!(shared.lock.try_enter(Access::Write));
            shared.free();
        });
    }

    #[test]
    fn two_readers_leave_at_once_before_a_writer() {
        check_either(3, |left| {
            let shared = Shared::new(RawRwLock::new());
            assert!(shared.lock.try_enter(Access::Read));
            assert!(shared.lock.try_enter(Access::Read));
            let (count, wake) = Count::pair();
            let mut writer = entering(shared, Access::Write);
            assert!(poll_enter(writer.as_mut(), &wake).is_pending());
            let leave = move || {
                shared.read();
                shared.lock.leave_read();
            };
            race(left, leave, leave);
            assert_eq!(count.wakes(), 1);
            assert!(poll_enter(writer.as_mut(), &wake).is_ready());
            shared.write();
            shared.lock.leave_write();
            drop(writer);
            assert!(shared.lock.try_enter(Access::Write));
            shared.free();
        });
    }

    #[test]
    fn a_writer_that_another_reader_lets_in_sees_what_all_readers_did() {
        check_either(3, |left| {
            let shared = Shared::new(RawRwLock::new());
            assert!(shared.lock.try_enter(Access::Read));
            assert!(shared.lock.try_enter(Access::Read));
            let (_, wake) = Count::pair();
            let mut writer = entering(shared, Access::Write);
            assert!(poll_enter(writer.as_mut(), &wake).is_pending());
            race(
                left,
                move || {
                    shared.read();
                    shared.lock.leave_read();
                },
                move || {
                    shared.lock.leave_read();
                    if poll_enter(writer.as_mut(), &wake).is_ready() {
                        shared.write();
                        shared.lock.leave_write();
                    }
                },
            );
            shared.free();
        });
    }

    #[test]
    fn a_writer_gives_up_before_a_reader_while_the_lock_is_left() {
        check_either(3, |left| {
            let shared = Shared::new(RawRwLock::new());
            assert!(shared.lock.try_enter(Access::Read));
            let ((_, wake), (count, reader_wake)) = (Count::pair(), Count::pair());
            let mut writer = entering(shared, Access::Write);
            let mut reader = entering(shared, Access::Read);
            assert!(poll_enter(writer.as_mut(), &wake).is_pending());
            assert!(poll_enter(reader.as_mut(), &reader_wake).is_pending());
            race(
                left,
                move || {
                    shared.read();
                    shared.lock.leave_read();
                },
                move || drop(writer),
            );
            assert_eq!(count.wakes(), 1);
            assert!(poll_enter(reader.as_mut(), &reader_wake).is_ready());
            shared.read();
            shared.lock.leave_read();
            drop(reader);
            assert!(shared.lock.try_enter(Access::Write));
            shared.free();
        });
    }

    #[test]
    fn a_writer_becomes_a_reader_while_another_begins_to_wait() {
        check_either(3, |left| {
            let shared = Shared::new(RawRwLock::new());
            assert!(shared.lock.try_enter(Access::Write));
            let (count, wake) = Count::pair();
            let wake_again = wake.clone();
            let ((), (mut reader, polled)) = race(
                left,
                move || {
                    shared.write();
                    shared.lock.downgrade();
                    shared.read();
                    shared.lock.leave_read();
                },
                move || {
                    let mut reader = entering(shared, Access::Read);
                    let polled = poll_enter(reader.as_mut(), &wake);
                    if polled.is_ready() {
                        assert_eq!(shared.read(), 1);
                        shared.lock.leave_read();
                    }
                    (reader, polled)
                },
            );
            if polled.is_pending() {
                assert_eq!(count.wakes(), 1, "a lost wake-up");
                assert!(poll_enter(reader.as_mut(), &wake_again).is_ready());
                shared.lock.leave_read();
            }
            drop(reader);
            assert!(shared.lock.try_enter(Access::Write));
            shared.free();
        });
    }

    type Acquiring = Pin<Box<Waiter<Acquire<'static>>>>;

    fn acquiring(shared: Leaked<Shared<RawSemaphore>>, count: usize) -> Acquiring {
        Box::pin(shared.0.lock.waiter(count))
    }

    #[test]
    fn permits_come_back_while_a_big_request_begins_to_wait() {
        check_either(3, |left| {
            let shared = Shared::new(RawSemaphore::new(1));
            let (count, wake) = Count::pair();
            let wake_again = wake.clone();
            let ((), (mut waiter, polled)) = race(
                left,
                move || {
                    shared.write();
                    shared.lock.release(1);
                },
                move || {
                    let mut waiter = acquiring(shared, 2);
                    let polled = poll_acquire(waiter.as_mut(), &wake);
                    if polled.is_ready() {
                        shared.write();
                    }
                    (waiter, polled)
                },
            );
            if polled.is_pending() {
                assert_eq!(count.wakes(), 1, "a lost wake-up");
                assert_eq!(
                    poll_acquire(waiter.as_mut(), &wake_again),
                    Poll::Ready(Ok(()))
                );
                shared.write();
            }
            drop(waiter);
            assert_eq!(shared.lock.permits(), 0);
            assert_eq!(shared.lock.try_acquire(1), Err(Refused::NoPermits));
            shared.free();
        });
    }

    #[test]
    fn who_is_served_sees_what_was_done_under_each_of_its_permits() {
        check_either(3, |left| {
            let shared = Shared::new(RawSemaphore::new(0));
            let (_, wake) = Count::pair();
            let mut waiter = acquiring(shared, 2);
            assert!(poll_acquire(waiter.as_mut(), &wake).is_pending());
            race(
                left,
                move || {
                    shared.write();
                    shared.lock.release(1);
                },
                move || {
                    shared.lock.release(1);
                    if poll_acquire(waiter.as_mut(), &wake).is_ready() {
                        shared.write();
                    }
                },
            );
            shared.free();
        });
    }

    #[test]
    fn a_big_request_gives_up_before_a_small_one_while_a_permit_comes() {
        check_either(3, |left| {
            let shared = Shared::new(RawSemaphore::new(0));
            let ((_, wake), (count, small_wake)) = (Count::pair(), Count::pair());
            let (mut big, mut small) = (acquiring(shared, 2), acquiring(shared, 1));
            assert!(poll_acquire(big.as_mut(), &wake).is_pending());
            assert!(poll_acquire(small.as_mut(), &small_wake).is_pending());
            race(left, move || shared.lock.release(1), move || drop(big));
            assert_eq!(count.wakes(), 1);
            assert_eq!(
                poll_acquire(small.as_mut(), &small_wake),
                Poll::Ready(Ok(()))
            );
            drop(small);
            assert_eq!(shared.lock.permits(), 0);
            shared.lock.release(1);
            assert_eq!(shared.lock.try_acquire(1), Ok(()));
            shared.free();
        });
    }

    #[test]
    fn a_semaphore_is_closed_while_a_permit_comes() {
        check_either(3, |left| {
            let shared = Shared::new(RawSemaphore::new(0));
            let (count, wake) = Count::pair();
            let mut waiter = acquiring(shared, 1);
            assert!(poll_acquire(waiter.as_mut(), &wake).is_pending());
            race(
                left,
                move || shared.lock.release(1),
                move || shared.lock.close(),
            );
            assert_eq!(count.wakes(), 1);
            let Poll::Ready(served) = poll_acquire(waiter.as_mut(), &wake) else {
                panic!("it was told");
            };
            assert_eq!(shared.lock.permits(), usize::from(served.is_err()));
            assert_eq!(shared.lock.try_acquire(1), Err(Refused::Closed));
            drop(waiter);
            shared.free();
        });
    }
}
