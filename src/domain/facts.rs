//! Facts: everything that a decision may use, read once. Serialisable; secret values appear as digests alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chart::ChartMetadata;
use super::object::ObjectRef;
use super::release::ReleaseStatus;
use super::rollout::RolloutStatus;

/// Format version of saved facts.
pub const FACTS_FORMAT: u32 = 1;

/// An answer that may be missing, and then says why: "could not tell" is neither yes nor no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer<T> {
    /// It was read.
    Known(T),
    /// It could not be read.
    CouldNotTell {
        /// The cause, in one line.
        because: String,
    },
}

impl<T> Answer<T> {
    /// Returns what was read, if it was.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::CouldNotTell { .. } => None,
        }
    }
}

/// Everything that a decision about one upgrade may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// [`FACTS_FORMAT`].
    pub format: u32,
    /// When they were read, RFC 3339 in UTC.
    pub gathered_at: String,
    /// Name of the release.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Whether `--install` was given: a release that does not exist is then installed.
    pub install: bool,
    /// Whether the command only looks: then rights that only an upgrade needs are a warning.
    #[serde(default)]
    pub is_read_only: bool,
    /// The user's Helm.
    pub helm: HelmFacts,
    /// `gitVersion` of the API server, such as `v1.36.3`.
    pub server_version: Answer<String>,
    /// Every revision in Helm's storage, oldest first; empty if the release does not exist.
    pub history: Answer<Vec<RevisionFacts>>,
    /// The chart that the user asked for.
    pub chart: ChartFacts,
    /// What Helm's own dry run made of chart and values.
    pub target: Answer<TargetFacts>,
    /// Keys of the user values of the current revision that the new revision would not have.
    pub lost_values: Answer<Vec<LostValue>>,
    /// Every object of the current revision, of the target, and of both their hooks.
    pub objects: Vec<ObjectFacts>,
    /// Every right that the run needs, and whether the user has it.
    pub rights: Answer<Vec<RightFacts>>,
    /// Runs of ours on this release that have not finished.
    pub unfinished_runs: Answer<Vec<RunFacts>>,
}

/// The user's Helm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelmFacts {
    /// Such as `4.3.1`.
    pub version: String,
    /// Where it keeps releases.
    pub driver: HelmDriver,
    /// Flags of the command line that weaken what Helm does (`--no-hooks`, `--force...`, `--cleanup-on-fail`), as typed.
    pub risky_flags: Vec<String>,
    /// Whether hooks run: false under `--no-hooks`.
    pub runs_hooks: bool,
}

/// Where Helm keeps releases: `HELM_DRIVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HelmDriver {
    /// Secrets, Helm's default.
    Secret,
    /// ConfigMaps.
    Configmap,
}

/// One revision of the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionFacts {
    /// 1, 2, ...
    pub revision: u32,
    /// How far it came.
    pub status: ReleaseStatus,
    /// Its chart.
    pub chart: ChartMetadata,
    /// Helm's sentence.
    pub description: String,
    /// When it was deployed, as Helm wrote it.
    pub deployed_at: String,
    /// `resourceVersion` of the record.
    pub resource_version: String,
}

/// The chart that the user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartFacts {
    /// `Chart.yaml`.
    pub metadata: ChartMetadata,
    /// As the user named it.
    pub source: String,
    /// `sha256:...` over the names and contents of its files.
    pub digest: String,
}

/// What Helm's dry run made of chart and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// Size in bytes of the release record that Helm would store.
    pub record_bytes: usize,
    /// `sha256:...` of the rendered manifests and hooks; differs at each render where a chart uses random values.
    pub digest: String,
    /// `sha256:...` of the new user values.
    pub values_digest: String,
}

/// A key of the user's values that the upgrade would lose. The value itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostValue {
    /// Dotted path, such as `global.ingress.domain`.
    pub path: String,
}

/// One object and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// Its name; namespaced kinds always carry a namespace.
    pub object: ObjectRef,
    /// Which manifests name it.
    pub role: ObjectRole,
    /// The live object; `Known(None)` if it is not there.
    pub live: Answer<Option<LiveFacts>>,
}

/// Which manifests name an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRole {
    /// In the manifest of the current revision.
    pub in_current: bool,
    /// In the manifest of the target.
    pub in_target: bool,
    /// A hook of the current revision.
    pub current_hook: bool,
    /// A hook of the target, with its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_hook: Option<HookFacts>,
    /// The target's manifest carries `helm.sh/resource-policy: keep`.
    pub target_keeps: bool,
    /// A Job of the target's manifest (no hook) that nobody declared harmless.
    #[serde(default)]
    pub target_runs_code: bool,
}

/// A hook of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookFacts {
    /// `pre-upgrade`, `post-upgrade`, ...
    pub events: Vec<String>,
    /// It runs code (a Job or Pod) and nobody declared it harmless (annotation `helm-csghub/effects: none`).
    pub may_change_data: bool,
}

/// The annotation by which a chart declares that a hook or Job has no effects on data; its value is then `none`.
pub const EFFECTS_ANNOTATION: &str = "helm-csghub/effects";

/// A live object, as far as decisions use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFacts {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `sha256:...` of all that a user sets (spec, data, labels, annotations, ...) without what servers and controllers write.
    pub digest: String,
    /// The same digest field by field, two levels deep: which part of it moved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// The Helm release that owns it, as (namespace, name), by Helm's annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm_owner: Option<(String, String)>,
    /// The GitOps tool that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitops_owner: Option<GitOpsOwner>,
    /// How far it is on its way.
    pub rollout: RolloutStatus,
}

/// A GitOps tool's claim on an object: it would revert or repeat what we do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitOpsOwner {
    /// `Argo CD` or `Flux`.
    pub tool: String,
    /// Name of its application or release, such as `flux-system/shop`.
    pub name: String,
}

/// One right, as an access review asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightFacts {
    /// `create`, `patch`, ...
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// `deployments`, `pods/log`, ...
    pub resource: String,
    /// None for cluster-scoped resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the run does with it, in a few words.
    pub needed_for: String,
    /// What the server answered.
    pub allowed: bool,
}

/// A run of ours on this release that has not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Its id.
    pub run_id: String,
    /// Who runs it, such as `alice@host`.
    pub holder: String,
    /// When it last gave a sign of life, RFC 3339 in UTC.
    pub renewed_at: String,
    /// Whether its process is proven gone.
    pub is_owner_gone: bool,
}
