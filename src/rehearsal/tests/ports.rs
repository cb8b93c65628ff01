//! Node ports of Services that live in the overlay alone, after patches.

use http::Method;
use serde_json::{Value, json};

use super::super::Request;
use super::scene::*;
use crate::domain::rehearsed::{Class, Rehearsed};

const SERVICES: &str = "/api/v1/namespaces/prod/services";
const MERGE: &str = "application/merge-patch+json";
const OPERATIONS: &str = "application/json-patch+json";

fn service(name: &str, port: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "prod"},
        "spec": {"type": "NodePort", "ports": [port]}})
}

/// A server that makes up a port, out of every range, for whoever asks for none.
fn allocating(live: &[(&'static str, Value)]) -> impl FnMut(&Request) -> (u16, Value) + use<> {
    let (mut inner, live) = (server(live), live.first().map(|(_, object)| object.clone()));
    move |request: &Request| {
        let (code, mut answer) = inner(request);
        if let (Some(live), true) = (&live, request.method() == Method::PATCH) {
            let patch = answer;
            answer = live.clone();
            json_patch::merge(&mut answer, &patch);
        }
        if request.method() != Method::GET && answer.pointer("/spec/ports/0/nodePort").is_none() {
            answer["spec"]["ports"][0]["nodePort"] = json!(32_769);
        }
        (code, answer)
    }
}

fn allocator(found: &Rehearsed) -> Vec<&str> {
    let of_ports = found.findings.iter().filter(|finding| finding.class == Class::Allocator);
    of_ports.map(|finding| finding.object.name.as_str()).collect()
}

#[test]
fn a_patch_of_a_service_does_not_give_its_port_back() {
    for (media, patch) in [
        (MERGE, json!({"metadata": {"labels": {"a": "b"}}})),
        (OPERATIONS, json!([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}])),
    ] {
        let mut scene = Scene::new(allocating(&[]));
        scene.create(SERVICES, &service("a", &json!({"port": 80, "nodePort": 30080})));
        scene.call("PATCH", &format!("{SERVICES}/a"), media, &patch);
        scene.create(SERVICES, &service("b", &json!({"port": 80, "nodePort": 30080})));
        assert_eq!(allocator(&scene.close()), ["b"], "{patch}");
    }
}

#[test]
fn a_port_that_a_patch_asks_for_is_looked_at() {
    let port = json!({"port": 80, "nodePort": 30080});
    for (media, patch) in [
        (MERGE, json!({"spec": {"ports": [port]}})),
        (OPERATIONS, json!([{"op": "add", "path": "/spec/ports/0/nodePort", "value": 30080}])),
    ] {
        for is_taken in [true, false] {
            let mut scene = Scene::new(allocating(&[]));
            if is_taken {
                scene.create(SERVICES, &service("a", &port));
            }
            scene.create(SERVICES, &service("b", &json!({"port": 80})));
            scene.call("PATCH", &format!("{SERVICES}/b"), media, &patch);
            let expected = if is_taken { vec!["b"] } else { Vec::new() };
            assert_eq!(allocator(&scene.close()), expected, "{patch}");
        }
    }
}

#[test]
fn a_port_that_a_dry_run_made_up_is_nobodys_after_a_second_patch() {
    let path = "/api/v1/namespaces/prod/services/web";
    let mut plain = service("web", &json!({"port": 80}));
    plain["spec"]["type"] = json!("ClusterIP");
    for live in [&[(path, stored(plain.clone()))][..], &[]] {
        let mut scene = Scene::new(allocating(live));
        if live.is_empty() {
            scene.create(SERVICES, &plain);
        }
        scene.get(path);
        scene.call("PATCH", path, MERGE, &json!({"spec": {"type": "NodePort", "ports": [{"port": 80}]}}));
        scene.call("PATCH", path, MERGE, &json!({"metadata": {"labels": {"a": "b"}}}));
        scene.create(SERVICES, &service("other", &json!({"port": 80, "nodePort": 32_769})));
        let found = scene.close();
        let causes: Vec<&str> = found.findings.iter().map(|finding| finding.cause.as_str()).collect();
        assert!(causes.len() == 1 && causes[0].contains("out of range"), "{causes:?}");
    }
}
