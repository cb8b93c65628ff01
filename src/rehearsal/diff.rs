//! What a write would change, and which hand edits it would revert: two objects in, the fields that differ out. No secret comes
//! out, only digests of it.

mod hand_edit;
mod manager;
pub(super) mod quantity;
mod shown;

use serde_json::{Map, Value};

use crate::domain::content;
use crate::domain::rehearsed::FieldChange;

/// Returns the fields in which two answers of the server differ, apart from what it and its controllers write by themselves.
///
/// Left out: status, the server's part of metadata, notes in annotations, the labels that tie a Job to its pods, a missing kind
/// (items of a list have none), and what an allocator only pretends to give in a dry run. Items of a list are matched by their
/// key. Secret values are shown as `sha256:` and the first 12 hex digits of the digest; of a value longer than 200 bytes only a
/// part, with size and digest.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let kind = kind_of(before, after);
    let (before, after) = settled(before, after);
    let (before, after) = (shown::without_secrets(&before, kind), shown::without_secrets(&after, kind));
    content::differing(&before, &after).into_iter().map(shown::change).collect()
}

/// Tells whether the pod template of a Deployment, StatefulSet, DaemonSet or ReplicaSet differs; [`changes`] says what is left
/// out.
pub(super) fn restarts_pods(before: &Value, after: &Value) -> bool {
    let has_pods = matches!(kind_of(before, after), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet");
    // Without a group neither side has an apiVersion: both are items of lists.
    let is_builtin = matches!(group_of(before, after), "apps" | "");
    let (before, after) = settled(before, after);
    has_pods && is_builtin && before.pointer("/spec/template") != after.pointer("/spec/template")
}

/// A field that was changed by hand and would be reverted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HandEdit {
    /// The live value, and the one that the write puts in its place.
    pub(super) change: FieldChange,
    /// Who changed it, by the name of the field manager; nothing if the server does not say.
    pub(super) manager: Option<String>,
}

/// Returns the fields that the release's manifest sets, that have another value in the cluster, and that the write sets to
/// something that is not that value either.
///
/// `after` is the server's answer to the rehearsed write. What Helm itself wrote is no hand edit, nor what a controller did
/// that keeps the object's status; what an autoscaler did is. Values are shown as by [`changes`].
pub(super) fn hand_edits(old_manifest: &Value, live: &Value, after: &Value) -> Vec<HandEdit> {
    hand_edit::find(old_manifest, live, after)
}

/// Returns both without what [`changes`] leaves out.
pub(super) fn settled(before: &Value, after: &Value) -> (Value, Value) {
    let (group, kind) = (group_of(before, after), kind_of(before, after));
    let (mut before, mut after) = (before.clone(), after.clone());
    for field in ["apiVersion", "kind"] {
        if text(&before, field).is_empty() || text(&after, field).is_empty() {
            drop_field(&mut before, field);
            drop_field(&mut after, field);
        }
    }
    content::strip(&mut before, group, kind);
    content::strip(&mut after, group, kind);
    if kind == "Service" && group.is_empty() {
        drop_pretended(&before, &mut after);
    }
    if kind == "Pod" {
        name_token_volume(&mut before);
        name_token_volume(&mut after);
    }
    (before, after)
}

fn drop_field(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove(field);
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn kind_of<'a>(before: &'a Value, after: &'a Value) -> &'a str {
    let kind = text(after, "kind");
    if kind.is_empty() { text(before, "kind") } else { kind }
}

fn group_of<'a>(before: &'a Value, after: &'a Value) -> &'a str {
    let version = text(after, "apiVersion");
    let version = if version.is_empty() { text(before, "apiVersion") } else { version };
    version.split_once('/').map_or("", |(group, _)| group)
}

/// The volume with a pod's token gets a random name whenever the pod is created, in a dry run too.
///
/// Source: `k8s.io/kubernetes/plugin/pkg/admission/serviceaccount/admission.go`: `ServiceAccountVolumeName`.
fn name_token_volume(pod: &mut Value) {
    const NAME: &str = "kube-api-access";
    let rename = |items: Option<&mut Value>| {
        for name in items.and_then(Value::as_array_mut).into_iter().flatten().filter_map(|item| item.get_mut("name")) {
            if name.as_str().and_then(|name| name.strip_prefix(NAME)).is_some_and(|rest| rest.starts_with('-')) {
                *name = Value::from(NAME);
            }
        }
    };
    let Some(spec) = pod.get_mut("spec") else { return };
    rename(spec.get_mut("volumes"));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            rename(container.get_mut("volumeMounts"));
        }
    }
}

/// The ports that a dry run pretends to give are counted from here if none is asked for.
///
/// Source: `k8s.io/kubernetes/pkg/registry/core/service/portallocator/operation.go`: `AllocateNext`.
pub(super) const FIRST_PRETENDED_PORT: u64 = 32_769;

/// Takes out of `after` what an allocator did not give for real: it gives nothing in a dry run, and there was nothing before.
///
/// A pretended cluster IP is the first address of its range; a pretended port is one more than the highest that was asked
/// for, or [`FIRST_PRETENDED_PORT`]. Source: as there, and `.../service/ipallocator/ipallocator.go`: `allocateNextService`.
fn drop_pretended(before: &Value, after: &mut Value) {
    let empty = Map::new();
    let before = before.get("spec").and_then(Value::as_object).unwrap_or(&empty);
    let Some(after) = after.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if before.get("clusterIP").and_then(Value::as_str).is_none_or(str::is_empty) {
        after.shift_remove("clusterIP");
        after.shift_remove("clusterIPs");
    }
    let had_health_check = before.get("healthCheckNodePort").and_then(Value::as_u64).is_some_and(|port| port != 0);
    if !had_health_check {
        after.shift_remove("healthCheckNodePort");
    }
    let had = |port: &Value| {
        let same = |other: &&Value| ["port", "protocol"].iter().all(|field| other.get(field) == port.get(field));
        let there = before.get("ports").and_then(Value::as_array).into_iter().flatten().find(same);
        there.is_some_and(|there| there.get("nodePort").is_some())
    };
    let Some(ports) = after.get_mut("ports").and_then(Value::as_array_mut) else { return };
    let taken: Vec<u64> = ports.iter().filter_map(|port| port.get("nodePort")?.as_u64()).collect();
    for port in ports {
        let Some(number) = port.get("nodePort").and_then(Value::as_u64) else { continue };
        let is_pretended = number >= FIRST_PRETENDED_PORT || taken.contains(&(number - 1));
        if is_pretended && !had(port) {
            drop_field(port, "nodePort");
        }
    }
}

#[cfg(test)]
mod tests;
