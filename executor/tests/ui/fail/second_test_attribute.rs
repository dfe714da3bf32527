//! `#[gopark::test]` brings `#[test]` with it; twice would run the test twice.

#[gopark::test]
#[test]
async fn and_the_standard_one() {}

#[gopark::test]
#[gopark::test]
async fn and_itself() {}

#[gopark::test]
#[should_panic]
#[core::prelude::v1::test]
async fn and_the_full_name_of_it() {}

fn main() {}
