//! What users are shown of a plan, a release and its objects: plain text and numbers, already worded.
//!
//! `edge::terminal` makes text or JSON of it, and decides nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object::ObjectRef;
use super::rehearsed::Rehearsed;
use super::rollout::RolloutStatus;

/// A plan, for people to read before they consent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// One line, such as `Upgrade shop in namespace shop from chart 1.2.0 to 1.3.0`.
    pub title: String,
    /// In the order in which they run.
    pub steps: Vec<StepView>,
    /// How far the steps can be undone, such as `2 steps; each can be undone`.
    pub way_back: String,
    /// The first step that cannot be undone, and why; none if every step can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<String>,
    /// What becomes of each object that does not stay as it is, one line each, such as
    /// `changed Deployment shop/web: spec.replicas`.
    pub changes: Vec<String>,
    /// The rehearsal of the plan; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsed>,
    /// What the rules of a profile change on the way to the cluster, one line for each rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
    /// The flags that were given beyond `--yes` because of what the rehearsal found, such as `--delete pvc/shop/data`, each with
    /// its reason.
    pub consent: Vec<String>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// What is done, such as `delete Job shop/migrate`.
    pub what: String,
    /// The fact that makes it necessary.
    pub because: String,
    /// How it is undone, or why it cannot be.
    pub undo: String,
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StatusView {
    /// Name of the release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// One sentence: what state the release is in now.
    pub headline: String,
    /// Label and value, in the order in which they are shown.
    pub rows: Vec<(String, String)>,
    /// What can be done now: commands in backticks, most useful first.
    pub next: Vec<String>,
}

/// What `verify` saw of the objects of a release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VerifyView {
    /// Name of the release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// One sentence: what state the release is in now.
    pub headline: String,
    /// How many objects of each kind are how far, in the order of the kinds' names.
    pub counts: Vec<KindCount>,
    /// Every object that is not current, in the order of their names.
    pub not_current: Vec<ObjectView>,
}

/// How many objects of one kind are how far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KindCount {
    /// `Deployment`.
    pub kind: String,
    /// Match what was asked for.
    pub current: usize,
    /// Are on their way.
    pub in_progress: usize,
    /// Will not get there by waiting.
    pub failed: usize,
    /// Are being deleted.
    pub terminating: usize,
    /// Are not there.
    pub not_found: usize,
}

/// An object that is not current, and what ails it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectView {
    /// Which.
    pub object: ObjectRef,
    /// How far it is.
    #[serde(flatten)]
    pub status: RolloutStatus,
    /// What the kubelet or the scheduler reports about its pods, worst first.
    pub troubles: Vec<TroubleView>,
}

/// Trouble with a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleView {
    /// Such as `CrashLoopBackOff, 3 restarts`.
    pub what: String,
    /// Last lines of the container's log, masked.
    pub log: Vec<String>,
}

impl VerifyView {
    /// Returns the view of `objects`: counts them by kind, and keeps those that are not current, in the order of their names.
    #[must_use]
    pub fn new(release: &str, namespace: &str, headline: &str, objects: Vec<ObjectView>) -> Self {
        let mut counts: BTreeMap<String, KindCount> = BTreeMap::new();
        for object in &objects {
            let kind = &object.object.kind;
            let count =
                counts.entry(kind.clone()).or_insert_with(|| KindCount { kind: kind.clone(), ..Default::default() });
            *count.of(&object.status) += 1;
        }
        let mut not_current: Vec<ObjectView> =
            objects.into_iter().filter(|object| object.status != RolloutStatus::Current).collect();
        not_current.sort_by(|a, b| a.object.cmp(&b.object));
        Self {
            release: release.to_owned(),
            namespace: namespace.to_owned(),
            headline: headline.to_owned(),
            counts: counts.into_values().collect(),
            not_current,
        }
    }
}

impl KindCount {
    fn of(&mut self, status: &RolloutStatus) -> &mut usize {
        match status {
            RolloutStatus::Current => &mut self.current,
            RolloutStatus::InProgress { .. } => &mut self.in_progress,
            RolloutStatus::Failed { .. } => &mut self.failed,
            RolloutStatus::Terminating => &mut self.terminating,
            RolloutStatus::NotFound => &mut self.not_found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, status: RolloutStatus) -> ObjectView {
        let object = ObjectRef {
            api_version: "apps/v1".into(),
            kind: kind.into(),
            namespace: Some("shop".into()),
            name: name.into(),
        };
        ObjectView { object, status, troubles: vec![] }
    }

    #[test]
    fn a_verify_view_counts_every_object_and_lists_only_those_that_are_not_current() {
        let waiting = RolloutStatus::InProgress { waiting_for: "1 of 2 replicas ready".into() };
        let view = VerifyView::new(
            "shop",
            "shop",
            "Not every object is current.",
            vec![
                object("StatefulSet", "db", RolloutStatus::NotFound),
                object("Deployment", "web", waiting.clone()),
                object("Deployment", "api", RolloutStatus::Current),
            ],
        );
        assert_eq!(
            view.counts,
            [
                KindCount { kind: "Deployment".into(), current: 1, in_progress: 1, ..Default::default() },
                KindCount { kind: "StatefulSet".into(), not_found: 1, ..Default::default() },
            ]
        );
        assert_eq!(
            view.not_current,
            [object("Deployment", "web", waiting), object("StatefulSet", "db", RolloutStatus::NotFound)]
        );
    }

    #[test]
    fn an_object_view_shows_its_status_beside_its_name() {
        let json = serde_json::to_value(object("Deployment", "web", RolloutStatus::Terminating)).expect("plain data");
        assert_eq!(json["status"], "terminating");
        assert_eq!(json["object"]["name"], "web");
    }
}
