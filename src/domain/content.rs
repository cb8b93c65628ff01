//! What a user sets of an object, apart from what servers and controllers write; and how two objects differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::field_path;
use super::object::Object;

/// Fields of `metadata` that only a server writes.
const SERVER_METADATA: [&str; 7] =
    ["uid", "resourceVersion", "generation", "managedFields", "creationTimestamp", "selfLink", "deletionTimestamp"];

/// Annotations in which controllers and clients keep their own notes; a trailing `/` stands for all of a prefix.
///
/// Source: Kubernetes "Well-Known Labels, Annotations and Taints".
const NOTE_ANNOTATIONS: [&str; 9] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "autoscaling.alpha.kubernetes.io/",
    "control-plane.alpha.kubernetes.io/leader",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/storage-provisioner",
];

/// Labels that tie a Job's pods to the one Job that made them; a Job made anew gets others.
const JOB_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];

/// Keys by which the items of a list are told apart, best first.
///
/// Source: the list map keys of the core Kubernetes types.
const ITEM_KEYS: [&str; 10] =
    ["name", "mountPath", "devicePath", "containerPort", "port", "topologyKey", "ip", "host", "path", "type"];

/// Returns the object without its status and without all that servers and controllers write beside it.
///
/// What an allocator or binder filled in (`clusterIP`, `volumeName`, node ports) stays: the object would not be the same
/// without it.
#[must_use]
pub fn of(object: &Object) -> Value {
    let mut value = object.as_value().clone();
    strip(&mut value, object.group(), object.kind());
    value
}

/// Takes out of an object of that kind what [`of`] leaves out; the value may lack its own kind and version, as items of a list
/// do.
pub fn strip(value: &mut Value, group: &str, kind: &str) {
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = map_at(value, "/metadata") {
        for field in SERVER_METADATA {
            metadata.shift_remove(field);
        }
        metadata.shift_remove("deletionGracePeriodSeconds");
    }
    if let Some(annotations) = map_at(value, "/metadata/annotations") {
        annotations.retain(|key, _| !is_note(key));
    }
    if kind == "Job" && group == "batch" {
        for pointer in ["/metadata/labels", "/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
            if let Some(labels) = map_at(value, pointer) {
                labels.retain(|key, _| !JOB_LABELS.contains(&key.as_str()));
            }
        }
    }
    drop_unset_times(value);
    if let Some(metadata) = map_at(value, "/metadata") {
        metadata.retain(|field, value| !(matches!(field.as_str(), "annotations" | "labels") && is_empty(value)));
    }
}

/// Go writes `creationTimestamp: null` into every template, and a status into every volume claim template.
fn drop_unset_times(value: &mut Value) {
    for pointer in ["/spec/template/metadata", "/spec/jobTemplate/metadata", "/spec/jobTemplate/spec/template/metadata"]
    {
        if let Some(metadata) = map_at(value, pointer) {
            metadata.shift_remove("creationTimestamp");
        }
    }
    let claims = value.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
    for claim in claims.into_iter().flatten() {
        if let Some(metadata) = map_at(claim, "/metadata") {
            metadata.shift_remove("creationTimestamp");
        }
        if let Some(fields) = claim.as_object_mut() {
            fields.shift_remove("status");
        }
    }
}

fn is_note(annotation: &str) -> bool {
    NOTE_ANNOTATIONS
        .iter()
        .any(|note| if note.ends_with('/') { annotation.starts_with(note) } else { annotation == *note })
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

fn map_at<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(pointer).and_then(Value::as_object_mut)
}

/// Returns `sha256:<hex>` of [`of`] the object: equal for objects that a user set alike, whatever the order of their keys.
#[must_use]
pub fn digest(object: &Object) -> String {
    sha256(&canonical_json(&of(object)))
}

/// Returns a short digest of each field of [`of`] the object, two levels deep (`spec.replicas`, `metadata.labels`): enough to name
/// what differs.
#[must_use]
pub fn field_digests(object: &Object) -> BTreeMap<String, String> {
    const LETTERS: usize = "sha256:".len() + 16;
    let short = |value: &Value| sha256(&canonical_json(value)).chars().take(LETTERS).collect::<String>();
    let mut digests = BTreeMap::new();
    for (field, value) in of(object).as_object().into_iter().flatten() {
        let path = field_path::child("", field);
        match value.as_object().filter(|fields| !fields.is_empty()) {
            Some(fields) => {
                digests.extend(fields.iter().map(|(field, value)| (field_path::child(&path, field), short(value))));
            }
            None => {
                digests.insert(path, short(value));
            }
        }
    }
    digests
}

