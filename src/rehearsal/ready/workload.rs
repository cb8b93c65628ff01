//! The statuses of what runs pods, and of pods, when all is done. Nothing of an older status is kept: it tells of the pods
//! before.

use serde_json::{Map, Value, json};

use super::Seen;
use crate::domain::object::HOOK_ANNOTATION;
use crate::rehearsal::replica_set;

/// Source of the reasons: Kubernetes `pkg/controller/deployment/util`. A paused one gets the same: neither Helm waits for it.
pub(super) fn deployment(seen: &Seen<'_>) -> Value {
    let replicas = replicas(seen);
    let mut status = counts(&["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"], replicas);
    seen.observe(&mut status);
    let conditions = [
        seen.condition("Available", true, "MinimumReplicasAvailable"),
        seen.condition("Progressing", true, "NewReplicaSetAvailable"),
    ];
    status.insert("conditions".to_owned(), conditions.into_iter().collect());
    status.into()
}

/// With a partition, too, every pod is of the new revision: no Helm minds more of them than it asked for.
pub(super) fn stateful_set(seen: &Seen<'_>) -> Value {
    let fields = ["replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"];
    let mut status = counts(&fields, replicas(seen));
    seen.observe(&mut status);
    let hash = replica_set::template_hash(seen.object.pointer("/spec/template").unwrap_or(&Value::Null));
    let revision = format!("{}-{hash}", seen.text("/metadata/name"));
    status.insert("currentRevision".to_owned(), revision.clone().into());
    status.insert("updateRevision".to_owned(), revision.into());
    status.into()
}

/// The nodes are those that it is on now; a new one is thought to be on one.
pub(super) fn daemon_set(seen: &Seen<'_>) -> Value {
    let nodes = seen.number("/status/desiredNumberScheduled").filter(|nodes| *nodes > 0).unwrap_or(1);
    let fields = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberReady",
    ];
    let mut status = counts(&fields, nodes);
    status.insert("numberMisscheduled".to_owned(), 0.into());
    seen.observe(&mut status);
    status.into()
}

pub(super) fn replica_set(seen: &Seen<'_>) -> Value {
    let fields = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
    let mut status = counts(&fields, replicas(seen));
    seen.observe(&mut status);
    status.into()
}

/// Source of the reasons: Kubernetes `pkg/controller/job`.
pub(super) fn job(seen: &Seen<'_>) -> Value {
    let succeeded = seen.number("/spec/completions").unwrap_or(1);
    let mut conditions = vec![
        seen.condition("SuccessCriteriaMet", true, "CompletionsReached"),
        seen.condition("Complete", true, "CompletionsReached"),
    ];
    if seen.object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        conditions.push(seen.condition("Suspended", true, "JobSuspended"));
    }
    let started = Some(seen.text("/status/startTime")).filter(|time| !time.is_empty()).unwrap_or(seen.now);
    json!({
        "startTime": started,
        "completionTime": seen.now,
        "succeeded": succeeded,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
        "conditions": conditions,
    })
}

/// A hook has run and succeeded; any other pod runs and is ready.
pub(super) fn pod(seen: &Seen<'_>) -> Value {
    let annotations = seen.object.pointer("/metadata/annotations");
    let is_hook = annotations.and_then(|annotations| annotations.get(HOOK_ANNOTATION)).is_some();
    let (phase, reason) = if is_hook { ("Succeeded", "PodCompleted") } else { ("Running", "") };
    let conditions = [
        seen.condition("PodScheduled", true, ""),
        seen.condition("Initialized", true, reason),
        seen.condition("ContainersReady", !is_hook, reason),
        seen.condition("Ready", !is_hook, reason),
    ];
    let mut status = Map::new();
    status.insert("phase".to_owned(), phase.into());
    status.insert("startTime".to_owned(), seen.now.into());
    status.insert("conditions".to_owned(), conditions.into_iter().collect());
    let init = seen.list("/spec/initContainers");
    if !init.is_empty() {
        // With this policy it is a sidecar, which runs on; the others have ended well, which counts as ready.
        let is_sidecar = |container: &Value| container.get("restartPolicy").and_then(Value::as_str) == Some("Always");
        let init = init.iter().map(|container| {
            let (has_ended, is_ready) = if is_sidecar(container) { (is_hook, !is_hook) } else { (true, true) };
            container_status(container, seen.now, has_ended, is_ready)
        });
        status.insert("initContainerStatuses".to_owned(), init.collect());
    }
    let containers = seen.list("/spec/containers").iter();
    let containers = containers.map(|container| container_status(container, seen.now, is_hook, !is_hook));
    status.insert("containerStatuses".to_owned(), containers.collect());
    if seen.number("/status/observedGeneration").is_some() {
        seen.observe(&mut status);
    }
    status.into()
}

fn container_status(container: &Value, now: &str, has_ended: bool, is_ready: bool) -> Value {
    let text = |field: &str| container.get(field).and_then(Value::as_str).unwrap_or_default();
    let state = if has_ended {
        json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}})
    } else {
        json!({"running": {"startedAt": now}})
    };
    json!({
        "name": text("name"),
        "image": text("image"),
        "imageID": "",
        "restartCount": 0,
        "ready": is_ready,
        "started": !has_ended,
        "state": state,
    })
}

fn replicas(seen: &Seen<'_>) -> i64 {
    seen.number("/spec/replicas").unwrap_or(1)
}

fn counts(fields: &[&str], count: i64) -> Map<String, Value> {
    fields.iter().map(|field| ((*field).to_owned(), count.into())).collect()
}
