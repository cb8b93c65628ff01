//! Fields that the API server refuses to change once an object is there.
//!
//! A write to an object that lives only in the overlay is rehearsed as a create, so the server does not check these. The table
//! is of Kubernetes 1.36; where an older server refuses more, the row says so.
//!
//! Source of the rows: `k8s.io/kubernetes/pkg/apis/GROUP/validation/validation.go` unless a row names another file.

mod core_kinds;

use serde_json::Value;

use super::diff;
use crate::domain::content;

/// Returns the paths of the fields that differ and that the server would not let differ on an update; empty if it would take
/// the update, as far as that goes, or does not know the kind.
///
/// Both are objects of that kind as the server answers them, with its defaults. The status of `before` counts: what a bound
/// claim, a suspended Job or an established CRD may change.
pub(super) fn immutable_changes(group: &str, kind: &str, before: &Value, after: &Value) -> Vec<String> {
    let (settled_before, settled_after) = diff::settled(before, after);
    let changed = Changed {
        paths: content::differences(&settled_before, &settled_after),
        status: before.get("status").unwrap_or(&Value::Null),
        before: &settled_before,
        after: &settled_after,
    };
    match (group, kind) {
        ("batch", "Job") => job(&changed),
        // `apps`: ValidateStatefulSetUpdate. 1.33 refuses `spec.revisionHistoryLimit`, too.
        ("apps", "StatefulSet") => changed.within_but(
            "spec",
            &[
                "spec.replicas",
                "spec.ordinals",
                "spec.template",
                "spec.updateStrategy",
                "spec.revisionHistoryLimit",
                "spec.persistentVolumeClaimRetentionPolicy",
                "spec.minReadySeconds",
            ],
        ),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom_resource_definition(&changed),
        ("networking.k8s.io", "ServiceCIDR") => service_cidr(&changed),
        ("", "Service") => core_kinds::service(&changed),
        ("", "PersistentVolumeClaim") => core_kinds::persistent_volume_claim(&changed),
        ("", "PersistentVolume") => core_kinds::persistent_volume(&changed),
        ("", "Pod") => core_kinds::pod(&changed),
        ("", "ConfigMap" | "Secret") => core_kinds::config(kind, &changed),
        ("", "ResourceQuota") => core_kinds::resource_quota(&changed),
        _ => FIXED
            .iter()
            .find(|row| (row.0, row.1) == (group, kind))
            .map_or_else(Vec::new, |(_, _, fields)| changed.within(fields)),
    }
}

/// Kinds with fields that never change: group, kind, fields.
const FIXED: [(&str, &str, &[&str]); 18] = [
    // apps: ValidateDeploymentUpdate, ValidateDaemonSetSpecUpdate, ValidateReplicaSetUpdate, ValidateControllerRevisionUpdate.
    ("apps", "Deployment", &["spec.selector"]),
    ("apps", "DaemonSet", &["spec.selector"]),
    ("apps", "ReplicaSet", &["spec.selector"]),
    ("apps", "ControllerRevision", &["data"]),
    // rbac: ValidateRoleBindingUpdate, ValidateClusterRoleBindingUpdate.
    ("rbac.authorization.k8s.io", "RoleBinding", &["roleRef"]),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", &["roleRef"]),
    // storage: ValidateStorageClassUpdate, ValidateCSIDriverUpdate, ValidateVolumeAttributesClassUpdate,
    // ValidateCSIStorageCapacityUpdate, ValidateVolumeAttachmentUpdate.
    ("storage.k8s.io", "StorageClass", &["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"]),
    ("storage.k8s.io", "CSIDriver", &["spec.attachRequired", "spec.volumeLifecycleModes"]),
    ("storage.k8s.io", "VolumeAttributesClass", &["driverName", "parameters"]),
    ("storage.k8s.io", "CSIStorageCapacity", &["nodeTopology", "storageClassName"]),
    ("storage.k8s.io", "VolumeAttachment", &["spec"]),
    // scheduling: ValidatePriorityClassUpdate.
    ("scheduling.k8s.io", "PriorityClass", &["value", "preemptionPolicy"]),
    // networking: ValidateIngressClassUpdate, ValidateIPAddressUpdate.
    ("networking.k8s.io", "IngressClass", &["spec.controller"]),
    ("networking.k8s.io", "IPAddress", &["spec.parentRef"]),
    // node: ValidateRuntimeClassUpdate.
    ("node.k8s.io", "RuntimeClass", &["handler"]),
    // discovery: ValidateEndpointSliceUpdate.
    ("discovery.k8s.io", "EndpointSlice", &["addressType"]),
    // resource: ValidateResourceClaimUpdate, ValidateResourceClaimTemplateUpdate.
    ("resource.k8s.io", "ResourceClaim", &["spec"]),
    ("resource.k8s.io", "ResourceClaimTemplate", &["spec"]),
];

