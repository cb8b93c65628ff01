//! Statuses for objects of the overlay, which no controller ever sees: with them every `--wait` of Helm, its hook waits
//! included, ends at once.
//!
//! What each Helm reads, beside `metadata.deletionTimestamp`:
//!
//! | kind | Helm 3 `--wait`, Helm 4 `--wait=legacy` | Helm 4 `--wait` (kstatus) |
//! |---|---|---|
//! | every kind | - | `metadata.generation` = `status.observedGeneration` where both are there; conditions `Reconciling`, `Stalled` |
//! | Pod | condition `Ready` | `status.phase`, with `Running` the condition `Ready`, else `containerStatuses` (crash loops); with `Pending` the condition `PodScheduled` |
//! | Job | only `--wait-for-jobs`: `spec.backoffLimit` against `status.failed`, `spec.completions` against `status.succeeded` | conditions `Complete`, `Failed`; `status.startTime` (not with `--wait-for-jobs`: there only `Complete` will do) |
//! | Deployment | `spec.paused` (then ready); the oldest of its `ReplicaSets` that has its template ([`super::replica_set`]); both generations; `spec.replicas`, `spec.strategy` against the ReplicaSet's `status.readyReplicas` | not waited for if `spec.paused`; `spec.replicas` against `status.replicas`, `updatedReplicas`, `availableReplicas`, `readyReplicas`; `spec.progressDeadlineSeconds` and condition `Progressing` (`NewReplicaSetAvailable`); condition `Available` |
//! | StatefulSet | generations; `spec.updateStrategy`, `spec.replicas` against `status.updatedReplicas`, `readyReplicas`; `currentRevision` = `updateRevision` | `spec.updateStrategy`; `spec.replicas` against `status.replicas`, `readyReplicas`, `updatedReplicas` (partition), else `currentReplicas`; `currentRevision` = `updateRevision` |
//! | DaemonSet | generations; `spec.updateStrategy`; `status.desiredNumberScheduled` = `updatedNumberScheduled`, `numberReady` | generations, which must be there; `status.desiredNumberScheduled` against `currentNumberScheduled`, `updatedNumberScheduled`, `numberAvailable`, `numberReady` |
//! | ReplicaSet | generations; condition `Ready` of **every pod its selector matches** | condition `ReplicaFailure`; `spec.replicas` against `status.fullyLabeledReplicas`, `availableReplicas`, `readyReplicas`, `replicas` |
//! | `ReplicationController` | as ReplicaSet | - |
//! | `PersistentVolumeClaim` | `status.phase` | `status.phase` |
//! | Service | `spec.type`, `spec.clusterIP`, `spec.externalIPs`, `status.loadBalancer.ingress` | `spec.type`, `spec.clusterIP` |
//! | `CustomResourceDefinition` | conditions `Established`, `NamesAccepted` | the same |
//! | `PodDisruptionBudget`, CronJob, Secret, ConfigMap | - | nothing more |
//! | all else: Namespace, Ingress, `APIService`, `HorizontalPodAutoscaler`, custom resources | - | condition `Ready` |
//!
//! Hooks: Helm 3 reads of a Job the conditions `Complete` and `Failed`, of a Pod `status.phase`, and of other kinds nothing. Helm 4
//! reads the same and the first row of the table of all others; a Pod hook must have succeeded, it need not be ready.
//!
//! Sources: Helm 3.17.4 and 3.22.0 `pkg/kube/ready.go`, `pkg/kube/client.go` (`watchUntilReady`); Helm 4.3.1
//! `pkg/kube/{statuswait,ready,wait}.go`, `internal/statusreaders`; `fluxcd/cli-utils` 1.2.2 `pkg/kstatus/status`, and its
//! `pkg/kstatus/polling/statusreaders`: the statuses of a workload's `ReplicaSets` and pods are read there only to call a workload
//! failed that is not ready yet.

mod defaults;
mod workload;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

/// The address of load balancers that exist in the rehearsal alone.
///
/// Source: RFC 5737, `TEST-NET-1`: an address that is nobody's.
const MADE_UP_ADDRESS: &str = "192.0.2.1";

/// The reason in conditions that were turned.
const REASON: &str = "Rehearsed";

