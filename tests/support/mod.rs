//! What tests share: the test bed, its users, its audit log, snapshots of the cluster, the Helms.
//!
//! Include it with `#[path = "../support/mod.rs"] mod support;`. Kubernetes is reached through the bed's own kubectl, so that what
//! is tested is not also what tests.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc
)]

pub mod argo_cd;
pub mod audit;
pub mod bed;
pub mod contents;
pub mod dice;
pub mod executable;
pub mod helm;
pub mod own_bed;
pub mod program;
pub mod saying;
pub mod slow_road;
pub mod snapshot;
pub mod user;
pub mod waiting;

pub use audit::{Audit, Request};
pub use bed::{Bed, TestNamespace};
pub use contents::Contents;
pub use dice::Dice;
pub(crate) use executable::{executable, script};
pub use helm::Helm;
pub use own_bed::OwnBed;
pub use program::{Ran, Running, Scene};
pub use saying::{say, skip};
pub use slow_road::SlowRoad;
pub use snapshot::Snapshot;
pub use user::BedUser;
pub use waiting::{eventually, last_look};
