//! The edge that starts Helm: against a script that plays Helm, and against the real ones where the bed runs.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, clippy::print_stdout)]

mod fake;
mod real;
