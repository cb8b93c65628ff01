//! The support for these tests proves itself: a snapshot that sees nothing would prove anything.

use serde_json::json;

use crate::support::user::Rule;
use crate::support::{Bed, Helm, Snapshot};

#[test]
fn a_snapshot_sees_what_is_new_changed_and_gone() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("snapshot");
    let map = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": namespace.name},
            "data": {"a": value}})
    };
    let take = || Snapshot::of_namespace(&bed, &namespace.name);
    let name = format!("ConfigMap {} m", namespace.name);
    let empty = take();
    bed.apply(&map("one"));
    let first = take();
    assert!(empty.changes_until(&first).contains(&format!("new: {name}")));
    assert!(first.changes_until(&take()).is_empty(), "nothing happened");
    bed.apply(&map("two"));
    assert!(first.changes_until(&take()).iter().any(|line| line.starts_with(&format!("changed: {name}"))));
    bed.kubectl(&["delete", "configmap", "m", "-n", &namespace.name]);
    assert!(first.changes_until(&take()).contains(&format!("gone: {name}")));

    let cluster = Snapshot::of_cluster_in_motion(&bed);
    for there in [format!("Namespace - {}", namespace.name), "ClusterRole - cluster-admin".to_owned()] {
        assert!(cluster.names().any(|name| name == there), "{there} is not in the snapshot");
    }
}

#[test]
fn the_audit_log_tells_writes_from_dry_runs_and_users_apart() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("audit");
    let (user, other) = (bed.user(&namespace.name), bed.user(&namespace.name));
    assert_ne!(user.name, other.name);
    user.grant(&namespace.name, &[Rule { group: "", resources: &["configmaps"], verbs: &["get", "create"] }]);
    let make = |name: &str, extra: &[&str]| {
        let mut arguments = vec!["create", "configmap", name];
        arguments.extend(extra);
        bed.try_kubectl_as(&user.kubeconfig, &arguments, None).status.success()
    };
    assert!(make("dry", &["--dry-run=server"]));
    assert!(user.audit().writes().is_empty());
    assert!(make("real", &[]));
    let refused = bed.try_kubectl_as(&user.kubeconfig, &["delete", "configmap", "real"], None);
    assert!(!refused.status.success(), "the right to delete was not granted");
    let audit = user.audit();
    let writes: Vec<_> = audit.writes().iter().map(|write| (write.verb.as_str(), write.code)).collect();
    assert_eq!(writes, [("create", 201), ("delete", 403)]);
    assert_eq!(audit.writes()[0].body.as_ref().expect("level Request")["metadata"]["name"], "real");
    assert!(other.audit().writes().is_empty(), "another user's requests");
}

#[test]
fn every_helm_of_the_bed_is_the_version_it_is_named() {
    let Some(bed) = Bed::open() else { return };
    let helms = Helm::all();
    assert!(helms.len() >= 2, "both major versions are tested");
    for helm in helms {
        let shown = helm.run(&bed.kubeconfig, &["version", "--short"]).must();
        assert!(shown.starts_with(&format!("v{}", helm.version)), "{shown}");
    }
}
