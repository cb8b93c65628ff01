//! The ReplicaSet that a Deployment of the overlay would have: Helm 3 `--wait` (and Helm 4 `--wait=legacy`) asks for it.
//!
//! Of the `ReplicaSets` that the Deployment's selector finds, and whose controller is the Deployment (by uid), they take the
//! oldest one whose pod template equals the Deployment's but for the label `pod-template-hash`. Without one they wait. The
//! real ones of the Deployment must be hidden: an older one with the same template would be taken first, and its pods are not
//! those of the overlay.
//!
//! Source: Helm 3.22.0 and 4.3.1 `internal/third_party/k8s.io/kubernetes/deployment/util` (`GetNewReplicaSet`,
//! `EqualIgnoreHash`), `pkg/kube/ready.go` (`deploymentReady`).

use serde_json::{Map, Value, json};

use super::ready;
use crate::domain::content;

/// The label that tells the `ReplicaSets` of a Deployment apart.
///
/// Source: `k8s.io/api/apps/v1` `DefaultDeploymentUniqueLabelKey`.
const HASH_LABEL: &str = "pod-template-hash";

/// Returns the ReplicaSet that a Deployment would have at `now` (RFC 3339, UTC), with all its pods ready; nothing if the
/// Deployment has no name, uid or template. It has no uid and no resourceVersion: those are the caller's to give.
pub(super) fn replica_set_of(deployment: &Value, now: &str) -> Option<Value> {
    let text = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (name, uid) = (text("/metadata/name")?, text("/metadata/uid")?);
    let template = deployment.pointer("/spec/template").filter(|template| template.is_object())?;
    let hash = template_hash(template);

    let mut template = template.clone();
    let mut labels = labels_in(object_in(&mut template, "metadata")?, "labels", &hash)?.clone();
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_else(|| json!({}));
    // A Deployment whose selector misses its own template is refused; it must be found all the same, or Helm waits.
    labels.extend(labels_in(&mut selector, "matchLabels", &hash)?.clone());

    let mut metadata = json!({
        "name": format!("{name}-{hash}"),
        "generation": 1,
        "creationTimestamp": now,
        "labels": labels,
        "ownerReferences": [{
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": name,
            "uid": uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }],
    });
    if let (Some(metadata), Some(namespace)) = (metadata.as_object_mut(), text("/metadata/namespace")) {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    let replicas = deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let mut replica_set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": metadata,
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    });
    ready::make_ready(&mut replica_set, now);
    Some(replica_set)
}

/// Returns a short hash of a pod template, the same for equal ones. It is not the one that Kubernetes would compute.
pub(super) fn template_hash(template: &Value) -> String {
    content::short_sha256(&content::canonical_json(template), 10)
}

/// Returns the object in a field, which is made if there is none.
fn object_in<'a>(value: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    let inner = value.as_object_mut()?.entry(field).or_insert(Value::Null);
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    Some(inner)
}

/// Adds the hash to the labels in a field, and returns them all.
fn labels_in<'a>(value: &'a mut Value, field: &str, hash: &str) -> Option<&'a Map<String, Value>> {
    let labels = object_in(value, field)?.as_object_mut()?;
    labels.insert(HASH_LABEL.to_owned(), hash.into());
    Some(labels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2026-02-03T04:05:06Z";

    fn deployment(template: Value) -> Value {
        let mut deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "generation": 4},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}, "matchExpressions": []}}});
        deployment["spec"]["template"] = template;
        deployment
    }

    /// Go's semantic equality takes an empty map and none for the same.
    fn without_hash(template: &Value) -> Value {
        let mut template = template.clone();
        let labels = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
        let is_empty = labels.is_some_and(|labels| {
            labels.shift_remove(HASH_LABEL);
            labels.is_empty()
        });
        if is_empty {
            template["metadata"].as_object_mut().expect("metadata").shift_remove("labels");
        }
        if template["metadata"] == json!({}) {
            template.as_object_mut().expect("a template").shift_remove("metadata");
        }
        template
    }

    #[test]
    fn helm_finds_the_replica_set_of_a_deployment() {
        let plain = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main"}]}});
        for template in [plain, json!({"spec": {}}), json!({"metadata": {"annotations": {"a": "b"}}})] {
            let deployment = deployment(template.clone());
            let found = replica_set_of(&deployment, NOW).expect("a ReplicaSet");
            let metadata = &found["metadata"];
            // Equal but for the hash, controlled by the Deployment, found by its selector.
            assert_eq!(without_hash(&found["spec"]["template"]), template);
            assert_eq!(metadata["ownerReferences"][0]["uid"], "u1");
            assert_eq!(metadata["ownerReferences"][0]["controller"], true);
            for labels in [&found["spec"]["selector"]["matchLabels"], &found["spec"]["template"]["metadata"]["labels"]]
            {
                for (key, value) in labels.as_object().expect("labels") {
                    assert_eq!(&metadata["labels"][key], value, "{template}");
                }
            }
            // Ready.
            assert_eq!(found["status"]["readyReplicas"], 3);
            assert_eq!(found["status"]["observedGeneration"], metadata["generation"]);
            // As Kubernetes names and selects them.
            let hash = metadata["labels"][HASH_LABEL].as_str().expect("a hash");
            assert_eq!(metadata["name"], format!("web-{hash}"));
            assert_eq!(metadata["namespace"], "shop");
            let selector = json!({"matchLabels": {"app": "web", "pod-template-hash": hash}, "matchExpressions": []});
            assert_eq!(found["spec"]["selector"], selector);
        }
    }

    #[test]
    fn a_deployment_without_name_uid_or_template_has_none() {
        let whole = deployment(json!({"spec": {}}));
        assert!(replica_set_of(&whole, NOW).is_some());
        for pointer in ["/metadata/name", "/metadata/uid", "/spec/template", "/metadata", "/spec"] {
            let mut part = whole.clone();
            *part.pointer_mut(pointer).expect("a field") = Value::Null;
            assert_eq!(replica_set_of(&part, NOW), None, "{pointer}");
        }
        assert_eq!(replica_set_of(&Value::Null, NOW), None);
    }

    #[test]
    fn the_hash_does_not_depend_on_the_order_of_keys() {
        let (one, other) = (json!({"a": 1, "b": {"c": 2, "d": 3}}), json!({"b": {"d": 3, "c": 2}, "a": 1}));
        assert_eq!(template_hash(&one), template_hash(&other));
        assert_eq!(template_hash(&one).len(), 10);
    }

    proptest! {
        #[test]
        fn different_templates_have_different_replica_sets(one in "[a-z:0-9]{1,20}", other in "[a-z:0-9]{1,20}") {
            let name = |image: &str| {
                let template = json!({"spec": {"containers": [{"name": "main", "image": image}]}});
                replica_set_of(&deployment(template), NOW).expect("a ReplicaSet")["metadata"]["name"].clone()
            };
            prop_assert_eq!(one == other, name(&one) == name(&other));
        }
    }
}
