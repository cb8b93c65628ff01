//! What a rehearsal found: every object that Helm would create, change, delete or be refused, as data.
//!
//! "Refused" and "accepted" are the API server's own words, or a check's that stands in for one that a dry run leaves out.
//! Where neither can tell, the write is "unpredictable", and says why: it is listed and does not block.

pub mod command;
pub mod consent;
pub mod summary;
pub mod wording;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::ObjectRef;
use super::report::Problem;

/// Format version of a saved rehearsal.
pub const REHEARSED_FORMAT: u32 = 1;

/// Whether refusals were hidden from Helm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A refusal is answered with a made-up success, so that all of them are found.
    All,
    /// A refusal is handed to Helm: what it would do next is seen, its automatic rollback included.
    AsHelm,
}

/// The result of one rehearsal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsed {
    /// [`REHEARSED_FORMAT`].
    pub format: u32,
    /// What was rehearsed, as the subject of a sentence: `The upgrade`, or a command in backticks without its values. Absent:
    /// `The command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How refusals were answered.
    pub mode: Mode,
    /// Every object that was written, in the order in which it was first written; the command's own records (Helm's release
    /// Secrets) are not among them.
    pub objects: Vec<RehearsedObject>,
    /// What a person should know, most important first.
    pub findings: Vec<Finding>,
    /// Requests that were not let through, such as `POST pods/exec: ...`: what they would have done is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
    /// What could not be looked at, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How the command ended.
    pub end: CommandEnd,
}

impl Rehearsed {
    /// Adds findings, in the order of their classes.
    pub fn find(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
        // Stable: within a class in the order in which they were met.
        self.findings.sort_by_key(|finding| Class::ALL.iter().position(|class| *class == finding.class));
    }

    /// Tells whether what was rehearsed must not begin as it is: something would be refused or lost, or the command failed.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.end.exit_code != 0 || self.findings.iter().any(|finding| finding.class.blocks())
    }
}

/// How a rehearsed command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommandEnd {
    /// Its exit code: 0 if it did what it was asked for.
    pub exit_code: i32,
    /// Its error, explained; empty if it ended well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// One object, and what all writes to it together would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RehearsedObject {
    /// Which.
    pub object: ObjectRef,
    /// What would become of it, compared with the cluster before.
    pub operation: Operation,
    /// What the server said.
    pub verdict: Verdict,
    /// Whether it is a hook: Helm makes and removes those at every operation.
    #[serde(default)]
    pub is_hook: bool,
    /// What would differ, field by field; empty unless it is changed or replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// Whether its pods would be replaced: the pod template of a workload differs.
    #[serde(default)]
    pub restarts_pods: bool,
}

/// What would become of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// It is written and stays as it is.
    Unchanged,
    /// It is not there now.
    Create,
    /// It is there and differs.
    Change,
    /// It is there, is deleted, and made anew.
    Replace,
    /// It is there and is deleted.
    Delete,
    /// It is made and removed again within the run, as hooks are.
    Pass,
}

/// What the server said to the writes of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// It takes them.
    Accepted,
    /// It refuses at least one; findings say which and why.
    Refused,
    /// Nobody can tell before it really happens.
    Unpredictable {
        /// Why not, in one line.
        because: String,
    },
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Such as `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// The value before; absent if there was none. Secret values are digests, `sha256:...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What kind of trouble a finding tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A field that cannot be changed once it is set.
    ImmutableField,
    /// The object exists and does not belong to the release.
    Ownership,
    /// Another field manager owns a field (server-side apply).
    ApplyConflict,
    /// An admission webhook or policy says no.
    Admission,
    /// A quota or limit range is exceeded.
    Quota,
    /// The object is not valid.
    Validation,
    /// The server does not know the kind.
    MissingKind,
    /// The namespace does not exist.
    MissingNamespace,
    /// The user may not do it.
    Rights,
    /// A port or an address is taken or out of range.
    Allocator,
    /// The release record does not fit into a Secret.
    RecordTooLarge,
    /// What is to be deleted belongs to somebody else.
    ForeignDeletion,
    /// Data would be lost: a volume, a CRD with its objects, or what a policy says to keep.
    DataLoss,
    /// Somebody edited a live field by hand, and the upgrade reverts it.
    HandEdit,
}

impl Class {
    /// Every class, in the order in which findings are shown.
    pub const ALL: [Self; 14] = [
        Self::ImmutableField,
        Self::Ownership,
        Self::ApplyConflict,
        Self::Admission,
        Self::Quota,
        Self::Validation,
        Self::MissingKind,
        Self::MissingNamespace,
        Self::Rights,
        Self::Allocator,
        Self::RecordTooLarge,
        Self::ForeignDeletion,
        Self::DataLoss,
        Self::HandEdit,
    ];

    /// Returns the class in the words of every output, such as `immutable field`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ImmutableField => "immutable field",
            Self::Ownership => "ownership",
            Self::ApplyConflict => "apply conflict",
            Self::Admission => "admission",
            Self::Quota => "quota",
            Self::Validation => "validation",
            Self::MissingKind => "missing kind",
            Self::MissingNamespace => "missing namespace",
            Self::Rights => "rights",
            Self::Allocator => "allocator",
            Self::RecordTooLarge => "release record too large",
            Self::ForeignDeletion => "deletion of what another owns",
            Self::DataLoss => "loss of data",
            Self::HandEdit => "hand edit reverted",
        }
    }

    /// Tells whether the upgrade would fail (or destroy something), so that it must not begin. A hand edit that is reverted
    /// is a warning.
    #[must_use]
    pub fn blocks(self) -> bool {
        !matches!(self, Self::HandEdit)
    }
}

/// One thing that a person should know before the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What kind of trouble.
    pub class: Class,
    /// The object.
    pub object: ObjectRef,
    /// The fields that it is about, with old and new value where both are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Who stands in the way: a field manager, a release, a policy, a quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// The cause, in one line.
    pub cause: String,
    /// What helps.
    pub remedy: Remedy,
}

/// Writes [`wording::finding`]: `Job shop/init: immutable field, spec.template: it cannot be changed`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wording::finding(self))
    }
}

impl Finding {
    /// Tells whether a person must act before an upgrade: it blocks, and no step of ours cures it.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        self.class.blocks() && matches!(self.remedy, Remedy::Person { .. })
    }
}

/// What helps against a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Remedy {
    /// The plan can remove the finished Job just before Helm, which then makes it anew.
    RemoveFinishedJob {
        /// The uid of the Job that is meant: another one is not touched.
        uid: String,
    },
    /// A person must act: one command, or one sentence.
    Person {
        /// What to do.
        text: String,
    },
}
