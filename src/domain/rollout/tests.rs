use serde_json::json;

use super::*;

fn object(api_version: &str, kind: &str, spec: Value, status: Value) -> Object {
    let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "generation": 2}});
    value["spec"] = spec;
    value["status"] = status;
    if value["status"].get("observedGeneration").is_none() {
        value["status"]["observedGeneration"] = json!(2);
    }
    Object::new(value).expect("an object")
}

/// Returns the status in a few words, such as `waiting for 1 of 2 replicas ready`.
fn told(object: &Object) -> String {
    match status(object) {
        RolloutStatus::Current => "current".to_owned(),
        RolloutStatus::InProgress { waiting_for } => format!("waiting for {waiting_for}"),
        RolloutStatus::Failed { because } => format!("failed: {because}"),
        RolloutStatus::Terminating => "terminating".to_owned(),
        RolloutStatus::NotFound => "not found".to_owned(),
    }
}

fn condition(condition_type: &str, is_true: bool, reason: &str, message: &str) -> Value {
    json!({"type": condition_type, "status": if is_true { "True" } else { "False" }, "reason": reason, "message": message})
}

fn deployment(spec: Value, counts: [i64; 4], conditions: Value) -> Object {
    let [replicas, updated, available, ready] = counts;
    let mut status = json!({"replicas": replicas, "updatedReplicas": updated, "availableReplicas": available,
        "readyReplicas": ready});
    status["conditions"] = conditions;
    object("apps/v1", "Deployment", spec, status)
}

fn rolled_out() -> Value {
    json!([condition("Progressing", true, "NewReplicaSetAvailable", ""), condition("Available", true, "", "")])
}

#[test]
fn an_object_that_is_being_deleted_is_terminating() {
    let mut value = object("v1", "ConfigMap", json!({}), json!({})).into_value();
    value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(status(&Object::new(value).expect("an object")), RolloutStatus::Terminating);
}

#[test]
fn an_older_observed_generation_is_on_its_way() {
    let behind = object("example.com/v1", "Widget", json!({}), json!({"observedGeneration": 1}));
    assert_eq!(told(&behind), "waiting for its controller to see the change");
    let unseen = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 1},
        "spec": {"replicas": 0}});
    assert_eq!(told(&Object::new(unseen).expect("an object")), "waiting for its controller to see it");
}

#[test]
fn the_standard_conditions_decide_for_every_kind() {
    let with =
        |conditions: Value| told(&object("example.com/v1", "Widget", json!({}), json!({"conditions": conditions})));
    assert_eq!(with(json!([condition("Reconciling", true, "Busy", "two\nlines")])), "waiting for two lines");
    assert_eq!(with(json!([condition("Stalled", true, "NoQuota", "")])), "failed: NoQuota");
    assert_eq!(with(json!([condition("Ready", false, "", "no backend")])), "waiting for no backend");
    assert_eq!(with(json!([{"type": "Ready", "status": "Unknown"}])), "waiting for it to be ready");
    assert_eq!(with(json!([condition("Ready", true, "", "")])), "current");
    assert_eq!(with(json!([])), "current");
}

#[test]
fn a_deployment_is_current_when_every_pod_is_new_and_available() {
    let at = |counts| told(&deployment(json!({"replicas": 2, "progressDeadlineSeconds": 600}), counts, rolled_out()));
    assert_eq!(at([1, 1, 1, 1]), "waiting for 1 of 2 replicas created");
    assert_eq!(at([2, 1, 2, 2]), "waiting for 1 of 2 replicas updated");
    assert_eq!(at([3, 2, 2, 3]), "waiting for 1 old pod to end");
    assert_eq!(at([2, 2, 1, 2]), "waiting for 1 of 2 replicas available");
    assert_eq!(at([2, 2, 2, 1]), "waiting for 1 of 2 replicas ready");
    assert_eq!(at([2, 2, 2, 2]), "current");
}

#[test]
fn a_deployment_past_its_deadline_has_failed() {
    let words = "ReplicaSet \"web-1\" has timed out progressing.";
    let late = json!([condition("Progressing", false, "ProgressDeadlineExceeded", words)]);
    assert_eq!(told(&deployment(json!({}), [1, 1, 0, 0], late)), format!("failed: {words}"));
}

#[test]
fn a_deployment_needs_its_conditions() {
    let deadline = json!({"progressDeadlineSeconds": 600});
    let available = json!([condition("Available", true, "", "")]);
    let full = [1, 1, 1, 1];
    assert_eq!(told(&deployment(deadline, full, available.clone())), "waiting for its new ReplicaSet to be available");
    assert_eq!(told(&deployment(json!({}), full, available)), "current");
    assert_eq!(told(&deployment(json!({}), full, json!([]))), "waiting for it to be available");
}

