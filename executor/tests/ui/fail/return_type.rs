//! A body that does not fit the return type is reported where the two are written.

#[gopark::main]
async fn no_ok() -> Result<(), std::io::Error> {
    gopark::yield_now().await;
}

#[gopark::main]
async fn wrong_tail() -> u16 {
    gopark::yield_now().await;
    "7777"
}

#[gopark::main]
async fn wrong_return() {
    if std::env::args().count() == 7 {
        return 7;
    }
}

#[gopark::main]
async fn question_mark_without_result() {
    let _: u16 = "7777".parse()?;
}

struct Opaque;

#[gopark::main]
async fn main() -> Opaque {
    Opaque
}
