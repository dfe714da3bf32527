//! An error about an unknown argument lists the known ones.

#[gopark::main(flavour = "current_thread")]
async fn british() {
    let _: u8 = "the body is checked as well";
}

#[gopark::main("current_thread")]
async fn no_key() {}

#[gopark::test(procs)]
async fn no_value() {}

#[gopark::test(flavor = )]
async fn empty_value() {}

#[gopark::main(, procs = 2)]
async fn main() {}
