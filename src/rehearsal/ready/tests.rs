use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::object::Object;
use crate::domain::rollout::{self, RolloutStatus};
use crate::rehearsal::replica_set::replica_set_of;

const NOW: &str = "2026-02-03T04:05:06Z";

fn ready(object: &Value) -> Value {
    let mut object = object.clone();
    make_ready(&mut object, NOW);
    object
}

fn rollout_of(object: &Value) -> RolloutStatus {
    rollout::status(&Object::new(object.clone()).expect("an object"))
}

fn object(api_version: &str, kind: &str, spec: Value, status: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "generation": 3}});
    object["spec"] = spec;
    object["status"] = status;
    object
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "web:2"}]}})
}

/// Every kind that a controller brings on, with the status that stands in the way at first.
fn all_kinds() -> Vec<(&'static str, Value)> {
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
    let behind = json!({"observedGeneration": 2, "replicas": 5, "readyReplicas": 1, "conditions": [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]});
    let deployment = json!({"replicas": 2, "progressDeadlineSeconds": 600, "strategy": rolling,
        "selector": {"matchLabels": {"app": "web"}}, "template": template()});
    let mut paused = deployment.clone();
    paused["paused"] = json!(true);
    let stateful = |strategy: Value| json!({"replicas": 3, "updateStrategy": strategy, "template": template()});
    let job = json!({"backoffLimit": 0, "completions": 4, "parallelism": 2, "template": template()});
    let mut suspended = job.clone();
    suspended["suspend"] = json!(true);
    let failed =
        json!({"failed": 7, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]});
    let pod = json!({"containers": [{"name": "main", "image": "web:2"}],
        "initContainers": [{"name": "wait", "image": "busybox"}, {"name": "proxy", "restartPolicy": "Always"}]});
    let crashing = json!({"phase": "Running", "containerStatuses": [
        {"name": "main", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
    let mut hook = object("v1", "Pod", pod.clone(), crashing.clone());
    hook["metadata"]["annotations"] = json!({"helm.sh/hook": "pre-upgrade"});
    let definition = json!({"group": "example.com", "names": {"plural": "widgets", "kind": "Widget"}, "versions": [
        {"name": "v1", "served": true, "storage": true}, {"name": "v1beta1", "served": true, "storage": false}]});
    let refused_names = json!({"storedVersions": ["v1beta1"], "conditions": [
        {"type": "NamesAccepted", "status": "False", "reason": "PluralConflict"},
        {"type": "Established", "status": "False", "reason": "NotAccepted"}]});
    let balanced = json!({"type": "LoadBalancer", "clusterIP": "10.0.0.7"});
    let stuck = json!({"observedGeneration": 1, "phase": "Waiting", "conditions": [
        {"type": "Synced", "status": "False"}, {"type": "Ready", "status": "Unknown", "observedGeneration": 1},
        {"type": "Reconciling", "status": "True"}, {"type": "Stalled", "status": "True"}]});
    vec![
        ("a Deployment", object("apps/v1", "Deployment", deployment.clone(), behind.clone())),
        ("a new Deployment", object("apps/v1", "Deployment", deployment, json!({}))),
        ("a paused Deployment", object("apps/v1", "Deployment", paused, behind.clone())),
        ("a StatefulSet", object("apps/v1", "StatefulSet", stateful(json!({"type": "RollingUpdate"})), behind.clone())),
        ("one with OnDelete", object("apps/v1", "StatefulSet", stateful(json!({"type": "OnDelete"})), json!({}))),
        (
            "one with a partition",
            object(
                "apps/v1",
                "StatefulSet",
                stateful(json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})),
                behind.clone(),
            ),
        ),
        ("a DaemonSet", object("apps/v1", "DaemonSet", json!({"updateStrategy": rolling}), json!({}))),
        (
            "a DaemonSet on nodes",
            object(
                "apps/v1",
                "DaemonSet",
                json!({"updateStrategy": rolling}),
                json!({"observedGeneration": 2, "desiredNumberScheduled": 9, "numberReady": 1}),
            ),
        ),
        ("a ReplicaSet", object("apps/v1", "ReplicaSet", json!({"replicas": 2}), behind.clone())),
        ("a ReplicationController", object("v1", "ReplicationController", json!({"replicas": 2}), behind)),
        ("a Job", object("batch/v1", "Job", job.clone(), Value::Null)),
        ("a failed Job", object("batch/v1", "Job", job, failed)),
        ("a suspended Job", object("batch/v1", "Job", suspended, json!({}))),
        ("a Pod", object("v1", "Pod", pod, crashing)),
        ("a hook's Pod", hook),
        ("a claim", object("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Pending"}))),
        ("a lost claim", object("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Lost"}))),
        ("a Namespace", object("v1", "Namespace", json!({}), json!({}))),
        ("a Service", object("v1", "Service", json!({"type": "ClusterIP", "clusterIP": "None"}), Value::Null)),
        ("a balanced Service", object("v1", "Service", balanced, json!({"loadBalancer": {}}))),
        ("an Ingress", object("networking.k8s.io/v1", "Ingress", json!({}), json!({"loadBalancer": {}}))),
        ("a definition", object("apiextensions.k8s.io/v1", "CustomResourceDefinition", definition.clone(), json!({}))),
        (
            "a definition with refused names",
            object("apiextensions.k8s.io/v1", "CustomResourceDefinition", definition, refused_names),
        ),
        (
            "an APIService",
            object(
                "apiregistration.k8s.io/v1",
                "APIService",
                json!({}),
                json!({"conditions": [
                {"type": "Available", "status": "False", "reason": "MissingEndpoints"}]}),
            ),
        ),
        (
            "an autoscaler",
            object(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                json!({"minReplicas": 2}),
                json!({"observedGeneration": 1}),
            ),
        ),
        (
            "an old autoscaler",
            object("autoscaling/v1", "HorizontalPodAutoscaler", json!({}), json!({"observedGeneration": 1})),
        ),
        ("a budget", object("policy/v1", "PodDisruptionBudget", json!({}), json!({"observedGeneration": 1}))),
        ("a CronJob", object("batch/v1", "CronJob", json!({"schedule": "@daily"}), json!({}))),
        ("a ConfigMap", object("v1", "ConfigMap", Value::Null, Value::Null)),
        ("a custom resource", object("example.com/v1", "Widget", json!({}), stuck)),
        ("a custom resource without a status", object("example.com/v1", "Widget", json!({}), Value::Null)),
    ]
}

