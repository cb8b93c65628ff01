//! Documents that are added, and where: Helm 3 applies in the order of the stream.

use serde_json::Value;

use super::super::writer::{self, Place, Quotes};
use crate::domain::manifest;
use crate::domain::object::{Object, ObjectRef};
use crate::domain::profile::{Change, Rule, RuleError};

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
    object: Object,
    /// What it is called where Helm has put it.
    reference: ObjectRef,
    /// Whether the rule has selected a document, or selects without condition.
    pub(crate) is_wanted: bool,
    /// The document and the line of what may be this object, where nobody said the release's namespace.
    pub(crate) seen: Option<(usize, usize)>,
}

impl Addition {
    /// Returns the documents that the rules add to a release of this namespace.
    ///
    /// # Errors
    /// [`RuleError`] for one that is no object, or that an earlier change adds, too.
    pub(super) fn of(rules: &[Rule], namespace: Option<&str>) -> Result<Vec<Self>, RuleError> {
        let mut additions: Vec<Self> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for change in &rule.changes {
                let Change::AddDocument(document) = change else { continue };
                let fault = |cause| RuleError { rule: rule.name.clone(), cause };
                let object = Object::new(Value::Object(document.clone()))
                    .map_err(|error| fault(format!("add-document: {error}")))?;
                if additions.iter().any(|earlier| earlier.is(&object, namespace)) {
                    let (kind, name) = (object.kind(), object.name());
                    return Err(fault(format!("{kind} {name} is added by an earlier change, too")));
                }
                if additions.iter().any(|earlier| earlier.is_perhaps(&object, namespace)) {
                    let (kind, name) = (object.kind(), object.name());
                    return Err(fault(format!(
                        "an earlier change adds {kind} {name}, too, and one of the two leaves its namespace to Helm: say `-n NAMESPACE`"
                    )));
                }
                let reference = object.reference(namespace);
                additions.push(Self { rule: index, object, reference, is_wanted: rule.select.is_all(), seen: None });
            }
        }
        Ok(additions)
    }

    /// Returns the same as the rules behind its own have made it.
    pub(crate) fn written_as(self, text: &[u8], namespace: Option<&str>) -> Self {
        match manifest::named(&String::from_utf8_lossy(text)).into_iter().next() {
            Some(object) => Self { reference: object.reference(namespace), object, ..self },
            None => self,
        }
    }

    /// Where Helm installs its kind among all kinds.
    pub(crate) fn rank(&self) -> usize {
        rank(self.kind())
    }

    /// Tells whether it stands before documents of that kind.
    pub(crate) fn is_before(&self, kind: &str) -> bool {
        self.rank() < rank(kind)
    }

    /// Tells whether this is the object; the namespace is the release's.
    pub(crate) fn is(&self, object: &Object, namespace: Option<&str>) -> bool {
        self.reference.is_same_object(&object.reference(namespace))
    }

    /// Tells whether this may be the object: one of the two leaves its namespace to Helm, and nobody said which that is.
    pub(crate) fn is_perhaps(&self, object: &Object, namespace: Option<&str>) -> bool {
        let other = object.reference(None);
        let names = |reference: &ObjectRef| reference.namespace.as_ref().is_some_and(|namespace| !namespace.is_empty());
        namespace.is_none()
            && (self.reference.group(), &self.reference.kind, &self.reference.name)
                == (other.group(), &other.kind, &other.name)
            && names(&self.reference) != names(&other)
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &str {
        self.object.kind()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.object.name()
    }

    /// Returns it as a document, its separator included.
    pub(crate) fn text(&self) -> String {
        let fields = self.object.as_value().as_object().cloned().unwrap_or_default();
        let entries = writer::entries(&fields, Quotes::None, Place { column: 0, step: 2, line_end: "\n" });
        format!("---\n{entries}\n")
    }
}

fn rank(kind: &str) -> usize {
    INSTALLED.iter().position(|of| *of == kind).unwrap_or(INSTALLED.len())
}
