//! How far an object is on its way to what its manifest asks for: the rules of kstatus.
//!
//! Source of the rules: `sigs.k8s.io/cli-utils` `pkg/kstatus/status`. Where an upgrade needs to know more they are
//! stricter, and the function says so: a Job is current when it has completed, not when it runs; a failed Pod is failed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::Object;
use super::trouble::{self, CRASHES_ALLOWED, TroubleKind};

/// How far one object is on its way to what its manifest asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum RolloutStatus {
    /// It matches what was asked for.
    Current,
    /// It is on its way; `waiting_for` completes the sentence "waiting for ...".
    InProgress {
        /// Such as `2 of 3 replicas ready`.
        waiting_for: String,
    },
    /// It will not get there by waiting.
    Failed {
        /// The cause, in the server's words where it has any.
        because: String,
    },
    /// It is being deleted.
    Terminating,
    /// It is not there.
    NotFound,
}

/// Returns how far a live object is.
///
/// A custom resource that has none of the conditions `Reconciling`, `Stalled` and `Ready` is current as soon as it is
/// there. For a volume claim [`status_of_claim`] knows more.
#[must_use]
pub fn status(object: &Object) -> RolloutStatus {
    if object.text_at("/metadata/deletionTimestamp").is_some_and(|time| !time.is_empty()) {
        return RolloutStatus::Terminating;
    }
    match (object.generation(), object.number_at("/status/observedGeneration")) {
        (Some(asked), Some(seen)) if asked != seen => return waiting("its controller to see the change"),
        (Some(_), None) if has_attentive_controller(object) => return waiting("its controller to see it"),
        _ => {}
    }
    if let Some(condition) = true_condition(object, "Reconciling") {
        return waiting(words_of(condition, "its controller"));
    }
    if let Some(condition) = true_condition(object, "Stalled") {
        return failed(words_of(condition, "it is stalled"));
    }
    match (object.group(), object.kind()) {
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") | ("", "ReplicationController") => replica_set(object),
        ("batch", "Job") => job(object),
        ("", "Pod") => pod(object),
        ("", "PersistentVolumeClaim") => status_of_claim(object, None, true),
        ("", "Service") => service(object),
        ("", "Namespace") => namespace(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("apiregistration.k8s.io", "APIService") => api_service(object),
        ("" | "batch" | "policy" | "autoscaling", _) => RolloutStatus::Current,
        _ => by_ready_condition(object),
    }
}

/// Returns what the absence of an object means. A Job that is removed some time after it finished counts as current:
/// nothing but its own `ttlSecondsAfterFinished` takes a finished Job away.
#[must_use]
pub fn status_of_missing(manifest: &Object) -> RolloutStatus {
    let is_job = manifest.group() == "batch" && manifest.kind() == "Job";
    if is_job && manifest.number_at("/spec/ttlSecondsAfterFinished").is_some() {
        RolloutStatus::Current
    } else {
        RolloutStatus::NotFound
    }
}

/// Returns how far a volume claim is, where its storage class is known. A claim whose class binds it to its first pod
/// (`WaitForFirstConsumer`) waits for ever if no pod uses it, so unused it is current.
#[must_use]
pub fn status_of_claim(claim: &Object, storage_class: Option<&Object>, is_used: bool) -> RolloutStatus {
    let binds_late =
        storage_class.and_then(|class| class.text_at("/volumeBindingMode")) == Some("WaitForFirstConsumer");
    match claim.text_at("/status/phase") {
        Some("Bound") => RolloutStatus::Current,
        Some("Lost") => failed("its volume is lost"),
        _ if binds_late && !is_used => RolloutStatus::Current,
        _ if binds_late => waiting("a pod that uses it, to bind a volume"),
        _ => waiting("a volume to be bound"),
    }
}

/// The workload controllers always say which generation they have seen.
fn has_attentive_controller(object: &Object) -> bool {
    object.group() == "apps" && matches!(object.kind(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
}

fn deployment(object: &Object) -> RolloutStatus {
    let progressing = object.condition("Progressing");
    if let Some(condition) = progressing.filter(|condition| text(condition, "reason") == "ProgressDeadlineExceeded") {
        return failed(words_of(condition, "it made no progress within its deadline"));
    }
    let wanted = object.number_at("/spec/replicas").unwrap_or(1);
    let updated = count(object, "updatedReplicas");
    let shortage = short_of(wanted, count(object, "replicas"), "created")
        .or_else(|| short_of(wanted, updated, "updated"))
        .or_else(|| surplus(wanted, count(object, "replicas")))
        .or_else(|| short_of(updated, count(object, "availableReplicas"), "available"))
        .or_else(|| short_of(wanted, count(object, "readyReplicas"), "ready"));
    if let Some(waiting_for) = shortage {
        if object.at("/spec/paused").and_then(Value::as_bool) == Some(true) {
            return waiting(format!("someone to resume it (`spec.paused` is set): {waiting_for}"));
        }
        return waiting(waiting_for);
    }
    // Without a deadline the controller says nothing of progress; the largest number stands for none.
    let deadline = object.number_at("/spec/progressDeadlineSeconds").unwrap_or_else(|| i64::from(i32::MAX));
    let is_complete = progressing.is_some_and(|condition| {
        text(condition, "status") == "True" && text(condition, "reason") == "NewReplicaSetAvailable"
    });
    if deadline != i64::from(i32::MAX) && !is_complete {
        return waiting("its new ReplicaSet to be available");
    }
    if true_condition(object, "Available").is_none() {
        return waiting("it to be available");
    }
    RolloutStatus::Current
}

fn stateful_set(object: &Object) -> RolloutStatus {
    // Its user replaces the pods, so that nothing can be expected.
    if object.text_at("/spec/updateStrategy/type") == Some("OnDelete") {
        return RolloutStatus::Current;
    }
    let wanted = object.number_at("/spec/replicas").unwrap_or(1);
    let shortage = short_of(wanted, count(object, "replicas"), "created")
        .or_else(|| short_of(wanted, count(object, "readyReplicas"), "ready"))
        .or_else(|| surplus(wanted, count(object, "replicas")));
    if let Some(waiting_for) = shortage {
        return waiting(waiting_for);
    }
    // The API server fills in partition 0, which holds nothing back.
    let partition = object.number_at("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if partition > 0 {
        return short_of((wanted - partition).max(0), count(object, "updatedReplicas"), "updated")
            .map_or(RolloutStatus::Current, waiting);
    }
    let revision = |field: &str| object.text_at(&format!("/status/{field}")).unwrap_or_default().to_owned();
    if revision("currentRevision") != revision("updateRevision") {
        let missing = short_of(wanted, count(object, "updatedReplicas"), "updated");
        return waiting(missing.unwrap_or_else(|| "its rollout to be closed".to_owned()));
    }
    short_of(wanted, count(object, "currentReplicas"), "of the current revision")
        .map_or(RolloutStatus::Current, waiting)
}

fn daemon_set(object: &Object) -> RolloutStatus {
    let Some(wanted) = object.number_at("/status/desiredNumberScheduled") else {
        return waiting("its controller to count the nodes");
    };
    // With OnDelete its user replaces the pods.
    let replaces_pods = object.text_at("/spec/updateStrategy/type") != Some("OnDelete");
    short_of(wanted, count(object, "currentNumberScheduled"), "scheduled")
        .or_else(|| short_of(wanted, count(object, "updatedNumberScheduled"), "updated").filter(|_| replaces_pods))
        .or_else(|| short_of(wanted, count(object, "numberAvailable"), "available"))
        .or_else(|| short_of(wanted, count(object, "numberReady"), "ready"))
        .map_or(RolloutStatus::Current, waiting)
}

fn replica_set(object: &Object) -> RolloutStatus {
    if let Some(condition) = true_condition(object, "ReplicaFailure") {
        return waiting(words_of(condition, "pods that cannot be created"));
    }
    let wanted = object.number_at("/spec/replicas").unwrap_or(1);
    short_of(wanted, count(object, "fullyLabeledReplicas"), "labelled")
        .or_else(|| short_of(wanted, count(object, "availableReplicas"), "available"))
        .or_else(|| short_of(wanted, count(object, "readyReplicas"), "ready"))
        .or_else(|| surplus(wanted, count(object, "replicas")))
        .map_or(RolloutStatus::Current, waiting)
}

/// kstatus calls a running Job current; an upgrade is not over before its Jobs are.
fn job(object: &Object) -> RolloutStatus {
    if true_condition(object, "Complete").is_some() {
        return RolloutStatus::Current;
    }
    if let Some(condition) = true_condition(object, "Failed") {
        return failed(words_of(condition, "it failed"));
    }
    if object.at("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return RolloutStatus::Current;
    }
    if object.text_at("/status/startTime").is_none() {
        return waiting("it to start");
    }
    let parallelism = object.number_at("/spec/parallelism").unwrap_or(1);
    let wanted = object.number_at("/spec/completions").unwrap_or(parallelism);
    let (succeeded, failures) = (count(object, "succeeded"), count(object, "failed"));
    let attempts = if failures > 0 { format!(", {failures} failed so far") } else { String::new() };
    waiting(format!("{succeeded} of {wanted} completions{attempts}"))
}

/// kstatus calls a failed pod current, since it changes no more, and a pod failed at its first crash loop.
fn pod(object: &Object) -> RolloutStatus {
    let trouble = trouble::pod_trouble(object);
    let what = trouble.as_ref().map(trouble::PodTrouble::what);
    match object.text_at("/status/phase").unwrap_or_default() {
        "Succeeded" => RolloutStatus::Current,
        "Failed" => failed(what.unwrap_or_else(|| "it failed".to_owned())),
        "Running" if true_condition(object, "Ready").is_some() => RolloutStatus::Current,
        _ => match trouble {
            Some(trouble) if trouble.kind == TroubleKind::CrashLoop && trouble.restarts >= CRASHES_ALLOWED => {
                failed(trouble.what())
            }
            Some(trouble) => waiting(format!("it to be ready: {}", trouble.what())),
            None => waiting("it to be ready"),
        },
    }
}

fn service(object: &Object) -> RolloutStatus {
    let is_balanced = object.text_at("/spec/type") == Some("LoadBalancer");
    if is_balanced && object.text_at("/spec/clusterIP").is_none_or(str::is_empty) {
        return waiting("a cluster IP");
    }
    RolloutStatus::Current
}

fn namespace(object: &Object) -> RolloutStatus {
    match object.text_at("/status/phase") {
        Some("Terminating") => RolloutStatus::Terminating,
        Some("Active") => RolloutStatus::Current,
        _ => waiting("it to be active"),
    }
}

fn definition(object: &Object) -> RolloutStatus {
    let is_false = |condition: &&Value| text(condition, "status") == "False";
    if let Some(condition) = object.condition("NamesAccepted").filter(is_false) {
        return failed(words_of(condition, "its names are not accepted"));
    }
    match object.condition("Established") {
        Some(condition) if text(condition, "status") == "True" => RolloutStatus::Current,
        Some(condition) if text(condition, "status") == "False" && text(condition, "reason") != "Installing" => {
            failed(words_of(condition, "it is not established"))
        }
        _ => waiting("it to be established"),
    }
}

fn api_service(object: &Object) -> RolloutStatus {
    match object.condition("Available") {
        Some(condition) if text(condition, "status") == "True" => RolloutStatus::Current,
        Some(condition) => waiting(words_of(condition, "it to be available")),
        None => waiting("it to be available"),
    }
}

fn by_ready_condition(object: &Object) -> RolloutStatus {
    match object.condition("Ready") {
        Some(condition) if matches!(text(condition, "status"), "False" | "Unknown") => {
            waiting(words_of(condition, "it to be ready"))
        }
        _ => RolloutStatus::Current,
    }
}

fn waiting(waiting_for: impl Into<String>) -> RolloutStatus {
    RolloutStatus::InProgress { waiting_for: waiting_for.into() }
}

fn failed(because: impl Into<String>) -> RolloutStatus {
    RolloutStatus::Failed { because: because.into() }
}

fn count(object: &Object, field: &str) -> i64 {
    object.number_at(&format!("/status/{field}")).unwrap_or(0)
}

fn short_of(wanted: i64, found: i64, what: &str) -> Option<String> {
    (found < wanted).then(|| format!("{found} of {wanted} replicas {what}"))
}

fn surplus(wanted: i64, found: i64) -> Option<String> {
    (found > wanted).then(|| match found - wanted {
        1 => "1 old pod to end".to_owned(),
        more => format!("{more} old pods to end"),
    })
}

fn true_condition<'a>(object: &'a Object, condition_type: &str) -> Option<&'a Value> {
    object.condition(condition_type).filter(|condition| text(condition, "status") == "True")
}

fn text<'a>(condition: &'a Value, field: &str) -> &'a str {
    condition.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns what a condition says, on one line: its message, else its reason, else the given words.
fn words_of(condition: &Value, otherwise: &str) -> String {
    let message = trouble::one_line(text(condition, "message"));
    match text(condition, "reason") {
        _ if !message.is_empty() => message,
        "" => otherwise.to_owned(),
        reason => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
