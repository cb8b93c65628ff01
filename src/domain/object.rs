//! One pure object model: a Kubernetes object as JSON, with accessors, and the name of one.
//!
//! Nothing else in the crate walks `metadata` by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// The annotation that makes a hook of an object.
///
/// Source: Helm `pkg/release` `HookAnnotation`.
pub const HOOK_ANNOTATION: &str = "helm.sh/hook";

/// Names one object of a cluster: type, namespace (none for cluster-scoped or not yet defaulted), name.
///
/// Ordered by namespace, kind and name, so that lists of objects read the same in every output.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// `apps/v1`, or `v1` for the core group.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Absent for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectRef {
    /// Returns `shop/init`, or the name alone where there is no namespace.
    #[must_use]
    pub fn full_name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns the API version without its group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(self.api_version.as_str(), |(_, version)| version)
    }

    /// Tells whether both name the same object, whatever API version they were written in.
    #[must_use]
    pub fn is_same_object(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }

    /// Returns group, kind, namespace and name: the identity of an object across API versions.
    #[must_use]
    pub fn identity(&self) -> (&str, &str, &str, &str) {
        (self.group(), &self.kind, self.namespace.as_deref().unwrap_or(""), &self.name)
    }
}

impl PartialOrd for ObjectRef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectRef {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |object: &Self| {
            (object.namespace.clone(), object.kind.clone(), object.name.clone(), object.api_version.clone())
        };
        key(self).cmp(&key(other))
    }
}

/// Writes `Job shop/migrate`, or `Namespace shop` for a cluster-scoped object.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.full_name())
    }
}

/// kubectl's short names of kinds that hold data or are deleted by name.
///
/// Source: `kubectl api-resources`.
const SHORT_NAMES: [(&str, &str); 10] = [
    ("pvc", "PersistentVolumeClaim"),
    ("pv", "PersistentVolume"),
    ("crd", "CustomResourceDefinition"),
    ("ns", "Namespace"),
    ("sts", "StatefulSet"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("svc", "Service"),
    ("cm", "ConfigMap"),
    ("sa", "ServiceAccount"),
];

/// What a user types to name an object: `KIND/NAMESPACE/NAME`, or `KIND/NAME` for a cluster-scoped one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypedName {
    /// Kind or kubectl's short name of it, compared without regard to case.
    pub kind: String,
    /// Absent for cluster-scoped objects.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
}

/// The text is no `KIND/NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not KIND/NAMESPACE/NAME (or KIND/NAME for a cluster-scoped object)")]
pub struct NotAnObjectName {
    text: String,
}

impl FromStr for TypedName {
    type Err = NotAnObjectName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let named = |kind: &str, namespace: Option<&str>, name: &str| Self {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        match parts.as_slice() {
            _ if parts.iter().any(|part| part.is_empty()) => Err(NotAnObjectName { text: text.to_owned() }),
            [kind, name] => Ok(named(kind, None, name)),
            [kind, namespace, name] => Ok(named(kind, Some(namespace), name)),
            _ => Err(NotAnObjectName { text: text.to_owned() }),
        }
    }
}

impl TypedName {
    /// Tells whether this is the name of `object`.
    #[must_use]
    pub fn names(&self, object: &ObjectRef) -> bool {
        let is_kind = |kind: &str| kind.eq_ignore_ascii_case(&object.kind);
        let is_short = |(short, kind): &(&str, &str)| self.kind.eq_ignore_ascii_case(short) && is_kind(kind);
        (is_kind(&self.kind) || SHORT_NAMES.iter().any(is_short))
            && self.namespace == object.namespace
            && self.name == object.name
    }
}

/// A Kubernetes object: rendered, or read from a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(Value);

/// The value cannot be a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAnObject {
    /// The document is a list, a scalar, ...
    #[error("the document is no mapping")]
    NoMapping,
    /// A field that every object has is missing.
    #[error("the document has no `{field}`")]
    Missing {
        /// `apiVersion`, `kind` or `metadata.name`.
        field: &'static str,
    },
}

impl Object {
    /// Returns the object, once `apiVersion`, `kind` and `metadata.name` were seen in it.
    ///
    /// # Errors
    /// [`NotAnObject`] names the field that is missing.
    pub fn new(value: Value) -> Result<Self, NotAnObject> {
        if !value.is_object() {
            return Err(NotAnObject::NoMapping);
        }
        for (pointer, field) in [("/apiVersion", "apiVersion"), ("/kind", "kind"), ("/metadata/name", "metadata.name")]
        {
            match value.pointer(pointer) {
                Some(Value::String(text)) if !text.is_empty() => {}
                _ => return Err(NotAnObject::Missing { field }),
            }
        }
        Ok(Self(value))
    }

