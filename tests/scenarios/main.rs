//! Scenarios: a folder with facts and what must come of them, no code. And what holds for every check at once.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy.toml's exception covers test functions alone, not what they share"
)]

mod facts_format;
mod offline;
mod post_render;
mod preflight;
mod properties;
mod registry;
mod scenario;
mod schemas;
