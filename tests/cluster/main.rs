//! Tests against a real API server, each in a namespace of its own. Without a test bed each says that it is skipped.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod bed;
mod blocked;
mod edge;
mod edge_helm;
mod edge_records;
mod failure;
mod upgrade;
