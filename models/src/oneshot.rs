//! The oneshot channel: `sync/oneshot/channel.rs`, each end against the other.
//!
//! Besides its own claim every model checks that the channel is freed once and not touched after it (its
//! `alive` cell), that no value and no waker is lost (their counts of references are one in the end),
//! and that the value is not looked at by both ends (loom's cell).

#[path = "../../executor/src/sync/oneshot/channel.rs"]
mod channel;
#[path = "../../executor/src/sync/oneshot/slot.rs"]
mod slot;

#[cfg(test)]
mod tests {
    use std::{ptr::NonNull, sync::Arc, task::Waker};

    use super::channel::{Channel, Side, Taken, Wait, Wakers};
    use crate::{
        check::{check_either, race},
        count::Count,
    };

    fn wake(wakers: Wakers) {
        wakers.other.into_iter().for_each(Waker::wake);
    }

    /// Allocated, so that a model sees a value that is dropped twice or not at all.
    type Value = Arc<()>;

    /// The two ends; each test uses each once, as its owner would.
    #[derive(Clone, Copy)]
    struct End(NonNull<Channel<Value>>);

    // SAFETY: this is what the models are about.
    unsafe impl Send for End {}

    impl End {
        fn send(self, value: &Value) -> bool {
            // SAFETY: each model sends once.
            match unsafe { Channel::send(self.0, value.clone()) } {
                Ok(wakers) => {
                    wake(wakers);
                    true
                }
                Err(_) => false,
            }
        }

        fn leave_sender(self) {
            // SAFETY: each model leaves once.
            wake(unsafe { Channel::leave_sender(self.0) });
        }

        fn leave_receiver(self) {
            // SAFETY: as above.
            let (wakers, value) = unsafe { Channel::leave_receiver(self.0) };
            wake(wakers);
            drop(value);
        }

        fn wait(self, side: Side, waker: &Waker) -> Wait {
            // SAFETY: the side has not left.
            unsafe { self.0.as_ref() }.wait(side, waker)
        }

        fn close(self) {
            // SAFETY: the receiver has not left.
            wake(unsafe { self.0.as_ref() }.close());
        }

        /// What the receiver's poll does. `None` means that it waits.
        fn poll(self, waker: &Waker) -> Option<bool> {
            loop {
                // SAFETY: the receiver stops at the outcome.
                match unsafe { Channel::take(self.0) } {
                    Taken::Value(_) => return Some(true),
                    Taken::Nothing => return Some(false),
                    Taken::Closed => {
                        self.leave_receiver();
                        return Some(false);
                    }
                    Taken::Empty => {}
                }
                if self.wait(Side::Receiver, waker) == Wait::Waiting {
                    return None;
                }
            }
        }
    }

    fn ends() -> (End, Value) {
        (End(Channel::allocate()), Arc::new(()))
    }

    fn assert_value_is_gone(value: &Value) {
        assert_eq!(Arc::strong_count(value), 1, "a value was leaked");
    }

    #[test]
    fn a_value_is_received_or_wakes_who_waits() {
        check_either(3, |left| {
            let (end, value) = ends();
            let (count, waker) = Count::pair();
            let sent = value.clone();
            let receiver = move || (end.poll(&waker), waker);
            let ((polled, waker), sent) = race(left, receiver, move || end.send(&sent));
            assert!(sent);
            if polled.is_none() {
                assert_eq!(end.poll(&waker), Some(true));
            }
            drop(waker);
            assert_eq!(count.wakes_in_all(), usize::from(polled.is_none()));
            assert_value_is_gone(&value);
        });
    }

