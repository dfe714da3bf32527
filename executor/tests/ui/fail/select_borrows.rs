//! What is moved or borrowed twice is blamed on the operands.

fn main() {
    let (tx, _rx) = gopark::chan::bounded::<String>(1);
    let text = String::new();
    gopark::select_blocking! {
        _ = tx.send(text) => (),
        _ = tx.send(text) => (),
    }
    let mut slot = Some(String::new());
    gopark::select_blocking! {
        _ = tx.send_opt(&mut slot) => (),
        _ = tx.send_opt(&mut slot) => (),
    }
    // What a body gets may not borrow from what only the operand had.
    gopark::select_blocking! {
        permit = tx.clone().reserve() => drop(permit),
    }
}
