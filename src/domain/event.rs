//! Progress notices of a run: what `flow` tells while it works, and `edge::terminal` shows.

use std::time::Duration;

use serde::Serialize;

use super::object::ObjectRef;

/// A stage of the flow, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Facts are read.
    Gather,
    /// Checks run over the facts.
    Preflight,
    /// Helm is played through, and nothing is changed.
    Rehearse,
    /// Steps are decided.
    Plan,
    /// The user is asked.
    Confirm,
    /// What stands in Helm's way is cleared.
    Prepare,
    /// `helm upgrade` or `helm install` runs.
    Helm,
    /// Every object is watched until it is current.
    Verify,
    /// What helps to understand a failure is collected.
    Evidence,
    /// Completed steps are reversed, newest first.
    Undo,
}

/// One progress notice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A stage begins.
    StageStarted {
        /// Which.
        stage: Stage,
        /// What it is about to do, in a few words, such as `helm upgrade shop 1.2.0 -> 1.3.0`.
        what: String,
    },
    /// What the stage waits for, or how far it is; replaces the notice before it.
    Progress {
        /// Which.
        stage: Stage,
        /// Such as `31 of 40 objects current; waiting for Deployment shop/web: 1 of 2 replicas ready`.
        what: String,
        /// Since the stage began.
        #[serde(serialize_with = "as_seconds")]
        elapsed: Duration,
    },
    /// A stage ended well.
    StageFinished {
        /// Which.
        stage: Stage,
        /// What came of it, such as `260 objects, 3 revisions`.
        what: String,
        /// How long it took.
        #[serde(serialize_with = "as_seconds")]
        elapsed: Duration,
    },
    /// A stage ended badly.
    StageFailed {
        /// Which.
        stage: Stage,
        /// The cause, in one line.
        what: String,
        /// How long it took.
        #[serde(serialize_with = "as_seconds")]
        elapsed: Duration,
    },
    /// The kubelet or the scheduler reports trouble with a workload of the release.
    Trouble {
        /// The workload, or the pod if none owns it.
        object: ObjectRef,
        /// Such as `CrashLoopBackOff, 3 restarts`.
        what: String,
        /// Last lines of the container's log, masked.
        log: Vec<String>,
    },
    /// Something that the user should know and that stops nothing.
    Note {
        /// One line.
        what: String,
    },
    /// A detail that only `-v` shows: a line of Helm, a request.
    Detail {
        /// One line.
        what: String,
    },
}

fn as_seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((elapsed.as_secs_f64() * 10.0).round() / 10.0)
}