/// Sets the status that the object would have once its controllers were done with it, at `now` (RFC 3339, UTC).
///
/// - `metadata.generation` is read, not set: with none, no observed generation is written, and Helm 4 would wait for ever
///   for a DaemonSet.
/// - Helm reads some fields of `spec` without asking whether they are there (Helm 3 crashes on a Deployment without
///   `replicas`), since a server always fills them in. Of an object that no server has seen, because it refused it, they are
///   filled in here. An object as a server returned it keeps its `spec` as it is. Compare objects before this is called.
/// - An object that is being deleted stays as it is: Helm would wait for it in the real run, too.
/// - A suspended Job is made complete as well, beside being suspended: Helm waits for it in the real run until its timeout.
/// - Of a kind that is not known here only what stands in the way is changed: the observed generation, and conditions that
///   say that it is not ready.
pub(super) fn make_ready(object: &mut Value, now: &str) {
    let is_deleted = object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null());
    if !object.is_object() || is_deleted {
        return;
    }
    defaults::fill_in(object);
    let seen = Seen { object, now };
    let status = match (seen.group(), seen.kind()) {
        ("apps" | "extensions", "Deployment") => Some(workload::deployment(&seen)),
        ("apps", "StatefulSet") => Some(workload::stateful_set(&seen)),
        ("apps" | "extensions", "DaemonSet") => Some(workload::daemon_set(&seen)),
        ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => Some(workload::replica_set(&seen)),
        ("batch", "Job") => Some(workload::job(&seen)),
        ("", "Pod") => Some(workload::pod(&seen)),
        ("", "Namespace") => Some(json!({"phase": "Active"})),
        ("", "PersistentVolumeClaim") => Some(seen.settled(claim(&seen))),
        ("", "Service") => Some(seen.settled(service(&seen))),
        ("networking.k8s.io" | "extensions", "Ingress") => Some(seen.settled(balanced(&seen))),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some(seen.settled(definition(&seen))),
        ("apiregistration.k8s.io", "APIService") => Some(seen.settled(api_service(&seen))),
        ("autoscaling", "HorizontalPodAutoscaler") => Some(seen.settled(autoscaler(&seen))),
        ("policy", "PodDisruptionBudget") => Some(seen.settled(disruption_budget(&seen))),
        _ => object.get("status").and_then(Value::as_object).map(|status| seen.settled(status.clone())),
    };
    if let (Some(fields), Some(status)) = (object.as_object_mut(), status) {
        fields.insert("status".to_owned(), status);
    }
}

/// An object whose status is being made up.
struct Seen<'a> {
    object: &'a Value,
    now: &'a str,
}

impl<'a> Seen<'a> {
    fn group(&self) -> &'a str {
        self.text("/apiVersion").rsplit_once('/').map_or("", |(group, _)| group)
    }

    fn kind(&self) -> &'a str {
        self.text("/kind")
    }

    fn text(&self, pointer: &str) -> &'a str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, pointer: &str) -> Option<i64> {
        self.object.pointer(pointer).and_then(Value::as_i64)
    }

    fn list(&self, pointer: &str) -> &'a [Value] {
        self.object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn generation(&self) -> Option<i64> {
        self.number("/metadata/generation")
    }

    /// Returns the status as it is, if there is one.
    fn status(&self) -> Map<String, Value> {
        self.object.get("status").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// Returns a condition that is so since now; the reason may be empty.
    fn condition(&self, condition_type: &str, is_true: bool, reason: &str) -> Value {
        let status = if is_true { "True" } else { "False" };
        let mut condition = Map::new();
        condition.insert("type".to_owned(), condition_type.into());
        condition.insert("status".to_owned(), status.into());
        if !reason.is_empty() {
            condition.insert("reason".to_owned(), reason.into());
        }
        condition.insert("lastTransitionTime".to_owned(), self.now.into());
        condition.into()
    }

    /// Writes the generation into a status that has to show it.
    fn observe(&self, status: &mut Map<String, Value>) {
        if let Some(generation) = self.generation() {
            status.insert("observedGeneration".to_owned(), generation.into());
        }
    }

    /// Takes out of a status what kstatus waits for in every kind.
    fn settled(&self, mut status: Map<String, Value>) -> Value {
        if status.contains_key("observedGeneration") {
            self.observe(&mut status);
        }
        for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            let text = |field: &str| condition.get(field).and_then(Value::as_str).unwrap_or_default();
            let turned = match (text("type"), text("status")) {
                ("Ready", "False" | "Unknown") => "True",
                ("Reconciling" | "Stalled", "True") => "False",
                _ => continue,
            };
            if let Some(condition) = condition.as_object_mut() {
                if condition.contains_key("observedGeneration") {
                    self.observe(condition);
                }
                condition.insert("status".to_owned(), turned.into());
                condition.insert("reason".to_owned(), REASON.into());
                condition.insert("message".to_owned(), "".into());
                condition.insert("lastTransitionTime".to_owned(), self.now.into());
            }
        }
        Value::Object(status)
    }
}

