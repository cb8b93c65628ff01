//! Documents that are added, and where: Helm 3 applies in the order of the stream.

use serde_json::{Map, Value};

use super::super::writer::{self, Place, Quotes};
use crate::domain::object::Object;
use crate::domain::profile::{Change, Rule};

/// The order in which Helm installs kinds; others come last.
///
/// Source: Helm `pkg/release/v1/util/kind_sorter.go`.
const INSTALLED: [&str; 33] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// A document that a rule adds once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Addition {
    /// Of its rule.
    pub(crate) rule: usize,
    /// As its rule has it.
    pub(crate) document: Map<String, Value>,
    /// Whether the rule has selected a document, or selects without condition.
    pub(crate) is_wanted: bool,
}

impl Addition {
    /// Returns the documents that the rules add.
    pub(super) fn of(rules: &[Rule]) -> Vec<Self> {
        let mut additions = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for change in &rule.changes {
                if let Change::AddDocument(document) = change {
                    additions.push(Self { rule: index, document: document.clone(), is_wanted: rule.select.is_all() });
                }
            }
        }
        additions
    }

    /// Tells whether both are the same object.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    /// Tells whether it stands before documents of that kind.
    pub(crate) fn is_before(&self, kind: &str) -> bool {
        rank(self.kind()) < rank(kind)
    }

    /// Tells whether this is the object.
    pub(crate) fn is(&self, object: &Object) -> bool {
        self.identity() == (object.kind(), object.name(), object.namespace())
    }

    fn identity(&self) -> (&str, &str, Option<&str>) {
        (self.kind(), self.name(), self.of_metadata("namespace"))
    }

    fn of_metadata(&self, field: &str) -> Option<&str> {
        self.document.get("metadata")?.get(field)?.as_str()
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &str {
        self.document.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.of_metadata("name").unwrap_or_default()
    }

    /// Returns it as a document, its separator included.
    pub(crate) fn text(&self) -> String {
        let entries = writer::entries(&self.document, Quotes::None, Place { column: 0, step: 2, line_end: "\n" });
        format!("---\n{entries}\n")
    }
}

fn rank(kind: &str) -> usize {
    INSTALLED.iter().position(|of| *of == kind).unwrap_or(INSTALLED.len())
}
