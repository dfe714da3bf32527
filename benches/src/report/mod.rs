//! The side-by-side report: rounds, statistics, the printed table.

pub mod json;
pub mod machine;
pub mod options;
pub mod rounds;
pub mod stats;
pub mod table;
