//! Bodies that only the server reads as a whole: kubectl writes every built-in kind in the protobuf form.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::{Request, protobuf};
use super::scene::*;
use crate::domain::rehearsed::{Class, Operation, Verdict};

const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// A field of a message: its number, and a text or a message of fewer than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(number < 16 && content.len() < 128, "key and length take one byte each");
    [&[number << 3 | 2, u8::try_from(content.len()).expect("it is short")][..], content].concat()
}

/// A number as a field of a message.
fn number(number: u8, value: usize) -> Vec<u8> {
    let mut field = vec![number << 3];
    // A length is written as every number is.
    prost::encode_length_delimiter(value, &mut field).expect("room");
    field
}

/// What kubectl sends: every text of the metadata is there, an empty namespace too, and the rest.
fn body(api_version: &str, kind: &str, name: &str, rest: &[u8]) -> Vec<u8> {
    let metadata = [field(1, name.as_bytes()), field(2, b""), field(3, b""), field(5, b""), field(6, b"")].concat();
    let object = [field(1, &metadata), rest.to_vec()].concat();
    let types = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &types), field(2, &object), field(3, b""), field(4, b"")].concat()
}

/// A server that reads such bodies as far as we do.
fn reading(objects: &[(&'static str, Value)]) -> impl FnMut(&Request) -> (u16, Value) + use<> {
    let objects = objects.to_vec();
    let mut inner = server(&objects);
    move |request: &Request| {
        if *request.method() != Method::POST || !request.body().starts_with(b"k8s\0") {
            return inner(request);
        }
        let object = protobuf::decode_head(request.body()).expect("a head");
        let name = object["metadata"]["name"].as_str().unwrap_or("given-by-the-server");
        let path = format!("{}/{name}", request.uri().path());
        let own = object["metadata"]["namespace"].as_str();
        if own.is_some_and(|own| !path.contains(&format!("/namespaces/{own}/"))) {
            return status(
                400,
                "BadRequest",
                "the namespace of the provided object does not match the namespace sent on the request",
            );
        }
        if objects.iter().any(|(known, _)| *known == path) {
            return status(409, "AlreadyExists", "it already exists");
        }
        let mut made = object.clone();
        made["metadata"]["name"] = json!(name);
        (201, made)
    }
}

fn last_head<S>(scene: &Scene<S>) -> Value {
    protobuf::decode_head(scene.sent.last().expect("sent").body()).expect("a head")
}

#[test]
fn what_was_deleted_is_made_anew_under_another_name() {
    let mut scene = Scene::new(reading(&[(JOB, stored(job("init", "old")))]));
    scene.delete(JOB);
    // A field 15 that nobody knows comes last.
    let rest = [field(2, b"\x7a\x00"), field(15, b"unknown")].concat();
    let (code, made) = scene.send("POST", JOBS, MEDIA, body("batch/v1", "Job", "init", &rest));
    assert_eq!((code, &made["metadata"]["name"]), (StatusCode::CREATED, &json!("init")));
    let sent = scene.sent.last().expect("sent").body().clone();
    let alias = last_head(&scene)["metadata"]["name"].as_str().expect("a name").to_owned();
    assert!(alias.starts_with("csghub-rehearsal-"), "{alias}");
    let expected = body("batch/v1", "Job", &alias, &rest);
    // The namespace was empty and is written out; nothing else differs.
    assert_eq!(sent.len(), expected.len() + "prod".len());
    assert!(sent.windows(rest.len()).any(|part| part == rest));
    let found = scene.close();
    assert_eq!((found.objects[0].operation, &found.objects[0].verdict), (Operation::Replace, &Verdict::Accepted));
    assert_eq!(found.findings, Vec::new());
}

#[test]
fn a_namespace_of_the_run_is_stood_in_for() {
    let occupied = ("/api/v1/namespaces/prod/serviceaccounts/b", json!({"metadata": {"name": "b"}}));
    let mut scene = Scene::new(reading(&[occupied]));
    scene.send("POST", "/api/v1/namespaces", MEDIA, body("v1", "Namespace", "new", b""));
    for (name, is_renamed) in [("a", false), ("b", true)] {
        let sent = body("v1", "ServiceAccount", name, b"");
        let (code, made) = scene.send("POST", "/api/v1/namespaces/new/serviceaccounts", MEDIA, sent);
        assert_eq!((code, &made["metadata"]["name"]), (StatusCode::CREATED, &json!(name)));
        assert_eq!(made["metadata"]["namespace"], "new");
        let head = last_head(&scene);
        assert_eq!(head["metadata"]["namespace"], "prod");
        assert_eq!(head["metadata"]["name"] != name, is_renamed, "{name}");
    }
    let (code, made) =
        scene.send("POST", "/api/v1/namespaces/new/serviceaccounts", MEDIA, body("v1", "ServiceAccount", "", b""));
    assert_eq!((code, &made["metadata"]["namespace"]), (StatusCode::CREATED, &json!("new")));
    assert_eq!(made["metadata"]["name"], "given-by-the-server");
    assert!(scene.close().objects.iter().all(|object| object.verdict == Verdict::Accepted));
}

#[test]
fn what_is_there_already_is_there_for_every_form_of_body() {
    let mut scene = Scene::new(reading(&[]));
    scene.create(JOBS, &job("init", "new"));
    let (code, _) = scene.send("POST", JOBS, MEDIA, body("batch/v1", "Job", "init", b""));
    assert_eq!(code, StatusCode::CONFLICT);
}

#[test]
fn two_services_cannot_have_the_same_port() {
    let spec =
        |port| field(2, &[field(1, &[number(3, 8080), number(5, port)].concat()), field(4, b"NodePort")].concat());
    for (second, is_refused) in [(31_000, true), (31_001, false)] {
        let mut scene = Scene::new(reading(&[]));
        for (name, port) in [("a", 31_000), ("b", second)] {
            let sent = body("v1", "Service", name, &spec(port));
            scene.send("POST", "/api/v1/namespaces/prod/services", MEDIA, sent);
        }
        let classes: Vec<Class> = scene.close().findings.iter().map(|finding| finding.class).collect();
        assert_eq!(classes, vec![Class::Allocator; usize::from(is_refused)], "{second}");
    }
}

#[test]
fn what_cannot_be_disguised_is_not_sent() {
    let mut scene = Scene::new(reading(&[]));
    scene.send("POST", "/api/v1/namespaces", MEDIA, body("v1", "Namespace", "new", b""));
    let sent = scene.sent.len();
    // The metadata is no message.
    let object = field(1, b"\xff\xff");
    let types = [field(1, b"v1"), field(2, b"ServiceAccount")].concat();
    let broken = [b"k8s\0".to_vec(), field(1, &types), field(2, &object)].concat();
    scene.send("POST", "/api/v1/namespaces/new/serviceaccounts", MEDIA, broken);
    assert_eq!(scene.sent.len(), sent);
}

#[test]
fn a_pod_that_names_what_the_run_makes_cannot_be_tried() {
    let mut inner = reading(&[]);
    let mut scene = Scene::new(move |request: &Request| match request.uri().path() {
        "/api/v1/namespaces/prod/pods" => status(
            403,
            "Forbidden",
            "pods \"p\" is forbidden: error looking up service account prod/mine: serviceaccount \"mine\" not found",
        ),
        _ => inner(request),
    });
    scene.send("POST", "/api/v1/namespaces/prod/serviceaccounts", MEDIA, body("v1", "ServiceAccount", "mine", b""));
    scene.send("POST", "/api/v1/namespaces/prod/pods", MEDIA, body("v1", "Pod", "p", b""));
    let found = scene.close();
    assert_eq!(found.findings, Vec::new());
    assert!(matches!(found.objects[1].verdict, Verdict::Unpredictable { .. }), "{:?}", found.objects[1]);
}

#[test]
fn an_update_of_what_the_run_made_is_not_sent_as_it_came() {
    let mut scene = Scene::new(reading(&[]));
    scene.create(JOBS, &job("init", "new"));
    let sent = scene.sent.len();
    assert!(scene.send("PUT", JOB, MEDIA, body("batch/v1", "Job", "init", b"")).0.is_success());
    assert_eq!(scene.sent.len(), sent);
    assert_eq!(
        scene.get(JOB).1["spec"]["template"]["spec"]["containers"][0]["image"],
        "new",
        "what is not known stays"
    );
    assert!(matches!(scene.close().objects[0].verdict, Verdict::Unpredictable { .. }));
}
