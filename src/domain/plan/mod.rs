//! The plan: ordered steps, each with its reason and its undo. Plain data: the same value is shown, journaled, executed
//! and undone. Every decision is taken here, while planning; executing only does.

pub mod build;
pub mod explain;
pub mod saved;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object::ObjectRef;
use super::post_rendering::{Following, Replay};
use super::rehearsed::consent::AcceptedFinding;

/// Format version of a plan.
pub const PLAN_FORMAT: u32 = 1;

/// An ordered list of steps for one release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// Name of the release.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
    /// The newest revision when the plan was made, whatever its status; absent if the release did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_revision: Option<u32>,
    /// What it is about, such as `shop 1.2.0 -> 1.3.0`.
    pub title: String,
    /// The steps, in the order in which they run.
    pub steps: Vec<Step>,
    /// Id of the first step that cannot be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<String>,
    /// What the user should know before saying yes, one sentence each.
    pub warnings: Vec<String>,
    /// The rehearsal's findings that the user accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedFinding>,
    /// The rehearsed manifests are applied, not those of another render; absent where two renders are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
    /// The rules by which manifests are changed on their way to the cluster; absent where none changes anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub following: Option<Following>,
    /// Every object of the release as it was before, by digest of what a user sets: what the undo is measured by.
    pub before: Vec<ObjectBefore>,
}

impl Plan {
    /// Returns the step of that id.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}

/// An object of the release before the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectBefore {
    /// Which.
    pub object: ObjectRef,
    /// `sha256:...` of what a user sets; absent if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Its uid; absent if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Whether the release's manifest names it, before or after: Helm removes it when it does no more.
    #[serde(default)]
    pub is_owned: bool,
    /// Whether it is a hook object: Helm makes and removes those at every operation.
    #[serde(default)]
    pub is_hook: bool,
    /// Why it was not current even then; the run does not answer for it as long as it stays unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ailing: Option<String>,
}

/// One change with its reason and its undo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Such as `helm-upgrade`; unique in the plan.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// The fact that makes it necessary.
    pub because: String,
    /// How it is reversed; decided now.
    pub undo: Undo,
}

/// What a step does. One contract each: describe (`explain`), pretend ([`Action::removes`]), do, probe and undo (`flow`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Action {
    /// Remove a finished Job whose template Helm could not change: Helm then makes it anew.
    RemoveJob {
        /// Which.
        object: ObjectRef,
        /// Its uid: another one of that name is not touched.
        uid: String,
    },
    /// `helm upgrade` of the release to the chart of the run.
    HelmUpgrade {
        /// The revision that is current before.
        from_revision: u32,
        /// The revision that Helm will write.
        to_revision: u32,
    },
    /// `helm upgrade --install` of a release that does not exist.
    HelmInstall,
    /// `helm rollback` to a named revision.
    HelmRollback {
        /// The newest revision before.
        from_revision: u32,
        /// The revision whose objects come back.
        to_revision: u32,
    },
    /// Watch every object of the release until it is current.
    Verify {
        /// The longest it may take, in seconds.
        timeout_secs: u64,
    },
}

impl Action {
    /// Returns the object that the step removes before Helm, if it does.
    #[must_use]
    pub fn removes(&self) -> Option<&ObjectRef> {
        match self {
            Self::RemoveJob { object, .. } => Some(object),
            Self::HelmUpgrade { .. } | Self::HelmInstall | Self::HelmRollback { .. } | Self::Verify { .. } => None,
        }
    }
}

/// How a step is reversed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Undo {
    /// The step changes nothing.
    NotNeeded,
    /// `helm rollback` to the named revision, waited for and compared with [`Plan::before`].
    HelmRollback {
        /// The revision to go back to.
        revision: u32,
        /// Jobs that the upgrade made anew: their templates could not be changed back, so the new ones go before Helm.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove_first: Vec<ObjectRef>,
        /// Hook objects that do not exist now: Helm leaves them behind, so the undo removes them.
        remove: Vec<ObjectRef>,
        /// Objects that do not exist now and that Helm keeps by policy: the undo names them and leaves them.
        keep: Vec<ObjectRef>,
        /// Hooks and Jobs that run code which nobody declared harmless: if one of them ran, its data is not brought back.
        data_effects: Vec<ObjectRef>,
    },
    /// `helm uninstall` of a release that did not exist before.
    HelmUninstall {
        /// Hook objects that the undo removes.
        remove: Vec<ObjectRef>,
        /// Objects that Helm keeps by policy.
        keep: Vec<ObjectRef>,
        /// Hooks and Jobs that run code which nobody declared harmless.
        data_effects: Vec<ObjectRef>,
    },
    /// What the step did is left as it is, and nothing is lost by that.
    Leave {
        /// Why.
        because: String,
    },
    /// There is no way back.
    Impossible {
        /// Why not.
        because: String,
    },
}