/// Returns the first hex digits of the SHA-256 of the bytes, for names: lower-case, at most 64.
#[must_use]
pub fn short_sha256(bytes: &[u8], digits: usize) -> String {
    sha256(bytes).trim_start_matches("sha256:").chars().take(digits).collect()
}

/// Returns `sha256:<hex>` of the bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Returns compact JSON with sorted keys: the same bytes for equal values.
#[must_use]
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out.into_bytes()
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            let sorted: BTreeMap<_, _> = map.iter().collect();
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(&Value::String(key.clone()), out);
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

/// A field in which two values differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference<'a> {
    /// As `field_path` writes it; `.` where the whole differs.
    pub path: String,
    /// The value before; absent if there was none.
    pub before: Option<&'a Value>,
    /// The value after; absent if there is none.
    pub after: Option<&'a Value>,
}

/// Returns the paths of the fields in which two values differ, never the values; as [`differing`] finds them.
#[must_use]
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    differing(before, after).into_iter().map(|difference| difference.path).collect()
}

/// Returns the fields in which two values differ, in the order of their keys.
///
/// A subtree that only one of them has is named by its top. Items of a list are matched by name or another key of theirs
/// where all items have one; a list of anything else is one field, and so is a list whose items only changed places.
#[must_use]
pub fn differing<'a>(before: &'a Value, after: &'a Value) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare<'a>(path: &str, before: &'a Value, after: &'a Value, found: &mut Vec<Difference<'a>>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => compare_maps(path, before, after, found),
        (Value::Array(before_items), Value::Array(after_items)) => {
            let start = found.len();
            compare_lists(path, before_items, after_items, found);
            if found.len() == start {
                found.push(whole(path, before, after));
            }
        }
        _ => found.push(whole(path, before, after)),
    }
}

fn whole<'a>(path: &str, before: &'a Value, after: &'a Value) -> Difference<'a> {
    let path = if path.is_empty() { "." } else { path };
    Difference { path: path.to_owned(), before: Some(before), after: Some(after) }
}

fn compare_maps<'a>(
    path: &str,
    before: &'a Map<String, Value>,
    after: &'a Map<String, Value>,
    found: &mut Vec<Difference<'a>>,
) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let path = field_path::child(path, key);
        match (before.get(key), after.get(key)) {
            (Some(before), Some(after)) => compare(&path, before, after, found),
            (before, after) => found.push(Difference { path, before, after }),
        }
    }
}

fn compare_lists<'a>(path: &str, before: &'a [Value], after: &'a [Value], found: &mut Vec<Difference<'a>>) {
    if let Some(key) = item_key(&[before, after]) {
        for item in before {
            let path = item_path(path, key, item);
            match same_item(after, key, item) {
                Some(after) => compare(&path, item, after, found),
                None => found.push(Difference { path, before: Some(item), after: None }),
            }
        }
        for item in after.iter().filter(|item| same_item(before, key, item).is_none()) {
            found.push(Difference { path: item_path(path, key, item), before: None, after: Some(item) });
        }
    } else if before.len() == after.len() && before.iter().chain(after).all(Value::is_object) {
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            compare(&field_path::item(path, index), before, after, found);
        }
    }
}

/// Returns the key by which the items of all these lists are told apart; nothing if there is none.
#[must_use]
pub fn item_key(lists: &[&[Value]]) -> Option<&'static str> {
    ITEM_KEYS.into_iter().find(|key| lists.iter().all(|items| tells_apart(key, items)))
}

/// Returns the item that has the same `key`.
#[must_use]
pub fn same_item<'a>(items: &'a [Value], key: &str, item: &Value) -> Option<&'a Value> {
    let name = item.get(key)?;
    items.iter().find(|other| other.get(key) == Some(name))
}

/// Returns the path of the item within the list at `parent`.
#[must_use]
pub fn item_path(parent: &str, key: &str, item: &Value) -> String {
    field_path::keyed_item(parent, key, &item_name(item, key).unwrap_or_default())
}

