//! Timers: `entry`, `wheel`, `locked_wheel`, `timers` and `alarm` of `executor/src/time`, against each other.
//!
//! What every model checks besides its own claim: an alarm's waker is neither lost nor dropped twice
//! (its count of references is one in the end), and nobody touches an entry that its owner has freed
//! (the entry's `Drop` writes to the cell that holds the waker, and loom would see a concurrent read).

#[path = "../../executor/src/time/alarm.rs"]
mod alarm;
#[path = "../../executor/src/time/entry.rs"]
mod entry;
#[path = "../../executor/src/time/locked_wheel.rs"]
mod locked_wheel;
#[path = "../../executor/src/time/tick.rs"]
mod tick;
#[path = "../../executor/src/time/timers.rs"]
#[expect(
    clippy::module_inception,
    reason = "it is the model of the file of that name"
)]
mod timers;
#[path = "../../executor/src/time/wheel.rs"]
mod wheel;

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::Arc,
        task::Waker,
        time::{Duration, Instant},
    };

    use loom::thread;

    use super::{
        alarm::{Alarm, Reset},
        entry::State,
        locked_wheel::LockedWheel,
        tick::NEVER,
        timers::{Armed, Timers},
    };
    use crate::count::{Count, assert_no_waker_left};

    fn timers(origin: Instant) -> Arc<Timers> {
        Arc::new(Timers::new(origin, None))
    }

    fn armed_at(timers: &Arc<Timers>, tick: u64, waker: &Waker) -> Pin<Box<Alarm>> {
        let mut alarm = Box::pin(Alarm::new());
        assert!(matches!(
            alarm.as_mut().arm(timers, tick, waker.clone()),
            Armed::First
        ));
        alarm
    }

    fn fire(timers: &Timers, now: u64) -> usize {
        let mut due = Vec::new();
        timers.fire(now, &mut due);
        wake_all(due)
    }

    fn close(timers: &Timers) -> usize {
        let mut all = Vec::new();
        timers.close(&mut all);
        wake_all(all)
    }

    fn wake_all(wakers: Vec<Waker>) -> usize {
        let count = wakers.len();
        wakers.into_iter().for_each(Waker::wake);
        count
    }

    /// Runs `f` under loom with either side of its [`race`] starting.
    ///
    /// Both are needed: loom remembers only the last access to an atomic, so the load before a
    /// compare-exchange hides an earlier load of the other thread, and the order in which that one
    /// comes later is then found only if it is the order of the first run.
    fn model(f: impl Fn(bool) + Copy + Send + Sync + 'static) {
        for owner_starts in [true, false] {
            loom::model(move || f(owner_starts));
        }
    }

    fn race<A: Send + 'static, B: Send + 'static>(
        owner_starts: bool,
        owner: impl FnOnce() -> A + Send + 'static,
        other: impl FnOnce() -> B + Send + 'static,
    ) -> (A, B) {
        if owner_starts {
            let other = thread::spawn(other);
            let owned = owner();
            (owned, other.join().unwrap())
        } else {
            let owner = thread::spawn(owner);
            let done = other();
            (owner.join().unwrap(), done)
        }
    }

    fn turner(timers: &Arc<Timers>, now: u64) -> impl FnOnce() -> usize + Send + 'static {
        let timers = timers.clone();
        move || fire(&timers, now)
    }

    fn closer(timers: &Arc<Timers>) -> impl FnOnce() -> usize + Send + 'static {
        let timers = timers.clone();
        move || close(&timers)
    }

    #[test]
    fn a_dropped_alarm_is_fired_or_cancelled_and_never_touched_again() {
        model(|owner_starts| {
            let timers = timers(Instant::now());
            let (count, waker) = Count::pair();
            let alarm = armed_at(&timers, 5, &waker);
            drop(waker);
            let ((), fired) = race(owner_starts, || drop(alarm), turner(&timers, 5));
            assert_eq!(fired, count.wakes());
            assert_eq!((timers.len(), timers.next()), (0, NEVER));
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn of_two_who_turn_the_wheel_one_fires_the_alarm_while_it_is_dropped() {
        model(|owner_starts| {
            let timers = timers(Instant::now());
            let (count, waker) = Count::pair();
            let alarm = armed_at(&timers, 5, &waker);
            drop(waker);
            let thief = thread::spawn(turner(&timers, 9));
            let ((), fired) = race(owner_starts, || drop(alarm), turner(&timers, 5));
            let fired = fired + thief.join().unwrap();
            assert_eq!(fired, count.wakes());
            assert!(fired <= 1);
            assert_no_waker_left(&[&count]);
        });
    }

    /// The wheel gives its lock back after each entry, so one turner comes upon what the other has left
    /// over, with a clock that it read before.
    #[test]
    fn of_two_who_turn_the_wheel_the_one_with_an_older_now_puts_nothing_off() {
        model(|older_starts| {
            let timers = timers(Instant::now());
            let (count, waker) = Count::pair();
            let mut alarms = vec![armed_at(&timers, 5, &waker)];
            for _ in 0..2 {
                let mut alarm = Box::pin(Alarm::new());
                let armed = alarm.as_mut().arm(&timers, 6, waker.clone());
                assert!(matches!(armed, Armed::Waiting));
                alarms.push(alarm);
            }
            drop(waker);
            let (older, newer) = (turner(&timers, 5), turner(&timers, 6));
            let (older, newer) = race(older_starts, older, newer);
            assert_eq!((older + newer, count.wakes()), (3, 3));
            assert_eq!((timers.len(), timers.next()), (0, NEVER));
            drop(alarms);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn who_waits_with_another_waker_is_woken_or_sees_that_it_fired() {
        model(|owner_starts| {
            let timers = timers(Instant::now());
            let ((old, first), (new, second)) = (Count::pair(), Count::pair());
            let mut alarm = armed_at(&timers, 5, &first);
            drop(first);
            let owner = move || {
                let waits = match alarm.state() {
                    State::Armed(_) => alarm.as_mut().rewake(&second).is_pending(),
                    _ => false,
                };
                (alarm, waits)
            };
            let ((alarm, waits), fired) = race(owner_starts, owner, turner(&timers, 5));
            assert_eq!((alarm.state(), fired), (State::Fired, 1));
            assert_eq!(
                (old.wakes(), new.wakes()),
                if waits { (0, 1) } else { (1, 0) }
            );
            assert_no_waker_left(&[&old, &new]);
        });
    }

    #[test]
    fn who_waits_with_the_same_waker_is_woken() {
        model(|owner_starts| {
            let timers = timers(Instant::now());
            let (count, waker) = Count::pair();
            let mut alarm = armed_at(&timers, 5, &waker);
            let owner = move || {
                if let State::Armed(_) = alarm.state() {
                    assert!(alarm.as_mut().rewake(&waker).is_pending());
                }
                alarm
            };
            let (alarm, fired) = race(owner_starts, owner, turner(&timers, 5));
            assert_eq!((alarm.state(), fired, count.wakes()), (State::Fired, 1, 1));
            drop(alarm);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn a_fired_alarm_is_armed_again_while_its_wake_is_under_way() {
        model(|owner_starts| {
            let origin = Instant::now();
            let timers = timers(origin);
            let (count, waker) = Count::pair();
            let mut alarm = armed_at(&timers, 5, &waker);
            let again = timers.clone();
            let owner = move || {
                if alarm.state() == State::Fired {
                    assert!(matches!(
                        alarm.as_mut().reset(origin + Duration::from_millis(7)),
                        Reset::Done
                    ));
                    let armed = alarm.as_mut().arm(&again, 7, waker);
                    assert!(matches!(armed, Armed::First | Armed::Waiting));
                }
                alarm
            };
            let (alarm, fired) = race(owner_starts, owner, turner(&timers, 5));
            let fired = fired + fire(&timers, 7);
            assert_eq!((alarm.state(), fired), (State::Fired, count.wakes()));
            drop(alarm);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn a_postponed_alarm_fires_late_or_its_owner_learns_that_it_was_too_late() {
        model(|owner_starts| {
            let origin = Instant::now();
            let timers = timers(origin);
            let (count, waker) = Count::pair();
            let mut alarm = armed_at(&timers, 5, &waker);
            drop(waker);
            let owner = move || {
                let later = origin + Duration::from_millis(8);
                assert!(matches!(alarm.as_mut().reset(later), Reset::Done));
                let state = alarm.state();
                (alarm, state)
            };
            let ((alarm, state), fired) = race(owner_starts, owner, turner(&timers, 5));
            match (state, fired) {
                (State::Armed(8), 0) => {
                    assert_eq!(fire(&timers, 7), 0, "never early");
                    assert_eq!(timers.next(), 8);
                    assert_eq!(fire(&timers, 8), 1);
                }
                (State::Idle, 1) => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(count.wakes(), 1);
            drop(alarm);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn an_alarm_set_earlier_keeps_its_waker_or_was_fired() {
        model(|owner_starts| {
            let origin = Instant::now();
            let timers = timers(origin);
            let (count, waker) = Count::pair();
            let mut alarm = armed_at(&timers, 9, &waker);
            drop(waker);
            let home = timers.clone();
            let owner = move || {
                match alarm.as_mut().reset(origin + Duration::from_millis(4)) {
                    Reset::Rearm(waker) => match alarm.as_mut().arm(&home, 4, waker) {
                        Armed::First | Armed::Waiting => {}
                        Armed::Due(waker) => waker.wake(),
                        other => panic!("{other:?}"),
                    },
                    Reset::Done => assert_eq!(alarm.state(), State::Idle),
                    Reset::Drop(_) => panic!("the deadline comes"),
                }
                alarm
            };
            let (alarm, _) = race(owner_starts, owner, turner(&timers, 9));
            fire(&timers, 4);
            assert_eq!(count.wakes(), 1);
            drop(alarm);
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn an_alarm_armed_during_the_shutdown_is_refused_or_woken() {
        model(|owner_starts| {
            let timers = timers(Instant::now());
            let (count, waker) = Count::pair();
            let home = timers.clone();
            let owner = move || {
                let mut alarm = Box::pin(Alarm::new());
                let armed = alarm.as_mut().arm(&home, 5, waker);
                (alarm, armed)
            };
            let ((alarm, armed), woken) = race(owner_starts, owner, closer(&timers));
            match armed {
                Armed::Closed(_) => assert_eq!((woken, alarm.state()), (0, State::Idle)),
                Armed::First => assert_eq!((woken, alarm.state()), (1, State::Closed)),
                other => panic!("{other:?}"),
            }
            drop(armed);
            drop(alarm);
            assert_eq!(count.wakes(), woken);
            assert_eq!((timers.len(), timers.next()), (0, NEVER));
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn an_alarm_is_postponed_and_dropped_while_its_runtime_shuts_down() {
        model(|owner_starts| {
            let origin = Instant::now();
            let timers = timers(origin);
            let (count, waker) = Count::pair();
            let mut alarm = armed_at(&timers, 5, &waker);
            drop(waker);
            let owner = move || {
                let later = origin + Duration::from_millis(6);
                assert!(matches!(alarm.as_mut().reset(later), Reset::Done));
            };
            let ((), woken) = race(owner_starts, owner, closer(&timers));
            assert_eq!(woken, count.wakes());
            assert_no_waker_left(&[&count]);
        });
    }

    #[test]
    fn an_alarm_is_dropped_while_its_wheel_goes_to_another_runtime() {
        model(|owner_starts| {
            let origin = Instant::now();
            let wheel: &'static LockedWheel = Box::leak(Box::new(LockedWheel::new()));
            wheel.reopen();
            let old = Arc::new(Timers::on(wheel, origin, None));
            let ((count, waker), (next_count, next_waker)) = (Count::pair(), Count::pair());
            let alarm = armed_at(&old, 5, &waker);
            drop(waker);
            let next_runtime = move || {
                drop(old);
                wheel.reopen();
                let new = Arc::new(Timers::on(wheel, origin, None));
                let alarm = armed_at(&new, 5, &next_waker);
                drop(next_waker);
                (new, alarm)
            };
            let ((), (new, alarm)) = race(owner_starts, || drop(alarm), next_runtime);
            assert!(count.wakes() <= 1, "dropped, or woken by the shutdown");
            assert_eq!((new.len(), new.next(), fire(&new, 5)), (1, 5, 1));
            assert_eq!((alarm.state(), next_count.wakes()), (State::Fired, 1));
            drop(alarm);
            assert_no_waker_left(&[&count, &next_count]);
        });
    }

    #[test]
    fn a_sleeper_sees_the_new_first_alarm_or_is_told_of_it() {
        use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

        loom::model(|| {
            // The sleeper's side of invariant 2 of `locked_wheel`: publish, fence, look.
            let until = Arc::new(AtomicU64::new(0));
            let told = Arc::new(AtomicBool::new(false));
            let timers = Arc::new(Timers::new(
                Instant::now(),
                Some(Box::new({
                    let (until, told) = (until.clone(), told.clone());
                    move |tick| {
                        if tick < until.load(Ordering::Relaxed) {
                            told.store(true, Ordering::Relaxed);
                        }
                    }
                })),
            ));
            let sleeper = thread::spawn({
                let (timers, until) = (timers.clone(), until);
                move || {
                    until.store(u64::MAX, Ordering::Relaxed);
                    fence(Ordering::SeqCst);
                    timers.next() == 5
                }
            });
            let mut alarm = Box::pin(Alarm::new());
            let armed = alarm.as_mut().arm(&timers, 5, Waker::noop().clone());
            assert!(matches!(armed, Armed::First));
            timers.announce(5);
            let saw = sleeper.join().unwrap();
            assert!(
                saw || told.load(Ordering::Relaxed),
                "it sleeps through the alarm"
            );
        });
    }
}
