//! `helm csghub`: upgrades Helm releases the way a careful expert would. This page is the map.
//!
//! ```text
//! main      parse, call cli::run, exit code
//! cli       flags <-> requests, one file a subcommand
//! flow      the use cases, in order; the only code that calls edge
//! domain    pure: what a release, a plan, a check, a journal is. No I/O, no clock, no printing
//! postrender  rendered manifests in and out, changed by the rules of a profile, as splices that are proven. Pure
//! profiles  data: what is known of each product
//! rehearsal   a Helm command played through before it is run: a request and the overlay in, an answer and findings out. Pure
//! edge      the outside world, one folder a neighbour, translating to domain types at the door:
//!           cluster (names kube)  helm (starts helm)  proxy (the server before a rehearsal)  disk (run folders)
//!           host (this machine)  terminal (prints)
//! ```
//!
//! ```text
//! chart + values + release history + cluster
//!       | flow::gather
//!     Facts (one value, serialisable, secrets masked)
//!       | domain::preflight::run_all -> findings
//!       | domain::plan::build -> Plan (steps: action, because, undo; point of no return)
//!     flow::execute: journal, act, journal; one match on Action; no decisions
//!       | failure -> flow::evidence, flow::undo, newest first
//!     flow::verify -> domain::conclusion -> RunReport -> edge::terminal, exit code
//! ```
//!
//! Which room may use which: `tests/architecture.rs` reads the sources and fails on any other arrow.

pub mod cli;
pub mod domain;
pub mod edge;
#[cfg(feature = "cluster")]
pub mod flow;
pub mod postrender;
pub mod rehearsal;
