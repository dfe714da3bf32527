//! A pattern must match whatever the operation gives.

fn main() {
    let (_tx, rx) = gopark::chan::bounded::<u8>(1);
    let _: u8 = gopark::select_blocking! {
        Ok(value) = rx.recv() => value,
    };
}
