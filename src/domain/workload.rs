//! Which workload a pod belongs to, and which of its pods say something about its present rollout.

use super::object::{Object, ObjectRef};

/// The annotation by which a Deployment numbers its `ReplicaSet`s: the one in use has the highest number. The Deployment itself
/// gets the number later than it says to have seen a change, where it takes up an old `ReplicaSet` again.
///
/// Source: `getNewReplicaSet` in `k8s.io/kubernetes` `pkg/controller/deployment/sync.go`.
const REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";

/// The label by which the pods of a StatefulSet name the revision they were made from.
const REVISION_LABEL: &str = "controller-revision-hash";

/// The annotation of a DaemonSet, and the label of its pods, that count its templates.
const TEMPLATE_ANNOTATION: &str = "deprecated.daemonset.template.generation";
const TEMPLATE_LABEL: &str = "pod-template-generation";

/// Returns the object that made another one: the controller among its owner references, with its uid.
///
/// It lives in the same namespace, or is cluster-scoped (a Node); the namespace is given in any case.
#[must_use]
pub fn controller_of(object: &Object) -> Option<(ObjectRef, String)> {
    let reference = object
        .list_at("/metadata/ownerReferences")
        .iter()
        .find(|reference| reference.get("controller").and_then(serde_json::Value::as_bool) == Some(true))?;
    let text = |field: &str| reference.get(field).and_then(serde_json::Value::as_str).map(str::to_owned);
    let owner = ObjectRef {
        api_version: text("apiVersion")?,
        kind: text("kind")?,
        namespace: object.namespace().map(str::to_owned),
        name: text("name")?,
    };
    Some((owner, text("uid")?))
}

/// Returns the workload that a pod belongs to: a Deployment through its ReplicaSet, a CronJob through its Job, else what
/// made the pod. A ReplicaSet or Job that is not given, or is not the one with the pod's owner uid, is the answer itself.
#[must_use]
pub fn owner_of_pod(pod: &Object, replica_sets: &[Object], jobs: &[Object]) -> Option<ObjectRef> {
    let (owner, uid) = controller_of(pod)?;
    let between = match owner.kind.as_str() {
        "ReplicaSet" => replica_sets,
        "Job" => jobs,
        _ => return Some(owner),
    };
    let above = with_uid(between, &uid).and_then(controller_of);
    Some(above.map_or(owner, |(owner, _)| owner))
}

fn with_uid<'a>(objects: &'a [Object], uid: &str) -> Option<&'a Object> {
    objects.iter().find(|object| object.uid() == Some(uid))
}

/// Returns the pods by which the present rollout of a workload is judged: of a Deployment those of its newest
/// ReplicaSet, of a StatefulSet those of its update revision, of a DaemonSet those of its present template, of anything
/// else all that belong to it. Pods of an older revision may crash; that is why it is being replaced.
///
/// None counts as long as the controller has not seen the last change: they are all of the revision before it.
#[must_use]
pub fn pods_that_count<'a>(
    workload: &Object,
    pods: &'a [Object],
    replica_sets: &[Object],
    jobs: &[Object],
) -> Vec<&'a Object> {
    let name = workload.reference(None);
    let is_it = |owner: Option<ObjectRef>| owner.is_some_and(|owner| owner.is_same_object(&name));
    if !is_seen(workload) {
        return Vec::new();
    }
    pods.iter()
        .filter(|pod| is_it(controller_of(pod).map(|(owner, _)| owner)) || is_it(owner_of_pod(pod, replica_sets, jobs)))
        .filter(|pod| is_of_this_rollout(workload, pod, replica_sets))
        .collect()
}

/// Tells whether the controller has seen the last change of a workload that says so.
fn is_seen(workload: &Object) -> bool {
    let says_so = matches!((workload.group(), workload.kind()), ("apps", "Deployment" | "StatefulSet"));
    let seen = workload.number_at("/status/observedGeneration");
    !says_so || workload.generation().is_none_or(|asked| seen == Some(asked))
}