/// What Helm 3 and Helm 4's legacy wait would wait for: their own questions, in the order in which they are asked. It panics
/// where Helm does.
fn legacy_waits_for(object: &Value, replica_set: Option<&Value>) -> Option<&'static str> {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let count = |pointer: &str| number(pointer).unwrap_or(0);
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_true = |kind: &str| {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|it| it["type"] == kind && it["status"] == "True")
    };
    let is_seen = count("/status/observedGeneration") == count("/metadata/generation");
    let unless = |is_so: bool, what| (!is_so).then_some(what);
    match text("/kind") {
        "Pod" => unless(is_true("Ready"), "ready"),
        "Job" => {
            let limit = number("/spec/backoffLimit").expect("Helm crashes without a backoffLimit");
            unless(count("/status/failed") <= limit, "not failed")
                .or_else(|| unless(count("/status/succeeded") >= count("/spec/completions"), "completions"))
        }
        "Deployment" if object.pointer("/spec/paused") == Some(&json!(true)) => None,
        "Deployment" => {
            let replicas = number("/spec/replicas").expect("Helm crashes without replicas");
            if text("/spec/strategy/type") == "RollingUpdate" {
                object.pointer("/spec/strategy/rollingUpdate").expect("Helm crashes without the parameters");
            }
            let Some(replica_set) = replica_set else { return Some("a ReplicaSet") };
            let of_set = |pointer: &str| replica_set.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
            unless(of_set("/status/observedGeneration") == of_set("/metadata/generation"), "its ReplicaSet")
                .or_else(|| unless(is_seen, "observedGeneration"))
                .or_else(|| unless(of_set("/status/readyReplicas") >= replicas, "readyReplicas"))
        }
        "PersistentVolumeClaim" => unless(text("/status/phase") == "Bound", "bound"),
        "Service" if text("/spec/type") == "ExternalName" => None,
        "Service" => {
            let ingress = object.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
            unless(!text("/spec/clusterIP").is_empty(), "clusterIP").or_else(|| {
                unless(text("/spec/type") != "LoadBalancer" || ingress.is_some_and(|it| !it.is_empty()), "ingress")
            })
        }
        "DaemonSet" => unless(is_seen, "observedGeneration").or_else(|| {
            if text("/spec/updateStrategy/type") != "RollingUpdate" {
                return None;
            }
            object.pointer("/spec/updateStrategy/rollingUpdate").expect("Helm crashes without the parameters");
            let nodes = count("/status/desiredNumberScheduled");
            unless(count("/status/updatedNumberScheduled") == nodes, "scheduled")
                .or_else(|| unless(count("/status/numberReady") >= nodes, "ready"))
        }),
        "StatefulSet" => unless(is_seen, "observedGeneration").or_else(|| {
            if text("/spec/updateStrategy/type") != "RollingUpdate" {
                return None;
            }
            let replicas = number("/spec/replicas").unwrap_or(1);
            let partition = count("/spec/updateStrategy/rollingUpdate/partition");
            let is_closed = text("/status/currentRevision") == text("/status/updateRevision");
            unless(count("/status/updatedReplicas") >= replicas - partition, "updated")
                .or_else(|| unless(count("/status/readyReplicas") == replicas, "ready"))
                .or_else(|| unless(partition != 0 || is_closed, "revision"))
        }),
        "ReplicaSet" | "ReplicationController" => unless(is_seen, "observedGeneration"),
        "CustomResourceDefinition" => unless(is_true("Established"), "established"),
        _ => None,
    }
}