fn item_name(item: &Value, key: &str) -> Option<String> {
    match item.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Tells whether every item has the key, and no two the same.
fn tells_apart(key: &str, items: &[Value]) -> bool {
    let names: Option<BTreeSet<String>> = items.iter().map(|item| item_name(item, key)).collect();
    names.is_some_and(|names| names.len() == items.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        Object::new(value).expect("an object")
    }

    #[test]
    fn what_servers_and_controllers_write_is_dropped() {
        let live = object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "uid": "1", "resourceVersion": "2", "generation": 3, "creationTimestamp": "t",
                "managedFields": [], "selfLink": "/x", "deletionTimestamp": "t", "deletionGracePeriodSeconds": 0,
                "annotations": {"deployment.kubernetes.io/revision": "4"}, "labels": {"app": "web"}},
            "spec": {"template": {"metadata": {"creationTimestamp": null}}}, "status": {"replicas": 1}}));
        assert_eq!(
            of(&live),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
                "spec": {"template": {"metadata": {}}}})
        );
    }

    #[test]
    fn what_an_allocator_filled_in_stays() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"clusterIP": "10.0.0.1"}});
        assert_eq!(of(&object(service.clone())), service);
    }

    #[test]
    fn a_job_made_anew_has_the_same_digest() {
        let job = |uid: &str| {
            let labels = json!({"controller-uid": uid, "batch.kubernetes.io/controller-uid": uid, "app": "shop"});
            object(json!({"apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "migrate", "uid": uid, "labels": labels},
                "spec": {"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
                    "template": {"metadata": {"labels": labels}}}}))
        };
        assert_eq!(digest(&job("a")), digest(&job("b")));
        assert!(digest(&job("a")).starts_with("sha256:"));
    }

    #[test]
    fn what_differs_is_found_by_the_digests_of_fields() {
        let web = |replicas: u32| {
            object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "uid": "1"},
                "spec": {"replicas": replicas, "template": {}}, "status": {"replicas": replicas}}))
        };
        let (one, two) = (field_digests(&web(1)), field_digests(&web(2)));
        assert_eq!(
            one.keys().collect::<Vec<_>>(),
            ["apiVersion", "kind", "metadata.name", "spec.replicas", "spec.template"]
        );
        let differing: Vec<_> = one.iter().filter(|(path, digest)| two.get(*path) != Some(digest)).collect();
        assert_eq!(differing.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["spec.replicas"]);
    }

    #[test]
    fn canonical_json_does_not_depend_on_the_order_of_keys() {
        let (one, other) =
            (json!({"b": [1, {"y": "é\n", "x": null}], "a": 1.5}), r#"{"a":1.5,"b":[1,{"x":null,"y":"é\n"}]}"#);
        assert_eq!(canonical_json(&one), other.as_bytes());
        assert_eq!(sha256(b""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn differences_are_paths_by_the_names_of_items() {
        let before = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "server", "image": "a:1", "args": ["x"]}, {"name": "old"}]}}}, "metadata": {"labels": {"a.b/c": "1"}}});
        let after = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "new"}, {"name": "server", "image": "a:2", "args": ["x", "y"]}]}}}, "metadata": {"labels": {}}});
        assert_eq!(
            differences(&before, &after),
            [
                "metadata.labels.\"a.b/c\"",
                "spec.template.spec.containers[name=server].args",
                "spec.template.spec.containers[name=server].image",
                "spec.template.spec.containers[name=old]",
                "spec.template.spec.containers[name=new]",
            ]
        );
    }

    #[test]
    fn items_without_a_name_are_compared_by_place_or_as_a_whole() {
        let rules = |verb: &str| json!({"rules": [{"verbs": ["get"]}, {"verbs": [verb]}]});
        assert_eq!(differences(&rules("list"), &rules("watch")), ["rules[1].verbs"]);
        assert_eq!(differences(&rules("list"), &json!({"rules": []})), ["rules"]);
        assert_eq!(differences(&json!([{"name": "a"}, {"name": "b"}]), &json!([{"name": "b"}, {"name": "a"}])), ["."]);
        assert_eq!(differences(&json!(1), &json!(1)), Vec::<String>::new());
    }

    #[test]
    fn a_difference_has_both_values() {
        let (before, after) =
            (json!({"a": [{"name": "x", "v": 1}, {"name": "y"}], "b": 1}), json!({"a": [{"name": "x"}]}));
        let told: Vec<_> =
            differing(&before, &after).into_iter().map(|d| (d.path, d.before.cloned(), d.after.cloned())).collect();
        assert_eq!(
            told,
            [
                ("a[name=x].v".to_owned(), Some(json!(1)), None),
                ("a[name=y]".to_owned(), Some(json!({"name": "y"})), None),
                ("b".to_owned(), Some(json!(1)), None),
            ]
        );
    }
}
