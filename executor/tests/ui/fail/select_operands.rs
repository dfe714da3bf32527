//! What is no operation is blamed on the operand.

use gopark::chan;

async fn waits() {
    let (tx, rx) = chan::bounded::<u8>(1);
    gopark::select! {
        _ = rx.recv() => (),
        _ = 5 => (),
    }
    gopark::select! {
        sent = tx.try_send(7) => drop(sent),
    }
    // Awaited already.
    gopark::select! {
        got = rx.recv().await => drop(got),
    }
    // By reference, and not pinned.
    let mut receive = rx.recv();
    gopark::select! {
        got = &mut receive => drop(got),
    }
}

fn main() {
    drop(waits());
}