/// Puts a condition in the place of the one of its type, or behind all others.
fn put_condition(status: &mut Map<String, Value>, condition: Value) {
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else { return };
    match conditions.iter_mut().find(|other| other.get("type") == condition.get("type")) {
        Some(other) => *other = condition,
        None => conditions.push(condition),
    }
}

/// Writes a field unless it is there.
fn keep_or(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    let field = fields.entry(name).or_insert(Value::Null);
    if field.is_null() {
        *field = value.into();
    }
}

fn claim(seen: &Seen<'_>) -> Map<String, Value> {
    let mut status = seen.status();
    status.insert("phase".to_owned(), "Bound".into());
    for (field, pointer) in [("accessModes", "/spec/accessModes"), ("capacity", "/spec/resources/requests")] {
        if let Some(asked) = seen.object.pointer(pointer) {
            keep_or(&mut status, field, asked.clone());
        }
    }
    status
}

fn service(seen: &Seen<'_>) -> Map<String, Value> {
    if seen.text("/spec/type") == "LoadBalancer" { balanced(seen) } else { seen.status() }
}

/// A load balancer that has an address.
fn balanced(seen: &Seen<'_>) -> Map<String, Value> {
    let mut status = seen.status();
    if seen.list("/status/loadBalancer/ingress").is_empty() {
        status.insert("loadBalancer".to_owned(), json!({"ingress": [{"ip": MADE_UP_ADDRESS}]}));
    }
    status
}

/// Source of reasons and names: `k8s.io/apiextensions-apiserver` `pkg/controller/{establish,status}`.
fn definition(seen: &Seen<'_>) -> Map<String, Value> {
    let mut status = seen.status();
    put_condition(&mut status, seen.condition("NamesAccepted", true, "NoConflicts"));
    put_condition(&mut status, seen.condition("Established", true, "InitialNamesAccepted"));
    let mut names = seen.object.pointer("/spec/names").and_then(Value::as_object).cloned().unwrap_or_default();
    let kind = seen.text("/spec/names/kind");
    keep_or(&mut names, "singular", kind.to_lowercase());
    keep_or(&mut names, "listKind", format!("{kind}List"));
    status.insert("acceptedNames".to_owned(), names.into());
    let stores = |version: &&Value| version.get("storage").and_then(Value::as_bool) == Some(true);
    let stored = seen.list("/spec/versions").iter().filter(stores).filter_map(|version| version.get("name"));
    // What was ever stored stays stored.
    let mut versions = seen.list("/status/storedVersions").to_vec();
    for version in stored {
        if !versions.contains(version) {
            versions.push(version.clone());
        }
    }
    status.insert("storedVersions".to_owned(), versions.into());
    status
}

/// Source of the reason: `k8s.io/kube-aggregator` `pkg/controllers/status`.
fn api_service(seen: &Seen<'_>) -> Map<String, Value> {
    let mut status = seen.status();
    put_condition(&mut status, seen.condition("Available", true, "Passed"));
    status
}

/// Source of the reasons: Kubernetes `pkg/controller/podautoscaler`.
fn autoscaler(seen: &Seen<'_>) -> Map<String, Value> {
    let mut status = seen.status();
    let replicas = seen.number("/spec/minReplicas").unwrap_or(1);
    keep_or(&mut status, "currentReplicas", replicas);
    keep_or(&mut status, "desiredReplicas", replicas);
    // Version 1 has its conditions in an annotation.
    if seen.text("/apiVersion") != "autoscaling/v1" {
        put_condition(&mut status, seen.condition("AbleToScale", true, "ReadyForNewScale"));
        put_condition(&mut status, seen.condition("ScalingActive", true, "ValidMetricFound"));
        put_condition(&mut status, seen.condition("ScalingLimited", false, "DesiredWithinRange"));
    }
    seen.observe(&mut status);
    status
}

fn disruption_budget(seen: &Seen<'_>) -> Map<String, Value> {
    let mut status = seen.status();
    for count in ["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"] {
        keep_or(&mut status, count, 0);
    }
    seen.observe(&mut status);
    status
}
