//! A plan in a file: what it is bound to, and what has moved since. No secret values: values appear as digests alone.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Action, Plan};
use crate::domain::facts::{Answer, LiveFacts, ObjectFacts};
use crate::domain::object::ObjectRef;
use crate::domain::random::RandomField;
use crate::domain::rehearsed::Rehearsed;
use crate::domain::report::Problem;

/// Format version of a saved plan.
pub const SAVED_PLAN_FORMAT: u32 = 1;

/// A plan that was saved to be run later: `plan --out FILE`, `upgrade --plan FILE`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SavedPlan {
    /// [`SAVED_PLAN_FORMAT`].
    pub format: u32,
    /// When it was made, RFC 3339 in UTC.
    pub made_at: String,
    /// The run that made it: its folder holds the rehearsed bytes, on the machine where it was made.
    pub run_id: String,
    /// What it is for: anything else is refused.
    pub bound: Binding,
    /// Every object that it touches, as it was: what differs now is drift.
    pub objects: Vec<SavedObject>,
    /// The fields that are drawn at each render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub random: Vec<RandomField>,
    /// Every rendered object, by the digest of all of it but its random fields.
    pub rendered: Vec<RenderedObject>,
    /// The plan.
    pub plan: Plan,
    /// What its rehearsal found.
    pub rehearsal: Rehearsed,
}

/// What a saved plan is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binding {
    /// Name of the release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// Which cluster.
    pub cluster: ClusterMark,
    /// Version of Helm.
    pub helm: String,
    /// The newest revision, whatever its status; absent if the release did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<NewestRevision>,
    /// Name and version of the chart.
    pub chart: String,
    /// `sha256:...` of the chart's files.
    pub chart_digest: String,
    /// `sha256:...` of the user values of the new revision; absent where Helm could not tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_digest: Option<String>,
    /// Names of the flags for Helm that are neither values nor the chart's place, sorted.
    pub flags: Vec<String>,
    /// `sha256:...` of those flags with what they were given.
    pub flags_digest: String,
    /// `sha256:...` of the rules of profiles; absent where none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_digest: Option<String>,
}

/// What tells one cluster from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterMark {
    /// Its URL.
    pub server: String,
    /// uid of namespace `kube-system`, which lives as long as the cluster; absent where it may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// `sha256:...` of the certificates by which the server is known; absent where the system's are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

impl ClusterMark {
    /// Tells whether both are the same cluster, by the best mark that both have.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.uid.as_ref().zip(other.uid.as_ref()), self.authority.as_ref().zip(other.authority.as_ref())) {
            (Some((one, other)), _) | (None, Some((one, other))) => one == other,
            (None, None) => self.server == other.server,
        }
    }
}

/// The newest revision of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewestRevision {
    /// Its number.
    pub revision: u32,
    /// `resourceVersion` of its record.
    pub resource_version: String,
}

/// An object that the plan touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SavedObject {
    /// Which.
    pub object: ObjectRef,
    /// How it was; absent if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<SavedState>,
}

/// How an object was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SavedState {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `sha256:...` of all that a user sets.
    pub digest: String,
    /// The same field by field, two levels deep, so that drift can be named.
    pub fields: BTreeMap<String, String>,
}

impl From<&LiveFacts> for SavedState {
    fn from(live: &LiveFacts) -> Self {
        Self {
            uid: live.uid.clone(),
            resource_version: live.resource_version.clone(),
            digest: live.digest.clone(),
            fields: live.fields.clone(),
        }
    }
}

/// An object as the chart renders it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RenderedObject {
    /// Which, as the manifest names it.
    pub object: ObjectRef,
    /// `sha256:...` of all of it but its random fields.
    pub digest: String,
}