/// Two states of one object, and where they differ.
struct Changed<'a> {
    paths: Vec<String>,
    /// Of `before`; null if there is none.
    status: &'a Value,
    before: &'a Value,
    after: &'a Value,
}

impl Changed<'_> {
    /// Returns the paths at, below or around one of the fields.
    fn within(&self, fields: &[&str]) -> Vec<String> {
        let touches = |path: &str| fields.iter().any(|field| is_within(path, field) || is_within(field, path));
        self.paths.iter().filter(|path| touches(path)).cloned().collect()
    }

    /// Returns the paths below `field` that are neither at nor below one of the `free` ones.
    fn within_but(&self, field: &str, free: &[&str]) -> Vec<String> {
        let is_free = |path: &str| free.iter().any(|free| is_within(path, free));
        self.within(&[field]).into_iter().filter(|path| !is_free(path)).collect()
    }

    fn before(&self, pointer: &str) -> &Value {
        self.before.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn after(&self, pointer: &str) -> &Value {
        self.after.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn has_condition(&self, name: &str) -> bool {
        let conditions = self.status.get("conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|condition| {
            condition.get("type").and_then(Value::as_str) == Some(name)
                && condition.get("status").and_then(Value::as_str) == Some("True")
        })
    }
}

/// Tells whether a path is a field or lies below it.
fn is_within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// `batch`: `ValidateJobSpecUpdate`, and `pkg/registry/batch/job/strategy.go`: `validationOptionsForJob`.
fn job(changed: &Changed<'_>) -> Vec<String> {
    let mut found = changed.within(&[
        "spec.selector",
        "spec.completionMode",
        "spec.podFailurePolicy",
        "spec.backoffLimitPerIndex",
        "spec.managedBy",
        "spec.successPolicy",
    ]);
    let is_indexed = changed.after("/spec/completionMode") == "Indexed";
    if !is_indexed || changed.after("/spec/completions") != changed.after("/spec/parallelism") {
        found.extend(changed.within(&["spec.completions"]));
    }
    // 1.33 to 1.35 let only a Job change its place that never started, and never its resources.
    let is_suspended = *changed.before("/spec/suspend") == Value::Bool(true)
        && (changed.status.get("startTime").is_none() || changed.has_condition("Suspended"))
        && changed.status.get("active").and_then(Value::as_u64).unwrap_or(0) == 0;
    let template = changed.within(&["spec.template"]).into_iter();
    found.extend(template.filter(|path| !(is_suspended && may_change_while_suspended(path))));
    found
}

fn may_change_while_suspended(path: &str) -> bool {
    let fields = [
        "spec.template.metadata.labels",
        "spec.template.metadata.annotations",
        "spec.template.spec.nodeSelector",
        "spec.template.spec.tolerations",
        "spec.template.spec.schedulingGates",
        "spec.template.spec.affinity.nodeAffinity",
    ];
    let is_of_container = ["spec.template.spec.containers[", "spec.template.spec.initContainers["]
        .iter()
        .any(|list| path.starts_with(list));
    fields.iter().any(|field| is_within(path, field)) || is_of_container && path.contains("].resources")
}

/// `k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go`:
/// `validateCustomResourceDefinitionSpecUpdate`. Without a status it counts as established.
fn custom_resource_definition(changed: &Changed<'_>) -> Vec<String> {
    let mut found = changed.within(&["spec.group", "spec.names.plural"]);
    if changed.status.is_null() || changed.has_condition("Established") {
        found.extend(changed.within(&["spec.scope", "spec.names.kind"]));
    }
    found
}

/// `networking`: `ValidateServiceCIDRUpdate`: a second range may be added to one.
fn service_cidr(changed: &Changed<'_>) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (before, after) = (list(changed.before("/spec/cidrs")), list(changed.after("/spec/cidrs")));
    let is_added = before.len() == 1 && after.len() == 2 && after.first() == before.first();
    if is_added { Vec::new() } else { changed.within(&["spec.cidrs"]) }
}

#[cfg(test)]
mod tests;
