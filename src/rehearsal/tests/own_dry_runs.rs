//! What the command itself asks as a dry run: answered, and without a trace, for it changes nothing.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::Request;
use super::scene::*;

const SERVICE: &str = "/api/v1/namespaces/prod/services/web";
const SERVICES: &str = "/api/v1/namespaces/prod/services";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "prod"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}})
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gauges.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "gauges", "singular": "gauge", "kind": "Gauge", "listKind": "GaugeList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

/// A server with a quota of one ConfigMap.
fn with_quota(live: &[(&'static str, Value)]) -> impl FnMut(&Request) -> (u16, Value) + use<> {
    let mut inner = server(live);
    move |request: &Request| match request.uri().path() {
        path if path.ends_with("/resourcequotas") => {
            let quota = json!({"metadata": {"name": "few", "namespace": "prod"}, "spec": {"hard": {"count/configmaps": "1"}},
                "status": {"hard": {"count/configmaps": "1"}, "used": {"count/configmaps": "0"}}});
            (200, json!({"items": [quota]}))
        }
        _ => inner(request),
    }
}

#[test]
fn what_was_tried_as_a_dry_run_is_free_for_the_real_write() {
    let mut scene = Scene::new(with_quota(&[]));
    for (collection, object) in [(CONFIGS, config("a", "1")), (SERVICES, service("web")), (CRDS, definition())] {
        let media = "application/json";
        let (code, answer) = scene.call("POST", &format!("{collection}?dryRun=All"), media, &object);
        assert_eq!((code, &answer["metadata"]["name"]), (StatusCode::CREATED, &object["metadata"]["name"]));
    }
    for path in [CONFIG, SERVICE, "/apis/example.com/v1/namespaces/prod/gauges/a"] {
        assert_eq!(scene.get(path).0, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(scene.rehearsal.overlay.present().next().is_none());
    // The quota, the port and the name are free.
    scene.create(CONFIGS, &config("a", "1"));
    scene.create(SERVICES, &service("other"));
    let found = scene.close();
    let names: Vec<&str> = found.objects.iter().map(|object| object.object.name.as_str()).collect();
    assert_eq!((names, found.blocks(), found.findings), (vec!["a", "other"], false, Vec::new()));
}

#[test]
fn what_is_deleted_as_a_dry_run_is_still_there() {
    let path = "/api/v1/namespaces/prod/persistentvolumeclaims/data";
    let claim = stored(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "prod"}, "spec": {"volumeName": "v"}}));
    // As `DeleteOptions` say it; the query counts where there is no body, and there alone.
    for (uri, body, is_dry) in [
        (path.to_owned(), json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}), true),
        (format!("{path}?dryRun=All"), Value::Null, true),
        (format!("{path}?dryRun=All"), json!({"kind": "DeleteOptions", "apiVersion": "v1"}), false),
        (path.to_owned(), json!({"dryRun": []}), false),
    ] {
        let mut scene = Scene::new(server(&[(path, claim.clone())]));
        assert!(scene.call("DELETE", &uri, "application/json", &body).0.is_success());
        assert_eq!(scene.writes(), [format!("DELETE {path}")]);
        assert_eq!(scene.last_body()["dryRun"], json!(["All"]), "all the same");
        let expected = if is_dry { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(scene.get(path).0, expected, "{uri} {body}");
        let found = scene.close();
        assert_eq!((found.objects.is_empty(), found.findings.is_empty()), (is_dry, is_dry), "{uri} {body}");
    }
}

#[test]
fn what_the_command_wrote_outlives_its_dry_runs() {
    let mut scene = Scene::new(server(&[]));
    let (_, made) = scene.create(CONFIGS, &config("a", "1"));
    let (code, tried) = scene.call(
        "PATCH",
        &format!("{CONFIG}?dryRun=All"),
        "application/merge-patch+json",
        &json!({"data": {"a": "2"}}),
    );
    assert!(code.is_success());
    // Whoever compares the two, as `kubectl diff` does, sees what was asked to change and nothing else.
    let mut expected = made.clone();
    expected["data"]["a"] = json!("2");
    assert_eq!(tried, expected);
    let dry = json!({"dryRun": ["All"]});
    assert!(scene.call("DELETE", CONFIG, "application/json", &dry).0.is_success());
    assert_eq!(scene.get(CONFIG).1, made);
    assert_eq!(scene.close().objects.len(), 1);
}

#[test]
fn a_dry_run_of_what_is_there_is_answered_as_the_server_does() {
    let path = "/apis/apps/v1/namespaces/prod/deployments/web";
    let mut live = stored(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod", "generation": 3}, "spec": {"replicas": 1},
        "status": {"observedGeneration": 3, "readyReplicas": 0}}));
    let (stored_live, mut inner) = (live.clone(), server(&[(path, live.clone())]));
    let mut scene = Scene::new(move |request: &Request| match request.method().as_str() {
        "PATCH" => {
            let mut answer = stored_live.clone();
            answer["spec"]["replicas"] = json!(2);
            (200, answer)
        }
        _ => inner(request),
    });
    let patch = json!({"spec": {"replicas": 2}});
    let (_, tried) = scene.call("PATCH", &format!("{path}?dryRun=All"), "application/merge-patch+json", &patch);
    live["spec"]["replicas"] = json!(2);
    assert_eq!(tried, live, "with no readiness and no version made up");
    assert!(scene.close().objects.is_empty());
}

#[test]
fn a_secret_of_a_dry_run_is_known_to_the_masker() {
    let mut scene = Scene::new(server(&[]));
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "prod"},
        "data": {"password": "czNjcjN0"}});
    scene.call("POST", "/api/v1/namespaces/prod/secrets?dryRun=All", "application/json", &secret);
    let known: Vec<&Value> = scene.rehearsal.secrets().filter_map(|secret| secret.pointer("/data/password")).collect();
    assert_eq!(known, ["czNjcjN0"]);
}
