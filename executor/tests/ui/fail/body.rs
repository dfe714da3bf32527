//! Errors in the body point at the body, as without the attribute.

#[gopark::main]
async fn main() {
    let port: u16 = "7777";
    no_such_function().await;
    let _ = port;
}
