//! An attribute that runs a future needs a function that makes one.

#[gopark::main]
fn main() {}

#[gopark::test]
fn a_test() {}
