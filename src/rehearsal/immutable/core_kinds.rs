//! The kinds of the core group. Source: `pkg/apis/core/validation/validation.go`.

use std::cmp::Ordering;

use serde_json::Value;

use super::Changed;
use crate::rehearsal::diff::{self, quantity};

/// `ValidateServiceUpdate`: `validateUpgradeDowngradeClusterIPs`, `validateUpgradeDowngradeIPFamilies`,
/// `validateLoadBalancerClassField`, `validateServiceExternalTrafficFieldsUpdate`.
///
/// An address or port that a dry run only pretends to give to `after` is not compared: nothing was asked for, and on a real
/// update the server keeps the old one (`pkg/registry/core/service/storage/storage.go`: `patchAllocatedValues`).
pub(super) fn service(changed: &Changed<'_>) -> Vec<String> {
    let is_of = |kind: &str| [changed.before("/spec/type"), changed.after("/spec/type")].map(|found| found == kind);
    if is_of("ExternalName").contains(&true) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (ip_before, ip_after) = (text(changed.before("/spec/clusterIP")), text(changed.after("/spec/clusterIP")));
    if !ip_before.is_empty() && !is_pretended_address(&ip_after) && ip_before != ip_after {
        found.push("spec.clusterIP".to_owned());
    }
    let (family_before, family_after) =
        (text(changed.before("/spec/ipFamilies/0")), text(changed.after("/spec/ipFamilies/0")));
    let is_headless = ip_before == "None" || ip_after == "None";
    if !is_headless && !family_before.is_empty() && !family_after.is_empty() && family_before != family_after {
        found.push("spec.ipFamilies".to_owned());
    }
    if is_of("LoadBalancer") == [true, true] {
        found.extend(changed.within(&["spec.loadBalancerClass"]));
        let is_local = |policy: &Value| policy == "Local";
        let port = |value: &Value| value.as_u64().filter(|port| *port < diff::FIRST_PRETENDED_PORT);
        let ports =
            (port(changed.before("/spec/healthCheckNodePort")), port(changed.after("/spec/healthCheckNodePort")));
        let are_local = is_local(changed.before("/spec/externalTrafficPolicy"))
            && is_local(changed.after("/spec/externalTrafficPolicy"));
        if are_local && ports.0.is_some() && ports.1.is_some() && ports.0 != ports.1 {
            found.push("spec.healthCheckNodePort".to_owned());
        }
    }
    found
}

/// The first address of a range is nobody's: a dry run answers it.
fn is_pretended_address(address: &str) -> bool {
    address.is_empty() || address.ends_with(".0") || address.ends_with("::")
}

/// `ValidatePersistentVolumeClaimUpdate`. Without a phase the claim counts as bound, without a capacity as large as it asked.
pub(super) fn persistent_volume_claim(changed: &Changed<'_>) -> Vec<String> {
    const SIZE: &str = "/spec/resources/requests/storage";
    let is_bound = changed.status.get("phase").is_none_or(|phase| phase == "Bound");
    let mut free = Vec::new();
    if changed.before("/spec/volumeName").as_str().is_none_or(str::is_empty) {
        free.push("spec.volumeName");
    }
    if changed.before("/spec/storageClassName").is_null() {
        free.push("spec.storageClassName");
    }
    if is_bound {
        free.extend(["spec.resources.requests.storage", "spec.volumeAttributesClassName"]);
    }
    let mut found = changed.within_but("spec", &free);
    let capacity = changed.status.pointer("/capacity/storage").unwrap_or(changed.before(SIZE));
    let is_not_more = |than: &Value| quantity::compare(changed.after(SIZE), than).is_some_and(Ordering::is_le);
    let shrinks = quantity::compare(changed.after(SIZE), changed.before(SIZE)) == Some(Ordering::Less);
    if is_bound && shrinks && is_not_more(capacity) {
        found.push("spec.resources.requests.storage".to_owned());
    }
    found
}

/// `ValidatePersistentVolumeUpdate`: the source and the volume mode, and the node affinity once it is set.
pub(super) fn persistent_volume(changed: &Changed<'_>) -> Vec<String> {
    let mut free = vec![
        "spec.capacity",
        "spec.accessModes",
        "spec.claimRef",
        "spec.persistentVolumeReclaimPolicy",
        "spec.storageClassName",
        "spec.mountOptions",
        "spec.volumeAttributesClassName",
    ];
    if changed.before("/spec/nodeAffinity").is_null() {
        free.push("spec.nodeAffinity");
    }
    if changed.before("/spec/csi").is_object() && changed.before("/spec/csi/controllerExpandSecretRef").is_null() {
        free.push("spec.csi.controllerExpandSecretRef");
    }
    let mut found = changed.within_but("spec", &free);
    if changed.after("/spec/volumeAttributesClassName").is_null() {
        found.extend(changed.within(&["spec.volumeAttributesClassName"]));
    }
    found
}

/// `ValidatePodUpdate`. Where a pod that is held back by scheduling gates may go is not checked here.
pub(super) fn pod(changed: &Changed<'_>) -> Vec<String> {
    let mut free = vec!["spec.activeDeadlineSeconds", "spec.tolerations", "spec.schedulingGates"];
    let gates = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (gates_before, gates_after) =
        (gates(changed.before("/spec/schedulingGates")), gates(changed.after("/spec/schedulingGates")));
    if !gates_before.is_empty() {
        free.extend(["spec.nodeSelector", "spec.affinity"]);
    }
    if changed.before("/spec/terminationGracePeriodSeconds").as_i64().is_some_and(|seconds| seconds < 0) {
        free.push("spec.terminationGracePeriodSeconds");
    }
    let is_image = |path: &String| {
        ["spec.containers[", "spec.initContainers["].iter().any(|list| path.starts_with(list))
            && path.ends_with("].image")
    };
    let mut found = changed.within_but("spec", &free);
    found.retain(|path| !is_image(path));
    let deadline = |value: &Value| value.as_i64().unwrap_or(i64::MAX);
    if deadline(changed.after("/spec/activeDeadlineSeconds")) > deadline(changed.before("/spec/activeDeadlineSeconds"))
    {
        found.push("spec.activeDeadlineSeconds".to_owned());
    }
    let tolerations = |value: &Value| {
        let mut items = value.as_array().cloned().unwrap_or_default();
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.shift_remove("tolerationSeconds");
        }
        items
    };
    let kept = tolerations(changed.after("/spec/tolerations"));
    if !tolerations(changed.before("/spec/tolerations")).iter().all(|toleration| kept.contains(toleration)) {
        found.push("spec.tolerations".to_owned());
    }
    if !gates_after.iter().all(|gate| gates_before.contains(gate)) {
        found.push("spec.schedulingGates".to_owned());
    }
    found
}

/// `ValidateConfigMapUpdate`, `ValidateSecretUpdate`.
pub(super) fn config(kind: &str, changed: &Changed<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if kind == "Secret" {
        found.extend(changed.within(&["type"]));
    }
    if *changed.before("/immutable") == Value::Bool(true) {
        found.extend(changed.within(&["immutable", "data", "binaryData"]));
    }
    found
}

/// `ValidateResourceQuotaUpdate`: the scopes, in whatever order.
pub(super) fn resource_quota(changed: &Changed<'_>) -> Vec<String> {
    let scopes = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (before, after) = (scopes(changed.before("/spec/scopes")), scopes(changed.after("/spec/scopes")));
    let has_all = |one: &[Value], other: &[Value]| other.iter().all(|scope| one.contains(scope));
    if has_all(&before, &after) && has_all(&after, &before) { Vec::new() } else { vec!["spec.scopes".to_owned()] }
}
