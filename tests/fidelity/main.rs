//! What the post-renderer writes means to Go what it should: Go decodes, as Helm and kubectl do, and is the judge.
//!
//! `torture/` holds documents of one topic each. `CSGHUB_FIDELITY_DOCUMENTS` says how many documents are generated (2,000 if it is
//! not set), `CSGHUB_FIDELITY_SEED` from which seed. `CSGHUB_REAL_CHARTS` is a folder beside which `data/` holds real releases. The judge is built
//! with Go; where there is none, these tests say so and are skipped.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy.toml's exception covers test functions alone, not what they share"
)]

mod corpus;
mod edits;
mod generated;
mod judge;
mod manifests;
mod places;
mod real;
mod real_rules;
mod targets;
