//! Who gets a write: what an extension API server would make of a dry run nobody can tell.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::Request;
use super::scene::*;
use crate::domain::rehearsed::Verdict;

const THINGS: &str = "/apis/example.com/v1/namespaces/prod/things";
const THING: &str = "/apis/example.com/v1/namespaces/prod/things/a";
const API_SERVICE: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com";
const PAGE: &str = "/openapi/v3/apis/example.com/v1";

fn thing(name: &str) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, "namespace": "prod"}, "spec": {}})
}

/// A server with these answers to what is asked about who serves the kind.
fn scene(
    api_service: &(u16, Value),
    page: &(u16, Value),
    live: &[(&'static str, Value)],
) -> Scene<impl FnMut(&Request) -> (u16, Value) + use<>> {
    let (api_service, page) = (api_service.clone(), page.clone());
    let mut inner = server(live);
    Scene::new(move |request: &Request| match request.uri().path() {
        API_SERVICE => api_service.clone(),
        PAGE => page.clone(),
        _ => inner(request),
    })
}

fn asked<S: FnMut(&Request) -> (u16, Value)>(scene: &Scene<S>, path: &str) -> usize {
    scene.sent.iter().filter(|request| request.uri().path() == path).count()
}

fn forbidden() -> (u16, Value) {
    status(403, "Forbidden", "apiservices.apiregistration.k8s.io \"v1.example.com\" is forbidden")
}

fn custom_resources() -> (u16, Value) {
    (200, json!({"openapi": "3.0.0", "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"}}))
}

fn extension() -> (u16, Value) {
    (200, json!({"kind": "APIService", "spec": {"service": {"namespace": "things", "name": "server"}}}))
}

#[test]
fn for_what_the_api_server_serves_itself_nothing_is_asked() {
    let mut scene = scene(&extension(), &custom_resources(), &[]);
    scene.create(CONFIGS, &config("b", "1"));
    scene.create(JOBS, &job("init", "1"));
    let is_question = |request: &&Request| request.uri().path().contains("apiservices");
    assert_eq!(scene.sent.iter().filter(is_question).count(), 0);
    assert_eq!(scene.writes().len(), 2);
}

#[test]
fn custom_resources_are_sent_and_asked_about_once() {
    let local = (200, json!({"kind": "APIService", "spec": {"service": null, "group": "example.com"}}));
    for (api_service, page, pages) in [
        (&local, not_found(), 0),
        // Made by a definition a moment ago: never handed on, then.
        (&not_found(), not_found(), 0),
        // Of a user with rights in one namespace.
        (&forbidden(), custom_resources(), 1),
        (&status(500, "InternalError", "no"), custom_resources(), 1),
    ] {
        let mut scene = scene(api_service, &page, &[]);
        assert!(scene.create(THINGS, &thing("a")).0.is_success());
        assert!(scene.create(THINGS, &thing("b")).0.is_success());
        assert!(scene.apply(THING, &thing("a")).0.is_success());
        assert_eq!((asked(&scene, API_SERVICE), asked(&scene, PAGE)), (1, pages), "{api_service:?}");
        assert_eq!(scene.writes().len(), 3, "{api_service:?}");
        let found = scene.close();
        assert_eq!(found.denied, Vec::<String>::new());
        assert!(found.objects.iter().all(|object| object.verdict == Verdict::Accepted));
    }
}

#[test]
fn what_an_extension_api_server_would_get_is_denied_and_told() {
    let live = [(THING, stored(thing("a")))];
    let mut scene = scene(&extension(), &custom_resources(), &live);
    let merge = "application/merge-patch+json";
    for (method, uri, media, body) in [
        ("POST", THINGS, "application/json", thing("b")),
        ("PUT", THING, "application/json", thing("a")),
        ("PATCH", THING, merge, json!({"spec": {"a": 1}})),
        ("DELETE", THING, "application/json", json!({})),
    ] {
        let (code, status) = scene.call(method, uri, media, &body);
        assert_eq!((code, &status["reason"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("MethodNotAllowed")), "{method}");
    }
    assert!(scene.get(THING).0.is_success(), "it may be read");
    assert_eq!((scene.writes(), asked(&scene, API_SERVICE)), (Vec::new(), 1));
    let found = scene.close();
    let because = "it is served by an extension API server, which may not honour dry runs";
    let expected = ["POST", "PUT", "PATCH", "DELETE"].map(|method| format!("{method} things.example.com ({because})"));
    assert_eq!(found.denied, expected);
    assert!(found.objects.is_empty());
}

#[test]
fn where_nothing_tells_who_serves_a_kind_it_is_not_sent_and_not_predicted() {
    let metrics = (200, json!({"openapi": "3.0.0", "info": {"title": "Things", "version": "v1"}}));
    for page in [forbidden(), not_found(), metrics] {
        let mut scene = scene(&forbidden(), &page, &[]);
        assert!(scene.create(THINGS, &thing("a")).0.is_success());
        assert_eq!(scene.get(THING).1["kind"], "Thing");
        assert_eq!(scene.delete(&format!("{THINGS}/b")).0, StatusCode::NOT_FOUND);
        assert!(scene.delete(THING).0.is_success());
        assert_eq!((scene.writes(), asked(&scene, API_SERVICE), asked(&scene, PAGE)), (Vec::new(), 1, 1));
        let found = scene.close();
        assert!(matches!(found.objects[0].verdict, Verdict::Unpredictable { .. }), "{:?}", found.objects);
    }
}

#[test]
fn what_could_not_be_told_by_its_name_is_denied_instead() {
    let mut scene = scene(&forbidden(), &forbidden(), &[]);
    let unnamed = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"generateName": "a-"}});
    assert_eq!(scene.create(THINGS, &unnamed).0, StatusCode::METHOD_NOT_ALLOWED);
    assert!(scene.writes().is_empty());
    let denied = scene.close().denied;
    assert!(denied.len() == 1 && denied[0].starts_with("POST things.example.com (whether"), "{denied:?}");
}