    /// Returns the whole JSON.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// Returns the JSON, to be changed freely.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.0
    }

    /// Returns the value at a JSON pointer such as `/spec/replicas`.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// Returns the text at a JSON pointer; nothing if there is none, or it is no string.
    #[must_use]
    pub fn text_at(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str)
    }

    /// Returns the whole number at a JSON pointer; nothing if there is none, or it is no number.
    #[must_use]
    pub fn number_at(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    /// Returns the list at a JSON pointer; empty if there is none.
    #[must_use]
    pub fn list_at(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text_at("/apiVersion").unwrap_or_default()
    }

    /// API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// `kind`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text_at("/kind").unwrap_or_default()
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text_at("/metadata/name").unwrap_or_default()
    }

    /// `metadata.namespace`; none for cluster-scoped objects, or where a manifest leaves it to Helm.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.text_at("/metadata/namespace").filter(|namespace| !namespace.is_empty())
    }

    /// `metadata.uid`, which only a server sets.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.text_at("/metadata/uid")
    }

    /// `metadata.resourceVersion`, which only a server sets.
    #[must_use]
    pub fn resource_version(&self) -> Option<&str> {
        self.text_at("/metadata/resourceVersion")
    }

    /// `metadata.generation`: counts changes of the spec.
    #[must_use]
    pub fn generation(&self) -> Option<i64> {
        self.number_at("/metadata/generation")
    }

    /// Returns one label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.get("labels")?.get(key)?.as_str()
    }

    /// Returns one annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }

    /// Tells whether Helm takes it for a hook, and for no object of the release.
    #[must_use]
    pub fn is_hook(&self) -> bool {
        self.annotation(HOOK_ANNOTATION).is_some()
    }

    /// Returns all labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        text_map(self.at("/metadata/labels"))
    }

    /// Returns the condition of that type from `status.conditions`.
    #[must_use]
    pub fn condition(&self, condition_type: &str) -> Option<&Value> {
        self.list_at("/status/conditions")
            .iter()
            .find(|condition| condition.get("type").and_then(Value::as_str) == Some(condition_type))
    }

    /// Returns the owner references as (kind, name, uid).
    #[must_use]
    pub fn owner_references(&self) -> Vec<(&str, &str, &str)> {
        self.list_at("/metadata/ownerReferences")
            .iter()
            .filter_map(|reference| {
                Some((
                    reference.get("kind")?.as_str()?,
                    reference.get("name")?.as_str()?,
                    reference.get("uid")?.as_str()?,
                ))
            })
            .collect()
    }

    /// Returns the name of this object as it stands; `default_namespace` is Helm's namespace for manifests that leave it out.
    /// Pass none for cluster-scoped kinds and for objects read from a server.
    #[must_use]
    pub fn reference(&self, default_namespace: Option<&str>) -> ObjectRef {
        ObjectRef {
            api_version: self.api_version().to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().or(default_namespace).map(str::to_owned),
            name: self.name().to_owned(),
        }
    }
}

fn text_map(value: Option<&Value>) -> BTreeMap<&str, &str> {
    value
        .and_then(Value::as_object)
        .map(|map| map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_needs_a_type_and_a_name() {
        assert_eq!(Object::new(json!([])), Err(NotAnObject::NoMapping));
        assert_eq!(
            Object::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}})),
            Err(NotAnObject::Missing { field: "metadata.name" })
        );
    }

    #[test]
    fn an_object_is_the_same_in_every_version_of_its_group() {
        let at = |api_version: &str| ObjectRef {
            api_version: api_version.into(),
            kind: "HorizontalPodAutoscaler".into(),
            namespace: Some("shop".into()),
            name: "web".into(),
        };
        assert!(at("autoscaling/v1").is_same_object(&at("autoscaling/v2")));
        assert!(!at("autoscaling/v1").is_same_object(&at("v1")));
    }

    #[test]
    fn a_typed_name_has_two_or_three_parts() {
        let name: TypedName = "pvc/shop/data".parse().expect("three parts");
        assert_eq!((name.kind.as_str(), name.namespace.as_deref(), name.name.as_str()), ("pvc", Some("shop"), "data"));
        assert!("data".parse::<TypedName>().is_err());
        assert!("pvc//data".parse::<TypedName>().is_err());
    }
}