/// The file is no saved plan that this version can run.
#[derive(Debug, Error)]
pub enum SavedPlanError {
    /// It is something else.
    #[error("it is no saved plan")]
    NoPlan(#[source] serde_json::Error),
    /// It was saved by another version.
    #[error("its format is {found}, and this version reads format {SAVED_PLAN_FORMAT}")]
    Format {
        /// The format that it names; 0 if it names none.
        found: u64,
    },
}

impl SavedPlan {
    /// Returns the plan in a file.
    ///
    /// # Errors
    /// [`SavedPlanError`].
    pub fn read(text: &[u8]) -> Result<Self, SavedPlanError> {
        let value: Value = serde_json::from_slice(text).map_err(SavedPlanError::NoPlan)?;
        let found = value.get("format").and_then(Value::as_u64).unwrap_or_default();
        if found != u64::from(SAVED_PLAN_FORMAT) {
            return Err(SavedPlanError::Format { found });
        }
        serde_json::from_value(value).map_err(SavedPlanError::NoPlan)
    }

    /// Returns what the plan is bound to and is otherwise now, one sentence each; nothing if it may be run.
    #[must_use]
    pub fn mismatches(&self, now: &Binding) -> Vec<String> {
        let Binding { release, namespace, cluster, helm, newest, chart, chart_digest, values_digest, .. } = &self.bound;
        let mut found = Vec::new();
        if (release, namespace) != (&now.release, &now.namespace) {
            let (own, other) = (format!("{namespace}/{release}"), format!("{}/{}", now.namespace, now.release));
            found.push(format!("it is for release {own}, not {other}"));
        }
        if !cluster.is_same(&now.cluster) {
            found.push(format!("it was made for another cluster: {}, not {}", cluster.server, now.cluster.server));
        }
        if *helm != now.helm {
            found.push(format!("it was made with Helm {helm}, and this is Helm {}", now.helm));
        }
        if newest != &now.newest {
            let told = |newest: &Option<NewestRevision>| {
                newest
                    .as_ref()
                    .map_or_else(|| "no revision".to_owned(), |newest| format!("revision {}", newest.revision))
            };
            found.push(format!("the release moved from {} to {}", told(newest), told_now(newest.as_ref(), now)));
        }
        if *chart_digest != now.chart_digest {
            let other = if *chart == now.chart { String::new() } else { format!(" ({chart}, now {})", now.chart) };
            found.push(format!("the chart is not the one that was planned with{other}"));
        }
        if values_digest.as_ref().zip(now.values_digest.as_ref()).is_some_and(|(own, other)| own != other) {
            found.push("the values are not those that were planned with".to_owned());
        }
        if self.bound.rules_digest != now.rules_digest {
            let how = "the rules of profiles are not those that were planned with: give `--profile` and `--profile-file` as then";
            found.push(how.to_owned());
        }
        found.extend(self.other_flags(now));
        found
    }

    fn other_flags(&self, now: &Binding) -> Option<String> {
        if self.bound.flags_digest == now.flags_digest {
            return None;
        }
        let lacking = |of: &[String], in_: &[String]| -> Vec<String> {
            of.iter().filter(|flag| !in_.contains(flag)).map(|flag| format!("`{flag}`")).collect()
        };
        let (missing, added) = (lacking(&self.bound.flags, &now.flags), lacking(&now.flags, &self.bound.flags));
        let mut told = Vec::new();
        if !missing.is_empty() {
            told.push(format!("without {}", missing.join(", ")));
        }
        if !added.is_empty() {
            told.push(format!("with {}", added.join(", ")));
        }
        let told = if told.is_empty() { "with other values".to_owned() } else { told.join(", ") };
        Some(format!("the flags for Helm are not those that were planned with: now {told}"))
    }

    /// Returns what has moved since the plan was made, object by object.
    ///
    /// What only a server or a controller writes (status) is no drift. `objects`, `rendered` and `plan` are those of now.
    #[must_use]
    pub fn drift(&self, objects: &[ObjectFacts], rendered: &[RenderedObject], plan: &Plan) -> Vec<Drift> {
        let mut found: Vec<Drift> = Vec::new();
        for now in objects {
            // One that cannot be read is the business of a check.
            let Answer::Known(live) = &now.live else { continue };
            let saved = self.objects.iter().find(|saved| saved.object.is_same_object(&now.object));
            let Some(saved) = saved else { continue };
            if let Some(what) = moved(saved.state.as_ref(), live.as_ref(), self.removes(&now.object)) {
                found.push(Drift { object: now.object.clone(), what });
            }
        }
        for object in self.plan.steps.iter().filter_map(|step| step.action.removes()) {
            if !removes(plan, object) && !found.iter().any(|drift| drift.object.is_same_object(object)) {
                let what = "the step that removes it is not needed any more".to_owned();
                found.push(Drift { object: object.clone(), what });
            }
        }
        for step in plan.steps.iter().filter(|step| !self.has_step(&step.action)) {
            if let Some(object) = step.action.removes() {
                let what = "it must be removed before Helm, and the saved plan has no such step".to_owned();
                found.push(Drift { object: object.clone(), what });
            }
        }
        found.extend(self.rendered_otherwise(rendered));
        found
    }

