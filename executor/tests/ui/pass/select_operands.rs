//! What an operand of `select!` has borrowed is free again in every body, and in the default.

use gopark::chan;

fn main() {
    gopark::block_on(async {
        let (tx, rx) = chan::bounded::<u8>(1);

        // What the case of this body borrowed.
        let mut slot = Some(1);
        gopark::select! {
            sent = tx.send_opt(slot_of(&mut slot)) => { sent.unwrap(); slot = None; }
            _ = chan::never::<()>() => slot = Some(2),
        }
        assert_eq!(slot, None);
        assert_eq!(rx.try_recv(), Ok(1));

        // What another case borrowed, and a default.
        slot = Some(3);
        tx.try_send(0).unwrap();
        gopark::select! {
            _ = tx.send_opt(&mut slot), if tx.is_full() => unreachable!(),
            default => assert_eq!(slot.take(), Some(3)),
        }
        slot = Some(4);
        gopark::select! {
            biased;
            _ = tx.send_opt(&mut slot) => unreachable!(),
            got = rx.recv() => { got.unwrap(); slot = None; }
        }
        assert_eq!(slot, None);

        // A future that borrows exclusively, by value and by reference.
        let mut count = 0;
        let mut counting = Box::pin(std::future::ready(7));
        gopark::select! {
            () = async { count += 1; std::future::pending().await } => unreachable!(),
            got = &mut counting => { count = got; counting = Box::pin(std::future::ready(8)); }
        }
        assert_eq!(count, 7);
        drop(counting);

        // A lock that is taken in an operand, and a borrow that is counted when it runs.
        let counter = std::cell::RefCell::new(5);
        let lock = std::sync::Mutex::new(6);
        gopark::select! {
            got = std::future::ready(*counter.borrow_mut() + *lock.lock().unwrap()) => {
                *counter.borrow_mut() = got;
                *lock.try_lock().unwrap() = got;
            }
        }
        gopark::select! {
            _ = { let held = lock.lock().unwrap(); holding(held) } => unreachable!(),
            default => *lock.try_lock().unwrap() += 1,
        }
        assert_eq!(counter.into_inner() + 1, lock.into_inner().unwrap());
    });

    // On a thread.
    let (tx, _rx) = chan::rendezvous::<String>();
    let mut slot = Some(String::from("kept"));
    gopark::select_blocking! {
        _ = tx.send_opt(&mut slot) => slot = None,
        default => slot.as_mut().unwrap().push('!'),
    }
    assert_eq!(slot.as_deref(), Some("kept!"));
}

fn slot_of(slot: &mut Option<u8>) -> &mut Option<u8> {
    slot
}

async fn holding<T>(held: T) {
    std::future::pending::<()>().await;
    drop(held);
}
