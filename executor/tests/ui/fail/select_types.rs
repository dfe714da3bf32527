//! What is wrong inside an arm is blamed on the arm.

fn main() {
    let (tx, rx) = gopark::chan::bounded::<u8>(1);
    let _: u8 = gopark::select_blocking! {
        value = rx.recv() => value.unwrap(),
        _ = tx.send("text") => 0,
    };
    // The bodies are of two types.
    gopark::select_blocking! {
        value = rx.recv() => value.unwrap(),
        _ = tx.send(1) => "sent",
    };
    // A pattern of another type.
    gopark::select_blocking! {
        Some(value) = rx.recv() => drop(value),
        else => (),
    };
    gopark::select_blocking! {
        (value, more) = rx.recv() => drop((value, more)),
    };
    // An unknown name, in each part of an arm.
    gopark::select_blocking! {
        value = missing.recv() => drop(value),
    };
    gopark::select_blocking! {
        value = rx.recv(), if missing => drop((value, missing)),
    };
    // Awaited where nothing can be.
    gopark::select! {
        value = rx.recv() => drop(value),
    };
}