fn wait_of_legacy(object: &Value) -> Option<&'static str> {
    legacy_waits_for(object, replica_set_of(object, NOW).as_ref())
}

#[test]
fn whatever_was_made_ready_is_current_and_no_helm_waits_for_it() {
    for (what, object) in all_kinds() {
        let is_hook = object.pointer("/metadata/annotations").is_some();
        let object = ready(&object);
        assert_eq!(rollout_of(&object), RolloutStatus::Current, "{what}: {object:#}");
        // A hook is waited for in another way.
        assert_eq!(wait_of_legacy(&object).filter(|_| !is_hook), None, "{what}: {object:#}");
    }
}

#[test]
fn these_kinds_would_be_waited_for_as_they_were() {
    let waited: Vec<_> =
        all_kinds().into_iter().filter(|(_, object)| rollout_of(object) != RolloutStatus::Current).collect();
    assert!(waited.len() >= 20, "the table proves little: {}", waited.len());
}

#[test]
fn what_was_made_ready_stays_as_it_is_when_it_is_made_ready_again() {
    for (what, object) in all_kinds() {
        let once = ready(&object);
        assert_eq!(ready(&once), once, "{what}");
    }
}

#[test]
fn what_a_server_has_completed_keeps_its_spec() {
    for (what, object) in all_kinds() {
        let after = ready(&object);
        for field in ["apiVersion", "kind", "metadata", "spec"] {
            assert_eq!(after[field], object[field], "{what}: {field}");
        }
    }
}

#[test]
fn a_hook_pod_has_succeeded_and_any_other_runs() {
    for (what, object) in all_kinds().into_iter().filter(|(_, object)| object["kind"] == "Pod") {
        let is_hook = what == "a hook's Pod";
        let status = ready(&object)["status"].clone();
        assert_eq!(status["phase"], if is_hook { "Succeeded" } else { "Running" });
        let state = if is_hook { "terminated" } else { "running" };
        assert!(status["containerStatuses"][0]["state"][state].is_object(), "{status:#}");
        assert_eq!(status["containerStatuses"][0]["ready"], !is_hook);
        assert!(status["initContainerStatuses"][0]["state"]["terminated"].is_object(), "{status:#}");
        assert!(status["initContainerStatuses"][1]["state"][state].is_object(), "a sidecar: {status:#}");
    }
}

#[test]
fn a_job_is_complete_whatever_it_counts() {
    for (spec, succeeded) in [(json!({}), 1), (json!({"completions": 7}), 7), (json!({"parallelism": 3}), 1)] {
        let mut job = object("batch/v1", "Job", spec, json!({"startTime": "2026-02-03T00:00:00Z"}));
        make_ready(&mut job, NOW);
        assert_eq!(job["status"]["succeeded"], succeeded);
        assert_eq!(job["status"]["startTime"], "2026-02-03T00:00:00Z");
        assert_eq!(job["status"]["completionTime"], NOW);
        assert_eq!(job["spec"]["backoffLimit"], 6);
    }
}

