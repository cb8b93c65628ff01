//! What a user set in the objects of a namespace: compared before an upgrade and after its undo.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::bed::Bed;
use super::waiting::eventually;

/// Objects that controllers make of others, records of Helm and of runs, and what tells and is not told.
const MADE_BY_OTHERS: [&str; 11] = [
    "bindings",
    "controllerrevisions.apps",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "localsubjectaccessreviews.authorization.k8s.io",
    "logs.kwok.x-k8s.io",
    "pods",
    "replicasets.apps",
];

/// Spec, data, labels and annotations of every object of a namespace, by `Kind name`.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents(BTreeMap<String, Value>);

impl Contents {
    /// Reads them: without uid, resourceVersion, generation, managedFields, timestamps and status, and without what
    /// controllers write into a Job or a workload for themselves.
    pub fn of_namespace(bed: &Bed, namespace: &str) -> Self {
        let found = Self::read(bed, namespace);
        let mut contents = BTreeMap::new();
        for object in found["items"].as_array().expect("a list") {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (kind, name) = (text("/kind"), text("/metadata/name"));
            let is_record = name.starts_with("sh.helm.release.v1.") || name.starts_with("csghub.run.");
            if !is_record {
                contents.insert(format!("{kind} {name}"), of_user(object));
            }
        }
        Self(contents)
    }

    /// Lists all kinds and their objects; again where another test removed a kind in between, or has an API that is down.
    fn read(bed: &Bed, namespace: &str) -> Value {
        eventually(|| {
            let mut kinds = bed.kinds(&["--namespaced"])?;
            kinds.retain(|kind| !MADE_BY_OTHERS.contains(&kind.as_str()));
            let found = bed.try_kubectl(&["get", &kinds.join(","), "-n", namespace, "-o", "json"], None);
            if !found.status.success() {
                return Err(String::from_utf8_lossy(&found.stderr).into_owned());
            }
            Ok(serde_json::from_slice(&found.stdout).expect("kubectl prints JSON"))
        })
    }

    /// Returns `Kind name` of every object.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Returns every object by `Kind name`.
    pub fn into_objects(self) -> BTreeMap<String, Value> {
        self.0
    }

    /// Tells whether an object is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns what is new, gone or different in `later`, one line each; `new` are objects that may be new.
    pub fn differences(&self, later: &Self, new: &[&str]) -> Vec<String> {
        let gone = self.0.keys().filter(|name| !later.0.contains_key(*name)).map(|name| format!("gone: {name}"));
        let other = later.0.iter().filter_map(|(name, content)| match self.0.get(name) {
            None if new.contains(&name.as_str()) => None,
            None => Some(format!("new: {name}")),
            Some(before) if before == content => None,
            Some(before) => Some(format!("different: {name}\n  before {before}\n  after  {content}")),
        });
        gone.chain(other).collect()
    }
}

fn of_user(object: &Value) -> Value {
    let mut object = object.clone();
    let is_job = object["kind"] == "Job";
    let fields = object.as_object_mut().expect("an object");
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["uid", "resourceVersion", "generation", "managedFields", "creationTimestamp"] {
            metadata.remove(key);
        }
        // Counted up by their controllers at every change, as generation is.
        let counters = ["deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"];
        without(metadata, "annotations", &counters);
    }
    if is_job {
        // A Job made again has a uid of its own, and its controller writes it into labels and selector.
        let of_controller = ["controller-uid", "batch.kubernetes.io/controller-uid"];
        for pointer in ["/metadata", "/spec/template/metadata"] {
            if let Some(metadata) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
                without(metadata, "labels", &of_controller);
            }
        }
        if let Some(spec) = object.pointer_mut("/spec").and_then(Value::as_object_mut) {
            spec.remove("selector");
        }
    }
    object
}

/// Removes keys from a map of `parent`, and the map if nothing is left.
fn without(parent: &mut Map<String, Value>, map: &str, keys: &[&str]) {
    let Some(entries) = parent.get_mut(map).and_then(Value::as_object_mut) else { return };
    entries.retain(|key, _| !keys.contains(&key.as_str()));
    if entries.is_empty() {
        parent.remove(map);
    }
}