    fn rendered_otherwise(&self, rendered: &[RenderedObject]) -> Vec<Drift> {
        let digest_in = |list: &[RenderedObject], object: &ObjectRef| {
            list.iter().find(|rendered| rendered.object == *object).map(|rendered| rendered.digest.clone())
        };
        let drift = |object: &ObjectRef, what: &str| Drift { object: object.clone(), what: what.to_owned() };
        let mut found = Vec::new();
        for RenderedObject { object, digest } in &self.rendered {
            match digest_in(rendered, object) {
                None => found.push(drift(object, "the chart does not render it any more")),
                Some(now) if now != *digest => found.push(drift(object, "the chart renders it otherwise")),
                Some(_) => {}
            }
        }
        let is_new = |now: &&RenderedObject| digest_in(&self.rendered, &now.object).is_none();
        found.extend(rendered.iter().filter(is_new).map(|now| drift(&now.object, "the chart renders it now")));
        found
    }

    fn removes(&self, object: &ObjectRef) -> bool {
        removes(&self.plan, object)
    }

    fn has_step(&self, action: &Action) -> bool {
        self.plan.steps.iter().any(|step| match (step.action.removes(), action.removes()) {
            (Some(own), Some(other)) => own.is_same_object(other),
            _ => step.action == *action,
        })
    }
}

fn told_now(before: Option<&NewestRevision>, now: &Binding) -> String {
    match (&now.newest, before) {
        (None, _) => "no revision".to_owned(),
        (Some(newest), Some(before)) if newest.revision == before.revision => {
            format!("another record of revision {}", newest.revision)
        }
        (Some(newest), _) => format!("revision {}", newest.revision),
    }
}

fn removes(plan: &Plan, object: &ObjectRef) -> bool {
    plan.steps.iter().filter_map(|step| step.action.removes()).any(|removed| removed.is_same_object(object))
}

fn moved(saved: Option<&SavedState>, now: Option<&LiveFacts>, is_removed_by_plan: bool) -> Option<String> {
    match (saved, now) {
        (None, None) => None,
        (None, Some(_)) => Some("it is there now, and was not".to_owned()),
        (Some(_), None) if is_removed_by_plan => {
            Some("it is gone: the step that removes it is not needed any more".to_owned())
        }
        (Some(_), None) => Some("it is gone".to_owned()),
        (Some(saved), Some(now)) if saved.uid != now.uid => Some("it was deleted and made anew".to_owned()),
        (Some(saved), Some(now)) if saved.resource_version == now.resource_version || saved.digest == now.digest => {
            None
        }
        (Some(saved), Some(now)) => {
            let own = saved.fields.iter().filter(|(path, digest)| now.fields.get(*path) != Some(digest));
            let new = now.fields.keys().filter(|path| !saved.fields.contains_key(*path));
            let fields: Vec<&str> = own.map(|(path, _)| path.as_str()).chain(new.map(String::as_str)).collect();
            Some(if fields.is_empty() { "it changed".to_owned() } else { format!("changed: {}", fields.join(", ")) })
        }
    }
}

/// Something that moved since the plan was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Which object.
    pub object: ObjectRef,
    /// What became of it.
    pub what: String,
}

/// Writes `Deployment shop/web: changed: spec.replicas`.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)
    }
}

impl From<&Drift> for Problem {
    fn from(drift: &Drift) -> Self {
        Self {
            object: drift.object.to_string(),
            field: None,
            cause: format!("since the plan was saved: {}", drift.what),
            remedy: None,
        }
    }
}

#[cfg(test)]
mod tests;