#[test]
fn a_definition_keeps_the_versions_that_were_ever_stored() {
    for (_, object) in all_kinds().into_iter().filter(|(_, object)| object["kind"] == "CustomResourceDefinition") {
        let had = object["status"]["storedVersions"].as_array().cloned().unwrap_or_default();
        let status = ready(&object)["status"].clone();
        assert_eq!(status["storedVersions"], [had, vec![json!("v1")]].concat().into_iter().collect::<Value>());
        let names = json!({"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"});
        assert_eq!(status["acceptedNames"], names);
        assert_eq!(status["conditions"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn a_status_that_is_there_is_kept_where_it_does_not_matter() {
    for (what, object) in all_kinds().into_iter().filter(|(_, object)| object["kind"] == "Widget") {
        let status = ready(&object)["status"].clone();
        if object["status"].is_null() {
            assert_eq!(status, Value::Null, "{what}");
            continue;
        }
        assert_eq!((&status["phase"], &status["observedGeneration"]), (&json!("Waiting"), &json!(3)));
        assert_eq!(status["conditions"][0], json!({"type": "Synced", "status": "False"}));
        assert_eq!(status["conditions"][1]["observedGeneration"], 3);
        let statuses: Vec<_> = (0..4).map(|at| status["conditions"][at]["status"].clone()).collect();
        assert_eq!(statuses, ["False", "True", "False", "False"]);
    }
    let address = json!({"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}});
    let service = object("v1", "Service", json!({"type": "LoadBalancer", "clusterIP": "10.0.0.7"}), address.clone());
    assert_eq!(ready(&service)["status"], address);
}

#[test]
fn what_no_server_has_completed_gets_what_helm_reads_unasked() {
    let rolling = json!({"type": "RollingUpdate"});
    let bare = |api_version, kind, spec| {
        let mut object = object(api_version, kind, spec, Value::Null);
        object["metadata"]["generation"] = json!(1);
        object
    };
    for object in [
        bare("apps/v1", "Deployment", json!({"template": template()})),
        bare("apps/v1", "Deployment", json!({"template": template(), "strategy": rolling, "replicas": null})),
        bare("apps/v1", "DaemonSet", json!({"updateStrategy": rolling})),
        bare("apps/v1", "DaemonSet", json!({})),
        bare("apps/v1", "StatefulSet", json!({"updateStrategy": rolling})),
        bare("batch/v1", "Job", json!({})),
        bare("v1", "Service", json!({})),
        bare("v1", "Service", json!({"type": "LoadBalancer", "clusterIP": ""})),
        bare("v1", "Service", json!({"type": "ExternalName", "externalName": "example.com"})),
    ] {
        let object = ready(&object);
        assert_eq!(rollout_of(&object), RolloutStatus::Current, "{object:#}");
        assert_eq!(wait_of_legacy(&object), None, "{object:#}");
        assert!(object["spec"]["type"] != "ExternalName" || object["spec"]["clusterIP"].is_null());
    }
}

#[test]
fn an_object_that_is_being_deleted_stays_as_it_is() {
    for (what, mut object) in all_kinds() {
        object["metadata"]["deletionTimestamp"] = json!(NOW);
        assert_eq!(ready(&object), object, "{what}");
    }
}

#[test]
fn what_is_no_object_or_has_odd_fields_does_no_harm() {
    for value in [Value::Null, json!("text"), json!([1]), json!(7)] {
        assert_eq!(ready(&value), value);
    }
    for (what, object) in all_kinds() {
        for field in ["metadata", "spec", "status", "apiVersion"] {
            for odd in [json!("text"), json!([1]), Value::Null] {
                let mut object = object.clone();
                object[field] = odd;
                let after = ready(&object);
                assert!(after.is_object(), "{what}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_workload_becomes_current(
        at in 0..7_usize,
        replicas in prop::option::of(0..50_i64),
        others in any::<[Option<u8>; 3]>(),
        generation in 1..1000_i64,
        strategy in prop_oneof![Just("RollingUpdate"), Just("OnDelete"), Just("Recreate")],
        flags in any::<[bool; 2]>(),
        counts in prop::collection::vec(0..60_i64, 10),
    ) {
        let [partition, completions, parallelism] = others;
        let (api_version, kind) = [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"),
            ("apps/v1", "ReplicaSet"), ("v1", "ReplicationController"), ("batch/v1", "Job"), ("v1", "Pod")][at];
        let rolling = json!({"type": strategy, "rollingUpdate": {"partition": partition}});
        let spec = json!({"replicas": replicas, "updateStrategy": rolling, "strategy": rolling, "completions": completions,
            "parallelism": parallelism, "suspend": flags[0], "paused": flags[1], "template": template(),
            "progressDeadlineSeconds": counts[9]});
        let names = ["observedGeneration", "replicas", "readyReplicas", "updatedReplicas", "availableReplicas",
            "desiredNumberScheduled", "numberReady", "failed", "currentReplicas"];
        let status: Map<String, Value> =
            names.into_iter().zip(&counts).map(|(name, count)| (name.to_owned(), json!(count))).collect();
        let mut object = object(api_version, kind, spec, status.into());
        object["metadata"]["generation"] = json!(generation);
        make_ready(&mut object, NOW);
        prop_assert_eq!(rollout_of(&object), RolloutStatus::Current, "{:#}", object);
        prop_assert_eq!(wait_of_legacy(&object), None, "{:#}", object);
    }
}
