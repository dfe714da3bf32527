//! Spawn a task, join it.
//!
//!     cargo run -p gopark-examples --example hello
//!
//! Look at: `spawn` starts the task at once, and its handle is a future for what the task returns.

#[gopark::main]
async fn main() {
    let task = gopark::spawn(async { "hello from a task" });
    println!("{}", task.await.expect("the task does not panic"));
}
