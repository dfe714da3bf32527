//! Functions that become tests are still functions of a crate that is not being tested.
#![deny(warnings)]

#[gopark::test]
async fn plain() {}

#[gopark::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "only compiled"]
async fn ignored() {}

#[gopark::test(start_paused = true)]
#[should_panic(expected = "7777")]
async fn panics() -> Result<(), std::num::ParseIntError> {
    let _: u8 = "7777".parse()?;
    Ok(())
}

fn main() {}