#[test]
fn a_paused_deployment_waits_for_a_person() {
    let paused = deployment(json!({"paused": true}), [1, 0, 1, 1], rolled_out());
    assert_eq!(told(&paused), "waiting for someone to resume it (`spec.paused` is set): 0 of 1 replicas updated");
}

fn stateful_set(strategy: Value, updated: i64, revisions: [&str; 2]) -> Object {
    let [current, update] = revisions;
    let status = json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": updated, "currentRevision": current,
        "currentReplicas": if current == update { 3 } else { 3 - updated }, "updateRevision": update});
    let mut spec = json!({"replicas": 3});
    spec["updateStrategy"] = strategy;
    object("apps/v1", "StatefulSet", spec, status)
}

#[test]
fn a_stateful_set_is_current_when_its_rollout_is_closed() {
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
    assert_eq!(told(&stateful_set(rolling.clone(), 1, ["a", "b"])), "waiting for 1 of 3 replicas updated");
    assert_eq!(told(&stateful_set(rolling.clone(), 3, ["a", "b"])), "waiting for its rollout to be closed");
    assert_eq!(told(&stateful_set(rolling, 3, ["b", "b"])), "current");
}

#[test]
fn a_partition_holds_the_pods_below_it_back() {
    let held = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    assert_eq!(told(&stateful_set(held.clone(), 0, ["a", "b"])), "waiting for 0 of 1 replicas updated");
    assert_eq!(told(&stateful_set(held, 1, ["a", "b"])), "current");
    let all = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 5}});
    assert_eq!(told(&stateful_set(all, 0, ["a", "b"])), "current");
}

#[test]
fn a_stateful_set_whose_user_replaces_the_pods_is_current() {
    assert_eq!(told(&stateful_set(json!({"type": "OnDelete"}), 0, ["a", "b"])), "current");
}

#[test]
fn a_daemon_set_counts_nodes() {
    let at = |status: Value| told(&object("apps/v1", "DaemonSet", json!({}), status));
    assert_eq!(at(json!({})), "waiting for its controller to count the nodes");
    let counts = |updated: i64, ready: i64| {
        json!({"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": updated,
            "numberAvailable": 2, "numberReady": ready})
    };
    assert_eq!(at(counts(1, 2)), "waiting for 1 of 2 replicas updated");
    assert_eq!(at(counts(2, 1)), "waiting for 1 of 2 replicas ready");
    assert_eq!(at(counts(2, 2)), "current");
    assert_eq!(at(json!({"desiredNumberScheduled": 0})), "current");
    let by_hand = json!({"updateStrategy": {"type": "OnDelete"}});
    assert_eq!(told(&object("apps/v1", "DaemonSet", by_hand, counts(0, 2))), "current");
}

#[test]
fn a_replica_set_counts_pods() {
    let status = json!({"replicas": 1, "fullyLabeledReplicas": 1, "availableReplicas": 0, "readyReplicas": 0});
    assert_eq!(told(&object("apps/v1", "ReplicaSet", json!({}), status)), "waiting for 0 of 1 replicas available");
    let refused = json!({"conditions": [condition("ReplicaFailure", true, "FailedCreate", "exceeded quota")]});
    assert_eq!(told(&object("apps/v1", "ReplicaSet", json!({}), refused)), "waiting for exceeded quota");
}

#[test]
fn a_job_is_current_when_it_has_completed() {
    let at = |spec: Value, status: Value| told(&object("batch/v1", "Job", spec, status));
    assert_eq!(at(json!({}), json!({})), "waiting for it to start");
    let running = json!({"startTime": "t", "active": 1, "failed": 2});
    assert_eq!(at(json!({"completions": 3}), running.clone()), "waiting for 0 of 3 completions, 2 failed so far");
    assert_eq!(at(json!({"suspend": true}), running), "current");
    assert_eq!(at(json!({}), json!({"conditions": [condition("Complete", true, "", "")]})), "current");
    let words = "Job has reached the specified backoff limit";
    let given_up = json!({"conditions": [condition("Failed", true, "BackoffLimitExceeded", words)]});
    assert_eq!(at(json!({}), given_up), format!("failed: {words}"));
}

#[test]
fn a_job_gone_by_its_ttl_is_current() {
    let job = |spec: Value| object("batch/v1", "Job", spec, json!({}));
    assert_eq!(status_of_missing(&job(json!({"ttlSecondsAfterFinished": 300}))), RolloutStatus::Current);
    assert_eq!(status_of_missing(&job(json!({}))), RolloutStatus::NotFound);
    let other = object("example.com/v1", "Job", json!({"ttlSecondsAfterFinished": 300}), json!({}));
    assert_eq!(status_of_missing(&other), RolloutStatus::NotFound);
}

