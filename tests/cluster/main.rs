//! Tests against a real API server, each in a namespace of its own. Without a test bed each says that it is skipped.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

mod alone;
mod bed;
mod blocked;
mod canary;
mod crd_check;
mod edge;
mod edge_helm;
mod edge_records;
mod failure;
mod kill;
mod locks;
mod plugin;
mod post_render;
mod post_render_fails;
mod post_render_rules;
mod proxy;
mod read_only;
mod real_charts;
mod real_rehearsals;
mod recall;
mod rehearsal;
mod rehearsal_commands;
mod rehearsal_waits;
mod rights;
mod ruled;
mod saved_plans;
mod upgrade;
