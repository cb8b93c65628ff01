use proptest::prelude::*;
use serde_json::json;

use super::*;

fn told(before: &Value, after: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
    changes(before, after).into_iter().map(|change| (change.path, change.before, change.after)).collect()
}

fn paths(before: &Value, after: &Value) -> Vec<String> {
    changes(before, after).into_iter().map(|change| change.path).collect()
}

fn deployment(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
}

#[test]
fn a_change_has_the_path_by_the_items_key_and_both_values() {
    assert_eq!(
        told(&deployment("a:1"), &deployment("a:2")),
        [("spec.template.spec.containers[name=web].image".to_owned(), Some(json!("a:1")), Some(json!("a:2")))]
    );
}

#[test]
fn what_the_server_and_its_controllers_write_is_no_change() {
    let mut live = deployment("a:1");
    live["status"] = json!({"replicas": 1});
    live["metadata"]["uid"] = json!("u");
    live["metadata"]["resourceVersion"] = json!("12");
    live["metadata"]["generation"] = json!(3);
    live["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    live["metadata"]["managedFields"] = json!([{"manager": "helm"}]);
    live["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "3"});
    assert_eq!(paths(&live, &deployment("a:1")), Vec::<String>::new());
    assert!(!restarts_pods(&live, &deployment("a:1")));
    // An item of a list has neither kind nor apiVersion.
    let mut item = live.clone();
    drop_field(&mut item, "kind");
    drop_field(&mut item, "apiVersion");
    assert_eq!(paths(&item, &deployment("a:1")), Vec::<String>::new());
    assert!(restarts_pods(&item, &deployment("a:2")));
}

#[test]
fn only_the_pod_template_of_a_workload_restarts_pods() {
    let mut scaled = deployment("a:1");
    scaled["spec"]["replicas"] = json!(2);
    assert!(!restarts_pods(&deployment("a:1"), &scaled));
    assert!(restarts_pods(&deployment("a:1"), &deployment("a:2")));
    let job = |image: &str| {
        let mut job = deployment(image);
        job["kind"] = json!("Job");
        job
    };
    assert!(!restarts_pods(&job("a:1"), &job("a:2")));
}

#[test]
fn what_a_dry_run_only_pretends_to_allocate_is_no_change() {
    let service =
        |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec});
    let before = service(json!({"type": "ExternalName", "ports": [{"port": 80, "protocol": "TCP"}]}));
    let after = service(json!({"type": "LoadBalancer", "clusterIP": "10.96.0.0", "clusterIPs": ["10.96.0.0"],
        "healthCheckNodePort": 32770, "ports": [{"port": 80, "protocol": "TCP", "nodePort": 32769}]}));
    assert_eq!(paths(&before, &after), ["spec.type"]);
    let asked = service(json!({"type": "NodePort", "ports": [
        {"name": "a", "port": 80, "protocol": "TCP", "nodePort": 30080},
        {"name": "b", "port": 81, "protocol": "TCP", "nodePort": 30081}]}));
    let was = service(json!({"type": "ClusterIP", "clusterIP": "10.96.0.7", "ports": [
        {"name": "a", "port": 80, "protocol": "TCP"}, {"name": "b", "port": 81, "protocol": "TCP"}]}));
    // The lost address is real, and so is the port that was asked for.
    assert_eq!(paths(&was, &asked), ["spec.clusterIP", "spec.ports[name=a].nodePort", "spec.type"]);
    let moved = service(json!({"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 31000}]}));
    let given = service(json!({"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 32769}]}));
    assert_eq!(paths(&moved, &given), ["spec.ports[port=80].nodePort"]);
}

#[test]
fn secrets_are_shown_as_digests_of_their_values() {
    let secret =
        |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"user": value}});
    // base64 of "old" and "new".
    let digests = (Some(json!("sha256:cba06b5736fa")), Some(json!("sha256:11507a0e2f5e")));
    assert_eq!(told(&secret("b2xk"), &secret("bmV3")), [("data.user".to_owned(), digests.0, digests.1)]);
    let added = told(&json!({"kind": "Secret"}), &secret("bmV3"));
    assert!(!format!("{added:?}").contains("bmV3"), "{added:?}");
    // Without a kind on either side, the worst is taken for granted.
    let bare = |value: &str| json!({"data": {"user": value}});
    assert!(!format!("{:?}", told(&bare("b2xk"), &bare("bmV3"))).contains("bmV3"));

    let pod = |password: &str, url: &str, note: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": {"example.com/api-token": note}},
            "spec": {"containers": [{"name": "web", "env": [{"name": "DB_PASSWORD", "value": password},
                {"name": "URL", "value": format!("postgres://shop:{url}@db/shop")}]}]}})
    };
    let shown = told(&pod("hunter2", "tr0ub4dor", "n0te0ne"), &pod("hunter3", "c0rrecth0rse", "n0tetw0"));
    assert_eq!(shown.len(), 3, "{shown:?}");
    let text = format!("{shown:?}");
    for value in ["hunter", "tr0ub", "c0rrect", "n0te"] {
        assert!(!text.contains(value), "{text}");
    }
    assert!(text.contains("postgres://shop:sha256:") && text.contains("@db/shop"), "{text}");
}

#[test]
fn of_a_long_value_the_part_that_differs_is_shown() {
    let lines: Vec<String> = (0..50).map(|number| format!("line {number} of the file")).collect();
    let file = |changed: &str| {
        let text = lines.join("\n").replace("line 30 of the file", changed);
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"nginx.conf": text}})
    };
    let shown = told(&file("worker 1"), &file("worker 2"));
    let [(path, Some(Value::String(before)), Some(Value::String(after)))] = shown.as_slice() else {
        panic!("{shown:?}");
    };
    assert_eq!(path, "data.\"nginx.conf\"");
    assert!(before.starts_with("... worker 1\n") && after.starts_with("... worker 2\n"), "{before} {after}");
    assert!(before.contains("bytes, sha256:") && before.len() < 250, "{before}");
}