#[test]
fn a_pod_is_current_when_it_is_ready_or_has_succeeded() {
    let at = |status: Value| told(&object("v1", "Pod", json!({}), status));
    assert_eq!(at(json!({"phase": "Running", "conditions": [condition("Ready", true, "", "")]})), "current");
    assert_eq!(at(json!({"phase": "Succeeded"})), "current");
    assert_eq!(at(json!({"phase": "Pending"})), "waiting for it to be ready");
    assert_eq!(
        at(json!({"phase": "Failed", "reason": "Evicted", "message": "low on disk"})),
        "failed: Evicted: low on disk"
    );
}

#[test]
fn a_pod_may_crash_twice_but_not_for_ever() {
    let after = |restarts: i64| {
        told(&object(
            "v1",
            "Pod",
            json!({}),
            json!({"phase": "Running", "containerStatuses": [{"name": "server",
            "restartCount": restarts, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}),
        ))
    };
    let what = "container server: CrashLoopBackOff, 2 restarts, last exit code 1 (Error)";
    assert_eq!(after(2), format!("waiting for it to be ready: {what}"));
    assert!(after(3).starts_with("failed: container server"));
}

#[test]
fn a_claim_that_nobody_uses_may_wait_for_its_first_pod() {
    let claim = |phase: &str| object("v1", "PersistentVolumeClaim", json!({}), json!({"phase": phase}));
    let class = object("storage.k8s.io/v1", "StorageClass", json!({}), json!({})).into_value();
    let late = |mode: &str| {
        let mut class = class.clone();
        class["volumeBindingMode"] = json!(mode);
        Object::new(class).expect("an object")
    };
    assert_eq!(status(&claim("Bound")), RolloutStatus::Current);
    assert_eq!(told(&claim("Pending")), "waiting for a volume to be bound");
    assert_eq!(told(&claim("Lost")), "failed: its volume is lost");
    let (first, immediate) = (late("WaitForFirstConsumer"), late("Immediate"));
    assert_eq!(status_of_claim(&claim("Pending"), Some(&first), false), RolloutStatus::Current);
    assert_ne!(status_of_claim(&claim("Pending"), Some(&first), true), RolloutStatus::Current);
    assert_ne!(status_of_claim(&claim("Pending"), Some(&immediate), false), RolloutStatus::Current);
}

#[test]
fn services_namespaces_and_definitions_have_rules_of_their_own() {
    let balanced =
        |ip: &str| told(&object("v1", "Service", json!({"type": "LoadBalancer", "clusterIP": ip}), json!({})));
    assert_eq!((balanced("").as_str(), balanced("10.0.0.1").as_str()), ("waiting for a cluster IP", "current"));
    assert_eq!(told(&object("v1", "Service", json!({}), json!({}))), "current");
    assert_eq!(told(&object("v1", "Namespace", json!({}), json!({"phase": "Active"}))), "current");
    assert_eq!(told(&object("v1", "Namespace", json!({}), json!({"phase": "Terminating"}))), "terminating");
    let definition = |conditions: Value| {
        told(&object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            json!({"conditions": conditions}),
        ))
    };
    assert_eq!(definition(json!([])), "waiting for it to be established");
    assert_eq!(definition(json!([condition("Established", true, "", "")])), "current");
    assert_eq!(
        definition(json!([condition("Established", false, "Installing", "")])),
        "waiting for it to be established"
    );
    let taken = condition("NamesAccepted", false, "ListKindConflict", "\"XList\" is already in use");
    assert_eq!(definition(json!([taken])), "failed: \"XList\" is already in use");
    let service =
        |is_true| json!({"conditions": [condition("Available", is_true, "MissingEndpoints", "no endpoints")]});
    let api = |status| told(&object("apiregistration.k8s.io/v1", "APIService", json!({}), status));
    assert_eq!((api(service(true)).as_str(), api(service(false)).as_str()), ("current", "waiting for no endpoints"));
}

#[test]
fn what_has_no_rollout_is_current() {
    for (api_version, kind) in [
        ("v1", "Secret"),
        ("batch/v1", "CronJob"),
        ("policy/v1", "PodDisruptionBudget"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"),
        ("networking.k8s.io/v1", "Ingress"),
    ] {
        let waiting = json!({"conditions": [condition("AbleToScale", false, "", "")]});
        assert_eq!(told(&object(api_version, kind, json!({}), waiting)), "current", "{kind}");
    }
}
