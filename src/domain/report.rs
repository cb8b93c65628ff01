//! The final result of a command, as data: `edge::terminal` makes text or JSON of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object::ObjectRef;
use super::preflight::Finding;

/// Format version of `-o json`.
pub const REPORT_FORMAT: u32 = 1;

/// How a command ended: the documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// 0: done, or nothing to do.
    Done,
    /// 1: unexpected error.
    Unexpected,
    /// 2: the command line, a profile or the manifests are wrong.
    Usage,
    /// 10: `plan --detailed-exitcode`: changes are pending.
    ChangesPending,
    /// 20: blocked before anything was changed.
    Blocked,
    /// 30: stopped with nothing changed: by the user, for want of an answer, or because something moved since the plan.
    Stopped,
    /// 40: failed or stopped, and undone.
    Undone,
    /// 41: failed or stopped, not wholly undone: a person is needed.
    NotUndone,
    /// 50: `verify` found something.
    VerifyFound,
    /// 60: another run holds the release.
    Locked,
}

impl ExitStatus {
    /// Every status, in the order of the codes.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Unexpected,
        Self::Usage,
        Self::ChangesPending,
        Self::Blocked,
        Self::Stopped,
        Self::Undone,
        Self::NotUndone,
        Self::VerifyFound,
        Self::Locked,
    ];

    /// Returns the process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::ChangesPending => 10,
            Self::Blocked => 20,
            Self::Stopped => 30,
            Self::Undone => 40,
            Self::NotUndone => 41,
            Self::VerifyFound => 50,
            Self::Locked => 60,
        }
    }

    /// Returns what the code means, as README says it.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Unexpected => "unexpected error",
            Self::Usage => "the command line, a profile or the manifests are wrong",
            Self::ChangesPending => "`plan --detailed-exitcode`: changes are pending",
            Self::Blocked => "blocked before anything was changed",
            Self::Stopped => {
                "stopped with nothing changed: by the user, for want of an answer, or because something moved since the plan"
            }
            Self::Undone => "failed or stopped, and undone",
            Self::NotUndone => "failed or stopped, not wholly undone: a person is needed",
            Self::VerifyFound => "`verify` found something",
            Self::Locked => "another run holds the release",
        }
    }
}

/// What went wrong with one object: the four things that an error names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The object, as precisely as it is known.
    pub object: String,
    /// The field; absent where the whole object is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The cause, in one line.
    pub cause: String,
    /// What helps: one command, or one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The final result of `upgrade`, `resume` and `rollback`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// Id of the run; absent if nothing was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Name of the release.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
    /// How it ended.
    pub exit: ExitStatus,
    /// One sentence: what state the release is in now.
    pub headline: String,
    /// What went wrong, most important first.
    pub problems: Vec<Problem>,
    /// What the undo left, removed or kept, one sentence each.
    pub left_behind: Vec<LeftBehind>,
    /// What a person must still do, one sentence each; not empty for [`ExitStatus::NotUndone`].
    pub to_do: Vec<String>,
    /// Whether the run is still open: `resume` tries its undo again.
    #[serde(default)]
    pub is_open: bool,
    /// Folder with logs, events, objects and Helm's full text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Flags that let the same command go on in spite of what its rehearsal found, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways_on: Vec<String>,
    /// The preflight findings.
    pub findings: Vec<Finding>,
}

/// An object that the failed revision brought, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftBehind {
    /// Which.
    pub object: ObjectRef,
    /// What became of it.
    pub fate: Fate,
    /// Why, in a few words.
    pub because: String,
}

/// What became of an object that a failed revision brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Removed by the run, and not there again.
    Removed,
    /// Left in place.
    Kept,
}