fn manifest() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 1, "selector": null, "paused": false,
        "template": {"spec": {"containers": [{"name": "web", "image": "a:1", "args": [], "resources": {
            "limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "0.5"}}}],
            "tolerations": [{"key": "a"}, {"key": "b"}]}}}})
}

/// As the server gives back the manifest: with defaults, amounts written its way, and its owners.
fn live() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "managedFields": [
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {
            "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}, "f:args": {}}}}}}}},
        {"manager": "kube-controller-manager", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        {"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:status": {}}}]}, "spec": {
        "replicas": 1,
        "template": {"spec": {"restartPolicy": "Always", "containers": [{"name": "web", "image": "a:1", "resources": {
            "limits": {"cpu": "1", "memory": "1024Mi"}, "requests": {"cpu": "500m"}}}],
            "tolerations": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]}}}})
}

fn edits(live: &Value, after: &Value) -> Vec<(String, Option<String>)> {
    hand_edits(&manifest(), live, after).into_iter().map(|edit| (edit.change.path, edit.manager)).collect()
}

#[test]
fn what_the_server_only_wrote_another_way_is_no_hand_edit() {
    let mut after = live();
    after["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:2");
    after["spec"]["template"]["spec"]["tolerations"] = json!([{"key": "c", "operator": "Exists"}]);
    after["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("2");
    assert_eq!(edits(&live(), &after), []);
}

#[test]
fn a_hand_edit_that_stays_is_not_told_and_one_that_goes_is_told_with_its_author() {
    let mut edited = live();
    edited["spec"]["replicas"] = json!(5);
    edited["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:1-debug");
    edited["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["--debug"]);
    assert_eq!(edits(&edited, &edited), []);
    let mut after = live();
    after["spec"]["replicas"] = json!(3);
    let image = "spec.template.spec.containers[name=web].image";
    let by = |manager: &str| Some(manager.to_owned());
    assert_eq!(
        edits(&edited, &after),
        [
            ("spec.replicas".to_owned(), by("kube-controller-manager")),
            (image.to_owned(), by("kubectl-edit")),
            ("spec.template.spec.containers[name=web].args".to_owned(), by("kubectl-edit")),
        ]
    );
    let told = hand_edits(&manifest(), &edited, &after);
    let change = told.iter().find(|edit| edit.change.path == image).expect("told").change.clone();
    assert_eq!((change.before, change.after), (Some(json!("a:1-debug")), Some(json!("a:1"))));
}

#[test]
fn what_was_taken_away_by_hand_comes_back_and_nobody_owns_it() {
    let mut edited = live();
    drop_field(&mut edited["spec"]["template"]["spec"]["containers"][0]["resources"], "limits");
    assert_eq!(
        edits(&edited, &live()),
        [("spec.template.spec.containers[name=web].resources.limits".to_owned(), None)]
    );
}

#[test]
fn what_helm_or_a_controller_wrote_is_no_hand_edit() {
    for (manager, more) in [("helm", json!({})), ("operator", json!({"manager": "operator", "subresource": "status"}))]
    {
        let mut edited = live();
        edited["spec"]["paused"] = json!(true);
        edited["metadata"]["managedFields"] =
            json!([{"manager": manager, "fieldsV1": {"f:spec": {"f:paused": {}}}}, more]);
        assert_eq!(edits(&edited, &live()), [], "{manager}");
    }
}

#[test]
fn an_item_added_by_hand_to_a_list_that_is_one_value_is_told() {
    let ingress = |hosts: &[&str]| {
        let rules: Vec<Value> = hosts.iter().map(|host| json!({"host": host})).collect();
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": rules}})
    };
    let told = hand_edits(&ingress(&["a"]), &ingress(&["a", "mine"]), &ingress(&["a", "b"]));
    let told: Vec<_> = told.into_iter().map(|edit| (edit.change.path, edit.change.before, edit.change.after)).collect();
    assert_eq!(told, [("spec.rules[host=mine]".to_owned(), Some(json!({"host": "mine"})), None)]);
}

#[test]
fn text_of_a_secrets_manifest_is_compared_with_what_the_server_made_of_it() {
    let manifest =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "old", "b": "x"}});
    let secret = |a: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": a, "b": "eA=="}});
    assert_eq!(hand_edits(&manifest, &secret("b2xk"), &secret("bmV3")), []);
    let told = hand_edits(&manifest, &secret("bmV3"), &secret("b2xk"));
    assert_eq!(told.len(), 1);
    assert!(!format!("{told:?}").contains("b2xk"), "{told:?}");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i32).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("(name|spec|data|kind|password|[a-c])", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn an_object_has_no_changes_and_no_hand_edits_against_itself(value in json_value()) {
        prop_assert_eq!(changes(&value, &value), vec![]);
        prop_assert_eq!(hand_edits(&value, &value, &value), vec![]);
        prop_assert!(!restarts_pods(&value, &value));
    }

    #[test]
    fn a_write_that_keeps_what_is_live_reverts_nothing(manifest in json_value(), live in json_value()) {
        prop_assert_eq!(hand_edits(&manifest, &live, &live), vec![]);
    }

    #[test]
    fn a_long_value_stays_short(one in ".{0,600}", other in ".{0,600}") {
        let (before, after) = (json!({"a": one}), json!({"a": other}));
        for change in changes(&before, &after) {
            for value in [change.before, change.after].into_iter().flatten() {
                prop_assert!(value.as_str().is_none_or(|text| text.len() <= 260));
            }
        }
    }
}
