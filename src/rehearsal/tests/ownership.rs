//! Whose an object is, Helm asks of those alone that it marks as the release's own.

use serde_json::{Value, json};

use super::super::Request;
use super::scene::*;
use crate::domain::rehearsed::{Class, Verdict};

const NAMESPACE: &str = "/api/v1/namespaces/prod";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gauges.example.com";

fn namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "labels": {"name": "prod"}}})
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gauges.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "gauges", "singular": "gauge", "kind": "Gauge", "listKind": "GaugeList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

/// Of another release.
fn of_another(object: Value) -> Value {
    let mut object = marked(object);
    object["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("other");
    object
}

/// Source: Helm 4 `pkg/action/install.go`: `crds/` and the namespace of `--create-namespace` are applied as they are, whoever
/// has them; the release's objects get its marks before (`setMetadataVisitor`).
#[test]
fn helm_4_asks_nobody_whose_a_namespace_or_a_definition_of_its_is() {
    for (path, object) in [(NAMESPACE, namespace()), (DEFINITION, definition())] {
        for live in [object.clone(), of_another(object.clone())] {
            for (sent, is_foreign) in [(object.clone(), false), (marked(object.clone()), true)] {
                let mut inner = server(&[(path, live.clone())]);
                let there = live.clone();
                let mut scene =
                    Scene::new(move |request: &Request| match (request.method().as_str(), inner(request)) {
                        // What is there and is not applied stays.
                        ("PATCH", (code, applied)) => {
                            let mut object = there.clone();
                            json_patch::merge(&mut object, &applied);
                            (code, object)
                        }
                        (_, answer) => answer,
                    });
                scene.get(path);
                scene.apply(path, &sent);
                let found = scene.close();
                let classes: Vec<Class> = found.findings.iter().map(|finding| finding.class).collect();
                assert_eq!(classes, vec![Class::Ownership; usize::from(is_foreign)], "{sent}");
                assert_eq!(found.objects[0].verdict == Verdict::Refused, is_foreign, "{sent}");
            }
        }
    }
}

/// A patch names what differs: of an object that has some of the marks it has the others.
#[test]
fn a_refused_patch_that_completes_the_marks_is_of_the_release() {
    let mut live = config("a", "1");
    live["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
    let annotations = json!({"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod"});
    for (patch, is_foreign) in [
        (json!({"metadata": {"annotations": annotations}, "data": {"a": "2"}}), true),
        (json!({"data": {"a": "2"}}), false),
    ] {
        let mut inner = server(&[(CONFIG, live.clone())]);
        let mut scene = Scene::new(move |request: &Request| match request.method().as_str() {
            "PATCH" => status(403, "Forbidden", "configmaps \"a\" is forbidden: no"),
            _ => inner(request),
        });
        scene.get(CONFIG);
        // Without the schema, which this server does not give, the patch cannot be applied here.
        scene.call("PATCH", CONFIG, "application/strategic-merge-patch+json", &patch);
        let found = scene.close();
        let has_it = found.findings.iter().any(|finding| finding.class == Class::Ownership);
        assert_eq!(has_it, is_foreign, "{patch}");
    }
}
