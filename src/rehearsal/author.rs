//! Who wrote an object in the run so far: server-side apply asks who owns each field, and a dry run of it knows only the owners
//! on the server.

use serde_json::Value;

use super::diff;
use super::write::{Act, Base, Write};

/// Who wrote an object since it came to be in the run, or since the run began.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Author {
    /// Nobody has.
    #[default]
    Nobody,
    /// Nobody has, but the owners of what is on the server were rewritten.
    Rewritten,
    /// One field manager, by server-side apply alone.
    Applied(String),
    /// One field manager, who made it with this body and then wrote it by server-side apply alone.
    Created { manager: String, body: Value },
    /// Several, or one in several ways.
    Several,
}

impl Author {
    /// Returns who wrote the object once this write has made it `object`.
    pub(super) fn after(write: &Write, object: &Value) -> Self {
        let base = write.base.as_ref();
        let before = base.and_then(Base::author).cloned().unwrap_or_default();
        let now = base.and_then(Base::now);
        match (write.act, now) {
            (Act::Apply, _) if matches!(before, Self::Nobody | Self::Rewritten) => Self::Applied(write.manager()),
            (Act::Apply, _) if before.is(&write.manager()) => before,
            (Act::Create, None) if !write.is_opaque() => {
                Self::Created { manager: write.manager(), body: write.body.clone() }
            }
            (Act::Patch | Act::Update, Some(now)) if diff::changes(now, object).is_empty() => match before {
                Self::Created { manager, .. } if hands_over(write) => Self::Applied(manager),
                Self::Nobody if hands_over(write) => Self::Rewritten,
                before => before,
            },
            _ => Self::Several,
        }
    }

    /// Tells whether the server's dry run of an apply says what the real one would: its owners, and what they then lose, are
    /// those of the run.
    pub(super) fn leaves_apply(&self, write: &Write) -> bool {
        match self {
            Self::Nobody | Self::Rewritten => true,
            Self::Applied(_) => self.is(&write.manager()),
            // What one manager made and then applies has two owners of one name: what it made is kept, and in its way.
            Self::Created { body, .. } => self.is(&write.manager()) && covers(&write.body, body, write.is_forced()),
            Self::Several => false,
        }
    }

    /// Tells whether a refusal of an apply says only that the manager is in its own way, and the run has rewritten whose the
    /// fields are: the server still has the owners of before.
    pub(super) fn excuses(&self, write: &Write, status: &Value) -> bool {
        let causes = status.pointer("/details/causes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let own = format!("conflict with \"{}\"", write.manager());
        let is_own = |cause: &Value| {
            let text = |field: &str| cause.get(field).and_then(Value::as_str).unwrap_or_default();
            text("reason") == "FieldManagerConflict" && text("message").starts_with(&own)
        };
        *self == Self::Rewritten && write.act == Act::Apply && !causes.is_empty() && causes.iter().all(is_own)
    }

    fn is(&self, other: &str) -> bool {
        matches!(self, Self::Applied(manager) | Self::Created { manager, .. } if manager == other)
    }
}

/// Tells whether a patch makes what was written otherwise the same manager's by server-side apply: Helm 4 sends it before it
/// applies an object for the first time.
///
/// Source: `k8s.io/client-go/util/csaupgrade` `UpgradeManagedFieldsPatch`, which Helm 4 `pkg/kube/client.go` sends.
fn hands_over(write: &Write) -> bool {
    let operations = write.body.as_array().map_or(&[][..], Vec::as_slice);
    operations.iter().any(|operation| operation.get("path").is_some_and(|path| path == "/metadata/managedFields"))
}

/// Tells whether `applied` sets all that `made` set: to the same, unless it is forced.
fn covers(applied: &Value, made: &Value, is_forced: bool) -> bool {
    match (applied, made) {
        (Value::Object(applied), Value::Object(made)) => made.iter().all(|(name, value)| {
            is_empty(value) || applied.get(name).is_some_and(|applied| covers(applied, value, is_forced))
        }),
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => applied == made,
        _ => is_forced || applied == made,
    }
}

/// Go writes `creationTimestamp: null` and `status: {}` where nothing is set.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}
