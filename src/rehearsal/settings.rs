//! What a rehearsal is told before it begins.

use serde_json::Value;

use super::overlay::Key;
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::Mode;

/// What a rehearsal is told before it begins.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether refusals are hidden from the command.
    pub mode: Mode,
    /// The time of the rehearsal, RFC 3339 in UTC: the core has no clock.
    pub now: String,
    /// The release that is rehearsed; absent for a command of which we know nothing.
    pub release: Option<ReleaseSettings>,
    /// The steps of the plan that are pretended, in their order: the command sees the cluster as they leave it.
    pub pretended: Vec<Pretended>,
}

/// The release that is rehearsed.
#[derive(Debug, Clone)]
pub struct ReleaseSettings {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The objects of its current manifest and hooks, as they were rendered: what they name belongs to the release, whatever
    /// the live objects say, and what is live and differs was edited by hand. Absent namespaces stand for that of the release.
    pub current: Vec<Value>,
}

/// A step of the plan, as if it had been taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Pretended {
    /// The object is deleted.
    Deleted {
        /// Its resource: group, version, plural.
        resource: (String, String, String),
        /// Which.
        object: ObjectRef,
        /// How it is now.
        live: Value,
    },
}

impl Pretended {
    /// Returns the key of the object, and how it is now.
    pub(super) fn deleted(&self) -> (Key, &Value) {
        match self {
            Self::Deleted { resource: (group, _, plural), object, live } => {
                let key = Key {
                    group: group.clone(),
                    plural: plural.clone(),
                    namespace: object.namespace.clone().unwrap_or_default(),
                    name: object.name.clone(),
                };
                (key, live)
            }
        }
    }
}

impl ReleaseSettings {
    /// Returns the current manifest of an object, if the release has it.
    pub(super) fn manifest_of(&self, object: &ObjectRef) -> Option<&Value> {
        self.current.iter().find(|manifest| {
            // A release may have thousands of objects, and each is looked for: what differs most is looked at first.
            let name = manifest.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Value::as_str);
            if name != Some(object.name.as_str()) {
                return false;
            }
            let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
            let namespace = text("/metadata/namespace");
            let is_there = match object.namespace.as_deref() {
                None => true,
                Some(own) => namespace == own || namespace.is_empty() && own == self.namespace,
            };
            group == object.group() && text("/kind") == object.kind && is_there
        })
    }

    /// Tells whether Helm takes a live object for the release's own.
    ///
    /// Source: Helm `pkg/action/validate.go` `checkOwnership`.
    pub(super) fn owns(&self, live: &Value) -> bool {
        self.is_marked(&[live])
    }

    /// Tells whether a write marks an object as the release's own: what it does not say (a patch) the live object does.
    pub(super) fn marks(&self, written: &Value, live: &Value) -> bool {
        self.is_marked(&[written, live])
    }

    fn is_marked(&self, sources: &[&Value]) -> bool {
        let text = |map: &str, key: &str| {
            sources.iter().find_map(|source| source.get("metadata")?.get(map)?.get(key)?.as_str())
        };
        text("labels", "app.kubernetes.io/managed-by") == Some("Helm")
            && text("annotations", "meta.helm.sh/release-name") == Some(&self.name)
            && text("annotations", "meta.helm.sh/release-namespace") == Some(&self.namespace)
    }
}