    #[test]
    fn who_waits_with_another_waker_is_woken_by_it_or_has_the_value() {
        check_either(3, |left| {
            let (end, value) = ends();
            let ((old, first), (new, second)) = (Count::pair(), Count::pair());
            assert_eq!(end.poll(&first), None);
            drop(first);
            let sent = value.clone();
            let receiver = move || (end.poll(&second), second);
            let ((polled, second), _) = race(left, receiver, move || end.send(&sent));
            match polled {
                None => assert_eq!(end.poll(&second), Some(true)),
                Some(received) => assert!(received),
            }
            drop(second);
            // One that comes between two wakers finds none, and its value is found by the poll.
            let (old, new) = (old.wakes_in_all(), new.wakes_in_all());
            assert_eq!(new, usize::from(polled.is_none()));
            assert!(old + new <= 1);
            assert_value_is_gone(&value);
        });
    }

    #[test]
    fn a_send_against_a_close_is_received_or_given_back() {
        check_either(3, |left| {
            let (end, value) = ends();
            let sent = value.clone();
            let receiver = move || {
                end.close();
                end.poll(Waker::noop())
            };
            let (polled, sent) = race(left, receiver, move || end.send(&sent));
            assert_eq!(polled, Some(sent));
            assert_value_is_gone(&value);
        });
    }

    #[test]
    fn a_send_against_a_drop_leaves_nothing_behind() {
        check_either(3, |left| {
            let (end, value) = ends();
            let (count, waker) = Count::pair();
            assert_eq!(end.poll(&waker), None);
            drop(waker);
            let sent = value.clone();
            let ((), sent) = race(left, move || end.leave_receiver(), move || end.send(&sent));
            assert_eq!(count.wakes_in_all(), usize::from(sent));
            assert_value_is_gone(&value);
        });
    }

    #[test]
    fn two_drops_free_the_channel_once() {
        check_either(3, |left| {
            let (end, value) = ends();
            race(
                left,
                move || end.leave_receiver(),
                move || end.leave_sender(),
            );
            assert_value_is_gone(&value);
        });
    }

    #[test]
    fn a_dropped_sender_wakes_or_is_seen() {
        check_either(3, |left| {
            let (end, _value) = ends();
            let (count, waker) = Count::pair();
            let receiver = move || (end.poll(&waker), waker);
            let ((polled, waker), ()) = race(left, receiver, move || end.leave_sender());
            if polled.is_none() {
                assert_eq!(end.poll(&waker), Some(false));
            }
            drop(waker);
            assert_eq!(count.wakes_in_all(), usize::from(polled.is_none()));
        });
    }

    #[test]
    fn a_sender_that_waits_for_the_close_is_woken_or_sees_it() {
        check_either(3, |left| {
            let (end, value) = ends();
            let ((old, first), (new, second)) = (Count::pair(), Count::pair());
            assert_eq!(end.wait(Side::Sender, &first), Wait::Waiting);
            drop(first);
            let sent = value.clone();
            let sender = move || {
                let wait = end.wait(Side::Sender, &second);
                drop(second);
                if wait == Wait::Over {
                    end.leave_sender();
                }
                wait
            };
            let (wait, ()) = race(left, sender, move || end.close());
            end.leave_receiver();
            if wait == Wait::Waiting {
                assert!(!end.send(&sent));
            }
            drop(sent);
            let (old, new) = (old.wakes_in_all(), new.wakes_in_all());
            assert_eq!(new, usize::from(wait == Wait::Waiting));
            assert!(old + new <= 1);
            assert_value_is_gone(&value);
        });
    }

    #[test]
    fn both_ends_wait_against_each_other() {
        check_either(3, |left| {
            let (end, value) = ends();
            let ((mine, first), (theirs, second)) = (Count::pair(), Count::pair());
            let sent = value.clone();
            let receiver = move || (end.poll(&first), first);
            let sender = move || {
                assert_eq!(end.wait(Side::Sender, &second), Wait::Waiting);
                drop(second);
                end.send(&sent)
            };
            let ((polled, first), sent) = race(left, receiver, sender);
            assert!(sent);
            if polled.is_none() {
                assert_eq!(end.poll(&first), Some(true));
            }
            drop(first);
            assert_eq!(
                (mine.wakes_in_all(), theirs.wakes_in_all()),
                (usize::from(polled.is_none()), 0)
            );
            assert_value_is_gone(&value);
        });
    }
}
