use serde_json::json;

use super::*;

fn pod(status: Value) -> Object {
    let mut value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}});
    value["status"] = status;
    Object::new(value).expect("an object")
}

fn waiting(reason: &str, message: &str, restarts: i64) -> Value {
    json!({"name": "server", "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": message}}})
}

fn in_container(status: Value) -> PodTrouble {
    let mut pending = json!({"phase": "Pending"});
    pending["containerStatuses"] = Value::Array(vec![status]);
    pod_trouble(&pod(pending)).expect("trouble")
}

fn trouble(kind: TroubleKind, restarts: i64) -> PodTrouble {
    PodTrouble { kind, container: None, reason: String::new(), message: String::new(), restarts }
}

#[test]
fn a_crash_loop_says_how_the_container_ended() {
    let mut status = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container", 3);
    status["lastState"] = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "no such\n table"}});
    let found = in_container(status.clone());
    assert_eq!(found.kind, TroubleKind::CrashLoop);
    assert_eq!(found.what(), "container server: CrashLoopBackOff, 3 restarts, last exit code 1 (Error): no such table");
    status["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    let found = in_container(status);
    assert_eq!(found.kind, TroubleKind::OomKilled);
    assert_eq!(found.what(), "container server: CrashLoopBackOff, 3 restarts, last exit code 137 (OOMKilled)");
}

#[test]
fn a_container_between_two_starts_is_in_trouble_too() {
    let found = in_container(json!({"name": "server", "restartCount": 1, "state": {"terminated": {"exitCode": 2}}}));
    assert_eq!(found.what(), "container server: Terminated, 1 restart, last exit code 2");
    let done = json!({"phase": "Running", "initContainerStatuses": [{"name": "init", "state": {"terminated": {"exitCode": 0}}}]});
    assert_eq!(pod_trouble(&pod(done)), None);
}

#[test]
fn the_reasons_of_the_kubelet_have_kinds() {
    for (reason, kind) in [
        ("InvalidImageName", TroubleKind::BadConfig),
        ("ErrImageNeverPull", TroubleKind::BadConfig),
        ("CreateContainerConfigError", TroubleKind::BadConfig),
        ("ErrImagePull", TroubleKind::ImagePull),
        ("ImagePullBackOff", TroubleKind::ImagePull),
        ("RunContainerError", TroubleKind::CrashLoop),
    ] {
        assert_eq!(in_container(waiting(reason, "", 0)).kind, kind, "{reason}");
    }
    for reason in ["ContainerCreating", "PodInitializing", ""] {
        assert_eq!(pod_trouble(&pod(json!({"containerStatuses": [waiting(reason, "", 0)]}))), None, "{reason}");
    }
    let found = in_container(waiting("CreateContainerConfigError", "secret \"shop\" not found", 0));
    assert_eq!(found.what(), "container server: CreateContainerConfigError: secret \"shop\" not found");
}

#[test]
fn the_worst_container_speaks_for_the_pod() {
    let status = json!({"phase": "Pending", "initContainerStatuses": [waiting("CrashLoopBackOff", "", 1)],
        "containerStatuses": [waiting("PodInitializing", "", 0), waiting("InvalidImageName", "", 0)]});
    assert_eq!(pod_trouble(&pod(status)).map(|found| found.kind), Some(TroubleKind::BadConfig));
}

#[test]
fn a_pod_without_a_node_is_unschedulable() {
    let unplaced = |reason: &str| {
        pod_trouble(&pod(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": reason, "message": "0/3 nodes are available: 3 Insufficient cpu."}]})))
    };
    let found = unplaced("Unschedulable").expect("trouble");
    assert_eq!(found.what(), "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.");
    assert_eq!(unplaced("SchedulingGated"), None);
}

#[test]
fn a_failed_pod_says_why() {
    let evicted = pod(json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}));
    assert_eq!(
        pod_trouble(&evicted).map(|found| found.what()).as_deref(),
        Some("Evicted: The node was low on memory.")
    );
    let ended = pod(json!({"phase": "Failed", "containerStatuses": [
        {"name": "migrate", "restartCount": 0, "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}));
    let what = "container migrate: Failed: last exit code 3 (Error)";
    assert_eq!(pod_trouble(&ended).map(|found| found.what()).as_deref(), Some(what));
}

#[test]
fn a_pod_that_succeeded_or_goes_away_is_in_no_trouble() {
    assert_eq!(
        pod_trouble(&pod(json!({"phase": "Succeeded", "containerStatuses": [waiting("CrashLoopBackOff", "", 9)]}))),
        None
    );
    let mut leaving = pod(json!({"containerStatuses": [waiting("CrashLoopBackOff", "", 9)]})).into_value();
    leaving["metadata"]["deletionTimestamp"] = json!("t");
    assert_eq!(pod_trouble(&Object::new(leaving).expect("an object")), None);
}

#[test]
fn a_long_message_is_cut() {
    let found = in_container(waiting("ErrImagePull", &"é ".repeat(400), 0));
    assert!(found.message.ends_with("...") && found.message.chars().count() == 303);
}

#[test]
fn settings_and_images_are_given_some_time() {
    let hopeless = |kind, secs| is_hopeless(&trouble(kind, 0), Duration::from_secs(secs));
    assert!(!hopeless(TroubleKind::BadConfig, 29) && hopeless(TroubleKind::BadConfig, 30));
    assert!(!hopeless(TroubleKind::ImagePull, 59) && hopeless(TroubleKind::ImagePull, 60));
}

#[test]
fn a_container_may_crash_twice_while_it_waits_for_its_database() {
    let hopeless = |restarts| is_hopeless(&trouble(TroubleKind::CrashLoop, restarts), Duration::from_hours(1));
    assert!(!hopeless(2) && hopeless(3));
}

#[test]
fn an_autoscaler_may_come_and_a_failed_pod_may_be_replaced() {
    for kind in [TroubleKind::Unschedulable, TroubleKind::FailedPod] {
        assert!(!is_hopeless(&trouble(kind, 9), Duration::from_hours(1)));
    }
}
