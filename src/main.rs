//! The one binary: picks the role, nothing else.
#![forbid(unsafe_code)]

fn main() {}
