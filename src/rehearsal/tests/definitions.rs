//! Custom resources whose definition the same command brings or changes.

use serde_json::{Value, json};

use super::scene::*;
use crate::domain::rehearsed::{Class, Verdict};

const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gauges.example.com";
const GAUGE: &str = "/apis/example.com/v1/namespaces/prod/gauges/a";

fn crd(field: &str) -> Value {
    let spec = json!({"type": "object", "properties": {field: {"type": "string"}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gauges.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "gauges", "singular": "gauge", "kind": "Gauge", "listKind": "GaugeList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}})
}

fn gauge(spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Gauge", "metadata": {"name": "a", "namespace": "prod"}, "spec": spec})
}

fn cluster() -> impl FnMut(&super::super::Request) -> (u16, Value) {
    server(&[(CRD, stored(crd("old"))), (GAUGE, stored(gauge(&json!({"old": "1"}))))])
}

#[test]
fn what_a_changed_definition_drops_is_no_unknown_field_of_what_is_applied() {
    for (spec, is_refused) in [(json!({"new": "1"}), false), (json!({"new": "1", "old": "1"}), true)] {
        let mut scene = Scene::new(cluster());
        scene.apply(CRD, &crd("new"));
        scene.apply(GAUGE, &gauge(&spec));
        // Again, as Helm does on its way back.
        scene.apply(GAUGE, &gauge(&spec));
        if !is_refused {
            assert_eq!(scene.get(GAUGE).1["spec"], spec);
        }
        let found = scene.close();
        let classes: Vec<Class> = found.findings.iter().map(|finding| finding.class).collect();
        assert_eq!(classes.contains(&Class::Validation), is_refused, "{:?}", found.findings);
        assert_eq!(found.objects[1].verdict == Verdict::Refused, is_refused);
    }
}

#[test]
fn a_custom_resource_that_was_written_otherwise_cannot_be_told_when_it_is_applied() {
    let mut scene = Scene::new(cluster());
    scene.apply(CRD, &crd("new"));
    scene.call("PATCH", GAUGE, "application/merge-patch+json", &json!({"spec": {"old": null, "new": "by kubectl"}}));
    scene.apply(GAUGE, &gauge(&json!({"new": "1"})));
    assert!(matches!(scene.close().objects[1].verdict, Verdict::Unpredictable { .. }));
}

#[test]
fn what_has_the_name_of_its_spec_is_not_tried_under_another() {
    const SERVICE: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com";
    let service = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.example.com"}, "spec": {"group": "example.com", "version": "v1"}});
    for (path, object) in [(CRD, crd("new")), (SERVICE, service)] {
        for is_apply in [false, true] {
            let mut scene = Scene::new(server(&[(path, stored(object.clone()))]));
            scene.delete(path);
            let sent = scene.writes().len();
            let (collection, _) = path.rsplit_once('/').expect("a path");
            let (code, made) = if is_apply { scene.apply(path, &object) } else { scene.create(collection, &object) };
            assert!(code.is_success());
            assert_eq!((scene.writes().len(), &made["spec"]), (sent, &object["spec"]));
            let verdict = scene.close().objects[0].verdict.clone();
            assert!(matches!(verdict, Verdict::Unpredictable { .. }), "{verdict:?}");
        }
    }
}
