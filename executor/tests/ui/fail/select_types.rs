//! What is wrong inside an arm is blamed on the arm.

fn main() {
    let (tx, rx) = gopark::chan::bounded::<u8>(1);
    let _: u8 = gopark::select_blocking! {
        value = rx.recv() => value.unwrap(),
        _ = tx.send("text") => 0,
    };
}