/// Returns the number that a Deployment gave to a `ReplicaSet`.
fn revision_of(replica_set: &Object) -> Option<u64> {
    replica_set.annotation(REVISION_ANNOTATION)?.parse().ok()
}

/// Where a mark is missing on either side, the pod counts.
fn is_of_this_rollout(workload: &Object, pod: &Object, replica_sets: &[Object]) -> bool {
    let is_same = |wanted: Option<&str>, found: Option<&str>| match (wanted, found) {
        (Some(wanted), Some(found)) if !wanted.is_empty() => wanted == found,
        _ => true,
    };
    match (workload.group(), workload.kind()) {
        ("apps", "Deployment") => {
            let name = workload.reference(None);
            let is_its = |set: &&Object| controller_of(set).is_some_and(|(owner, _)| owner.is_same_object(&name));
            let newest = replica_sets.iter().filter(is_its).filter_map(revision_of).max();
            let replica_set = controller_of(pod).and_then(|(_, uid)| with_uid(replica_sets, &uid));
            replica_set.and_then(revision_of).is_none_or(|revision| Some(revision) == newest)
        }
        ("apps", "StatefulSet") => is_same(workload.text_at("/status/updateRevision"), pod.label(REVISION_LABEL)),
        ("apps", "DaemonSet") => is_same(workload.annotation(TEMPLATE_ANNOTATION), pod.label(TEMPLATE_LABEL)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(api_version: &str, kind: &str, name: &str, owner: Option<(&str, &str, &str)>, rest: &Value) -> Object {
        let owners = owner.map_or(json!([]), |(api_version, kind, name)| {
            json!([{"apiVersion": "v1", "kind": "Other", "name": "x", "uid": "x"},
                {"apiVersion": api_version, "kind": kind, "name": name, "uid": format!("uid-{name}"), "controller": true}])
        });
        let mut value = json!({"apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "ownerReferences": owners}});
        for (field, content) in rest.as_object().into_iter().flatten() {
            match field.as_str() {
                "status" => value["status"] = content.clone(),
                _ => value["metadata"][field] = content.clone(),
            }
        }
        Object::new(value).expect("an object")
    }

    fn names(pods: &[&Object]) -> Vec<String> {
        pods.iter().map(|pod| pod.name().to_owned()).collect()
    }

    #[test]
    fn a_pod_belongs_to_the_deployment_of_its_replica_set() {
        let revision = |number: &str| json!({"annotations": {"deployment.kubernetes.io/revision": number}});
        let deployment = object("apps/v1", "Deployment", "web", None, &revision("2"));
        let owner = Some(("apps/v1", "Deployment", "web"));
        let sets = [
            object("apps/v1", "ReplicaSet", "web-1", owner, &revision("1")),
            object("apps/v1", "ReplicaSet", "web-2", owner, &revision("2")),
        ];
        let pods = [
            object("v1", "Pod", "old", Some(("apps/v1", "ReplicaSet", "web-1")), &json!({})),
            object("v1", "Pod", "new", Some(("apps/v1", "ReplicaSet", "web-2")), &json!({})),
            object("v1", "Pod", "other", Some(("apps/v1", "ReplicaSet", "api-1")), &json!({})),
            object("v1", "Pod", "bare", None, &json!({})),
        ];
        let owners: Vec<Option<String>> =
            pods.iter().map(|pod| owner_of_pod(pod, &sets, &[]).map(|owner| owner.to_string())).collect();
        let owners: Vec<Option<&str>> = owners.iter().map(Option::as_deref).collect();
        let web = Some("Deployment shop/web");
        assert_eq!(owners, [web, web, Some("ReplicaSet shop/api-1"), None]);
        assert_eq!(names(&pods_that_count(&deployment, &pods, &sets, &[])), ["new"]);
    }

    #[test]
    fn pods_of_the_revision_before_count_no_more_once_a_change_was_asked_for() {
        let revision = |number: &str| json!({"annotations": {"deployment.kubernetes.io/revision": number}});
        let owner = Some(("apps/v1", "Deployment", "web"));
        let web = |observed: u64| {
            let marks = json!({"generation": 3, "annotations": {"deployment.kubernetes.io/revision": "2"},
                "status": {"observedGeneration": observed}});
            object("apps/v1", "Deployment", "web", None, &marks)
        };
        let sets = |first: &str| {
            [
                object("apps/v1", "ReplicaSet", "web-1", owner, &revision(first)),
                object("apps/v1", "ReplicaSet", "web-2", owner, &revision("2")),
                object("apps/v1", "ReplicaSet", "api-1", Some(("apps/v1", "Deployment", "api")), &revision("9")),
            ]
        };
        let pods = [
            object("v1", "Pod", "good", Some(("apps/v1", "ReplicaSet", "web-1")), &json!({})),
            object("v1", "Pod", "crashing", Some(("apps/v1", "ReplicaSet", "web-2")), &json!({})),
        ];
        let counted = |web: &Object, first: &str| names(&pods_that_count(web, &pods, &sets(first), &[]));
        assert_eq!(counted(&web(3), "1"), ["crashing"]);
        assert_eq!(counted(&web(2), "1"), Vec::<String>::new(), "rolled back, and nobody has looked");
        assert_eq!(counted(&web(3), "3"), ["good"], "the Deployment still has the number of the one before");

        let marks = json!({"generation": 3, "status": {"observedGeneration": 2, "updateRevision": "db-b"}});
        let set = object("apps/v1", "StatefulSet", "db", None, &marks);
        let labels = json!({"labels": {"controller-revision-hash": "db-b"}});
        let pod = object("v1", "Pod", "db-0", Some(("apps/v1", "StatefulSet", "db")), &labels);
        assert_eq!(names(&pods_that_count(&set, std::slice::from_ref(&pod), &[], &[])), Vec::<String>::new());
    }

    #[test]
    fn of_a_stateful_set_the_pods_of_its_update_revision_count() {
        let set = object("apps/v1", "StatefulSet", "db", None, &json!({"status": {"updateRevision": "db-b"}}));
        let pod = |name: &str, hash: &str| {
            let labels = json!({"labels": {"controller-revision-hash": hash}});
            object("v1", "Pod", name, Some(("apps/v1", "StatefulSet", "db")), &labels)
        };
        let pods = [pod("db-0", "db-a"), pod("db-1", "db-b")];
        assert_eq!(names(&pods_that_count(&set, &pods, &[], &[])), ["db-1"]);
    }

    #[test]
    fn of_a_daemon_set_the_pods_of_its_present_template_count() {
        let marks = json!({"annotations": {"deprecated.daemonset.template.generation": "3"}});
        let set = object("apps/v1", "DaemonSet", "agent", None, &marks);
        let pod = |name: &str, generation: &str| {
            let labels = json!({"labels": {"pod-template-generation": generation}});
            object("v1", "Pod", name, Some(("apps/v1", "DaemonSet", "agent")), &labels)
        };
        let pods = [pod("a", "2"), pod("b", "3")];
        assert_eq!(names(&pods_that_count(&set, &pods, &[], &[])), ["b"]);
    }

    #[test]
    fn a_pod_belongs_to_the_cron_job_of_its_job() {
        let job = object("batch/v1", "Job", "nightly-1", Some(("batch/v1", "CronJob", "nightly")), &json!({}));
        let pod = object("v1", "Pod", "p", Some(("batch/v1", "Job", "nightly-1")), &json!({}));
        assert_eq!(owner_of_pod(&pod, &[], std::slice::from_ref(&job)).map(|owner| owner.kind), Some("CronJob".into()));
        assert_eq!(owner_of_pod(&pod, &[], &[]).map(|owner| owner.kind), Some("Job".into()));
        let jobs = std::slice::from_ref(&job);
        assert_eq!(names(&pods_that_count(&job, std::slice::from_ref(&pod), &[], jobs)), ["p"]);
    }
}
