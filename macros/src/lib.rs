//! The attribute macros of gopark.
