#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    missing_docs
)]
#[path = "cluster/crd_check.rs"]
mod crd_check;
#[path = "support/mod.rs"]
mod support;
