//! What is no operation is blamed on the operand.

fn main() {
    let (tx, rx) = gopark::chan::bounded::<u8>(1);
    gopark::select_blocking! {
        _ = rx.recv() => (),
        _ = 5 => (),
    }
    gopark::select_blocking! {
        sent = tx.try_send(7) => drop(sent),
    }
}
