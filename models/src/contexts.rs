//! Contexts: `executor/src/context/roll.rs`, with nodes as stand-ins for those of `context/node.rs`.
//!
//! `Node::new`, `Node::end` and `Wait::poll` have the steps of their namesakes there; a waiter is an item
//! that counts how often it was told.

#[path = "../../executor/src/context/roll.rs"]
pub(crate) mod roll;

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    };

    use loom::thread;

    use super::roll::{Place, Roll};
    use crate::check::{check, check_either, race};

    /// Not a loom atomic: it is looked at only after all threads were joined.
    type Told = Arc<AtomicUsize>;

    enum Member {
        Child(Weak<Node>),
        Waiter(Told),
    }

    struct Node {
        roll: Roll<u32, Member>,
        parent: Option<(Arc<Self>, std::sync::OnceLock<Place>)>,
    }

    impl Node {
        fn new(parent: Option<&Arc<Self>>, lane: usize) -> Arc<Self> {
            let node = Arc::new(Self {
                roll: Roll::new(),
                parent: parent.map(|parent| (parent.clone(), std::sync::OnceLock::new())),
            });
            if let Some((parent, place)) = &node.parent {
                match parent.roll.add(lane, Member::Child(Arc::downgrade(&node))) {
                    Ok(at) => place.set(at).unwrap(),
                    Err(_) => node.end(*parent.roll.ended().unwrap()),
                }
            }
            node
        }

        fn end(&self, reason: u32) {
            let mut below: Vec<Arc<Self>> = Vec::new();
            let end_alone = |node: &Self, below: &mut Vec<Arc<Self>>| {
                node.roll.end(reason, |member| match member {
                    Member::Child(child) => below.extend(child.upgrade()),
                    Member::Waiter(told) => {
                        told.fetch_add(1, Ordering::Relaxed);
                    }
                });
            };
            end_alone(self, &mut below);
            while let Some(child) = below.pop() {
                end_alone(&child, &mut below);
            }
        }

        /// True if it waits.
        fn wait(&self, lane: usize, told: &Told) -> Option<Place> {
            if self.roll.ended().is_some() {
                return None;
            }
            self.roll.add(lane, Member::Waiter(told.clone())).ok()
        }
    }

    impl Drop for Node {
        fn drop(&mut self) {
            if let Some((parent, place)) = &self.parent {
                if let Some(place) = place.get() {
                    drop(parent.roll.remove(*place));
                }
            }
        }
    }

    fn told() -> Told {
        Arc::default()
    }

    fn times(told: &Told) -> usize {
        told.load(Ordering::Relaxed)
    }

    /// "Child against cancel": and the child has a child already when it is told.
    #[test]
    fn a_child_made_while_its_parent_is_cancelled_is_done() {
        check_either(3, |left| {
            let top = Node::new(None, 0);
            let (maker, ender) = (top.clone(), top.clone());
            let (child, ()) = race(
                left,
                move || {
                    let child = Node::new(Some(&maker), 0);
                    (Node::new(Some(&child), 0), child)
                },
                move || ender.end(7),
            );
            assert_eq!(child.0.roll.ended(), Some(&7));
            assert_eq!(child.1.roll.ended(), Some(&7));
            drop(child);
            assert_eq!(top.roll.len(), 0);
        });
    }

    /// "Widen against end": two who come at once, so that one of them may make the wide list, and a
    /// third who ends.
    #[test]
    fn no_child_is_lost_between_the_first_list_and_the_wide_one() {
        check(3, || {
            let top = Node::new(None, 0);
            let makers: Vec<_> = (0..2)
                .map(|lane| {
                    let top = top.clone();
                    thread::spawn(move || Node::new(Some(&top), lane))
                })
                .collect();
            top.end(7);
            for maker in makers {
                let child = maker.join().unwrap();
                assert_eq!(child.roll.ended(), Some(&7));
            }
            assert_eq!(top.roll.len(), 0);
        });
    }

    /// "Poll against end": who waits is told once, and who is told that it is too late does not wait.
    #[test]
    fn a_waiter_is_told_or_sees_the_end() {
        check_either(3, |left| {
            let top = Node::new(None, 0);
            let told = told();
            let (waiter, ender) = (top.clone(), top.clone());
            let its = told.clone();
            let (waits, ()) = race(
                left,
                move || waiter.wait(0, &its).is_some(),
                move || ender.end(7),
            );
            assert_eq!(times(&told), usize::from(waits));
            assert_eq!(top.roll.ended(), Some(&7));
            assert_eq!(Arc::strong_count(&told), 1, "a waiter was leaked");
        });
    }

    /// Two waiters, one of which goes, and one that changes its waker, against the end.
    #[test]
    fn waiters_that_leave_or_change_their_waker_are_told_at_most_once() {
        check(3, || {
            let top = Node::new(None, 0);
            let (old, new, other) = (told(), told(), told());
            let changer = thread::spawn({
                let (top, old, new) = (top.clone(), old.clone(), new.clone());
                move || {
                    let place = top.wait(0, &old)?;
                    Some(top.roll.exchange(place, Member::Waiter(new)).is_ok())
                }
            });
            let leaver = thread::spawn({
                let (top, other) = (top.clone(), other.clone());
                move || {
                    let place = top.wait(1, &other)?;
                    Some(top.roll.remove(place).is_some())
                }
            });
            top.end(7);
            let told_of = match changer.join().unwrap() {
                None => (0, 0),
                Some(true) => (0, 1),
                Some(false) => (1, 0),
            };
            assert_eq!((times(&old), times(&new)), told_of);
            let left = leaver.join().unwrap();
            assert_eq!(times(&other), usize::from(left == Some(false)));
            assert_eq!(top.roll.len(), 0);
        });
    }

    /// Of two ends one counts, and both find the roll ended when they return.
    #[test]
    fn of_two_ends_the_first_counts() {
        check_either(3, |left| {
            let top = Node::new(None, 0);
            let below = Node::new(Some(&top), 0);
            let (one, two) = (top.clone(), top);
            let (one, two) = race(
                left,
                move || {
                    one.end(1);
                    *one.roll.ended().unwrap()
                },
                move || {
                    two.end(2);
                    *two.roll.ended().unwrap()
                },
            );
            assert_eq!(one, two);
            assert_eq!(below.roll.ended(), Some(&one));
        });
    }

    /// "Remove against end": a child that is dropped while its parent is cancelled.
    #[test]
    fn a_child_that_goes_while_its_parent_is_cancelled_is_gone() {
        check_either(3, |left| {
            let top = Node::new(None, 0);
            let child = Node::new(Some(&top), 0);
            let weak = Arc::downgrade(&child);
            let ender = top.clone();
            race(left, move || drop(child), move || ender.end(7));
            assert!(weak.upgrade().is_none());
            assert_eq!(top.roll.len(), 0);
        });
    }
}
